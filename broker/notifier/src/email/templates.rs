//! What messages say. The templates are in the crate, and an operator may put others in their
//! place; all are tried with a sample of every outcome before the first message.

use std::path::Path;

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use schemas::event::{Notification, NotificationOutcome};
use schemas::purchase::PurchaseView;
use schemas::text::Text;
use schemas::{Currency, Money};

const SUBJECT: &str = "subject.txt";
const TEXT: &str = "body.txt";
const HTML: &str = "body.html";
/// Each file, and what stands in it as shipped.
const SHIPPED: [(&str, &str); 3] = [
    (SUBJECT, include_str!("../../templates/subject.txt")),
    (TEXT, include_str!("../../templates/body.txt")),
    (HTML, include_str!("../../templates/body.html")),
];

/// A longer template is not read.
const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;
/// Longest subject, in characters; mail programs show fewer.
const SUBJECT_CHARS_MAX: usize = 200;
/// Longest rendered part.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Steps of one rendering: a template that loops for ever ends here.
const FUEL: u64 = 500_000;

/// Compiled and tried.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Templates {
    /// Those of `dir`, and as shipped where it has none.
    ///
    /// # Errors
    /// The file and line that cannot be used.
    pub fn load(dir: Option<&Path>) -> Result<Self, String> {
        let mut templates = environment();
        for (name, shipped) in SHIPPED {
            let own = dir.map(|dir| read(&dir.join(name))).transpose()?.flatten();
            let source = own.unwrap_or_else(|| shipped.to_owned());
            templates.add_template_owned(name, source).map_err(|error| told(&error))?;
        }
        let templates = Self(templates);
        for sample in samples() {
            templates.render(&sample).map_err(|error| {
                format!("{} (tried with outcome {})", told(&error), sample.outcome.label())
            })?;
        }
        Ok(templates)
    }

    /// # Errors
    /// A template and a notification do not fit.
    pub fn render(&self, notification: &Notification) -> Result<Rendered, Error> {
        let values = Value::from(Serde(notification));
        let of = |name: &str| -> Result<String, Error> {
            let text = self.0.get_template(name)?.render(values.clone())?;
            if text.len() > BODY_BYTES_MAX {
                return Err(Error::new(ErrorKind::InvalidOperation, "the text is too long"));
            }
            Ok(text)
        };
        Ok(Rendered { subject: one_line(&of(SUBJECT)?), text: of(TEXT)?, html: of(HTML)? })
    }
}

/// No header can follow in a text without line breaks.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() || c.is_whitespace() { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(SUBJECT_CHARS_MAX).collect()
}

fn environment() -> Environment<'static> {
    // Names that end with `.html` are escaped, others are not.
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("money", money);
    environment.add_filter("amount", amount);
    environment
}

/// `{"amount": 2761, "currency": "USD"}` as `27.61 USD`.
fn money(value: &Value) -> Result<String, Error> {
    let minor = value.get_attr("amount")?;
    let currency = value.get_attr("currency")?;
    amount(u64::try_from(minor)?, &currency.to_string())
}

/// Minor units as `27.61 USD`.
fn amount(minor: u64, currency: &str) -> Result<String, Error> {
    let no_money = |why: String| Error::new(ErrorKind::InvalidOperation, why);
    let currency = Currency::parse(currency).map_err(|e| no_money(e.to_string()))?;
    let money = Money::new(minor, currency).map_err(|e| no_money(e.to_string()))?;
    Ok(money.to_string())
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let cannot = |why: String| format!("cannot read {}: {why}", file.display());
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot(error.to_string())),
        Ok(found) if found.len() > TEMPLATE_BYTES_MAX => {
            Err(cannot(format!("it is longer than {TEMPLATE_BYTES_MAX} bytes")))
        }
        Ok(_) => std::fs::read_to_string(file).map(Some).map_err(|error| cannot(error.to_string())),
    }
}

fn told(error: &Error) -> String {
    let place = error.name().unwrap_or("a template");
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{place}{line}: {}{detail}", error.kind())
}

/// Every outcome, with as much and as little in it as there can be.
fn samples() -> Vec<Notification> {
    let examples = schemas::generate::example::event::notifications();
    let full = examples.into_iter().map(|(_, sample)| sample);
    let mut samples = Vec::new();
    for sample in full {
        for outcome in NotificationOutcome::ALL {
            let mut full = Notification { outcome, ..sample.clone() };
            if let Some(checkout) = &mut full.request.checkout {
                checkout.action_url = Text::parse("https://bank.example.com/confirm?id=1").ok();
            }
            full.request.failure = Some(schemas::RejectReason::PaymentDeclined);
            let request = PurchaseView {
                checkout: None,
                best_quote: None,
                failure: None,
                ..full.request.clone()
            };
            let bare = Notification {
                accept_token: None,
                receipt: None,
                number: 0,
                request,
                ..full.clone()
            };
            samples.extend([full, bare]);
        }
    }
    samples
}

#[cfg(test)]
mod tests;
