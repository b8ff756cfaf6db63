//! What must not be read by those it is not for.

use broker::store::AuditBody;
use broker::store::disk::audit::body_of;
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use schemas::event::DeadPayload;
use schemas::json::contains_card_number;
use schemas::subject::parse_partner_quote;

use super::Findings;
use crate::auditor::casebook::{Case, Casebook, Posted};
use crate::auditor::peek;

/// Shorter texts occur by chance.
const TELLING_BYTES_MIN: usize = 5;

/// P7, invariant Reached (no canary in log or messages): the payment token goes to the provider
/// with the authorisation and nowhere else; the address to the chosen store with the order; an
/// accept token to its customer; card numbers to nobody. The audit log has none of them.
pub(in crate::auditor) fn no_secret_leaks(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let Some(secrets) = Secrets::of(case) else { continue };
        for posted in &case.posted {
            let leaked = secrets.leaked_in(case, posted);
            findings.demand(leaked.is_none(), *request, || {
                let (subject, what) = (&posted.seen.subject, leaked.unwrap_or_default());
                format!("{subject} ({:?}) tells the {what}", posted.seen.message_id)
            });
        }
    }
    for record in &book.evidence.log {
        let AuditBody::Request { request, .. } = &record.body else { continue };
        let Some(secrets) = book.cases.get(request).and_then(Secrets::of) else { continue };
        let leaked = secrets.in_log(&body_of(record));
        findings.demand(leaked.is_none(), *request, || {
            format!("commit {} keeps the {}", record.commit.0, leaked.unwrap_or_default())
        });
    }
    for seen in &book.mail.others {
        if parse_partner_quote(&seen.subject).is_none() {
            continue;
        }
        findings.examine();
        if contains(&seen.body, "\"address\":") {
            findings.general(format!("a question on {} tells an address", seen.subject));
        }
    }
    for letter in &book.mail.letters {
        findings.examine();
        let text = match &letter.letter.payload {
            DeadPayload::Text(text) => text.as_str(),
            DeadPayload::Base64(_) | DeadPayload::Withheld => "",
        };
        if contains_card_number(text) {
            let subject = &letter.letter.subject;
            findings.general(format!("the letter about {subject} keeps a card number"));
        }
    }
}

/// What one customer entrusted to the broker.
struct Secrets<'c> {
    payment_token: Option<&'c str>,
    address: Vec<&'c str>,
    accept_tokens: Vec<&'c str>,
}

impl<'c> Secrets<'c> {
    fn of(case: &'c Case<'_>) -> Option<Self> {
        let submission = &case.head?.submission;
        let telling = |text: &&str| text.len() >= TELLING_BYTES_MIN;
        let address = submission.destination.address.as_ref();
        let address = address.map(|address| vec![address.name.as_str(), address.line1.as_str()]);
        let tokens = case
            .posted
            .iter()
            .filter_map(|posted| peek::text(&posted.seen.body, "\"accept_token\":"));
        Some(Self {
            payment_token: Some(submission.payment_token.as_str()).filter(telling),
            address: address.into_iter().flatten().filter(telling).collect(),
            accept_tokens: tokens.collect(),
        })
    }

    fn leaked_in(&self, case: &Case<'_>, posted: &Posted<'_>) -> Option<&'static str> {
        let effect = case.step(posted.version).and_then(|step| step.effect(posted.index));
        let body = &posted.seen.body;
        let authorizes = matches!(
            effect,
            Some(Effect::Payment { command: PaymentCommand::Authorize { .. }, .. })
        );
        let orders =
            matches!(effect, Some(Effect::Partner { command: PartnerCommand::Place { .. }, .. }));
        let notifies = matches!(effect, Some(Effect::Notify { .. }));
        let any = |texts: &[&str]| texts.iter().any(|text| contains(body, text));
        if !authorizes && self.payment_token.is_some_and(|token| contains(body, token)) {
            return Some("payment token");
        }
        if !orders && any(&self.address) {
            return Some("address");
        }
        (!notifies && any(&self.accept_tokens)).then_some("accept token")
    }

    fn in_log(&self, body: &[u8]) -> Option<&'static str> {
        let has = |text: &str| find(body, text.as_bytes());
        if self.payment_token.is_some_and(has) {
            return Some("payment token");
        }
        if self.address.iter().any(|text| has(text)) {
            return Some("address");
        }
        self.accept_tokens.iter().any(|text| has_token(body, text)).then_some("accept token")
    }
}

/// As text or as the bytes it stands for.
fn has_token(body: &[u8], hex: &str) -> bool {
    let digits = hex.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    find(body, hex.as_bytes()) || bytes.is_some_and(|bytes| find(body, &bytes))
}

fn contains(body: &[u8], text: &str) -> bool {
    std::str::from_utf8(body).is_ok_and(|body| body.contains(text))
}

/// In bytes that are no text.
fn find(body: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return false };
    let mut starts = body.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.any(|(at, _)| body[at..].starts_with(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_as_text_and_as_bytes() {
        assert!(has_token(b"..00ff10..", "00ff10"));
        assert!(has_token(&[1, 0x00, 0xff, 0x10, 2], "00ff10"));
        assert!(!has_token(&[1, 0x00, 0xff], "00ff10"));
        assert!(!find(b"abc", b""));
    }
}
