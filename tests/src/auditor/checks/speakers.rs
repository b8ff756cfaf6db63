//! Who said what: partners, provider and customers, each only for themselves.

use std::collections::{BTreeMap, BTreeSet};

use broker_core::Event;
use broker_core::batch::Change;
use broker_core::event::Update;
use schemas::id::QuoteId;
use schemas::partner::{Component, QuoteAnswers, QuoteOffer, QuoteOutcome};
use schemas::subject::{PartnerReplyKind, parse_partner_reply};
use schemas::{Isbn13, PartnerId, RequestId, json, stream};

use super::Findings;
use crate::auditor::Command;
use crate::auditor::casebook::{Case, Casebook, of_stream};

/// P7: an applied partner answer came on that partner's own subject and from the partner of that
/// attempt; an applied payment answer came from the provider; an applied command was sent, word
/// for word, by the request's own customer.
pub(in crate::auditor) fn nobody_speaks_for_another(book: &Casebook<'_>, findings: &mut Findings) {
    let spoken = spoken(book);
    for (request, case) in &book.cases {
        for step in &case.steps {
            let Change::Applied(event) = &step.change else { continue };
            match event {
                Event::Partner(answer) => {
                    let asked = step.next.partner_of(answer.attempt);
                    let word = (Some(answer.partner.clone()), *request, answer.attempt);
                    let heard = spoken.contains(&word);
                    findings.demand(asked == Some(&answer.partner) && heard, *request, || {
                        let (partner, attempt) = (&answer.partner, answer.attempt);
                        format!(
                            "{partner} was believed about attempt {attempt}, asked was {asked:?}"
                        )
                    });
                }
                Event::Payment(answer) => {
                    let heard = spoken.contains(&(None, *request, answer.attempt));
                    findings.demand(heard, *request, || {
                        format!("a payment answer about attempt {} was never given", answer.attempt)
                    });
                }
                _ => {}
            }
        }
        own_commands(*request, case, findings);
    }
}

/// Who said something about which attempt: partners by id, the provider as `None`.
fn spoken(book: &Casebook<'_>) -> BTreeSet<(Option<PartnerId>, RequestId, u8)> {
    let mut spoken = BTreeSet::new();
    for seen in of_stream(book.evidence, stream::name::PARTNER_REPLIES) {
        let Some((partner, kind)) = parse_partner_reply(&seen.subject) else { continue };
        if kind == PartnerReplyKind::QuoteQueued {
            continue;
        }
        spoken
            .extend(about(&seen.body).map(|(request, attempt)| (Some(partner), request, attempt)));
    }
    for seen in of_stream(book.evidence, stream::name::PAYMENT_REPLIES) {
        spoken.extend(about(&seen.body).map(|(request, attempt)| (None, request, attempt)));
    }
    spoken
}

fn about(body: &[u8]) -> Option<(RequestId, u8)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let request = RequestId::parse(body["request_id"].as_str()?).ok()?;
    Some((request, u8::try_from(body["attempt"].as_u64()?).ok()?))
}

fn own_commands(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    for (command, event, _) in case.applied_commands() {
        let same = case.sent.iter().any(|copy| {
            Some(&copy.sent.customer) == case.customer() && is_word_for_word(&copy.command, event)
        });
        findings.demand(same, request, || {
            format!("{} {command} is not what its customer sent", event.label())
        });
    }
}

fn is_word_for_word(command: &Command, event: &Event) -> bool {
    match (command, event) {
        (Command::Update(sent), Event::Update(applied)) => {
            let Update { command, if_version, max_total, expires_at, strategy } = applied;
            sent.command_id == *command
                && sent.if_version == *if_version
                && sent.max_total == *max_total
                && sent.expires_at == *expires_at
                && sent.strategy == *strategy
        }
        (Command::Cancel(sent), Event::Cancel { command }) => sent.command_id == *command,
        (Command::AcceptQuote(sent), Event::AcceptQuote { command, .. }) => {
            sent.command_id == *command
        }
        _ => false,
    }
}

/// P2, invariant HonestChoice: what was bought had been offered by that very store, for that book,
/// at that worst-case total. Offers travel outside streams, so in a run in which the server was
/// away an offer that nobody heard is excused; one that says something else never is.
pub(in crate::auditor) fn honest_choice(book: &Casebook<'_>, findings: &mut Findings) {
    let offers = offers(book);
    let excused = !book.evidence.disturbances.is_empty();
    for (request, case) in &book.cases {
        let mut seen_attempt = 0;
        for step in &case.steps {
            let Some(checkout) = &step.next.checkout else { continue };
            if checkout.attempt <= seen_attempt {
                continue;
            }
            seen_attempt = checkout.attempt;
            let quote = &checkout.quote;
            let offered = offers.get(&(quote.partner.clone(), quote.quote_id.clone()));
            let wanted =
                (step.next.submission.isbn, quote.worst_total().map(|total| total.minor()));
            let honest = offered.map_or(excused, |offered| *offered == wanted);
            findings.demand(honest, *request, || {
                let (partner, id) = (&quote.partner, &quote.quote_id);
                let bought = format!("attempt {seen_attempt} buys {id} of {partner} at {wanted:?}");
                format!("{bought}, offered was {offered:?}")
            });
        }
    }
}

type Offers = BTreeMap<(PartnerId, QuoteId), (Isbn13, Option<u64>)>;

/// Every offer heard on its store's own subject: book and worst-case total.
fn offers(book: &Casebook<'_>) -> Offers {
    let mut offers = Offers::new();
    for seen in &book.evidence.messages {
        let Some((partner, kind)) = parse_partner_reply(&seen.subject) else { continue };
        if !matches!(kind, PartnerReplyKind::Quote | PartnerReplyKind::QuoteQueued) {
            continue;
        }
        let Ok(answers) = json::decode::<QuoteAnswers>(&seen.body, usize::MAX) else { continue };
        for answer in answers.items {
            if let QuoteOutcome::Offer(offer) = answer.outcome {
                let said = (offer.isbn, worst_total(&offer));
                offers.insert((partner.clone(), offer.quote_id), said);
            }
        }
    }
    offers
}

fn worst_total(offer: &QuoteOffer) -> Option<u64> {
    let worst = |component: Option<Component>| match component? {
        Component::Exact(minor) | Component::AtMost(minor) => Some(minor),
    };
    let parts = [worst(offer.shipping)?, worst(offer.tax)?, worst(offer.fee)?];
    parts.into_iter().try_fold(offer.item, u64::checked_add)
}
