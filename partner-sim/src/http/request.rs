//! From what a caller says to what the store can be asked.

use schemas::id::{CallId, Key, MessageId, QuoteId};
use schemas::partner::{
    Cancel, CommandHeader, Lookup, Place, QuoteQuestion, QuoteRequests, Release, Reserve,
};
use schemas::{
    Condition, Currency, Destination, DurationMs, Isbn13, Money, PartnerId, RequestId, Timestamp,
};
use serde_json::Value;

use super::fields::Fields;
use crate::partner::PartnerRequest;

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Quote,
    Reserve,
    Release,
    Place,
    Cancel,
    Lookup,
}

/// Builds requests to one store.
pub(super) struct Reader<'a> {
    pub(super) partner: &'a PartnerId,
    pub(super) fields: &'a Fields,
}

impl Reader<'_> {
    /// # Errors
    /// Names what is missing or wrong.
    pub(super) fn read(
        &self,
        operation: Operation,
        items: &[Fields],
    ) -> Result<PartnerRequest, String> {
        Ok(match operation {
            Operation::Quote => PartnerRequest::Quote(self.questions(items)?),
            Operation::Reserve => PartnerRequest::Reserve(self.reserve()?),
            Operation::Release => PartnerRequest::Release(Release {
                header: self.header()?,
                reservation_key: self.key()?,
            }),
            Operation::Place => PartnerRequest::Place(self.place()?),
            Operation::Cancel => PartnerRequest::Cancel(Cancel {
                header: self.header()?,
                placement_key: self.key()?,
            }),
            Operation::Lookup => PartnerRequest::Lookup(Lookup {
                header: self.header()?,
                placement_key: self.key()?,
            }),
        })
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        self.fields.get(name).ok_or_else(|| format!("{name} is missing"))
    }

    fn parsed<T, E: std::fmt::Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, String> {
        parse(self.text(name)?).map_err(|error| format!("{name}: {error}"))
    }

    fn key(&self) -> Result<Key, String> {
        self.parsed("reference", Key::parse)
    }

    fn header(&self) -> Result<CommandHeader, String> {
        Ok(CommandHeader {
            id: self.parsed("correlation", MessageId::parse)?,
            request_id: self.parsed("client_order", RequestId::parse)?,
            attempt: self.parsed("client_attempt", str::parse)?,
            reply_to: format!("{}{}.reply", super::SUBJECT_ROOT, self.partner),
        })
    }

    fn not_after(&self) -> Result<Timestamp, String> {
        self.parsed("expires_at", Timestamp::parse)
    }

    fn questions(&self, items: &[Fields]) -> Result<QuoteRequests, String> {
        let one = [self.fields.clone()];
        let items = if items.is_empty() { &one } else { items };
        let question = |fields: &Fields| Reader { fields, ..*self }.question();
        Ok(QuoteRequests {
            reply_to: format!("{}{}.reply", super::SUBJECT_ROOT, self.partner),
            items: items.iter().map(question).collect::<Result<_, _>>()?,
        })
    }

    fn question(&self) -> Result<QuoteQuestion, String> {
        Ok(QuoteQuestion {
            call_id: self.parsed("ref", CallId::parse)?,
            isbn: self.parsed("isbn", Isbn13::parse)?,
            quantity: self.parsed("quantity", str::parse)?,
            condition: self.condition()?,
            currency: self.parsed("currency", Currency::parse)?,
            destination: self.destination()?,
            not_after: self.not_after()?,
        })
    }

    fn condition(&self) -> Result<Condition, String> {
        let text = Value::from(self.text("condition")?);
        serde_json::from_value(text).map_err(|error| format!("condition: {error}"))
    }

    fn destination(&self) -> Result<Destination, String> {
        let wire = serde_json::json!({
            "country": self.text("country")?, "postal_code": self.text("postal_code")?,
        });
        serde_json::from_value(wire).map_err(|error| format!("destination: {error}"))
    }

    fn reserve(&self) -> Result<Reserve, String> {
        let hold_s: u64 = self.parsed("hold_s", str::parse)?;
        Ok(Reserve {
            header: self.header()?,
            reservation_key: self.key()?,
            quote_id: self.parsed("offer", QuoteId::parse)?,
            isbn: self.parsed("isbn", Isbn13::parse)?,
            quantity: self.parsed("quantity", str::parse)?,
            ttl_ms: DurationMs::from_secs(hold_s),
            not_after: self.not_after()?,
        })
    }

    fn place(&self) -> Result<Place, String> {
        let currency = self.parsed("currency", Currency::parse)?;
        let cap: u64 = self.parsed("at_most_minor", str::parse)?;
        let held = self.fields.get("held_as").map(Key::parse).transpose();
        Ok(Place {
            header: self.header()?,
            placement_key: self.key()?,
            quote_id: self.parsed("offer", QuoteId::parse)?,
            reservation_key: held.map_err(|error| format!("held_as: {error}"))?,
            isbn: self.parsed("isbn", Isbn13::parse)?,
            quantity: self.parsed("quantity", str::parse)?,
            condition: self.condition()?,
            price_cap: Money::new(cap, currency).map_err(|e| format!("at_most_minor: {e}"))?,
            destination: self.destination()?,
            not_after: self.not_after()?,
        })
    }
}
