//! From a status and a body to what they mean: the first rule that fits.

use serde::{Deserialize, Serialize};

use super::compile::Compiler;
use super::file::RuleSection;
use crate::read::{Document, Node, Path};

/// What an answer of a store can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes: an offer, a hold, an order, a release, a cancellation.
    Accepted,
    /// It will say later.
    Pending,
    OutOfStock,
    Rejected,
    NotFound,
    /// There was an order, and it is canceled.
    Canceled,
    /// Too much now; nothing was done.
    TooMany,
    /// It proves nothing.
    Unknown,
}

impl Outcome {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::OutOfStock => "out_of_stock",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::Canceled => "canceled",
            Self::TooMany => "too_many",
            Self::Unknown => "unknown",
        }
    }
}

/// Which statuses a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statuses {
    Any,
    One(u16),
    /// Of one hundred.
    Class(u16),
}

impl Statuses {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        let wrong = || "must be a status such as 404, or a class such as 4xx".to_owned();
        let Some(text) = text else { return Ok(Self::Any) };
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().map_err(|_| wrong())?;
            return if (1..=5).contains(&class) { Ok(Self::Class(class)) } else { Err(wrong()) };
        }
        let one: u16 = text.parse().map_err(|_| wrong())?;
        if (100..600).contains(&one) { Ok(Self::One(one)) } else { Err(wrong()) }
    }

    fn hold(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Self::Any, _) => true,
            (Self::One(one), Some(status)) => one == status,
            (Self::Class(class), Some(status)) => class == status / 100,
            (Self::One(_) | Self::Class(_), None) => false,
        }
    }
}

#[derive(Debug, Clone)]
struct Rule {
    statuses: Statuses,
    when: Option<(Path, Vec<String>)>,
    means: Meaning,
}

/// An outcome, and whether it is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) outcome: Outcome,
    pub(crate) is_final: bool,
}

impl Meaning {
    pub(crate) const UNKNOWN: Self = Self { outcome: Outcome::Unknown, is_final: false };
}

/// The rules of one operation.
#[derive(Debug, Clone)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    pub(crate) fn compile(
        sections: &[RuleSection],
        key: &str,
        compiler: &Compiler<'_>,
    ) -> Result<Self, super::StoreError> {
        let rule = |(n, section): (usize, &RuleSection)| {
            let key = |field: &str| format!("{key}.outcomes[{n}].{field}");
            let statuses = Statuses::parse(section.status.as_deref())
                .map_err(|why| compiler.error(&key("status"), why))?;
            if section.when.is_none() && !section.is.is_empty() {
                let why = "says what the text at `when` is, and there is no `when`";
                return Err(compiler.error(&key("is"), why));
            }
            let when = match &section.when {
                Some(text) => Some((compiler.path(text, &key("when"))?, section.is.clone())),
                None => None,
            };
            let means = Meaning { outcome: section.outcome, is_final: section.r#final };
            Ok(Rule { statuses, when, means })
        };
        sections.iter().enumerate().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// What an answer that can be read means. Call-backs and items have no status.
    pub(crate) fn judge(&self, status: Option<u16>, body: &Document, at: Node<'_>) -> Meaning {
        let fits = |rule: &&Rule| {
            rule.statuses.hold(status)
                && rule.when.as_ref().is_none_or(|(path, texts)| match texts.as_slice() {
                    [] => body.holds(at, path),
                    texts => body.text(at, path).is_some_and(|text| texts.contains(&text)),
                })
        };
        self.0.iter().find(fits).map_or(Meaning::UNKNOWN, |rule| rule.means)
    }

    /// What a status alone means: of an answer that cannot be read, only that it was too much.
    pub(crate) fn judge_unread(&self, status: u16) -> Meaning {
        let too_many = |rule: &&Rule| {
            rule.statuses.hold(Some(status))
                && rule.statuses != Statuses::Any
                && rule.when.is_none()
        };
        match self.0.iter().find(too_many) {
            Some(rule) if rule.means.outcome == Outcome::TooMany => rule.means,
            _ => Meaning::UNKNOWN,
        }
    }
}
