//! Strategies for every domain value that is stored.

mod message;
mod ranking;
mod search;

use std::sync::Arc;

use broker_core::batch::CommandRecord;
use broker_core::quote::{Cost, Quote};
use broker_core::receipt::{Receipt, Verdict};
use broker_core::request::{
    Authorization, Checkout, Incident, KnownOrder, Offered, PlacedOrder, PlacementIntent,
    PurchaseRequest, Reservation, Status, Step, Submission, Terms, Undo, UndoKind, Unknown,
    Version,
};
use broker_core::timer::{TimerKind, Timers};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::destination::{Address, Country};
use schemas::id::{CommandId, OrderId, PaymentToken, QuoteId, ReservationId};
use schemas::money::AMOUNT_MAX_MINOR;
use schemas::purchase::{Mode, Strategy as Tempo};
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Destination, Digest, DurationMs, Isbn13, Money, PartnerId,
    RejectReason, RequestId, Timestamp, TraceContext,
};

pub(crate) use message::{audit_row, outbox_rows};
pub(crate) use ranking::{ranked, ranking};
use search::search;

macro_rules! ids {
    ($($name:ident -> $id:ident, $pattern:literal;)*) => {
        $(pub(crate) fn $name() -> impl Strategy<Value = $id> + Clone {
            $pattern.prop_map(|text| $id::parse(&text).unwrap())
        })*
    };
}

ids! {
    customer -> CustomerId, "[A-Za-z0-9_-]{1,32}";
    partner -> PartnerId, "[A-Za-z0-9_-]{1,32}";
    command_id -> CommandId, "[A-Za-z0-9_.:-]{1,64}";
    quote_id -> QuoteId, "[A-Za-z0-9_.:/+=-]{1,64}";
    order_id -> OrderId, "[A-Za-z0-9_.:/+=-]{1,64}";
    reservation_id -> ReservationId, "[A-Za-z0-9_.:/+=-]{1,64}";
    payment_token -> PaymentToken, "[A-Za-z0-9_.:-]{1,64}";
    country -> Country, "[A-Z]{2}";
}

fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> + Clone {
    "[a-zA-Z0-9äß]([a-zA-Z0-9 é]{0,6}[a-z])?".prop_map(|text| Text::parse(&text).unwrap())
}

fn instant() -> impl Strategy<Value = Timestamp> + Clone {
    (0..=Timestamp::MAX.as_unix_ms()).prop_map(Timestamp::from_unix_ms)
}

fn currency() -> impl Strategy<Value = Currency> + Clone {
    select(vec![Currency::USD, Currency::EUR, Currency::JPY])
}

fn money() -> impl Strategy<Value = Money> + Clone {
    (0..=AMOUNT_MAX_MINOR, currency()).prop_map(|(minor, code)| Money::new(minor, code).unwrap())
}

