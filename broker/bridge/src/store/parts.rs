//! The operations of a store, compiled.

use serde_json::Value;

use super::StoreError;
use super::compile::{Call, Compiler, Price};
use super::file::{
    CallbackSection, ConditionSection, HoldSection, InstantForm, InstantSection, OfferSection,
    OperationSection, OrderSection, PollSection, QuoteSection,
};
use super::outcome::Rules;
use crate::context::{self, sample};
use crate::read::Path;

#[derive(Debug)]
pub(crate) struct Quote {
    pub(crate) call: Call,
    pub(crate) batch_max: usize,
    pub(crate) rules: Rules,
    pub(crate) items: Option<Path>,
    pub(crate) reference: Option<Path>,
    /// Every item is an offer without them.
    pub(crate) item_rules: Option<Rules>,
    pub(crate) absent_is_no_stock: bool,
    pub(crate) offer: Offer,
    pub(crate) reason: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) quote_id: Option<Path>,
    pub(crate) isbn: Option<Path>,
    pub(crate) condition: (Option<Path>, ConditionSection),
    pub(crate) currency: Option<Path>,
    pub(crate) item: Price,
    pub(crate) shipping: Option<Price>,
    pub(crate) tax: Option<Price>,
    pub(crate) fee: Option<Price>,
    pub(crate) in_stock: Option<Path>,
    pub(crate) valid_until: Option<Instant>,
    pub(crate) valid_for: schemas::DurationMs,
}

#[derive(Debug)]
pub(crate) struct Instant {
    pub(crate) path: Path,
    pub(crate) form: InstantForm,
}

#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) call: Call,
    pub(crate) rules: Rules,
    pub(crate) reservation_id: Path,
    pub(crate) valid_until: Option<Instant>,
    pub(crate) reason: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) call: Call,
    pub(crate) rules: Rules,
    pub(crate) reason: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) call: Call,
    pub(crate) told: OrderTold,
}

/// How an answer tells about an order.
#[derive(Debug)]
pub(crate) struct OrderTold {
    pub(crate) rules: Rules,
    pub(crate) order_id: Option<Path>,
    pub(crate) total: Option<Price>,
    pub(crate) currency: Option<Path>,
    pub(crate) status_url: Option<Path>,
    pub(crate) reason: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) call: Option<Call>,
    pub(crate) told: OrderTold,
    pub(crate) every: schemas::DurationMs,
}

#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) key: Path,
    pub(crate) told: OrderTold,
}

impl Quote {
    pub(super) fn compile(
        section: &QuoteSection,
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        let one = [sample::question(1)];
        let many = [sample::question(1), sample::question(2)];
        let samples: Vec<Value> = match section.batch_max {
            1 => vec![context::quote(&one)],
            _ => vec![context::quote(&one), context::quote(&many)],
        };
        let item_rules = match section.item_outcomes.as_slice() {
            [] => None,
            rules => Some(Rules::compile(rules, "quote.item", compiler)?),
        };
        Ok(Self {
            call: compiler.call(&section.request, "quote", &samples)?,
            batch_max: section.batch_max,
            rules: Rules::compile(&section.outcomes, "quote", compiler)?,
            items: compiler.maybe_path(section.items.as_ref(), "quote.items")?,
            reference: compiler.maybe_path(section.reference.as_ref(), "quote.ref")?,
            item_rules,
            absent_is_no_stock: section.absent_is_no_stock,
            offer: Offer::compile(&section.offer, compiler)?,
            reason: compiler.maybe_path(section.reason.as_ref(), "quote.reason")?,
        })
    }
}

impl Offer {
    fn compile(section: &OfferSection, compiler: &Compiler<'_>) -> Result<Self, StoreError> {
        let key = |field: &str| format!("quote.offer.{field}");
        let path = |text: &Option<String>, field| compiler.maybe_path(text.as_ref(), &key(field));
        let price =
            |section: &Option<_>, field| compiler.maybe_price(section.as_ref(), &key(field));
        let condition = path(&section.condition.path, "condition.path")?;
        if condition.is_some() == section.condition.fixed.is_some() {
            return Err(compiler.error(&key("condition"), "needs either `path` or `fixed`"));
        }
        Ok(Self {
            quote_id: path(&section.quote_id, "quote_id")?,
            isbn: path(&section.isbn, "isbn")?,
            condition: (condition, section.condition.clone()),
            currency: path(&section.currency, "currency")?,
            item: compiler.price(&section.item, &key("item"))?,
            shipping: price(&section.shipping, "shipping")?,
            tax: price(&section.tax, "tax")?,
            fee: price(&section.fee, "fee")?,
            in_stock: path(&section.in_stock, "in_stock")?,
            valid_until: instant(section.valid_until.as_ref(), &key("valid_until"), compiler)?,
            valid_for: section.valid_for_ms,
        })
    }
}

