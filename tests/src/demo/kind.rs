//! The kinds of requests that the demo makes, and what each one shows.

use schemas::purchase::PurchaseStatus;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Affordable,
    TooDear,
    NoStock,
    Expiring,
    Canceled,
    Raised,
    Duplicate,
    OtherBody,
    TakenBack,
    Unanswered,
    Accepted,
    Declined,
    Authenticates,
}

/// The order in which kinds come up: all of them early, the common ones again.
const SCHEDULE: [Kind; 30] = {
    use Kind::{
        Accepted, Affordable, Authenticates, Canceled, Declined, Duplicate, Expiring, NoStock,
        OtherBody, Raised, TakenBack, TooDear, Unanswered,
    };
    [
        Affordable,
        TooDear,
        NoStock,
        Expiring,
        Canceled,
        Raised,
        Duplicate,
        OtherBody,
        TakenBack,
        Unanswered,
        Accepted,
        Declined,
        Authenticates,
        Affordable,
        Affordable,
        TooDear,
        NoStock,
        Expiring,
        Canceled,
        Raised,
        Duplicate,
        OtherBody,
        TakenBack,
        Unanswered,
        Affordable,
        TooDear,
        NoStock,
        Canceled,
        Raised,
        Affordable,
    ]
};

impl Kind {
    /// The kind of the n-th request, from 0.
    pub(super) fn nth(n: u32) -> Self {
        SCHEDULE[n as usize % SCHEDULE.len()]
    }

    /// How often this kind came up before the n-th request: variants alternate by it.
    pub(super) fn turn(n: u32) -> usize {
        (0..n).filter(|earlier| Self::nth(*earlier) == Self::nth(n)).count()
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Affordable => "affordable",
            Self::TooDear => "too dear",
            Self::NoStock => "no stock anywhere",
            Self::Expiring => "expiring",
            Self::Canceled => "canceled midway",
            Self::Raised => "limit raised",
            Self::Duplicate => "duplicate submission",
            Self::OtherBody => "same id, other body",
            Self::TakenBack => "confirmed, then taken back",
            Self::Unanswered => "order without an answer",
            Self::Accepted => "dear quote accepted",
            Self::Declined => "payment declined",
            Self::Authenticates => "customer authenticates",
        }
    }

    /// What to look for, in one line.
    pub(super) const fn shows(self) -> &'static str {
        match self {
            Self::Affordable => "the cheapest landed total within the limit is bought, once",
            Self::TooDear => {
                "in stock, but above the limit: the best price is told, nothing bought"
            }
            Self::NoStock => "enough stores answered that nobody has it; silence would not do",
            Self::Expiring => "the deadline comes first: no order is sent, the customer is told",
            Self::Canceled => "a cancel before the order was sent always wins",
            Self::Raised => "a raised limit looks at the collected offers first, then buys",
            Self::Duplicate => "sent three times through both doors, bought once",
            Self::OtherBody => "the id has a body already: the second one is a conflict",
            Self::TakenBack => {
                "the store confirms and cancels: money back, corrected notice, or rebuy"
            }
            Self::Unanswered => {
                "unknown is not no: the same key is asked again, never another store"
            }
            Self::Accepted => "the customer takes the dear quote by its token",
            Self::Declined => "the payment is declined: no order, the reserved copy is given back",
            Self::Authenticates => "the bank asks the customer first; then the order is placed",
        }
    }

    /// How it may end, given honest stores where it matters.
    pub(super) const fn ends(self) -> &'static [PurchaseStatus] {
        use PurchaseStatus::{Canceled, Expired, Failed, Ordered, OutOfStock, Quoted};
        match self {
            Self::Affordable
            | Self::Raised
            | Self::Duplicate
            | Self::OtherBody
            | Self::Unanswered
            | Self::Accepted
            | Self::Authenticates => &[Ordered],
            Self::TooDear => &[Quoted],
            Self::NoStock => &[OutOfStock],
            Self::Expiring => &[Expired],
            Self::Canceled => &[Canceled],
            Self::TakenBack => &[Failed, Ordered],
            Self::Declined => &[Failed],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_requests_show_every_kind_the_first_thirteen_already() {
        let kinds: std::collections::BTreeSet<Kind> = (0..13).map(Kind::nth).collect();
        assert_eq!(kinds.len(), 13);
        assert_eq!(Kind::nth(30), Kind::nth(0));
    }

    #[test]
    fn turns_count_the_same_kind_only() {
        assert_eq!((Kind::turn(0), Kind::turn(13), Kind::turn(14)), (0, 1, 2));
        assert_eq!(Kind::turn(1), 0);
    }
}
