//! What an order waited for that is nobody's doing but the stores', and what is left: the broker,
//! its store, nats-server, and the stores' own disk.
//!
//! Of each order that came of its first sweep and attempt, each step of which was asked once:
//! - *before*: from the intended send until the first store had its question. A quote id tells
//!   when its store was asked and after how long it answered (`partner_sim::quote_token`).
//! - *after*: from the last thing that the decision awaited until the customer heard of the order,
//!   less the simulated response times of the answers to reserve, authorise and place (the instant
//!   noted in the stores' ledger file for the answer, less the one at which the command came).
//! - what the decision awaited: the latest of the offers in its receipt, of the other answers (when
//!   the broker had them: such an answer does not tell when its store gave it) and of the deadlines
//!   that its receipt names (silence of a store, the grace of `balanced`, the hard stop).
//!
//! Orders whose grace was over after a further round for a better price are left out: the receipt
//! does not tell until when such a round is given time.
//!
//! The broker's overhead is the sum of both.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use broker_core::receipt::search::{Came, Ending, Opening, Source};
use broker_core::receipt::{Receipt, Verdict};
use partner_sim::ledger::{Asked, Decision, Decisions};
use schemas::{DurationMs, PartnerId, RequestId, Timestamp};
use serde::Deserialize;
use tests::auditor::Evidence;

use super::ear::{Told, Wish};
use super::market::Market;

/// Message id of an answer, and when it was to be sent.
pub(super) type Delays = HashMap<String, Timestamp>;

/// Milliseconds of one order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overhead {
    pub(super) before: f64,
    pub(super) after: f64,
}

/// A line of the stores' ledger file; others are skipped.
#[derive(Deserialize)]
struct Later {
    at: Timestamp,
    message_id: Option<String>,
}

/// Reads when every delayed answer was to be sent.
pub(super) fn read_delays(ledger_file: &Path) -> anyhow::Result<Delays> {
    let doing = || format!("reading {}", ledger_file.display());
    let file = std::fs::File::open(ledger_file).with_context(doing)?;
    let mut delays = Delays::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(doing)?;
        if !line.starts_with("{\"line\":\"later\"") {
            continue;
        }
        let later: Later = serde_json::from_str(&line).with_context(doing)?;
        delays.extend(later.message_id.map(|id| (id, later.at)));
    }
    Ok(delays)
}

/// Simulated response times of a first attempt, milliseconds; `None` where something was asked
/// twice or not answered.
pub(super) type SagaWaits = HashMap<RequestId, Option<u64>>;

pub(super) fn saga_waits(evidence: &Evidence, delays: &Delays) -> SagaWaits {
    let mut waits = SagaWaits::new();
    let mut note = |request, wait: Option<u64>| {
        let all = waits.entry(request).or_insert(Some(0));
        *all = all.zip(wait).map(|(all, wait)| all + wait);
    };
    for hold in evidence.partners.reservations.iter().filter(|hold| hold.attempt == 1) {
        let who = hold.partner.as_str();
        note(hold.request_id, only_wait(&hold.decisions, Asked::Reserve, who, delays));
    }
    for order in evidence.partners.orders.iter().filter(|order| order.attempt == 1) {
        let who = order.partner.as_str();
        note(order.request_id, only_wait(&order.decisions, Asked::Place, who, delays));
    }
    for payment in evidence.payments.payments.iter().filter(|payment| payment.attempt == 1) {
        let who = payment.provider.as_str();
        note(payment.request_id, only_wait(&payment.decisions, Asked::Authorize, who, delays));
    }
    waits
}

/// How long the answer to the only copy took; an answer at once is in no list of delays.
fn only_wait<O>(decisions: &Decisions<O>, asked: Asked, who: &str, delays: &Delays) -> Option<u64> {
    let mut copies = decisions.of(asked);
    let Decision { id, received_at, faults, .. } = copies.next()?;
    let smooth = faults.is_empty()
        && copies.next().is_none()
        && decisions.of(Asked::Lookup).next().is_none();
    let answered = delays.get(&format!("{who}:{id}")).unwrap_or(received_at);
    smooth.then(|| answered.since(*received_at).as_ms())
}

