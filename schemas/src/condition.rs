//! The state of a copy, best first, so that `copy <= floor` means "good enough".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Condition of one copy of a book. Order is best first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    #[default]
    New,
    LikeNew,
    VeryGood,
    Good,
    Acceptable,
}

impl Condition {
    /// Whether a copy in this condition satisfies a buyer who accepts `floor` or better.
    pub fn satisfies(self, floor: Self) -> bool {
        self <= floor
    }
}
