//! Requests as people read them.

use comfy_table::Cell;
use schemas::purchase::{PurchaseStatus, PurchaseView, QuoteView};

use super::out;

/// One request, all of it.
pub(super) fn sheet(view: &PurchaseView) -> String {
    let mut rows = vec![
        ("request", Cell::new(view.request_id)),
        ("status", out::status(view.status)),
        ("version", Cell::new(view.version)),
        ("book", Cell::new(format!("{} × {}", view.isbn, view.quantity))),
        ("limit", Cell::new(view.max_total)),
        ("looking", Cell::new(format!("{} / {}", name(&view.strategy), name(&view.mode)))),
        ("created", Cell::new(view.created_at)),
        ("expires", Cell::new(view.expires_at)),
    ];
    if let Some(failure) = view.failure {
        rows.push(("failure", Cell::new(format!("{} ({})", failure.label(), failure.number()))));
    }
    if let Some(detail) = &view.failure_detail {
        rows.push(("", Cell::new(detail)));
    }
    if let Some(quote) = &view.best_quote {
        rows.push(("best quote", Cell::new(quoted(quote))));
    }
    if let Some(checkout) = &view.checkout {
        let attempt = format!("{} {}", checkout.attempt, name(&checkout.status));
        rows.push(("attempt", Cell::new(attempt)));
        rows.push(("at", Cell::new(quoted(&checkout.quote))));
        if let Some(order) = &checkout.order_id {
            rows.push(("order", Cell::new(order)));
        }
        if let Some(total) = checkout.order_total {
            rows.push(("paid", Cell::new(total)));
        }
        if let Some(url) = &checkout.action_url {
            rows.push(("authenticate", Cell::new(url.as_str())));
        }
    }
    if view.cancel_requested {
        rows.push(("cancel", Cell::new("asked for; the order's own outcome decides")));
    }
    if view.incident {
        rows.push(("incident", Cell::new("a human looks at it: the order's outcome is not known")));
    }
    out::sheet(rows)
}

/// Many requests, a line each.
pub(super) fn list(views: &[PurchaseView]) -> String {
    if views.is_empty() {
        return "no requests".to_owned();
    }
    let mut table = out::table(["REQUEST", "STATUS", "BOOK", "LIMIT", "PRICE", "AT", "EXPIRES"]);
    for view in views {
        let quote = view.checkout.as_ref().map(|checkout| &checkout.quote);
        let quote = quote.or(view.best_quote.as_ref());
        table.add_row([
            Cell::new(view.request_id),
            out::status(view.status),
            Cell::new(format!("{} × {}", view.isbn, view.quantity)),
            Cell::new(view.max_total),
            Cell::new(quote.map_or_else(|| "-".to_owned(), |quote| quote.total.to_string())),
            Cell::new(quote.map_or("-", |quote| quote.partner_id.as_str())),
            Cell::new(view.expires_at),
        ]);
    }
    out::trimmed(&table)
}

/// What is to be said of a change, in half a line.
pub(super) fn news(view: &PurchaseView) -> String {
    match view.status {
        PurchaseStatus::Pending => "accepted".to_owned(),
        PurchaseStatus::Searching => format!("asking the stores, limit {}", view.max_total),
        PurchaseStatus::Quoted => view.best_quote.as_ref().map_or_else(
            || "in stock above the limit".to_owned(),
            |quote| format!("best is {}, above {}", quoted(quote), view.max_total),
        ),
        PurchaseStatus::OutOfStock => "no store has it".to_owned(),
        PurchaseStatus::Ordering => attempt(view),
        PurchaseStatus::Ordered => attempt(view),
        PurchaseStatus::Expired => "nothing bought in time".to_owned(),
        PurchaseStatus::Failed => {
            view.failure.map_or_else(|| "failed".to_owned(), |why| why.label().to_owned())
        }
        PurchaseStatus::Canceled => "canceled".to_owned(),
    }
}

fn attempt(view: &PurchaseView) -> String {
    let Some(checkout) = &view.checkout else { return String::new() };
    let order = checkout.order_id.as_ref().map(|id| format!(", order {id}")).unwrap_or_default();
    let incident = if view.incident { ", a human looks at it" } else { "" };
    let status = name(&checkout.status);
    format!("{status} {}{order}{incident}", quoted(&checkout.quote))
}

fn quoted(quote: &QuoteView) -> String {
    format!("{} at {}", quote.total, quote.partner_id)
}

/// The name of the wire.
pub(super) fn name<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
