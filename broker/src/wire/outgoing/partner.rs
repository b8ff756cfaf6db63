//! Commands to partners. Keys follow from the attempt, so every copy carries the same ones.

use broker_core::effect::PartnerCommand;
use broker_core::keys::{KeyFor, key};
use schemas::id::MessageId;
use schemas::partner::{Cancel, CommandHeader, Lookup, Place, Release, Reserve};
use schemas::subject::{self, PartnerOperation, PartnerReplyKind};
use schemas::{PartnerId, RequestId, json};

/// Subject and body.
pub(super) fn command(
    partner: &PartnerId,
    request: RequestId,
    attempt: u8,
    command: &PartnerCommand,
    id: &MessageId,
) -> (String, Vec<u8>) {
    let operation = operation(command);
    let header = CommandHeader {
        id: id.clone(),
        request_id: request,
        attempt,
        reply_to: subject::partner_reply(partner, PartnerReplyKind::Command(operation)),
    };
    let body = body(command.clone(), header);
    (subject::partner_command(partner, operation), body)
}

const fn operation(command: &PartnerCommand) -> PartnerOperation {
    match command {
        PartnerCommand::Reserve { .. } => PartnerOperation::Reserve,
        PartnerCommand::Release => PartnerOperation::Release,
        PartnerCommand::Place { .. } => PartnerOperation::Place,
        PartnerCommand::Cancel => PartnerOperation::Cancel,
        PartnerCommand::Lookup => PartnerOperation::Lookup,
    }
}

fn body(command: PartnerCommand, header: CommandHeader) -> Vec<u8> {
    let (request, attempt) = (header.request_id, header.attempt);
    let reservation_key = || key(KeyFor::Reservation, request, attempt);
    let placement_key = key(KeyFor::Placement, request, attempt);
    match command {
        PartnerCommand::Reserve { quote_id, isbn, quantity, ttl, not_after } => {
            json::encode(&Reserve {
                header,
                reservation_key: reservation_key(),
                quote_id,
                isbn,
                quantity,
                ttl_ms: ttl,
                not_after,
            })
        }
        PartnerCommand::Release => {
            json::encode(&Release { header, reservation_key: reservation_key() })
        }
        PartnerCommand::Place {
            quote_id,
            reserved,
            isbn,
            quantity,
            condition,
            price_cap,
            destination,
            not_after,
        } => json::encode(&Place {
            header,
            placement_key,
            quote_id,
            reservation_key: reserved.then(reservation_key),
            isbn,
            quantity,
            condition,
            price_cap,
            destination,
            not_after,
        }),
        PartnerCommand::Cancel => json::encode(&Cancel { header, placement_key }),
        PartnerCommand::Lookup => json::encode(&Lookup { header, placement_key }),
    }
}
