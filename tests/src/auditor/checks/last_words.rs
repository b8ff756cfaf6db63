//! What the bridge promised for a store that speaks HTTP: after its last word on an order no copy
//! of it is sent, so that an order which the store would still take can never come to it.

use std::collections::BTreeMap;

use schemas::partner::{PartnerOutcome, PartnerReply};
use schemas::subject::{PartnerOperation, PartnerReplyKind, parse_partner_reply};
use schemas::{PartnerId, RequestId, Timestamp, json, stream};

use super::Findings;
use crate::auditor::casebook::Casebook;
use partner_sim::ledger::{Asked, OrderRecord};

/// When it was first said, by request, store and attempt.
pub(super) struct LastWords(BTreeMap<(RequestId, PartnerId, u8), Timestamp>);

impl LastWords {
    pub(super) fn of(book: &Casebook<'_>) -> Self {
        let mut said = BTreeMap::new();
        let bridged = &book.evidence.background.bridged;
        for seen in &book.evidence.messages {
            let in_stream =
                seen.stored.is_some_and(|(name, _)| name == stream::name::PARTNER_REPLIES);
            let Some((partner, PartnerReplyKind::Command(operation))) =
                parse_partner_reply(&seen.subject)
            else {
                continue;
            };
            if !in_stream || !bridged.contains(&partner) {
                continue;
            }
            let Ok(reply) = json::decode::<PartnerReply>(&seen.body, usize::MAX) else { continue };
            if is_last(operation, &reply.outcome) {
                let about = (reply.header.request_id, partner, reply.header.attempt);
                said.entry(about).or_insert(seen.at);
            }
        }
        Self(said)
    }

    pub(super) fn on(&self, order: &OrderRecord) -> Option<Timestamp> {
        self.0.get(&(order.request_id, order.partner.clone(), order.attempt)).copied()
    }

    /// Nothing was sent after them.
    pub(super) fn were_kept(&self, book: &Casebook<'_>, findings: &mut Findings) {
        for order in &book.evidence.partners.orders {
            let Some(said) = self.on(order) else { continue };
            let until = said.saturating_add(book.evidence.policy.clock_margin);
            let last = order.decisions.of(Asked::Place).map(|sent| sent.received_at).max();
            findings.demand(last.is_none_or(|last| last <= until), order.request_id, || {
                format!(
                    "{} got attempt {} after the bridge had said at {said} that it would not",
                    order.partner, order.attempt
                )
            });
        }
    }
}

fn is_last(operation: PartnerOperation, outcome: &PartnerOutcome) -> bool {
    match outcome {
        PartnerOutcome::Refused { final_for_key, .. } => {
            *final_for_key && operation == PartnerOperation::Place
        }
        PartnerOutcome::NotFound { final_for_key } => *final_for_key,
        _ => false,
    }
}
