//! What is given up first when there is more to do than can be done: first the long tail of
//! partners, then fresh answers where a store's word of before still holds, then further requests. Up at once, down one rung at a time and only after a while of
//! calm, so that it does not swing.

use schemas::{DurationMs, Timestamp};

/// When it steps up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderPolicy {
    /// Pressure from which only the first tier is asked, thousandths.
    pub tier_one_permille: u16,
    /// … from which a store whose word of before still holds is not asked again …
    pub cached_permille: u16,
    /// … and from which further requests are refused.
    pub refuse_permille: u16,
    /// It steps down after so long below half of the pressure that made it step up.
    pub calm: DurationMs,
}

/// How much is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rung {
    #[default]
    Normal,
    /// Sweeps ask the best ranked only.
    TierOneOnly,
    /// … and take what those have said before, as long as they keep their word.
    CachedOffers,
    /// … and nobody new is let in.
    Refusing,
}

impl Rung {
    pub const ALL: [Self; 4] =
        [Self::Normal, Self::TierOneOnly, Self::CachedOffers, Self::Refusing];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::TierOneOnly => "tier_1_only",
            Self::CachedOffers => "cached_offers",
            Self::Refusing => "refusing",
        }
    }

    const fn threshold(self, policy: &LadderPolicy) -> u16 {
        match self {
            Self::Normal => 0,
            Self::TierOneOnly => policy.tier_one_permille,
            Self::CachedOffers => policy.cached_permille,
            Self::Refusing => policy.refuse_permille,
        }
    }

    const fn below(self) -> Self {
        match self {
            Self::Normal | Self::TierOneOnly => Self::Normal,
            Self::CachedOffers => Self::TierOneOnly,
            Self::Refusing => Self::CachedOffers,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ladder {
    rung: Rung,
    /// Since then the pressure has been low enough to step down.
    calm_since: Option<Timestamp>,
}

impl Ladder {
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Takes the pressure in; the new rung if it is another one.
    pub fn feel(
        &mut self,
        pressure_permille: u16,
        policy: &LadderPolicy,
        now: Timestamp,
    ) -> Option<Rung> {
        let wanted = Rung::ALL
            .into_iter()
            .rev()
            .find(|rung| pressure_permille >= rung.threshold(policy))
            .unwrap_or_default();
        if wanted > self.rung {
            self.rung = wanted;
            self.calm_since = None;
            return Some(wanted);
        }
        let calm = self.rung > Rung::Normal
            && u32::from(pressure_permille) * 2 < u32::from(self.rung.threshold(policy));
        if !calm {
            self.calm_since = None;
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.since(since) < policy.calm {
            return None;
        }
        self.rung = self.rung.below();
        self.calm_since = (self.rung > Rung::Normal).then_some(now);
        Some(self.rung)
    }

    /// When it would step down if nothing happened meanwhile.
    pub fn next_step(&self, policy: &LadderPolicy) -> Option<Timestamp> {
        self.calm_since.map(|since| since.saturating_add(policy.calm))
    }
}