/// The overhead of a request, if it was ordered at the first go.
pub(super) fn overhead(
    evidence: &Evidence,
    market: &Market,
    (request, wish, told): (RequestId, &Wish, &Told),
    waits: &SagaWaits,
) -> Option<Overhead> {
    let saga_ms = (*waits.get(&request)?)?;
    let head = evidence.heads.get(&request)?;
    let first_go = head.sweep == 1 && head.tried.len() == 1;
    let receipt = evidence.receipts.get(&request)?.first()?;
    if !first_go || receipt.verdict != Verdict::Buy {
        return None;
    }
    let answers = answers(receipt, market, wish.intended_at);
    // With nothing but remembered answers there was no waiting for stores at all.
    let asked = answers.iter().filter_map(|answer| answer.asked).min().unwrap_or(wish.intended_at);
    let awaited = awaited(evidence, receipt, asked, &answers)?;
    let ms = |from: Timestamp, until: Timestamp| {
        let (from, until) = (from.as_unix_ms() as f64, until.as_unix_ms() as f64);
        until - from
    };
    let before = ms(wish.intended_at, asked);
    let after = ms(awaited, told.at) - saga_ms as f64;
    Some(Overhead { before, after })
}

/// When each store in a receipt was asked, when it answered, and whether that could be bought.
/// What had been said before the request came was awaited by nobody.
fn answers(receipt: &Receipt, market: &Market, intended: Timestamp) -> Vec<Answered> {
    let rounds = receipt.search.iter().flat_map(|search| &search.rounds);
    let own = rounds.flat_map(|round| &round.asked).filter(|one| one.source == Source::Asked);
    let own: BTreeSet<&PartnerId> = own.map(|one| &one.partner).collect();
    let answer = |quote: &broker_core::Quote| {
        let store = market.store(&quote.partner)?;
        let terms = store.read_quote(&quote.quote_id)?;
        let asked = terms.valid_until.saturating_sub(DurationMs(store.profile().quote_valid_ms));
        let at = asked.saturating_add(terms.answered_after);
        let affordable = quote.is_affordable(receipt.max_total);
        let asked = own.contains(&quote.partner).then_some(asked);
        Some(Answered { asked, at: at.max(intended), affordable })
    };
    receipt.quotes.iter().filter_map(answer).collect()
}

struct Answered {
    /// For this very request.
    asked: Option<Timestamp>,
    at: Timestamp,
    affordable: bool,
}

/// It was waited for, and then there was no offer to read the time from.
fn ended_without_an_offer(came: Came) -> bool {
    match came {
        Came::NoStock | Came::Unsuitable | Came::Invalid | Came::Refused | Came::TimedOut => true,
        Came::Offer | Came::Down | Came::Canceled | Came::NotSent | Came::Shadow => false,
    }
}

/// What ended the waiting. Deadlines count from when the first store had its question, which is
/// after the broker began to count: where that would lie after the decision, the decision counts.
fn awaited(
    evidence: &Evidence,
    receipt: &Receipt,
    asked: Timestamp,
    answers: &[Answered],
) -> Option<Timestamp> {
    let policy = &evidence.policy;
    let search = receipt.search.as_ref()?;
    let answered = answers.iter().map(|answer| answer.at).filter(|at| *at <= receipt.decided_at);
    let others = search.rounds.iter().flat_map(|round| {
        let others = round.asked.iter().filter(|asked| ended_without_an_offer(asked.came));
        others.map(|asked| round.after.as_ms() + asked.took.as_ms())
    });
    let deadlines = others.map(|after_ms| asked.saturating_add(DurationMs(after_ms)));
    let further = search.rounds.iter().any(|round| round.why == Opening::BetterLikely);
    let ended = match search.ended {
        Ending::GraceOver if further => return None,
        Ending::GraceOver => {
            let affordable = answers.iter().filter(|answer| answer.affordable);
            affordable.map(|answer| answer.at).min().map(|at| at.saturating_add(policy.grace))
        }
        Ending::HardStop => Some(asked.saturating_add(policy.sweep_hard_stop)),
        Ending::AllEnded | Ending::FirstFit | Ending::ClearlyBelow | Ending::NotWorthAsking => None,
    };
    let deadlines = deadlines.chain(ended).map(|at| at.min(receipt.decided_at));
    answered.chain(deadlines).max()
}
