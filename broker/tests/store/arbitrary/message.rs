//! Strategies for what happens to a request and what it causes: events and effects.

use broker_core::batch::{AuditRow, Change, OutboxRow};

use broker_core::effect::{
    AcceptToken, Effect, EventKind, Outcome, PartnerCommand, PaymentCommand,
};
use broker_core::event::{
    Conclusion, Event, Finding, LapsedOperation, OfferToken, OperatorWord, PartnerAnswer,
    PartnerOutcome, PaymentAnswer, PaymentOutcome, Ruling, Update,
};

use super::*;

fn finding() -> impl Strategy<Value = Finding> + Clone {
    prop_oneof![
        vec(quote(), 1..4).prop_map(Finding::Affordable),
        (quote(), any::<[u8; 32]>()).prop_map(|(best, digest)| Finding::TooDear {
            best,
            token: OfferToken { digest: Digest::from_bytes(digest), secret: None },
        }),
        Just(Finding::NoStock),
        Just(Finding::NoAnswer),
    ]
}

fn partner_outcome() -> impl Strategy<Value = PartnerOutcome> + Clone {
    prop_oneof![
        (reservation_id(), instant())
            .prop_map(|(id, valid_until)| PartnerOutcome::Reserved { id, valid_until }),
        Just(PartnerOutcome::Released),
        (order_id(), money())
            .prop_map(|(order_id, total)| PartnerOutcome::Confirmed { order_id, total }),
        option::of(order_id()).prop_map(|order_id| PartnerOutcome::Canceled { order_id }),
        any::<bool>().prop_map(|final_for_key| PartnerOutcome::NotFound { final_for_key }),
        (text(), any::<bool>())
            .prop_map(|(reason, final_for_key)| PartnerOutcome::Refused { reason, final_for_key }),
    ]
}

fn payment_outcome() -> impl Strategy<Value = PaymentOutcome> + Clone {
    prop_oneof![
        (money(), instant())
            .prop_map(|(amount, valid_until)| PaymentOutcome::Authorized { amount, valid_until }),
        Just(PaymentOutcome::Declined),
        text().prop_map(|url| PaymentOutcome::ActionRequired { url }),
        money().prop_map(|amount| PaymentOutcome::Captured { amount }),
        Just(PaymentOutcome::Voided),
        Just(PaymentOutcome::Refunded),
        any::<bool>().prop_map(|final_for_key| PaymentOutcome::NotFound { final_for_key }),
        Just(PaymentOutcome::Failed),
    ]
}

fn answers() -> impl Strategy<Value = Event> + Clone {
    let asked = option::of(select(PartnerOperation::ALL.to_vec()));
    let partner_answer = (partner(), any::<u8>(), asked, option::of(version()), partner_outcome());
    let asked = select(PaymentOperation::ALL.to_vec());
    let payment_answer = (any::<u8>(), asked, option::of(version()), payment_outcome());
    prop_oneof![
        partner_answer.prop_map(|(partner, attempt, operation, in_reply_to, outcome)| {
            Event::Partner(PartnerAnswer { partner, attempt, operation, in_reply_to, outcome })
        }),
        payment_answer.prop_map(|(attempt, operation, in_reply_to, outcome)| {
            Event::Payment(PaymentAnswer { attempt, operation, in_reply_to, outcome })
        }),
    ]
}

