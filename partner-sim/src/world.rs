//! All simulated parties of one configuration, for whoever calls them in process.

use std::collections::BTreeMap;

use schemas::PartnerId;
use schemas::directory::Directory;

use crate::config::{ConfigError, SimConfig};
use crate::ledger::{LedgerEntry, PartnerLedger, PaymentLedger};
use crate::partner::Partner;
use crate::payment::PaymentProvider;

/// The partners and the payment provider.
#[derive(Debug, Clone)]
pub struct World {
    pub partners: BTreeMap<PartnerId, Partner>,
    pub provider: PaymentProvider,
}

impl World {
    /// # Errors
    /// A profile override that does not fit, a doubled partner id, a script for no partner.
    pub fn new(config: &SimConfig) -> Result<Self, ConfigError> {
        let mut partners = BTreeMap::new();
        for (id, profile) in config.profiles()? {
            let mut partner = Partner::new(id.clone(), profile, config.seed);
            for stock in config.stock.iter().filter(|s| s.is_for(&id)) {
                partner.script_stock(stock.isbn, stock.on_hand);
            }
            for price in config.price.iter().filter(|p| p.is_for(&id)) {
                partner.script_price(price.isbn, price.scripted());
            }
            partners.insert(id, partner);
        }
        let payment = &config.payment;
        let provider =
            PaymentProvider::new(payment.provider.clone(), payment.settings.clone(), config.seed);
        Ok(Self { partners, provider })
    }

    /// What the broker should know about these partners.
    pub fn directory(&self) -> Directory {
        let entry =
            |(id, partner): (&PartnerId, &Partner)| partner.profile().directory_entry(id.clone());
        Directory { partners: self.partners.iter().map(entry).collect() }
    }

    pub fn track_changes(&mut self) {
        self.partners.values_mut().for_each(Partner::track_changes);
        self.provider.track_changes();
    }

    /// Puts the records of an earlier life back, oldest first. Records of partners that are no
    /// longer configured are passed over; their number is returned.
    pub fn restore(&mut self, entries: impl IntoIterator<Item = LedgerEntry>) -> usize {
        let mut strangers = 0;
        for entry in entries {
            let partner = match &entry {
                LedgerEntry::Order(order) => Some(order.partner.clone()),
                LedgerEntry::Reservation(reservation) => Some(reservation.partner.clone()),
                LedgerEntry::Payment(_) => None,
            };
            match (partner, entry) {
                (None, LedgerEntry::Payment(payment)) => self.provider.restore(*payment),
                (Some(id), entry) => match self.partners.get_mut(&id) {
                    Some(partner) => partner.restore(entry),
                    None => strangers += 1,
                },
                (None, _) => {}
            }
        }
        self.partners.values_mut().for_each(Partner::restock);
        strangers
    }

    /// The ledger of all partners, by partner and key.
    pub fn partner_ledger(&self) -> PartnerLedger {
        let mut all = PartnerLedger::default();
        for ledger in self.partners.values().map(Partner::ledger) {
            all.orders.extend(ledger.orders);
            all.reservations.extend(ledger.reservations);
        }
        all
    }

    pub fn payment_ledger(&self) -> PaymentLedger {
        self.provider.ledger()
    }
}