fn digest() -> impl Strategy<Value = Digest> + Clone {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn version() -> impl Strategy<Value = Version> + Clone {
    any::<u64>().prop_map(Version)
}

fn isbn() -> impl Strategy<Value = Isbn13> + Clone {
    (9_780_000_000_000u64..9_800_000_000_000).prop_map(Isbn13::from_number)
}

fn condition() -> impl Strategy<Value = Condition> + Clone {
    use Condition::{Acceptable, Good, LikeNew, New, VeryGood};
    select(vec![New, LikeNew, VeryGood, Good, Acceptable])
}

fn tempo() -> impl Strategy<Value = Tempo> + Clone {
    select(vec![Tempo::Cheapest, Tempo::Balanced, Tempo::Fast])
}

fn reason() -> impl Strategy<Value = RejectReason> + Clone {
    select(RejectReason::ALL)
}

fn cost() -> impl Strategy<Value = Cost> + Clone {
    prop_oneof![
        any::<u64>().prop_map(Cost::Exact),
        any::<u64>().prop_map(Cost::AtMost),
        Just(Cost::Unknown)
    ]
}

pub(crate) fn quote() -> impl Strategy<Value = Quote> + Clone {
    let costs = (any::<u64>(), cost(), cost(), cost());
    let rest = (condition(), any::<u32>(), instant());
    (partner(), quote_id(), currency(), costs, rest).prop_map(
        |(partner, quote_id, currency, (item, shipping, tax, fee), rest)| {
            let (condition, in_stock, valid_until) = rest;
            Quote {
                partner,
                quote_id,
                currency,
                item,
                shipping,
                tax,
                fee,
                condition,
                in_stock,
                valid_until,
            }
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> + Clone {
    (money(), instant(), tempo()).prop_map(|(max_total, expires_at, strategy)| Terms {
        max_total,
        expires_at,
        strategy,
    })
}

fn destination() -> impl Strategy<Value = Destination> + Clone {
    let address = (text(), text(), option::of(text()), text(), option::of(text())).prop_map(
        |(name, line1, line2, city, region)| Address { name, line1, line2, city, region },
    );
    (country(), text(), option::of(address))
        .prop_map(|(country, postal_code, address)| Destination { country, postal_code, address })
}

pub(crate) fn request_id() -> impl Strategy<Value = RequestId> + Clone {
    any::<[u8; 16]>().prop_map(RequestId::from_bytes)
}

pub(crate) fn submission() -> impl Strategy<Value = Submission> + Clone {
    let who = (request_id(), customer(), digest(), payment_token());
    let what = (isbn(), 1u8..=99, destination(), condition());
    let how = (select(vec![Mode::OneShot, Mode::Watch]), any::<bool>(), instant(), terms());
    (who, what, how, option::of(trace())).prop_map(|(who, what, how, trace)| {
        let (id, customer, digest, payment_token) = who;
        let (isbn, quantity, destination, condition) = what;
        let (mode, rebuy, created_at, terms) = how;
        Submission {
            id,
            customer,
            digest,
            isbn,
            quantity,
            destination,
            payment_token,
            condition,
            mode,
            rebuy,
            created_at,
            terms,
            trace,
        }
    })
}

pub(crate) fn trace() -> impl Strategy<Value = TraceContext> + Clone {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<bool>())
        .prop_filter_map("an id of zeros", |(trace, span, sampled)| {
            TraceContext::new(trace, span, sampled)
        })
}

fn step() -> impl Strategy<Value = Step> + Clone {
    let unknown = (instant(), any::<u8>(), option::of(version()), option::of(instant()));
    let unknown = (unknown, any::<bool>()).prop_map(|(rest, fencing)| {
        let (since, asks, conclusive_from, absent_since) = rest;
        Unknown { since, asks, conclusive_from, absent_since, fencing }
    });
    prop_oneof![
        instant().prop_map(|not_after| Step::Reserving { not_after }),
        (instant(), any::<u8>())
            .prop_map(|(not_after, asks)| Step::Authorizing { not_after, asks }),
        (instant(), text()).prop_map(|(until, url)| Step::ActionRequired { until, url }),
        Just(Step::Placing),
        unknown.prop_map(Step::PlacementUnknown),
        any::<u8>().prop_map(|tries| Step::Capturing { tries }),
        Just(Step::Completed),
        reason().prop_map(Step::Failed),
    ]
}

fn checkout() -> impl Strategy<Value = Checkout> + Clone {
    let reservation =
        (reservation_id(), instant()).prop_map(|(id, valid_until)| Reservation { id, valid_until });
    let authorization = (money(), instant())
        .prop_map(|(amount, valid_until)| Authorization { amount, valid_until });
    let intent = (version(), money(), instant()).prop_map(|(version, price_cap, not_after)| {
        PlacementIntent { version, price_cap, not_after }
    });
    let order = (order_id(), money()).prop_map(|(order_id, total)| PlacedOrder { order_id, total });
    let holds = (option::of(reservation), option::of(authorization));
    let placed = (option::of(intent), option::of(order));
    (any::<u8>(), quote(), vec(quote(), 0..3), step(), holds, placed).prop_map(
        |(attempt, quote, runners_up, step, (reservation, authorization), (intent, order))| {
            Checkout { attempt, quote, runners_up, step, reservation, authorization, intent, order }
        },
    )
}

fn status() -> impl Strategy<Value = Status> + Clone {
    let plain = vec![
        Status::Pending,
        Status::Searching,
        Status::OutOfStock,
        Status::Ordering,
        Status::Ordered,
        Status::Expired,
        Status::Canceled,
    ];
    prop_oneof![
        select(plain),
        reason().prop_map(Status::Failed),
        (quote(), digest())
            .prop_map(|(quote, token_digest)| Status::Quoted(Offered { quote, token_digest })),
    ]
}

fn undo() -> impl Strategy<Value = Undo> + Clone {
    let kinds = vec![UndoKind::CancelOrder, UndoKind::Void, UndoKind::Refund, UndoKind::Release];
    let from = option::of(version());
    (select(kinds), any::<u8>(), partner(), any::<u8>(), instant(), from).prop_map(
        |(kind, attempt, partner, tries, lapses_at, from)| {
            let of_money = matches!(kind, UndoKind::Void | UndoKind::Refund);
            let conclusive_from = from.filter(|_| of_money);
            Undo { kind, attempt, partner, tries, lapses_at, conclusive_from }
        },
    )
}

fn undos() -> impl Strategy<Value = (Vec<Undo>, Vec<KnownOrder>)> + Clone {
    let known = (any::<u8>(), order_id());
    let known = known.prop_map(|(attempt, order_id)| KnownOrder { attempt, order_id });
    (vec(undo(), 0..3), vec(known, 0..3))
}

fn timers() -> impl Strategy<Value = Timers> + Clone {
    vec(option::of(instant()), TimerKind::ALL.len()).prop_map(|due| {
        let mut timers = Timers::default();
        for (kind, due) in TimerKind::ALL.into_iter().zip(due) {
            if let Some(due) = due {
                timers.set(kind, due);
            }
        }
        timers
    })
}

pub(crate) fn request() -> impl Strategy<Value = PurchaseRequest> + Clone {
    let incidents = vec![
        Incident::PlacementUnknown,
        Incident::LateOrder,
        Incident::PriceAboveCap,
        Incident::CaptureFailed,
        Incident::UndoStuck,
    ];
    let state = (version(), terms(), status(), option::of(checkout()), undos());
    let counts = (any::<u32>(), any::<u8>(), any::<u16>(), option::of(any::<u64>()));
    let rest = (any::<bool>(), vec(partner(), 0..4), option::of(select(incidents)));
    let times = (timers(), option::of(instant()), option::of(instant()));
    (submission(), state, counts, rest, times).prop_map(
        |(submission, state, counts, rest, (timers, closed_at, frozen_at))| {
            let (version, terms, status, checkout, (undo, known_orders)) = state;
            let (sweep, fruitless, notified, told_best) = counts;
            let (cancel_requested, tried, incident) = rest;
            PurchaseRequest {
                submission: Arc::new(submission),
                version,
                terms,
                status,
                checkout,
                undo,
                known_orders,
                cancel_requested,
                sweep,
                fruitless,
                tried,
                notified,
                told_best,
                incident,
                timers,
                closed_at,
                frozen_at,
            }
        },
    )
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> + Clone {
    let verdicts = vec![Verdict::Buy, Verdict::TooDear, Verdict::NoStock, Verdict::NoAnswer];
    let numbers = (any::<u32>(), any::<u16>(), any::<u16>());
    let rest = (instant(), tempo(), money(), digest(), select(verdicts));
    let parts = (numbers, rest, vec(quote(), 0..5), option::of(search()));
    parts.prop_map(|((sweep, eligible, answered), rest, mut quotes, search)| {
        // One quote per partner: what it said last.
        quotes.sort_by(|a, b| a.partner.cmp(&b.partner));
        quotes.dedup_by(|a, b| a.partner == b.partner);
        let (decided_at, strategy, max_total, directory, verdict) = rest;
        Receipt {
            sweep,
            decided_at,
            strategy,
            max_total,
            eligible,
            answered,
            directory,
            verdict,
            quotes,
            search,
        }
    })
}

pub(crate) fn command() -> impl Strategy<Value = CommandRecord> + Clone {
    (command_id(), digest(), version()).prop_map(|(command, digest, version)| CommandRecord {
        command,
        digest,
        version,
    })
}
