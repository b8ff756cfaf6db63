//! Shelves and prices set by hand, for scenarios: "only that store has it", "nobody has it",
//! "too dear everywhere". A script without a partner is for all of them; later lines win.

use schemas::{Isbn13, PartnerId};
use serde::{Deserialize, Serialize};

use crate::price::ScriptedPrice;

/// Copies of one book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockScript {
    /// One partner; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    pub isbn: Isbn13,
    pub on_hand: u32,
}

impl StockScript {
    pub(crate) fn is_for(&self, id: &PartnerId) -> bool {
        self.partner.as_ref().is_none_or(|partner| partner == id)
    }
}

/// Price of one copy of a book, minor units. What is left out is zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceScript {
    /// One partner; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    pub isbn: Isbn13,
    pub item: u64,
    #[serde(default)]
    pub shipping: u64,
    #[serde(default)]
    pub tax: u64,
    #[serde(default)]
    pub fee: u64,
}

impl PriceScript {
    pub(crate) fn is_for(&self, id: &PartnerId) -> bool {
        self.partner.as_ref().is_none_or(|partner| partner == id)
    }

    pub(crate) const fn scripted(&self) -> ScriptedPrice {
        ScriptedPrice { item: self.item, shipping: self.shipping, tax: self.tax, fee: self.fee }
    }
}
