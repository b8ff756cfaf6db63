//! The five operations on a payment intent.

use schemas::id::{Key, PaymentToken};
use schemas::partner::{CommandHeader, ReplyHeader};
use schemas::payment::{Authorize, Capture, PaymentOutcome, PaymentReply};
use schemas::text::Text;
use schemas::{Currency, DurationMs, Money, Timestamp};

use super::{Magic, PaymentAnswer, PaymentProvider, PaymentRequest};
use crate::delivery::Scheduled;
use crate::dice::{Lane, Roll};
use crate::fault::{Fault, Permille};
use crate::ledger::{
    ActionResult, Asked, Decision, Decisions, Hold, PaymentRecord, PaymentState, PaymentStep,
};

/// One copy of one command.
struct Copy<'a> {
    header: &'a CommandHeader,
    asked: Asked,
    /// Commands on this key so far, this one included.
    ordinal: u32,
    /// Commands of this kind on this key so far, this one included.
    of_kind: usize,
    roll: Roll,
    not_after: Option<Timestamp>,
}

pub(super) fn handle(
    provider: &mut PaymentProvider,
    request: PaymentRequest,
    now: Timestamp,
) -> Vec<Scheduled<PaymentAnswer>> {
    let (header, key, asked, not_after) = parts(&request);
    let mut record = provider.take_payment(key, header);
    settle(&mut record, now);
    let count = record.decisions.kept.len() as u64 + record.decisions.dropped + 1;
    let copy = Copy {
        header,
        asked,
        ordinal: u32::try_from(count).unwrap_or(u32::MAX),
        of_kind: record.decisions.of(asked).count() + 1,
        roll: Roll::of_text(key.as_str(), (asked as u64) << 32 | count),
        not_after,
    };
    if let PaymentRequest::Authorize(authorize) = &request {
        note_terms(&mut record, authorize);
    }
    let waited = matches!(record.state, PaymentState::ActionRequired { .. });
    let (outcome, faults) = match provider.hindered(&copy, &record) {
        Some(hindered) => hindered,
        None => provider.decide(&request, &copy, &mut record, now),
    };
    let answers = provider.tell(&copy, &mut record, (outcome, faults, waited), now);
    let key = record.payment_key.clone();
    provider.payments.insert(key.clone(), record);
    if let Some(changed) = &mut provider.changed
        && !changed.contains(&key)
    {
        changed.push(key);
    }
    answers
}

fn parts(request: &PaymentRequest) -> (&CommandHeader, &Key, Asked, Option<Timestamp>) {
    match request {
        PaymentRequest::Authorize(a) => {
            (&a.header, &a.payment_key, Asked::Authorize, Some(a.not_after))
        }
        PaymentRequest::Capture(c) => (&c.header, &c.payment_key, Asked::Capture, None),
        PaymentRequest::Void(v) => (&v.header, &v.payment_key, Asked::Void, None),
        PaymentRequest::Refund(r) => (&r.header, &r.payment_key, Asked::Refund, None),
        PaymentRequest::Lookup(l) => (&l.header, &l.payment_key, Asked::Lookup, None),
    }
}

type Decided = (Option<PaymentOutcome>, Vec<Fault>);

impl PaymentProvider {
    /// Lost or failed before the intent was looked at.
    fn hindered(&self, copy: &Copy<'_>, record: &PaymentRecord) -> Option<Decided> {
        let rules = self.settings.faults;
        let magic = record.token.as_ref().map_or(Magic::None, Magic::of);
        let first = copy.of_kind == 1;
        let lost = magic == Magic::LostOnce && copy.asked == Asked::Authorize && first;
        if lost || self.strikes(copy, Fault::Lost, rules.lost_permille) {
            return Some((None, vec![Fault::Lost]));
        }
        let fails = match (magic, copy.asked) {
            (Magic::BusyOnce, Asked::Authorize)
            | (Magic::CaptureFailsOnce, Asked::Capture)
            | (Magic::VoidFailsOnce, Asked::Void)
            | (Magic::RefundFailsOnce, Asked::Refund) => first,
            (Magic::CaptureNever, Asked::Capture) => true,
            _ => false,
        };
        if fails || self.strikes(copy, Fault::Failed, rules.failed_permille) {
            return Some((Some(failed("temporarily unavailable")), vec![Fault::Failed]));
        }
        None
    }

