//! Every message of the wire contract: the first line is its name, the rest its JSON. What is
//! accepted and printed is accepted again and prints the same. `headers` reads CloudEvents headers,
//! one `name: value` a line.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemas::event::EventHeaders;
use schemas::generate::message::{self, Message};
use schemas::json;

use super::{Reading, first_line};

static MESSAGES: LazyLock<BTreeMap<&'static str, Message>> =
    LazyLock::new(|| message::all().into_iter().map(|message| (message.name, message)).collect());

pub(super) fn run(bytes: &[u8]) -> Reading {
    read(bytes).into()
}

fn read(bytes: &[u8]) -> Option<()> {
    let (name, body) = first_line(bytes)?;
    if name == "headers" { headers(body) } else { recode(MESSAGES.get(name)?, body) }
}

fn recode(message: &Message, body: &[u8]) -> Option<()> {
    let refused = json::refuse_card_numbers(body).is_err();
    // Printed with spaces it may be longer than a message may be.
    let printed = message.recode(body).ok()?;
    (printed.len() <= json::PARTNER_MESSAGE_BYTES_MAX).then_some(())?;
    let again = message.recode(printed.as_bytes());
    let again = again.unwrap_or_else(|error| panic!("printed, then refused: {error}\n{printed}"));
    assert_eq!(again, printed, "printed twice, differently");
    if refused {
        // Only what this product writes itself passes with one; its readers do not look for them.
        assert!(WRITTEN_BY_US.contains(&message.name), "{} with a card number", message.name);
    }
    Some(())
}

/// Read back by auditors and operators, never taken from a customer.
const WRITTEN_BY_US: [&str; 8] = [
    "command_reply",
    "list_reply",
    "receipt_reply",
    "purchase_event",
    "notification",
    "dead_letter",
    "catalog_entry",
    "partner_directory",
];

fn headers(text: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let pairs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let read = EventHeaders::from_pairs(pairs.iter().copied()).ok()?;
    let written = read.to_pairs();
    let written = written.iter().map(|(name, value)| (*name, value.as_str()));
    let again = EventHeaders::from_pairs(written);
    assert_eq!(again.as_ref(), Ok(&read), "written headers read differently");
    Some(())
}
