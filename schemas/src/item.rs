//! What the customer wants: a typed identifier, resolved to one ISBN-13 at the edge.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::object_only;
use crate::text::Text;

/// How a book is named. `other` schemes are looked up in the catalog's `other_ids`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", content = "value", rename_all = "snake_case", remote = "Self")]
#[schemars(rename = "ItemIdentifier")]
pub enum ItemIdentifier {
    /// ISBN-10 or ISBN-13, hyphens allowed, check digit verified.
    Isbn(Text<32>),
    /// A title, matched exactly after NFKC, case folding and white-space collapsing.
    Title(Text<300>),
    /// Any identifier in the catalog, as `<scheme>:<id>`, for example `oclc:1234`.
    Other(Text<100>),
}

object_only!(ItemIdentifier);
