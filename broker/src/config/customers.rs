//! Which customers go first when not all can.

use std::collections::{BTreeMap, BTreeSet};

use broker_core::engine::admission::Class;
use broker_core::policy::Classes;
use schemars::JsonSchema;
use schemas::CustomerId;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// [`Class`] as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassName {
    Gold,
    Silver,
    #[default]
    Free,
}

/// Which customers go first when not all can.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CustomersConfig {
    /// Customers of the class `gold`, by id.
    #[schemars(with = "Vec<String>")]
    pub gold: Vec<CustomerId>,
    /// Customers of the class `silver`, by id.
    #[schemars(with = "Vec<String>")]
    pub silver: Vec<CustomerId>,
    /// Customers of the class `free`, by id.
    #[schemars(with = "Vec<String>")]
    pub free: Vec<CustomerId>,
    /// Class of every other customer: `gold`, `silver` or `free`. With all in one class none goes
    /// first.
    #[schemars(with = "String")]
    pub others: ClassName,
    /// How fast the creates of the class `gold` are refilled: 1000 is the rate, 2000 twice as fast.
    pub gold_refill_permille: u16,
    /// As `gold_refill_permille`.
    pub silver_refill_permille: u16,
    /// As `gold_refill_permille`.
    pub free_refill_permille: u16,
}

impl Default for CustomersConfig {
    fn default() -> Self {
        Self {
            gold: Vec::new(),
            silver: Vec::new(),
            free: Vec::new(),
            others: ClassName::Free,
            gold_refill_permille: 1000,
            silver_refill_permille: 1000,
            free_refill_permille: 1000,
        }
    }
}

impl CustomersConfig {
    pub(super) fn classes(&self) -> Classes {
        let lists =
            [(&self.gold, Class::Gold), (&self.silver, Class::Silver), (&self.free, Class::Free)];
        let named = lists
            .into_iter()
            .flat_map(|(list, class)| list.iter().map(move |id| (id.clone(), class)))
            .collect::<BTreeMap<_, _>>();
        Classes {
            named,
            others: match self.others {
                ClassName::Gold => Class::Gold,
                ClassName::Silver => Class::Silver,
                ClassName::Free => Class::Free,
            },
            refill_permille: [
                self.gold_refill_permille,
                self.silver_refill_permille,
                self.free_refill_permille,
            ],
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for id in self.gold.iter().chain(&self.silver).chain(&self.free) {
            if !seen.insert(id) {
                let why = format!("{id} is named twice");
                return Err(ConfigError::field("customers", why));
            }
        }
        let refills = [
            ("gold_refill_permille", self.gold_refill_permille),
            ("silver_refill_permille", self.silver_refill_permille),
            ("free_refill_permille", self.free_refill_permille),
        ];
        match refills.into_iter().find(|(_, share)| !(1000..=2000).contains(share)) {
            Some((name, _)) => {
                Err(ConfigError::field(format!("customers.{name}"), "must be 1000 to 2000"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_belong_to_the_class_that_names_them_or_to_that_of_others() {
        let text = "gold = [\"ann\"]\nfree = [\"bob\"]\nothers = \"silver\"\n";
        let customers: CustomersConfig = toml::from_str(text).unwrap();
        let classes = customers.classes();
        let class = |id: &str| classes.of(&CustomerId::parse(id).unwrap());
        assert_eq!(
            [class("ann"), class("bob"), class("eve")],
            [Class::Gold, Class::Free, Class::Silver]
        );
    }

    #[test]
    fn a_customer_named_twice_and_an_overgenerous_refill_are_refused() {
        let twice: CustomersConfig = toml::from_str("gold = [\"ann\"]\nfree = [\"ann\"]").unwrap();
        assert!(twice.validate().unwrap_err().to_string().contains("ann is named twice"));
        let much: CustomersConfig = toml::from_str("gold_refill_permille = 2001").unwrap();
        assert!(much.validate().is_err());
    }
}
