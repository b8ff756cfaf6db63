//! The outcomes: one paragraph per request, with the decision receipt it was bought or not bought
//! by.

use schemas::event::{Notification, Receipt, UnaffordableReason};
use schemas::purchase::{PurchaseStatus, QuoteView};
use schemas::{Currency, Money, PartnerId};

use super::act::Script;
use super::paint::Paint;
use super::story::{Stories, Story};

/// Quotes of one receipt shown by name; the rest is counted.
const QUOTES_SHOWN_MAX: usize = 4;

/// Prints every outcome; returns how many ended in another way than their kind says.
pub(super) fn print(scripts: &[Script], stories: &Stories, paint: Paint) -> usize {
    println!("\n{}", paint.bold("What became of them"));
    let mut surprises = 0;
    for script in scripts {
        let story = stories.of(script.request());
        let as_shown = story.status.is_some_and(|status| script.kind.ends().contains(&status));
        surprises += usize::from(!as_shown);
        let number = script.number + 1;
        let title = paint.bold(&format!("#{number} {}", script.kind.title()));
        println!("\n{title}: {}", paint.dim(script.kind.shows()));
        println!("   {}", outcome(script, &story, as_shown, paint));
        if let Some(remark) = &story.remark {
            println!("   {remark}");
        }
        let receipt = story.notices.iter().rev().find_map(|notice| notice.receipt.as_ref());
        if let Some(receipt) = receipt {
            receipt_lines(receipt, paint).iter().for_each(|line| println!("      {line}"));
        }
    }
    surprises
}

fn outcome(script: &Script, story: &Story, as_shown: bool, paint: Paint) -> String {
    let told: Vec<&str> = story.notices.iter().map(|notice| notice.outcome.label()).collect();
    let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", then ") };
    let told = match story.status {
        Some(PurchaseStatus::Ordered) => paint.green(&told),
        _ => paint.yellow(&told),
    };
    let last = story.notices.last();
    let bought = last.and_then(bought).map_or(String::new(), |bought| format!(" {bought}"));
    let why = last.and_then(|notice| notice.request.failure);
    let why = why.map_or(String::new(), |why| format!(" ({})", why.label()));
    let after = story
        .told_after
        .map_or(String::new(), |t| format!(", first told after {} ms", t.as_millis()));
    let limit = last.map_or(script.create.max_total, |notice| notice.request.max_total);
    let odd = if as_shown { String::new() } else { paint.red(" – not what this was to show") };
    format!("told {told}{why}{bought}, limit {limit}{after}{odd}")
}

fn bought(notice: &Notification) -> Option<String> {
    let checkout = notice.request.checkout.as_ref()?;
    let ordered = notice.request.status == PurchaseStatus::Ordered;
    let total = checkout.order_total.filter(|_| ordered)?;
    let tries = match checkout.attempt {
        1 => String::new(),
        n => format!(" in attempt {n}"),
    };
    Some(format!("at {} for {total}{tries}", checkout.quote.partner_id))
}

fn receipt_lines(receipt: &Receipt, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let currency = receipt.max_total.currency();
    if let Some(winner) = &receipt.winner {
        lines.push(format!("winner   {}", components(winner, paint)));
    }
    let beaten: Vec<_> = receipt.beaten.iter().map(|q| (&q.partner_id, Some(q.total))).collect();
    if !beaten.is_empty() {
        lines.push(format!("beat     {}", several(&beaten)));
    }
    let above = refused(receipt, UnaffordableReason::AboveLimit);
    if !above.is_empty() {
        lines.push(format!("too dear {}", several(&above)));
    }
    let vague = refused(receipt, UnaffordableReason::ComponentMissing);
    if !vague.is_empty() {
        lines.push(format!("vague    {} (a cost was not stated)", several(&vague)));
    }
    let coverage = receipt.coverage_permille / 10;
    let asked = format!("{} of {} stores answered ({coverage} %)", receipt.answered, receipt.asked);
    lines.push(paint.dim(&format!("sweep {}  {asked}, prices in {currency}", receipt.sweep)));
    lines
}

fn refused(receipt: &Receipt, why: UnaffordableReason) -> Vec<(&PartnerId, Option<Money>)> {
    let of_reason = receipt.unaffordable.iter().filter(|quote| quote.why == why);
    of_reason.map(|quote| (&quote.partner_id, quote.total)).collect()
}

fn components(quote: &QuoteView, paint: Paint) -> String {
    let currency = quote.total.currency();
    let part = |name: &str, minor: Option<u64>| match minor {
        Some(minor) => format!("{name} {}", amount(minor, currency)),
        None => format!("{name} unknown"),
    };
    let parts = [
        part("item", Some(quote.item)),
        part("shipping", quote.shipping),
        part("tax", quote.tax),
        part("fee", quote.fee),
    ];
    let total = paint.bold(&quote.total.to_string());
    format!("{:<9} {} = {total}", quote.partner_id.as_str(), parts.join(" + "))
}

fn several(quotes: &[(&PartnerId, Option<Money>)]) -> String {
    let named = quotes.iter().take(QUOTES_SHOWN_MAX).map(|(partner, total)| match total {
        Some(total) => format!("{partner} {}", amount(total.minor(), total.currency())),
        None => partner.to_string(),
    });
    let mut text = named.collect::<Vec<_>>().join(" · ");
    let more = quotes.len().saturating_sub(QUOTES_SHOWN_MAX);
    if more > 0 {
        text.push_str(&format!(" · and {more} more"));
    }
    text
}

/// An amount without its currency.
fn amount(minor: u64, currency: Currency) -> String {
    let money = Money::new(minor, currency);
    let text = money.map_or_else(|_| minor.to_string(), |money| money.to_string());
    text.split(' ').next().unwrap_or_default().to_owned()
}