    fn decide(
        &self,
        request: &PaymentRequest,
        copy: &Copy<'_>,
        record: &mut PaymentRecord,
        now: Timestamp,
    ) -> Decided {
        let mut faults = Vec::new();
        let outcome = match request {
            PaymentRequest::Authorize(authorize) => {
                self.authorize(authorize, copy, record, &mut faults, now)
            }
            PaymentRequest::Capture(capture) => capture_money(capture, record, now),
            PaymentRequest::Void(_) => self.void(record, now),
            PaymentRequest::Refund(_) => refund(record, now),
            PaymentRequest::Lookup(_) => {
                if matches!(record.state, PaymentState::Open) && self.settings.fences {
                    record.state = PaymentState::Tombstoned { by: Asked::Lookup, at: now };
                }
                told(&record.state)
            }
        };
        (Some(outcome), faults)
    }

    fn authorize(
        &self,
        authorize: &Authorize,
        copy: &Copy<'_>,
        record: &mut PaymentRecord,
        faults: &mut Vec<Fault>,
        now: Timestamp,
    ) -> PaymentOutcome {
        if !matches!(record.state, PaymentState::Open) {
            return told(&record.state);
        }
        if self.settings.honours_not_after && now > authorize.not_after {
            return failed("arrived after its not_after");
        }
        let rules = self.settings.faults;
        let magic = Magic::of(&authorize.payment_token);
        let mut strikes = |fault, chance| {
            let struck = self.strikes(copy, fault, chance);
            if struck {
                faults.push(fault);
            }
            struck
        };
        if magic == Magic::Declined || strikes(Fault::Declined, rules.declined_permille) {
            let reason = "declined by the issuer".to_owned();
            record.state = PaymentState::Declined { reason, at: now };
        } else if is_action(magic) || strikes(Fault::ActionRequired, rules.action_required_permille)
        {
            let done_at = now.saturating_add(DurationMs(self.settings.action_takes_ms));
            let resolves = match magic {
                Magic::ActionAbandoned => None,
                Magic::ActionDeclined => Some((done_at, ActionResult::Declined)),
                _ => Some((done_at, ActionResult::Authorized(self.hold(authorize, done_at)))),
            };
            let url = format!("https://pay.example/authenticate/{}", record.payment_key);
            record.state = PaymentState::ActionRequired { url, resolves };
        } else {
            let hold = self.hold(authorize, now);
            record.state = PaymentState::Authorized(hold);
            step(record, Asked::Authorize, hold.amount, now);
        }
        told(&record.state)
    }

    fn hold(&self, authorize: &Authorize, from: Timestamp) -> Hold {
        let magic = Magic::of(&authorize.payment_token);
        let valid_ms = match magic {
            Magic::Lapses => Magic::LAPSES_AFTER_MS,
            _ => self.settings.authorization_valid_ms,
        };
        let valid_until = from.saturating_add(DurationMs(valid_ms));
        Hold { amount: granted(magic, authorize.amount), valid_until }
    }

    fn void(&self, record: &mut PaymentRecord, now: Timestamp) -> PaymentOutcome {
        match record.state {
            PaymentState::Authorized(hold) => {
                record.state = PaymentState::Voided { at: now };
                step(record, Asked::Void, hold.amount, now);
            }
            PaymentState::ActionRequired { .. } => {
                record.state = PaymentState::Voided { at: now };
            }
            PaymentState::Open if self.settings.fences => {
                record.state = PaymentState::Tombstoned { by: Asked::Void, at: now };
            }
            _ => {}
        }
        told(&record.state)
    }