fn instant(
    section: Option<&InstantSection>,
    key: &str,
    compiler: &Compiler<'_>,
) -> Result<Option<Instant>, StoreError> {
    let Some(section) = section else { return Ok(None) };
    let path = compiler.path(&section.path, &format!("{key}.path"))?;
    Ok(Some(Instant { path, form: section.form }))
}

impl Hold {
    pub(super) fn compile(
        section: &HoldSection,
        samples: &[Value],
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        let until = section.valid_until.as_ref();
        Ok(Self {
            call: compiler.call(&section.request, "reserve", samples)?,
            rules: Rules::compile(&section.outcomes, "reserve", compiler)?,
            reservation_id: compiler.path(&section.reservation_id, "reserve.reservation_id")?,
            valid_until: instant(until, "reserve.valid_until", compiler)?,
            reason: compiler.maybe_path(section.reason.as_ref(), "reserve.reason")?,
        })
    }
}

impl Release {
    pub(super) fn compile(
        section: &OperationSection,
        samples: &[Value],
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            call: compiler.call(&section.request, "release", samples)?,
            rules: Rules::compile(&section.outcomes, "release", compiler)?,
            reason: compiler.maybe_path(section.reason.as_ref(), "release.reason")?,
        })
    }
}

/// Where an answer about an order says what, in any of the sections that have it.
struct OrderPaths<'a> {
    rules: &'a [super::file::RuleSection],
    order_id: &'a Option<String>,
    total: &'a Option<super::file::PriceSection>,
    currency: &'a Option<String>,
    status_url: Option<&'a String>,
    reason: &'a Option<String>,
}

impl OrderPaths<'_> {
    fn compile(self, key: &str, compiler: &Compiler<'_>) -> Result<OrderTold, StoreError> {
        let named = |field: &str| format!("{key}.{field}");
        let path = |text: Option<&String>, field| compiler.maybe_path(text, &named(field));
        Ok(OrderTold {
            rules: Rules::compile(self.rules, key, compiler)?,
            order_id: path(self.order_id.as_ref(), "order_id")?,
            total: compiler.maybe_price(self.total.as_ref(), &named("total"))?,
            currency: path(self.currency.as_ref(), "currency")?,
            status_url: path(self.status_url, "status_url")?,
            reason: path(self.reason.as_ref(), "reason")?,
        })
    }
}

/// An order that is told as accepted needs its name and price; a cancellation needs neither.
fn needs_terms(
    told: &OrderTold,
    rules: &[super::file::RuleSection],
    key: &str,
    compiler: &Compiler<'_>,
) -> Result<(), StoreError> {
    let accepts = rules.iter().any(|rule| rule.outcome == super::Outcome::Accepted);
    if key != "cancel" && accepts && (told.order_id.is_none() || told.total.is_none()) {
        let why = "an accepted order needs `order_id` and `total`";
        return Err(compiler.error(key, why));
    }
    Ok(())
}

impl Order {
    pub(super) fn compile(
        section: &OrderSection,
        key: &str,
        samples: &[Value],
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        let paths = OrderPaths {
            rules: &section.outcomes,
            order_id: &section.order_id,
            total: &section.total,
            currency: &section.currency,
            status_url: section.status_url.as_ref(),
            reason: &section.reason,
        };
        let told = paths.compile(key, compiler)?;
        needs_terms(&told, &section.outcomes, key, compiler)?;
        Ok(Self { call: compiler.call(&section.request, key, samples)?, told })
    }
}

impl Poll {
    pub(super) fn compile(
        section: &PollSection,
        samples: &[Value],
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        let paths = OrderPaths {
            rules: &section.outcomes,
            order_id: &section.order_id,
            total: &section.total,
            currency: &section.currency,
            status_url: None,
            reason: &section.reason,
        };
        let told = paths.compile("poll", compiler)?;
        needs_terms(&told, &section.outcomes, "poll", compiler)?;
        let call = section.request.as_ref();
        let call = call.map(|request| compiler.call(request, "poll", samples)).transpose()?;
        Ok(Self { call, told, every: section.every_ms })
    }
}

impl Callback {
    pub(super) fn compile(
        section: &CallbackSection,
        compiler: &Compiler<'_>,
    ) -> Result<Self, StoreError> {
        let paths = OrderPaths {
            rules: &section.outcomes,
            order_id: &section.order_id,
            total: &section.total,
            currency: &section.currency,
            status_url: None,
            reason: &section.reason,
        };
        let told = paths.compile("callback", compiler)?;
        needs_terms(&told, &section.outcomes, "callback", compiler)?;
        Ok(Self { key: compiler.path(&section.key, "[callback] key")?, told })
    }
}
