//! Where the book goes. Quotes need only the zone (country and postal code); the full address
//! travels once, in the `place` command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::object_only;
use crate::text::Text;
use crate::text_form::text_form;

/// Why a country code is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("country must be two upper-case letters (ISO 3166-1 alpha-2) such as US, got {0:?}")]
pub struct CountryError(String);

/// ISO 3166-1 alpha-2 country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[A-Z]{2}$"))]
pub struct Country([u8; 2]);

impl Country {
    pub fn parse(code: &str) -> Result<Self, CountryError> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([*a, *b])),
            _ => Err(CountryError(code.chars().take(16).collect())),
        }
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

text_form!(Country as code);

/// Where to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(rename = "Destination")]
pub struct Destination {
    pub country: Country,
    /// Postal code in the country's own form, at most 16 bytes.
    pub postal_code: Text<16>,
    /// Name and street; sent to a partner only with the order itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

object_only!(Destination);

impl Destination {
    /// The part that decides shipping and tax; what a quote request carries.
    pub fn zone(&self) -> Self {
        Self { country: self.country, postal_code: self.postal_code.clone(), address: None }
    }
}

/// Who receives the parcel, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(rename = "Address")]
pub struct Address {
    pub name: Text<100>,
    pub line1: Text<100>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<Text<100>>,
    pub city: Text<100>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text<64>>,
}

object_only!(Address);
