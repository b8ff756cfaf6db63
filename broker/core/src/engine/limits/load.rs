//! How much there is to do and what the limits are now, for operators to see.

use super::ladder::Rung;

/// Of the engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Creates that wait to be let in.
    pub creates_waiting: usize,
    /// Quote questions open at all partners together.
    pub questions_in_flight: u32,
    /// How much is given up because there is too much to do.
    pub rung: Rung,
    /// In the order of the directory.
    pub partners: Vec<PartnerLoad>,
}

/// Of one partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerLoad {
    /// Quote questions that may be open there at once.
    pub limit: u32,
    pub circuit: Circuit,
}

/// The worst of a partner's breakers, by what would become of the next call. Of breakers that only
/// run dry, what would become of it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Circuit {
    #[default]
    Closed,
    /// Tried, one call at a time.
    HalfOpen,
    /// Left alone.
    Open,
    /// Left alone because the directory says so.
    ForcedOpen,
}

impl Circuit {
    pub const ALL: [Self; 4] = [Self::Closed, Self::HalfOpen, Self::Open, Self::ForcedOpen];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::ForcedOpen => "forced_open",
        }
    }
}
