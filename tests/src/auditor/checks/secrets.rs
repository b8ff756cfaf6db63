//! What must not be read by those it is not for.

use schemas::event::DeadPayload;
use schemas::json::contains_card_number;
use schemas::subject::parse_partner_quote;

use super::Findings;
use crate::auditor::casebook::{Casebook, Secrets};

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
    for (request, commit, what) in &book.chain.leaks {
        findings.about(*request, format!("commit {} of the log keeps the {what}", commit.0));
    }
    for seen in &book.mail.others {
        if parse_partner_quote(&seen.subject).is_none() {
            continue;
        }
        findings.examine();
        if std::str::from_utf8(&seen.body).is_ok_and(|body| body.contains("\"address\":")) {
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