    fn tell(
        &mut self,
        copy: &Copy<'_>,
        record: &mut PaymentRecord,
        (outcome, mut faults, waited): (Option<PaymentOutcome>, Vec<Fault>, bool),
        now: Timestamp,
    ) -> Vec<Scheduled<PaymentAnswer>> {
        let mut answers = Vec::new();
        if let Some(outcome) = &outcome {
            let way = &self.settings.answers;
            let latency = way.latency(&self.dice, Lane::Payment, copy.roll);
            let ready = now.saturating_add(latency);
            if silenced(copy, record.token.as_ref()) {
                faults.push(Fault::Silent);
            } else {
                let dice = (&self.dice, Lane::Payment, copy.roll);
                let times = way.times(dice, ready, copy.not_after);
                let answer = |at, suffix: &str| Scheduled {
                    at,
                    value: self.answer(copy.header, outcome.clone(), suffix),
                };
                answers.extend(times.second.map(|at| answer(at, ":again")));
                answers.extend(times.first.map(|at| answer(at, "")));
                faults.extend(times.faults);
            }
            if let (false, Some((at, outcome))) = (waited, resolution(&record.state)) {
                let value = self.answer(copy.header, outcome, ":resolved");
                answers.push(Scheduled { at: at.saturating_add(latency), value });
            }
        }
        for fault in &faults {
            *self.struck.entry(*fault).or_default() += 1;
        }
        record.decisions.push(Decision {
            asked: copy.asked,
            id: copy.header.id.clone(),
            copy: copy.ordinal,
            received_at: now,
            not_after: copy.not_after,
            outcome,
            faults,
        });
        answers
    }

    fn answer(
        &self,
        header: &CommandHeader,
        outcome: PaymentOutcome,
        suffix: &str,
    ) -> PaymentAnswer {
        let reply = PaymentReply {
            header: ReplyHeader {
                in_reply_to: header.id.clone(),
                request_id: header.request_id,
                attempt: header.attempt,
            },
            outcome,
        };
        let message_id = format!("{}:{}{suffix}", self.id, header.id);
        PaymentAnswer { subject: header.reply_to.clone(), message_id, reply }
    }

    fn strikes(&self, copy: &Copy<'_>, fault: Fault, chance: Permille) -> bool {
        self.dice.strikes(Lane::Payment, fault, copy.roll, chance)
    }

    fn take_payment(&mut self, key: &Key, header: &CommandHeader) -> PaymentRecord {
        self.payments.remove(key).unwrap_or_else(|| PaymentRecord {
            provider: self.id.clone(),
            payment_key: key.clone(),
            request_id: header.request_id,
            attempt: header.attempt,
            amount: None,
            token: None,
            state: PaymentState::Open,
            steps: Vec::new(),
            copies: 0,
            conflicting_copies: 0,
            decisions: Decisions::default(),
        })
    }
}

/// Lets the clock do its part: authentications finish, authorisations lapse.
fn settle(record: &mut PaymentRecord, now: Timestamp) {
    if let PaymentState::ActionRequired { resolves: Some((at, result)), .. } = record.state
        && at <= now
    {
        match result {
            ActionResult::Authorized(hold) => {
                record.state = PaymentState::Authorized(hold);
                step(record, Asked::Authorize, hold.amount, at);
            }
            ActionResult::Declined => {
                let reason = "the customer did not authenticate".to_owned();
                record.state = PaymentState::Declined { reason, at };
            }
        }
    }
    if let PaymentState::Authorized(hold) = record.state
        && hold.valid_until <= now
    {
        record.state = PaymentState::Voided { at: hold.valid_until };
    }
}

fn note_terms(record: &mut PaymentRecord, authorize: &Authorize) {
    record.copies += 1;
    let same = *record.amount.get_or_insert(authorize.amount) == authorize.amount
        && *record.token.get_or_insert_with(|| authorize.payment_token.clone())
            == authorize.payment_token;
    if !same {
        record.conflicting_copies += 1;
    }
}

