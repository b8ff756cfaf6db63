//! The promises, and which of them a story has broken. Most are about a step, not about a moment:
//! a step that breaks one marks the state it leads to.

use stateright::Property;

use super::model::Market;
use super::rest;
use super::state::State;

macro_rules! promises {
    ($($name:ident: $text:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Promise { $($name,)* }

        impl Promise {
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        /// One property per promise; every one holds in every state.
        pub(crate) fn properties() -> Vec<Property<Market>> {
            let mut all = vec![$(Property::<Market>::always($text, |_, state: &State| {
                !state.broken.has(Promise::$name)
            }),)*];
            all.push(Property::<Market>::always(REST, |market, state| {
                !state.is_quiet() || rest::is_in_order(state, market.setting.rebuy)
            }));
            all
        }
    };
}

/// The one about moments in which nothing moves any more.
pub(crate) const REST: &str = "whatever comes to rest is closed, undone, paid and told";

promises! {
    OneOrder: "at most one order stands",
    CapturedForAnOrder: "money is taken only for an order that was accepted",
    InTime: "no order leaves or is accepted after the deadline",
    WithinLimit: "no order costs more than the limit of the version that its intent names",
    OneHold: "nothing is authorised before the attempt before is proven gone",
    MoneyStays: "no money goes back while its order stands",
    OneOutcome: "an outcome is final, apart from the listed corrections",
    EndedWithout: "a request told to have ended without an order has none",
    UndoProven: "a compensation leaves the list only on proof",
    SameCopies: "all copies of an order are equal",
    DenseVersions: "versions and notification numbers have no gaps",
}

/// Which promises the story so far has broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Broken(u16);

impl Broken {
    pub(crate) fn has(self, promise: Promise) -> bool {
        self.0 & (1 << promise as u16) != 0
    }

    pub(crate) fn must(&mut self, holds: bool, promise: Promise) {
        if !holds {
            self.0 |= 1 << promise as u16;
        }
    }
}
