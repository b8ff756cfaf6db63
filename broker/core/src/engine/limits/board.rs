//! The limits in use: one of each per partner, and those that partners share.

use schemas::destination::Country;
use schemas::directory::{BreakerMode, Transport};
use schemas::{CustomerId, DurationMs, Timestamp};

use super::breaker::{Breaker, Switched, Verdict};
use super::concurrency::{Bounds, Concurrency};
use super::gcra::{Gcra, Keyed, Quota, take_all};
use super::load::{Circuit, PartnerLoad};
use super::retry_budget::RetryBudget;
use crate::engine::output::CallOutcome;
use crate::partner::{PartnerIndex, PartnerProfile, Partners};
use crate::policy::Overload;

const SECOND: DurationMs = DurationMs(1000);

/// What a breaker watches. Look-ups, cancels, releases and everything about money have none: what
/// is unknown must be found out, and what was done must be undone, however ill the receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Quote,
    Reserve,
    Place,
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Quote, Self::Reserve, Self::Place];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Reserve => "reserve",
            Self::Place => "place",
        }
    }
}

/// What is asked of a store to buy there.
const ORDERING: [Operation; 2] = [Operation::Reserve, Operation::Place];

#[derive(Debug)]
struct Control {
    limit: Concurrency,
    bounds: Bounds,
    rate: Gcra,
    quota: Quota,
    retries: RetryBudget,
    mode: BreakerMode,
    breakers: [Breaker; Operation::ALL.len()],
}

/// See the module.
#[derive(Debug)]
pub(in crate::engine) struct Board {
    partners: Vec<Control>,
    regions: Keyed<Country>,
    customers: Keyed<CustomerId>,
}

/// How a question ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Ended {
    pub(in crate::engine) outcome: CallOutcome,
    pub(in crate::engine) took: DurationMs,
    /// Nearly all of its answers take less.
    pub(in crate::engine) usual: Option<DurationMs>,
    /// Questions open at this partner, this one included.
    pub(in crate::engine) in_flight: u32,
}

impl Board {
    pub(in crate::engine) fn new(partners: &Partners, policy: &Overload, now: Timestamp) -> Self {
        let control = |(index, profile): (PartnerIndex, &PartnerProfile)| {
            let bounds = Bounds { start: profile.in_flight_start, max: profile.in_flight_max };
            let salt = |operation: Operation| u64::from(index.0) << 8 | operation as u64;
            Control {
                limit: Concurrency::new(bounds),
                bounds,
                rate: Gcra::default(),
                quota: Quota::new(profile.calls_per_s, SECOND, profile.calls_burst),
                retries: RetryBudget::new(policy.quote_retries, now),
                mode: profile.breaker,
                breakers: Operation::ALL.map(|operation| Breaker::new(salt(operation))),
            }
        };
        Self {
            partners: partners.iter().map(control).collect(),
            regions: Keyed::default(),
            customers: Keyed::default(),
        }
    }

    fn at(&mut self, partner: PartnerIndex) -> &mut Control {
        &mut self.partners[usize::from(partner.0)]
    }

    fn of(&self, partner: PartnerIndex) -> &Control {
        &self.partners[usize::from(partner.0)]
    }

    /// Questions that may be open at once.
    pub(in crate::engine) fn limit(&self, partner: PartnerIndex) -> u32 {
        self.of(partner).limit.limit()
    }

    /// For so long the partner has asked not to be asked.
    pub(in crate::engine) fn pause(&self, partner: PartnerIndex, now: Timestamp) -> DurationMs {
        self.of(partner).limit.held_until().since(now)
    }

    /// How long until both rates let a question through.
    pub(in crate::engine) fn rate_wait(
        &self,
        partner: PartnerIndex,
        region: Country,
        policy: &Overload,
        now: Timestamp,
    ) -> DurationMs {
        let control = self.of(partner);
        let region = self.regions.wait(&region, policy.region, now);
        control.rate.wait(control.quota, now).max(region)
    }

    /// The time that so many questions to this partner take at its rate.
    pub(in crate::engine) fn time_of(&self, partner: PartnerIndex, count: usize) -> DurationMs {
        self.of(partner).quota.time_of(count)
    }

    /// A question leaves, if both rates let it.
    pub(in crate::engine) fn take_rate(
        &mut self,
        partner: PartnerIndex,
        region: Country,
        policy: &Overload,
        now: Timestamp,
    ) -> Result<(), DurationMs> {
        let control = &mut self.partners[usize::from(partner.0)];
        let region = (self.regions.at(&region, now), policy.region);
        take_all(&mut [(&mut control.rate, control.quota), region], now)
    }

    /// How long until this customer may create another request.
    pub(in crate::engine) fn create_wait(
        &self,
        customer: &CustomerId,
        policy: &Overload,
        now: Timestamp,
    ) -> DurationMs {
        self.customers.wait(customer, creates_of(customer, policy), now)
    }

    pub(in crate::engine) fn take_create(
        &mut self,
        customer: &CustomerId,
        policy: &Overload,
        now: Timestamp,
    ) {
        self.customers.at(customer, now).take(creates_of(customer, policy), now);
    }

    /// The time that so many creates of this customer take at its rate.
    pub(in crate::engine) fn creates_time_of(
        &self,
        customer: &CustomerId,
        count: usize,
        policy: &Overload,
    ) -> DurationMs {
        creates_of(customer, policy).time_of(count)
    }

    /// A create that was let through has come to nothing.
    pub(in crate::engine) fn give_back_create(
        &mut self,
        customer: &CustomerId,
        policy: &Overload,
        now: Timestamp,
    ) {
        self.customers.at(customer, now).give_back(creates_of(customer, policy));
    }