fn capture_money(capture: &Capture, record: &mut PaymentRecord, now: Timestamp) -> PaymentOutcome {
    match record.state {
        PaymentState::Authorized(hold) => match capture.amount.at_most(hold.amount) {
            Ok(true) => {
                record.state = PaymentState::Captured { amount: capture.amount, at: now };
                step(record, Asked::Capture, capture.amount, now);
            }
            Ok(false) => return failed("more than was authorised"),
            Err(_) => return failed("another currency than was authorised"),
        },
        PaymentState::Captured { amount, .. } if amount != capture.amount => {
            return failed("already captured with another amount");
        }
        _ => {}
    }
    told(&record.state)
}

fn refund(record: &mut PaymentRecord, now: Timestamp) -> PaymentOutcome {
    match record.state {
        PaymentState::Captured { amount, .. } => {
            record.state = PaymentState::Refunded { amount, at: now };
            step(record, Asked::Refund, amount, now);
        }
        PaymentState::Authorized(_) => return failed("nothing was captured yet"),
        _ => {}
    }
    told(&record.state)
}

fn step(record: &mut PaymentRecord, operation: Asked, amount: Money, at: Timestamp) {
    record.steps.push(PaymentStep { operation, amount, at });
}

/// The state of the intent, as every answer tells it.
fn told(state: &PaymentState) -> PaymentOutcome {
    match state {
        PaymentState::Open => PaymentOutcome::NotFound { final_for_key: false },
        PaymentState::Tombstoned { .. } => PaymentOutcome::NotFound { final_for_key: true },
        PaymentState::Declined { reason, .. } => PaymentOutcome::Declined { reason: text(reason) },
        PaymentState::ActionRequired { url, .. } => PaymentOutcome::ActionRequired {
            url: Text::parse(url).expect("a fixed prefix and a key fit 300 bytes"),
        },
        PaymentState::Authorized(hold) => {
            PaymentOutcome::Authorized { amount: hold.amount, valid_until: hold.valid_until }
        }
        PaymentState::Captured { amount, .. } => PaymentOutcome::Captured { amount: *amount },
        PaymentState::Voided { .. } => PaymentOutcome::Voided,
        PaymentState::Refunded { amount, .. } => PaymentOutcome::Refunded { amount: *amount },
    }
}

/// The second answer of an authentication that has just begun. Once scheduled it is on its way:
/// a void that overtakes it wins at the provider, but does not call the answer back.
fn resolution(state: &PaymentState) -> Option<(Timestamp, PaymentOutcome)> {
    let PaymentState::ActionRequired { resolves: Some((at, result)), .. } = state else {
        return None;
    };
    let outcome = match result {
        ActionResult::Authorized(hold) => {
            PaymentOutcome::Authorized { amount: hold.amount, valid_until: hold.valid_until }
        }
        ActionResult::Declined => {
            PaymentOutcome::Declined { reason: text("the customer did not authenticate") }
        }
    };
    Some((*at, outcome))
}

fn silenced(copy: &Copy<'_>, token: Option<&PaymentToken>) -> bool {
    let magic = token.map_or(Magic::None, Magic::of);
    copy.of_kind == 1
        && matches!(
            (magic, copy.asked),
            (Magic::SilentOnce, Asked::Authorize) | (Magic::CaptureSilentOnce, Asked::Capture)
        )
}

/// As much as the provider holds of what it was asked for.
fn granted(magic: Magic, asked: Money) -> Money {
    let other = |code| Currency::parse(code).expect("a code in use");
    let (minor, currency) = match magic {
        Magic::Short => (asked.minor().saturating_sub(1), asked.currency()),
        Magic::Foreign if asked.currency() == other("EUR") => (asked.minor(), other("USD")),
        Magic::Foreign => (asked.minor(), other("EUR")),
        _ => return asked,
    };
    Money::new(minor, currency).expect("no more than was asked for")
}

fn is_action(magic: Magic) -> bool {
    matches!(magic, Magic::ActionRequired | Magic::ActionDeclined | Magic::ActionAbandoned)
}

fn failed(reason: &str) -> PaymentOutcome {
    PaymentOutcome::Failed { reason: text(reason) }
}

fn text(reason: &str) -> Text<200> {
    Text::parse(reason).expect("reasons are short, printable and not empty")
}