fn ruling() -> impl Strategy<Value = Ruling> + Clone {
    prop_oneof![
        (any::<u8>(), order_id(), money()).prop_map(|(attempt, order_id, total)| Ruling::Found {
            attempt,
            order_id,
            total
        }),
        any::<u8>().prop_map(|attempt| Ruling::NotFound { attempt }),
        Just(Ruling::Freeze),
        Just(Ruling::Release),
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event> + Clone {
    let lapsed = vec![LapsedOperation::Reserve, LapsedOperation::Authorize, LapsedOperation::Place];
    let changes = (option::of(money()), option::of(instant()), option::of(tempo()));
    let update = (command_id(), option::of(any::<u64>()), changes).prop_map(
        |(command, if_version, (max_total, expires_at, strategy))| Update {
            command,
            if_version,
            max_total,
            expires_at,
            strategy,
        },
    );
    prop_oneof![
        Just(Event::Admitted),
        (any::<u32>(), finding())
            .prop_map(|(sweep, finding)| Event::SweepClosed(Conclusion { sweep, finding })),
        quote().prop_map(Event::LateOffer),
        update.prop_map(Event::Update),
        command_id().prop_map(|command| Event::Cancel { command }),
        (command_id(), digest())
            .prop_map(|(command, token_digest)| Event::AcceptQuote { command, token_digest }),
        answers(),
        select(TimerKind::ALL.to_vec()).prop_map(Event::Timer),
        (any::<u8>(), select(lapsed))
            .prop_map(|(attempt, operation)| Event::Lapsed { attempt, operation }),
        (text(), text(), ruling()).prop_map(|(actor, reason, ruling)| {
            Event::Operator(OperatorWord { actor, reason, ruling })
        }),
    ]
}

pub(crate) fn audit_row() -> impl Strategy<Value = AuditRow> + Clone {
    let change = prop_oneof![
        Just(Change::Created),
        event().prop_map(Change::Applied),
        event().prop_map(Change::AppliedInDoubt)
    ];
    (version(), instant(), change).prop_map(|(version, at, change)| AuditRow {
        version,
        at,
        change,
    })
}

fn partner_command() -> impl Strategy<Value = PartnerCommand> + Clone {
    let reserve = (quote_id(), isbn(), any::<u8>(), any::<u64>(), instant()).prop_map(
        |(quote_id, isbn, quantity, ttl, not_after)| PartnerCommand::Reserve {
            quote_id,
            isbn,
            quantity,
            ttl: DurationMs(ttl),
            not_after,
        },
    );
    let what = (quote_id(), any::<bool>(), isbn(), any::<u8>(), condition());
    let place = (what, money(), destination(), instant()).prop_map(
        |(what, price_cap, destination, not_after)| {
            let (quote_id, reserved, isbn, quantity, condition) = what;
            PartnerCommand::Place {
                quote_id,
                reserved,
                isbn,
                quantity,
                condition,
                price_cap,
                destination,
                not_after,
            }
        },
    );
    let plain = [PartnerCommand::Release, PartnerCommand::Cancel, PartnerCommand::Lookup];
    prop_oneof![reserve, place, select(plain.to_vec())]
}

fn payment_command() -> impl Strategy<Value = PaymentCommand> + Clone {
    let plain = [PaymentCommand::Void, PaymentCommand::Refund, PaymentCommand::Lookup];
    prop_oneof![
        (money(), payment_token(), instant()).prop_map(|(amount, token, not_after)| {
            PaymentCommand::Authorize { amount, token, not_after }
        }),
        money().prop_map(|amount| PaymentCommand::Capture { amount }),
        select(plain.to_vec()),
    ]
}

/// Rows of one request, with two snapshots between them.
pub(crate) fn outbox_rows() -> impl Strategy<Value = (PurchaseRequest, Vec<OutboxRow>)> + Clone {
    (request(), request(), vec((0..4u8, effect_seed()), 1..5)).prop_map(|(one, other, seeds)| {
        let mut other = other;
        other.submission = Arc::clone(&one.submission);
        let trace = one.submission.trace;
        let rows = seeds.into_iter().zip(0u8..).map(|((which, seed), index)| OutboxRow {
            request: one.id(),
            version: one.version,
            index,
            effect: seed.with(if which == 0 { &other } else { &one }),
            trace,
        });
        let rows = rows.collect();
        (one, rows)
    })
}

/// An effect whose snapshot is still to be chosen.
#[derive(Debug, Clone)]
enum Seed {
    Ready(Box<Effect>),
    Event(EventKind),
    Notify(Outcome, u16, Option<AcceptToken>),
}

impl Seed {
    fn with(self, snapshot: &PurchaseRequest) -> Effect {
        let snapshot = Box::new(snapshot.clone());
        match self {
            Self::Ready(effect) => *effect,
            Self::Event(kind) => Effect::Event { kind, snapshot },
            Self::Notify(outcome, number, token) => {
                Effect::Notify { outcome, number, token, snapshot }
            }
        }
    }
}

fn effect_seed() -> impl Strategy<Value = Seed> + Clone {
    let token = option::of(any::<[u8; 16]>().prop_map(AcceptToken));
    prop_oneof![
        (partner(), any::<u8>(), partner_command()).prop_map(|(partner, attempt, command)| {
            Seed::Ready(Box::new(Effect::Partner { partner, attempt, command }))
        }),
        (any::<u8>(), payment_command()).prop_map(|(attempt, command)| {
            Seed::Ready(Box::new(Effect::Payment { attempt, command }))
        }),
        select(EventKind::ALL.to_vec()).prop_map(Seed::Event),
        (select(Outcome::ALL.to_vec()), any::<u16>(), token)
            .prop_map(|(outcome, number, token)| Seed::Notify(outcome, number, token)),
    ]
}
