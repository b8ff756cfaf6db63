//! Rows of the canonical tables that a transition went through, for audit and coverage.

macro_rules! rows {
    ($($name:ident)*) => {
        /// A row of the purchase_request table (T) or of the checkout table (C).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Row { $($name,)* }

        impl Row {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

// T3 (an offer arrives in an open sweep) is soft state of the engine and never a transition.
rows! {
    T1 T2 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16 T17 T18 T19 T20 T21 T22
    C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19
}
