//! What was chosen, and from what.

use std::collections::BTreeMap;

use broker_core::event::Finding;
use broker_core::quote::Cost;
use broker_core::receipt::{Receipt, Verdict};
use broker_core::request::PurchaseRequest;
use broker_core::{Event, Quote};
use schemas::id::QuoteId;
use schemas::json;
use schemas::partner::{Component, QuoteAnswers, QuoteOffer, QuoteOutcome};
use schemas::{DurationMs, Isbn13, PartnerId, RequestId, Timestamp};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook};
use crate::auditor::{Seen, Vouched, peek};

/// How long after the broker our own ear may hear something, on a loaded machine.
const TAP_LAG: DurationMs = DurationMs::from_secs(30);

/// P2, invariant HonestChoice: what was bought had been offered by that very store, for that book,
/// at that worst-case total, before it was decided on, and was still good then. Offers travel
/// outside streams, so in a run in which something was away an offer that nobody heard is excused;
/// one that says something else never is. Where nobody listened, the stores are asked instead.
pub(in crate::auditor) fn honest_choice(book: &Casebook<'_>, findings: &mut Findings) {
    let offers = Offers::listed(book);
    let excused = !book.evidence.disturbances.is_empty();
    let margin = book.evidence.policy.clock_margin;
    let lag = if book.evidence.background.virtual_time { margin } else { TAP_LAG };
    for (request, case) in &book.cases {
        let mut seen_attempt = 0;
        for step in &case.steps {
            let Some(checkout) = &step.next.checkout else { continue };
            if checkout.attempt <= seen_attempt {
                continue;
            }
            seen_attempt = checkout.attempt;
            let quote = &checkout.quote;
            let isbn = step.next.submission.isbn;
            let wanted = (isbn, quote.worst_total().map(|total| total.minor()));
            let offered = match offers.verbatim(isbn, quote) {
                Some(at) => Some((at, wanted)),
                None => offers.find(&quote.partner, &quote.quote_id),
            };
            let honest = offered.map_or(excused, |(_, offered)| offered == wanted);
            findings.demand(honest, *request, || {
                let (partner, id) = (&quote.partner, &quote.quote_id);
                let bought = format!("attempt {seen_attempt} buys {id} of {partner} at {wanted:?}");
                format!("{bought}, offered was {offered:?}")
            });
            let by = step.at.saturating_add(lag);
            let heard = offered.is_none_or(|(at, _)| at <= by || book.has_run_off(at));
            findings.demand(heard && quote.valid_until > step.at, *request, || {
                let (until, at) = (quote.valid_until, step.at);
                format!("attempt {seen_attempt} was begun at {at}, {offered:?} holds until {until}")
            });
        }
    }
}

/// Book and worst-case total of an offer.
type Said = (Isbn13, Option<u64>);

/// Every offer heard on its store's own subject, found by the id it carries and parsed on demand.
struct Offers<'a> {
    by_id: BTreeMap<(&'a PartnerId, &'a str), &'a Seen>,
    all: &'a [(PartnerId, &'a Seen)],
    vouched: BTreeMap<(&'a PartnerId, &'a str), &'a Vouched>,
}

impl<'a> Offers<'a> {
    fn listed(book: &'a Casebook<'_>) -> Self {
        let mut by_id = BTreeMap::new();
        for (partner, seen) in &book.mail.quotes {
            for id in peek::texts(&seen.body, "\"quote_id\":") {
                by_id.entry((partner, id)).or_insert(*seen);
            }
        }
        let vouched = &book.evidence.background.vouched;
        let vouched = vouched.iter().map(|said| ((&said.partner, said.quote_id.as_str()), said));
        Self { by_id, all: &book.mail.quotes, vouched: vouched.collect() }
    }

    /// When it was first heard, if its store said it in exactly our words.
    fn verbatim(&self, isbn: Isbn13, quote: &Quote) -> Option<Timestamp> {
        let seen = self.by_id.get(&(&quote.partner, quote.quote_id.as_str()))?;
        let text = String::from_utf8(json::encode(&as_offered(isbn, quote))).ok()?;
        let said = text.trim_start_matches('{').trim_end_matches('}');
        std::str::from_utf8(&seen.body).ok()?.contains(said).then_some(seen.at)
    }

    /// When it was first heard, and what it says.
    fn find(&self, partner: &PartnerId, id: &QuoteId) -> Option<(Timestamp, Said)> {
        let listed = self.by_id.get(&(partner, id.as_str()));
        let said = listed.and_then(|seen| offer(seen, id));
        // A store may write its JSON in another way than compact.
        let mut of_store = self.all.iter().filter(|(of, _)| of == partner);
        let said = said.or_else(|| of_store.find_map(|(_, seen)| offer(seen, id)));
        let vouched = || self.vouched.get(&(partner, id.as_str()));
        said.or_else(|| vouched().map(|said| (said.at, (said.isbn, Some(said.total)))))
    }
}

/// The offer that a quote was made from.
fn as_offered(isbn: Isbn13, quote: &Quote) -> QuoteOffer {
    let component = |cost| match cost {
        Cost::Exact(minor) => Some(Component::Exact(minor)),
        Cost::AtMost(minor) => Some(Component::AtMost(minor)),
        Cost::Unknown => None,
    };
    QuoteOffer {
        quote_id: quote.quote_id.clone(),
        isbn,
        condition: quote.condition,
        currency: quote.currency,
        item: quote.item,
        shipping: component(quote.shipping),
        tax: component(quote.tax),
        fee: component(quote.fee),
        in_stock: quote.in_stock,
        valid_until: quote.valid_until,
    }
}

