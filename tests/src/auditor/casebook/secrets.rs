//! What a customer entrusted to the broker, and whether some bytes tell it.

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};

use super::{Case, Posted};
use crate::auditor::peek;

/// Shorter texts occur by chance.
const TELLING_BYTES_MIN: usize = 5;

pub(in crate::auditor) struct Secrets<'c> {
    payment_token: Option<&'c str>,
    address: Vec<&'c str>,
    accept_tokens: Vec<&'c str>,
}

impl<'c> Secrets<'c> {
    pub(in crate::auditor) fn of(case: &'c Case<'_>) -> Option<Self> {
        let submission = &case.head?.submission;
        let telling = |text: &&str| text.len() >= TELLING_BYTES_MIN;
        let address = submission.destination.address.as_ref();
        let address = address.map(|address| [address.name.as_str(), address.line1.as_str()]);
        let quoted = case.posted.iter().filter(|posted| posted.seen.subject.ends_with(".quoted"));
        let tokens = quoted.filter_map(|posted| peek::text(&posted.seen.body, "\"accept_token\":"));
        Some(Self {
            payment_token: Some(submission.payment_token.as_str()).filter(telling),
            address: address.into_iter().flatten().filter(telling).collect(),
            accept_tokens: tokens.collect(),
        })
    }

    /// What a message tells although its receiver need not know it.
    pub(in crate::auditor) fn leaked_in(
        &self,
        case: &Case<'_>,
        posted: &Posted<'_>,
    ) -> Option<&'static str> {
        let effect = case.step(posted.version).and_then(|step| step.effect(posted.index));
        let body = std::str::from_utf8(&posted.seen.body).ok()?;
        let authorizes = matches!(
            effect,
            Some(Effect::Payment { command: PaymentCommand::Authorize { .. }, .. })
        );
        let orders =
            matches!(effect, Some(Effect::Partner { command: PartnerCommand::Place { .. }, .. }));
        let notifies = matches!(effect, Some(Effect::Notify { .. }));
        let any = |texts: &[&str]| texts.iter().any(|text| body.contains(text));
        if !authorizes && self.payment_token.is_some_and(|token| body.contains(token)) {
            return Some("payment token");
        }
        if !orders && any(&self.address) {
            return Some("address");
        }
        (!notifies && any(&self.accept_tokens)).then_some("accept token")
    }

    /// What a record of the log keeps.
    pub(super) fn in_log(&self, body: &[u8]) -> Option<&'static str> {
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
