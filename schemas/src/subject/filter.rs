//! Wildcard subjects: what streams capture and consumers filter. Operations are listed, never
//! `>`-matched, where a neighbouring subject must stay out (a live quote must not enter a stream).

use super::{
    PartnerOperation, PartnerReplyKind, PaymentOperation, PurchaseOperation, partner_command,
    partner_quote_queued, payment_command,
};
use crate::id::{CustomerId, PartnerId, ProviderId, RequestId};

/// `purchase.create.*`
pub fn purchase_creates() -> String {
    format!("purchase.{}.*", PurchaseOperation::Create.label())
}

/// `purchase.<update,cancel,accept_quote>.*`
pub fn purchase_commands() -> Vec<String> {
    use PurchaseOperation::{AcceptQuote, Cancel, Update};
    [Update, Cancel, AcceptQuote].map(|op| format!("purchase.{}.*", op.label())).to_vec()
}

/// `purchase.event.>`
pub fn purchase_events() -> String {
    "purchase.event.>".to_owned()
}

/// `purchase.event.<customer_id>.<request_id>.*`: everything about one request.
pub fn purchase_events_of(customer: &CustomerId, request: RequestId) -> String {
    format!("purchase.event.{customer}.{request}.*")
}

/// `partner.*.quote`: questions to all live partners.
pub fn partner_quotes() -> String {
    "partner.*.quote".to_owned()
}

/// `partner.*.quote_queued`
pub fn partner_quotes_queued() -> String {
    "partner.*.quote_queued".to_owned()
}

/// `partner.*.<operation>` for every operation.
pub fn partner_commands() -> Vec<String> {
    PartnerOperation::ALL.map(|op| format!("partner.*.{}", op.label())).to_vec()
}

/// `partner.<partner_id>.<operation>` for every operation.
pub fn partner_commands_of(partner: &PartnerId) -> Vec<String> {
    PartnerOperation::ALL.map(|op| partner_command(partner, op)).to_vec()
}

/// `partner.<partner_id>.quote_queued`
pub fn partner_quotes_queued_of(partner: &PartnerId) -> String {
    partner_quote_queued(partner)
}

/// `partner.*.reply.*.<kind>` for every kind that travels through a stream: all but `quote`. Of
/// every partition: what is sent to one that nobody serves is read as well, to be given up.
pub fn partner_replies() -> Vec<String> {
    let mut kinds = vec![PartnerReplyKind::QuoteQueued];
    kinds.extend(PartnerOperation::ALL.map(PartnerReplyKind::Command));
    kinds.push(PartnerReplyKind::Notice);
    kinds.iter().map(|kind| format!("partner.*.reply.*.{}", kind.label())).collect()
}

/// `payment.*.<operation>` for every operation.
pub fn payment_commands() -> Vec<String> {
    PaymentOperation::ALL.map(|op| format!("payment.*.{}", op.label())).to_vec()
}

/// `payment.<provider>.<operation>` for every operation.
pub fn payment_commands_of(provider: &ProviderId) -> Vec<String> {
    PaymentOperation::ALL.map(|op| payment_command(provider, op)).to_vec()
}

/// `payment.*.reply.*.<operation>` for every operation, of every partition.
pub fn payment_replies() -> Vec<String> {
    PaymentOperation::ALL.map(|op| format!("payment.*.reply.*.{}", op.label())).to_vec()
}

/// `notify.>`
pub fn notifications() -> String {
    "notify.>".to_owned()
}

/// `notify.<customer_id>.*`: everything one customer is told.
pub fn notifications_of(customer: &CustomerId) -> String {
    format!("notify.{customer}.*")
}

/// `dead_letter.>`
pub fn dead_letters() -> String {
    "dead_letter.>".to_owned()
}

/// `callback.*`
pub fn partner_callbacks() -> String {
    "callback.*".to_owned()
}

/// Whether `subject` is matched by `filter`, by the rules of NATS: `*` is one token, a final `>`
/// is one or more.
pub fn matches(filter: &str, subject: &str) -> bool {
    let mut wanted = filter.split('.');
    let mut tokens = subject.split('.');
    loop {
        match (wanted.next(), tokens.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(want), Some(token)) if want == "*" || want == token => {}
            _ => return false,
        }
    }
}
