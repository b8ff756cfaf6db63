use super::*;
use crate::RequestId;
use crate::id::CustomerId;
use crate::subject::{
    self, PartnerOperation, PartnerReplyKind, PaymentOperation, PurchaseOperation,
};

/// The server reserves `max_bytes`; a laptop must be able to hold all of it.
const ALL_STREAMS_BYTES_MAX: u64 = 3 * 1024 * MIB;

fn partner() -> PartnerId {
    PartnerId::parse("acme-books").unwrap()
}

#[test]
fn every_subject_lands_in_the_stream_of_the_design() {
    let customer = CustomerId::parse("c1").unwrap();
    let provider = ProviderId::parse("pay").unwrap();
    let request = RequestId::from_parts(1, 2);
    let create = subject::purchase_command(PurchaseOperation::Create, &customer);
    assert_eq!(of_subject(&create), Some(name::PURCHASE_CREATES));
    for op in [PurchaseOperation::Update, PurchaseOperation::Cancel, PurchaseOperation::AcceptQuote]
    {
        let command = subject::purchase_command(op, &customer);
        assert_eq!(of_subject(&command), Some(name::PURCHASE_COMMANDS), "{command}");
    }
    let event = subject::purchase_event(&customer, request, "created");
    assert_eq!(of_subject(&event), Some(name::PURCHASE_EVENTS));
    let queued = subject::partner_quote_queued(&partner());
    assert_eq!(of_subject(&queued), Some(name::PARTNER_QUOTES));
    for op in PartnerOperation::ALL {
        let command = subject::partner_command(&partner(), op);
        assert_eq!(of_subject(&command), Some(name::PARTNER_COMMANDS), "{command}");
        let reply = subject::partner_reply(&partner(), PartnerReplyKind::Command(op));
        assert_eq!(of_subject(&reply), Some(name::PARTNER_REPLIES), "{reply}");
    }
    for kind in [PartnerReplyKind::QuoteQueued, PartnerReplyKind::Notice] {
        let reply = subject::partner_reply(&partner(), kind);
        assert_eq!(of_subject(&reply), Some(name::PARTNER_REPLIES), "{reply}");
    }
    for op in PaymentOperation::ALL {
        let command = subject::payment_command(&provider, op);
        assert_eq!(of_subject(&command), Some(name::PAYMENT_COMMANDS), "{command}");
        let reply = subject::payment_reply(&provider, op);
        assert_eq!(of_subject(&reply), Some(name::PAYMENT_REPLIES), "{reply}");
    }
    let notification = subject::notification(&customer, "ordered");
    assert_eq!(of_subject(&notification), Some(name::NOTIFICATIONS));
    let dead = subject::dead_letter(name::PARTNER_REPLIES);
    assert_eq!(of_subject(&dead), Some(name::DEAD_LETTERS));
}

#[test]
fn live_quotes_and_service_calls_are_captured_by_no_stream() {
    let customer = CustomerId::parse("c1").unwrap();
    let mut core = vec![
        subject::partner_quote(&partner()),
        subject::partner_reply(&partner(), PartnerReplyKind::Quote),
        subject::sim_ledger("partners"),
    ];
    core.extend(PurchaseOperation::ALL.map(|op| subject::purchase_api(op, &customer)));
    for subject in core {
        assert_eq!(of_subject(&subject), None, "{subject}");
    }
}

/// A customer called `event` or `api` must not turn one stream's subject into another's.
#[test]
fn no_two_streams_can_store_the_same_message() {
    let streams = all();
    let subjects: Vec<(&str, &String)> =
        streams.iter().flat_map(|s| s.subjects.iter().map(|f| (s.name, f))).collect();
    for (at, (left_stream, left)) in subjects.iter().enumerate() {
        for (right_stream, right) in &subjects[at + 1..] {
            assert!(!overlap(left, right), "{left_stream} {left} and {right_stream} {right}");
        }
    }
}

fn overlap(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

#[test]
fn settings_keep_the_rules_of_the_server_and_of_the_design() {
    let total: u64 = all().iter().map(|s| s.max_bytes).sum();
    assert!(total <= ALL_STREAMS_BYTES_MAX, "{total} bytes do not fit a small disk");
    for stream in all() {
        assert!(stream.duplicate_window <= stream.max_age, "{}", stream.name);
        assert!(stream.max_message_size < 1024 * 1024, "{}: server limit", stream.name);
        if stream.tail == Tail::Precious {
            assert_eq!(stream.discard, Discard::New, "{}", stream.name);
        }
    }
    let precious: Vec<&str> =
        all().iter().filter(|s| s.tail == Tail::Precious).map(|s| s.name).collect();
    assert_eq!(
        precious,
        [
            name::PURCHASE_CREATES,
            name::PURCHASE_COMMANDS,
            name::PARTNER_REPLIES,
            name::PAYMENT_REPLIES
        ]
    );
}

#[test]
fn consumers_filter_only_what_their_stream_stores() {
    let provider = ProviderId::parse("pay").unwrap();
    let mut consumers = broker_consumers().to_vec();
    consumers.extend([
        partner_commands_consumer(&partner()),
        partner_quotes_consumer(&partner()),
        simulator_commands_consumer(),
        simulator_quotes_consumer(),
        payment_commands_consumer(&provider),
    ]);
    for consumer in consumers {
        let stream = by_name(consumer.stream).unwrap();
        for filter in &consumer.filter_subjects {
            let stored = stream.subjects.iter().any(|subject| overlap(subject, filter));
            assert!(stored, "{} filters {filter}", consumer.durable);
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(consumer.durable.chars().all(legal), "{}", consumer.durable);
    }
}

/// A message that its stream keeps and that no consumer reads would be neither used nor given up.
#[test]
fn the_broker_reads_all_that_its_source_streams_store() {
    for consumer in broker_consumers() {
        let stream = by_name(consumer.stream).unwrap();
        assert_eq!(consumer.filter_subjects, stream.subjects, "{}", consumer.durable);
    }
}

#[test]
fn no_partner_can_be_named_so_that_it_gets_a_shared_consumer() {
    for id in ["simulator_partners", "partners", "broker_partner_replies"] {
        let consumer = partner_commands_consumer(&PartnerId::parse(id).unwrap());
        assert_ne!(consumer.durable, simulator_commands_consumer().durable);
    }
}

#[test]
fn call_backs_have_a_stream_that_is_not_the_broker_s() {
    let partner = PartnerId::parse("p").unwrap();
    let subject = subject::partner_callback(&partner);
    assert_eq!(subject::parse_partner_callback(&subject), Some(partner));
    assert_eq!(of_subject(&subject), Some(name::PARTNER_CALLBACKS));
    let doors = of_doors();
    assert!(doors[0].subjects.iter().any(|filter| filter::matches(filter, &subject)));
    assert!(by_name(doors[0].name).is_none());
}