    /// A breaker says to leave this partner out: it does not answer, or orders there fail.
    pub(in crate::engine) fn blocks(&self, partner: PartnerIndex, now: Timestamp) -> bool {
        let control = self.of(partner);
        match control.mode {
            BreakerMode::Active => control.breakers.iter().any(|breaker| breaker.blocks(now)),
            BreakerMode::DryRun => false,
            BreakerMode::ForcedOpen => true,
        }
    }

    /// Orders there fail just now.
    pub(in crate::engine) fn fails_orders(&self, partner: PartnerIndex, now: Timestamp) -> bool {
        let control = self.of(partner);
        let blocks = |operation| control.breakers[operation as usize].blocks(now);
        match control.mode {
            BreakerMode::Active => ORDERING.into_iter().any(blocks),
            BreakerMode::DryRun => false,
            BreakerMode::ForcedOpen => true,
        }
    }

    /// A purchase has been chosen there. Where orders failed it is the trial, from now on and not
    /// only once it is durable: others that choose meanwhile go elsewhere.
    pub(in crate::engine) fn chosen(
        &mut self,
        partner: PartnerIndex,
        policy: &Overload,
        now: Timestamp,
    ) {
        for operation in ORDERING {
            self.at(partner).breakers[operation as usize].admit(&policy.breaker, now);
        }
    }

    /// Nobody has said that it is to be left alone whatever happens.
    pub(in crate::engine) fn may_close(&self, partner: PartnerIndex) -> bool {
        self.of(partner).mode != BreakerMode::ForcedOpen
    }

    /// Whether its breakers only say what they would do.
    pub(in crate::engine) fn is_dry(&self, partner: PartnerIndex) -> bool {
        self.of(partner).mode == BreakerMode::DryRun
    }

    /// A question leaves; when half open it is the trial.
    pub(in crate::engine) fn asked(
        &mut self,
        partner: PartnerIndex,
        policy: &Overload,
        now: Timestamp,
    ) {
        let control = self.at(partner);
        control.retries.first(policy.quote_retries, now);
        control.breakers[Operation::Quote as usize].admit(&policy.breaker, now);
    }

    /// Whether a question that had no answer may be asked again.
    pub(in crate::engine) fn may_retry(
        &mut self,
        partner: PartnerIndex,
        policy: &Overload,
        now: Timestamp,
    ) -> bool {
        self.at(partner).retries.spend(policy.quote_retries, now)
    }

    /// It said that this was too much for it, and for how long it wants to be left alone: not for
    /// longer than a breaker would.
    pub(in crate::engine) fn too_much(
        &mut self,
        partner: PartnerIndex,
        asked_at: Timestamp,
        hold: DurationMs,
        (policy, now): (&Overload, Timestamp),
    ) {
        let hold = hold.min(policy.breaker.pause_max);
        self.at(partner).limit.refused(asked_at, hold, now);
    }

    /// A question has ended.
    pub(in crate::engine) fn ended(
        &mut self,
        partner: PartnerIndex,
        transport: Transport,
        ended: Ended,
        policy: &Overload,
        now: Timestamp,
    ) -> Option<Switched> {
        let Ended { outcome, took, usual, in_flight } = ended;
        let control = self.at(partner);
        let asked_at = now.saturating_sub(took);
        let verdict = match outcome {
            CallOutcome::Offer | CallOutcome::NoStock => {
                control.limit.answered(in_flight, control.bounds, now);
                let twice = usual.map(|usual| usual.as_ms().saturating_mul(2));
                let slow = transport == Transport::Live
                    && took > policy.slow_after
                    && twice.is_some_and(|twice| took.as_ms() > twice);
                if slow { Verdict::Slow } else { Verdict::Good }
            }
            // It is there and says so. What it says is no matter of health.
            CallOutcome::Refused => Verdict::Good,
            CallOutcome::Invalid => Verdict::Failed,
            CallOutcome::TimedOut => {
                control.limit.silent(asked_at, now);
                Verdict::Failed
            }
            CallOutcome::Down => {
                // Asking nobody harms nobody: no pause.
                control.limit.refused(asked_at, DurationMs::ZERO, now);
                Verdict::Failed
            }
        };
        self.record(partner, Operation::Quote, verdict, policy, now)
    }

    /// A call has ended.
    pub(in crate::engine) fn record(
        &mut self,
        partner: PartnerIndex,
        operation: Operation,
        verdict: Verdict,
        policy: &Overload,
        now: Timestamp,
    ) -> Option<Switched> {
        self.at(partner).breakers[operation as usize].record(verdict, &policy.breaker, now)
    }

    /// An order or reservation is sent: when half open it is the trial.
    pub(in crate::engine) fn sent(
        &mut self,
        partner: PartnerIndex,
        operation: Operation,
        policy: &Overload,
        now: Timestamp,
    ) {
        self.at(partner).breakers[operation as usize].admit(&policy.breaker, now);
    }

    /// What an operator sees of a partner.
    pub(in crate::engine) fn load(&self, partner: PartnerIndex, now: Timestamp) -> PartnerLoad {
        let control = self.of(partner);
        let worst = control.breakers.iter().map(|breaker| breaker.circuit(now)).max();
        let circuit = match control.mode {
            BreakerMode::Active | BreakerMode::DryRun => worst.unwrap_or_default(),
            BreakerMode::ForcedOpen => Circuit::ForcedOpen,
        };
        PartnerLoad { limit: control.limit.limit(), circuit }
    }
}

fn creates_of(customer: &CustomerId, policy: &Overload) -> Quota {
    let class = policy.classes.of(customer);
    policy.creates.refilled_at(policy.classes.refill_of(class))
}
