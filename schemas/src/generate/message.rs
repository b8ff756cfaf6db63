//! The list of messages: their types, names and examples. Golden files, JSON Schemas and the
//! AsyncAPI document are all made from it, so a message cannot be in one and not in the others.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{example, json_schema_settings};
use crate::json::{self, DecodeError, PARTNER_MESSAGE_BYTES_MAX, Validate};

/// One message type.
pub struct Message {
    /// Name of its files, in snake_case.
    pub name: &'static str,
    pub examples: Vec<Example>,
    root_schema: fn(SchemaGenerator) -> Schema,
    subschema: fn(&mut SchemaGenerator) -> Schema,
    recode: fn(&[u8]) -> Result<String, DecodeError>,
}

/// One well-formed message, as pretty JSON with the fields in declaration order.
pub struct Example {
    /// Distinguishes the examples of one message; empty if there is only one.
    pub label: &'static str,
    pub text: String,
}

impl Example {
    /// Parsed, for documents.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text).expect("examples are printed by serde_json")
    }
}

impl Message {
    /// The JSON Schema (2020-12) of the message, complete in itself.
    pub fn json_schema(&self) -> Value {
        let mut schema = (self.root_schema)(json_schema_settings().into_generator());
        schema.insert("$id".to_owned(), format!("urn:bpb:schema:v1:{}", self.name).into());
        schema.to_value()
    }

    /// A reference to the message's schema; the schema itself goes to `generator`'s definitions.
    pub fn reference(&self, generator: &mut SchemaGenerator) -> Value {
        (self.subschema)(generator).to_value()
    }

    /// Decodes with every check and prints again: what is lost or refused shows.
    ///
    /// # Errors
    /// Those of decoding.
    pub fn recode(&self, text: &[u8]) -> Result<String, DecodeError> {
        (self.recode)(text)
    }
}

fn plain<T>(name: &'static str, examples: Vec<(&'static str, T)>) -> Message
where
    T: JsonSchema + Serialize + DeserializeOwned,
{
    let examples = examples
        .into_iter()
        .map(|(label, value)| Example { label, text: pretty(&value) })
        .collect();
    Message {
        name,
        examples,
        root_schema: SchemaGenerator::into_root_schema_for::<T>,
        subschema: SchemaGenerator::subschema_for::<T>,
        recode: |text| Ok(pretty(&json::decode::<T>(text, PARTNER_MESSAGE_BYTES_MAX)?)),
    }
}

/// A message that arrives from outside and has rules beyond its types.
fn checked<T>(name: &'static str, examples: Vec<(&'static str, T)>) -> Message
where
    T: JsonSchema + Serialize + DeserializeOwned + Validate,
{
    let recode = |text: &[u8]| {
        json::refuse_card_numbers(text)?;
        Ok(pretty(&json::decode_valid::<T>(text, PARTNER_MESSAGE_BYTES_MAX)?))
    };
    Message { recode, ..plain(name, examples) }
}

fn pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("wire types serialize to JSON");
    text.push('\n');
    text
}

/// Every message, and the two files an operator writes.
pub fn all() -> Vec<Message> {
    let mut messages = purchase();
    messages.extend(partner());
    messages.extend(payment());
    messages.extend(broker());
    messages.extend(files());
    messages
}

fn purchase() -> Vec<Message> {
    use example::purchase as of;
    vec![
        checked("create_purchase", of::create()),
        checked("update_purchase", vec![("", of::update())]),
        checked("cancel_purchase", vec![("", of::cancel())]),
        checked("accept_quote", vec![("", of::accept())]),
        checked("get_purchase", vec![("", of::get())]),
        checked("list_purchases", vec![("", of::list())]),
        plain("command_reply", of::command_replies()),
        plain("list_reply", of::list_replies()),
        plain("receipt_reply", of::receipt_replies()),
    ]
}

fn partner() -> Vec<Message> {
    use example::partner as of;
    vec![
        checked("quote_requests", vec![("", of::quote_requests())]),
        checked("quote_answers", vec![("", of::quote_answers())]),
        checked("reserve", vec![("", of::reserve())]),
        checked("release", vec![("", of::release())]),
        checked("place", vec![("", of::place())]),
        checked("cancel", vec![("", of::cancel())]),
        checked("lookup", vec![("", of::lookup())]),
        checked("partner_reply", of::replies()),
        checked("partner_notice", of::notices()),
    ]
}

fn payment() -> Vec<Message> {
    use example::payment as of;
    vec![
        checked("authorize", vec![("", of::authorize())]),
        checked("capture", vec![("", of::capture())]),
        checked("void", vec![("", of::void())]),
        checked("refund", vec![("", of::refund())]),
        checked("payment_lookup", vec![("", of::lookup())]),
        checked("payment_reply", of::replies()),
    ]
}

fn broker() -> Vec<Message> {
    use example::event as of;
    vec![
        plain("purchase_event", vec![("", of::purchase_event())]),
        plain("notification", of::notifications()),
        plain("dead_letter", of::dead_letters()),
    ]
}

fn files() -> Vec<Message> {
    use example::file as of;
    vec![
        plain("catalog_entry", vec![("", of::catalog_entry())]),
        plain("partner_directory", vec![("", of::directory())]),
    ]
}