fn offer(seen: &Seen, id: &QuoteId) -> Option<(Timestamp, Said)> {
    let answers: QuoteAnswers = json::decode(&seen.body, usize::MAX).ok()?;
    answers.items.into_iter().find_map(|answer| match answer.outcome {
        QuoteOutcome::Offer(offer) if offer.quote_id == *id => {
            Some((seen.at, (offer.isbn, worst_total(&offer))))
        }
        QuoteOutcome::Offer(_) | QuoteOutcome::NoStock | QuoteOutcome::Refused { .. } => None,
    })
}

fn worst_total(offer: &QuoteOffer) -> Option<u64> {
    let worst = |component: Option<Component>| match component? {
        Component::Exact(minor) | Component::AtMost(minor) => Some(minor),
    };
    let parts = [worst(offer.shipping)?, worst(offer.tax)?, worst(offer.fee)?];
    parts.into_iter().try_fold(offer.item, u64::checked_add)
}

/// P2, invariant HonestChoice: chosen again from what its receipt lists, every decision comes out
/// the same: the same verdict, and the cheapest offer that could be bought.
pub(in crate::auditor) fn choice_recomputed(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let receipts = book.evidence.receipts.get(request).map_or(&[][..], Vec::as_slice);
        for (before, step) in case.steps.iter().zip(case.steps.iter().skip(1)) {
            let Some(Event::SweepClosed(closed)) = step.event() else { continue };
            let receipt = receipts.iter().find(|receipt| receipt.sweep == closed.sweep);
            let Some(receipt) = receipt else {
                findings.examine();
                let sweep = closed.sweep;
                findings.about(*request, format!("the decision on sweep {sweep} has no receipt"));
                continue;
            };
            let wrong = disagrees(book, &before.next, receipt, &closed.finding);
            findings.demand(wrong.is_none(), *request, || {
                format!("sweep {}: {}", closed.sweep, wrong.unwrap_or_default())
            });
        }
        receipts_fit(book, *request, case, receipts, findings);
    }
}

/// What is wrong with a decision, judged from its receipt.
fn disagrees(
    book: &Casebook<'_>,
    before: &PurchaseRequest,
    receipt: &Receipt,
    finding: &Finding,
) -> Option<String> {
    let at = receipt.decided_at;
    // Others were buying the last copies there; who they were is not this request's business.
    let passed_over = receipt.search.as_ref().map_or(&[][..], |search| &search.passed_over);
    let valid = |quote: &Quote| quote.valid_until > at && !passed_over.contains(&quote.partner);
    let buyable = |quote: &&Quote| valid(quote) && quote.is_affordable(receipt.max_total);
    let total = |quote: &Quote| quote.worst_total().map_or(u64::MAX, |total| total.minor());
    // Whoever has just let the customer down comes last, however cheap.
    let let_down = |quote: &Quote| before.let_down_by() == Some(&quote.partner);
    let best = receipt.quotes.iter().filter(buyable).map(|q| (let_down(q), total(q))).min();
    match (finding, receipt.verdict, best) {
        (Finding::Affordable(chosen), Verdict::Buy, Some(best)) => {
            let first = chosen.first()?;
            let listed = receipt.quotes.contains(first);
            ((let_down(first), total(first)) != best || !listed)
                .then(|| format!("{first:?} was chosen, the best costs {best:?}"))
        }
        (Finding::TooDear { best: told, .. }, Verdict::TooDear, None) => {
            let cheapest = receipt.quotes.iter().filter(|q| valid(q)).map(total).min();
            (Some(total(told)) != cheapest)
                .then(|| format!("{told:?} was told, the best costs {cheapest:?}"))
        }
        (Finding::NoStock, Verdict::NoStock, None) => {
            let min = book.evidence.policy.min_coverage_permille;
            let left = |quote: &Quote| !passed_over.contains(&quote.partner);
            (receipt.coverage_permille() < min || receipt.quotes.iter().any(left))
                .then(|| "too few answers for \"nobody has it\"".to_owned())
        }
        (Finding::NoAnswer, Verdict::NoAnswer, None) => {
            let any = receipt.quotes.iter().any(valid);
            any.then(|| "there were answers".to_owned())
        }
        (finding, verdict, best) => {
            Some(format!("{finding:?} with verdict {verdict:?}, the best costs {best:?}"))
        }
    }
}

/// Receipts list only stores of the directory, and no more answers than questions.
fn receipts_fit(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    receipts: &[Receipt],
    findings: &mut Findings,
) {
    let Some(head) = case.head else { return };
    for receipt in receipts {
        let stores = book.evidence.policy.partners.len();
        let fits = usize::from(receipt.eligible) <= stores
            && receipt.answered <= receipt.eligible
            && receipt.sweep <= head.sweep;
        findings.demand(fits, request, || {
            let Receipt { sweep, eligible, answered, .. } = receipt;
            format!("receipt {sweep}: {answered} of {eligible} answered, there are {stores} stores")
        });
    }
}
