//! The named profiles.

use schemas::directory::{LookupKind, Transport};
use serde::{Deserialize, Serialize};

use super::{Components, Faults, Profile, Stated, StockRule};
use crate::delivery::Delivery;
use crate::fault::Permille;
use crate::latency::Latency;
use crate::price::Pricing;

/// A character by name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProfileName {
    /// Capable, reliable, tens of milliseconds.
    #[default]
    Calm,
    /// Capable, reliable, answers at once, endless stock: for measuring the broker.
    Instant,
    /// Drops, doubles, delays and reorders answers; often busy.
    Flaky,
    /// Reliable but takes seconds.
    Slow,
    /// Often says nothing; orders may stand all the same.
    Silent,
    /// Confirms every order and cancels it half a second later.
    Liar,
    /// Carries few books, and often has sold the last copy.
    Stockout,
    /// Cannot hold stock, cannot cancel.
    NoReservation,
    /// Call-back style: questions wait in a stream, orders are confirmed by notice.
    Callback,
    /// Accepted orders stay invisible for a while; unknown keys are not tombstoned.
    Eventual,
    /// Breaks every rule it can: wrong books, absurd prices, charges above the cap, no contract.
    Hostile,
}

impl ProfileName {
    pub const ALL: [Self; 11] = [
        Self::Calm,
        Self::Instant,
        Self::Flaky,
        Self::Slow,
        Self::Silent,
        Self::Liar,
        Self::Stockout,
        Self::NoReservation,
        Self::Callback,
        Self::Eventual,
        Self::Hostile,
    ];

    /// The text used in files and in generated partner ids.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Instant => "instant",
            Self::Flaky => "flaky",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Liar => "liar",
            Self::Stockout => "stockout",
            Self::NoReservation => "no_reservation",
            Self::Callback => "callback",
            Self::Eventual => "eventual",
            Self::Hostile => "hostile",
        }
    }

    pub fn profile(self) -> Profile {
        match self {
            Self::Calm => taking(20, 80),
            Self::Instant => instant(),
            Self::Flaky => flaky(),
            Self::Slow => Profile { response_ms: 3_000, ..taking(600, 2_500) },
            Self::Silent => silent(),
            Self::Liar => liar(),
            Self::Stockout => stockout(),
            Self::NoReservation => no_reservation(),
            Self::Callback => callback(),
            Self::Eventual => eventual(),
            Self::Hostile => hostile(),
        }
    }
}

fn way(p50_ms: u64, p99_ms: u64) -> Delivery {
    Delivery {
        latency: Latency::new(p50_ms, p99_ms),
        duplicate_within_ms: 50,
        reorder_within_ms: 100,
        late_by_ms: 200,
        ..Delivery::default()
    }
}

fn taking(p50_ms: u64, p99_ms: u64) -> Profile {
    Profile { quotes: way(p50_ms, p99_ms), commands: way(p50_ms, p99_ms), ..Profile::default() }
}

fn instant() -> Profile {
    Profile {
        in_flight_max: 100_000,
        in_flight_start: 100_000,
        calls_per_s: 1_000_000,
        calls_burst: 1_000_000,
        stock: StockRule {
            on_hand_min: 1_000_000_000,
            on_hand_max: 1_000_000_000,
            ..StockRule::default()
        },
        ..Profile::default()
    }
}

fn flaky() -> Profile {
    let shaky = Delivery {
        silent_permille: Permille::new(100),
        duplicate_permille: Permille::new(150),
        reorder_permille: Permille::new(200),
        late_permille: Permille::new(50),
        ..way(40, 300)
    };
    Profile {
        quotes: shaky.clone(),
        commands: shaky,
        faults: Faults {
            quote_busy_permille: Permille::new(50),
            quote_busy_for_ms: 400,
            busy_permille: Permille::new(100),
            lost_permille: Permille::new(50),
            price_raised_permille: Permille::new(50),
            ..Faults::default()
        },
        ..Profile::default()
    }
}

fn silent() -> Profile {
    Profile {
        quotes: Delivery { silent_permille: Permille::new(500), ..way(20, 80) },
        commands: way(20, 80),
        faults: Faults {
            accepted_without_answer_permille: Permille::new(500),
            lost_permille: Permille::new(250),
            ..Faults::default()
        },
        ..Profile::default()
    }
}

fn liar() -> Profile {
    Profile {
        faults: Faults {
            confirm_then_cancel_permille: Permille::ALWAYS,
            cancel_after_ms: 500,
            ..Faults::default()
        },
        // A liar is cheap, or nobody would ever meet it.
        pricing: Pricing { level_permille: 800, ..Pricing::default() },
        ..taking(20, 80)
    }
}

fn stockout() -> Profile {
    Profile {
        stock: StockRule { carried_permille: Permille::new(300), on_hand_min: 0, on_hand_max: 2 },
        faults: Faults { no_stock_permille: Permille::new(300), ..Faults::default() },
        ..taking(20, 80)
    }
}

fn no_reservation() -> Profile {
    Profile { reservation: false, cancel: false, ..taking(20, 80) }
}

fn callback() -> Profile {
    Profile {
        transport: Transport::Queued,
        confirms_by_notice: true,
        response_ms: 2_000,
        ..taking(200, 1_500)
    }
}

fn eventual() -> Profile {
    Profile {
        lookup: LookupKind::Eventual,
        settle_ms: 2_000,
        fences_lookup: false,
        fences_cancel: false,
        faults: Faults {
            accepted_without_answer_permille: Permille::new(300),
            ..Faults::default()
        },
        ..taking(20, 80)
    }
}

fn hostile() -> Profile {
    Profile {
        lookup: LookupKind::None,
        fences_lookup: false,
        fences_cancel: false,
        key_first: false,
        honours_not_after: false,
        reservation: false,
        quotes: Delivery {
            duplicate_permille: Permille::new(300),
            late_permille: Permille::new(100),
            ..way(10, 200)
        },
        commands: Delivery { duplicate_permille: Permille::new(300), ..way(10, 200) },
        components: Components {
            tax: Stated::AtMost,
            fee: Stated::Missing,
            ..Components::default()
        },
        pricing: Pricing { drift_permille: 300, drift_every_ms: 1_000, ..Pricing::default() },
        faults: Faults {
            quote_wrong_book_permille: Permille::new(300),
            quote_absurd_price_permille: Permille::new(200),
            price_above_cap_permille: Permille::new(200),
            confirm_then_cancel_permille: Permille::new(200),
            price_raised_permille: Permille::new(200),
            second_order_permille: Permille::new(100),
            ..Faults::default()
        },
        ..Profile::default()
    }
}
