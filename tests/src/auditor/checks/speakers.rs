//! Who said what: partners, provider and customers, each only for themselves.

use broker::store::AuditBody;
use broker_core::Event;
use broker_core::event::Update;
use schemas::{RequestId, Timestamp, stream};

use super::Findings;
use super::wire::is_in;
use crate::auditor::casebook::{Case, Casebook};
use crate::auditor::{Command, Trouble};

/// P7: an applied partner answer came on that partner's own subject and from the partner of that
/// attempt; an applied payment answer came from the provider; an applied command was sent, word
/// for word, by the request's own customer.
pub(in crate::auditor) fn nobody_speaks_for_another(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for step in &case.steps {
            match step.event() {
                Some(Event::Partner(answer)) => {
                    let asked = step.next.partner_of(answer.attempt);
                    let heard = case.spoken.iter().any(|(who, attempt)| {
                        who.as_ref() == Some(&answer.partner) && *attempt == answer.attempt
                    });
                    findings.demand(asked == Some(&answer.partner) && heard, *request, || {
                        let (partner, attempt) = (&answer.partner, answer.attempt);
                        format!(
                            "{partner} was believed about attempt {attempt}, asked was {asked:?}"
                        )
                    });
                }
                Some(Event::Payment(answer)) => {
                    let heard = case
                        .spoken
                        .iter()
                        .any(|(who, attempt)| who.is_none() && *attempt == answer.attempt);
                    findings.demand(heard, *request, || {
                        format!("a payment answer about attempt {} was never given", answer.attempt)
                    });
                }
                Some(_) | None => {}
            }
        }
        own_commands(*request, case, findings);
    }
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

/// P7, invariant RejectedHasNoEffect: what nobody could use was given up and told, not dropped. An
/// answer that names no request or attempt has a dead letter, every letter can be read, and
/// there are no more letters than messages came in. A stream that lost messages loses them unread,
/// and numbers others anew: then only the letters themselves are looked at.
pub(in crate::auditor) fn given_up_is_told(book: &Casebook<'_>, findings: &mut Findings) {
    let mail = &book.mail;
    for seen in &mail.illegible {
        findings.general(format!("a dead letter on {} cannot be read", seen.subject));
    }
    if book.is_disturbed(&[Trouble::StreamLoss], Timestamp::ZERO, book.evidence.at) {
        return;
    }
    for seen in &mail.mumbled {
        findings.examine();
        let told = mail.letters.iter().any(|letter| letter.letter.subject == seen.subject);
        if !told && !was_dropped(book, &seen.subject) {
            findings.general(format!("{} says nothing, and no letter says so", seen.subject));
        }
    }
    let from_streams = |stream| {
        let all = book.evidence.messages.iter();
        all.filter(|seen| is_in(seen, stream)).count()
    };
    let sources = [
        stream::name::PURCHASE_CREATES,
        stream::name::PURCHASE_COMMANDS,
        stream::name::PARTNER_REPLIES,
        stream::name::PAYMENT_REPLIES,
    ];
    for source in sources {
        findings.examine();
        let letters = mail.letters.iter().filter(|letter| letter.letter.stream == source);
        let mut letters: Vec<_> = letters.map(|l| l.seen.message_id.as_deref()).collect();
        letters.sort_unstable();
        letters.dedup();
        let came = from_streams(source);
        if letters.len() > came {
            let given_up = letters.len();
            findings.general(format!("{given_up} letters tell of {came} messages in {source}"));
        }
    }
}

/// An operator let its letter be deleted, and answers for that.
fn was_dropped(book: &Casebook<'_>, subject: &str) -> bool {
    let bodies = book.evidence.log.iter().map(|record| &record.body);
    let mut dropped = bodies.filter_map(|body| match body {
        AuditBody::Dropped(letter) => Some(letter),
        AuditBody::Request { .. } | AuditBody::DeadLetter { .. } | AuditBody::Steered(_) => None,
    });
    dropped.any(|letter| letter.subject == subject)
}
