//! Every operation, in the order in which a newcomer should read them.

use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use schemas::event::PurchaseEvent;
use schemas::purchase::{
    AcceptQuote, CancelPurchase, CreatePurchase, PurchaseView, UpdatePurchase,
};
use serde_json::{Value, json};

use crate::routes::compat::{CompatCreate, CompatCreated, CompatStatus};
use crate::routes::reads::{Me, Page, Shown};

const JSON: &str = "application/json";
/// A UUID version 7, as [`schemas::RequestId`] reads it.
const UUID: &str = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";
/// 1 to 255 visible characters, bare and without quotes, or quoted and then with escapes.
const KEY: &str = r#"^(?:[!#-~]{1,255}|"(?:[!#-\[\]-~]|\\["\\]){1,255}")$"#;
/// An entity tag of ours.
const TAG: &str = r#"^"[0-9]{1,19}"$"#;

pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Value>,
    /// Whether it is needed, its media type and its schema.
    pub(super) body: Option<(bool, &'static str, Value)>,
    pub(super) answer: (u16, &'static str, Option<(&'static str, Value)>),
    pub(super) refusals: &'static [u16],
    /// Without a token.
    pub(super) open: bool,
}

const READS: &[u16] = &[400, 401, 403, 404];
const CHANGES: &[u16] = &[400, 401, 403, 404, 409, 413, 415, 422];
const UPDATES: &[u16] = &[400, 401, 403, 404, 409, 412, 413, 415, 422];

fn header(name: &str, required: bool, text: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "required": required, "description": text,
            "schema": schema })
}

fn key(required: bool) -> Value {
    let text = "A string of 1 to 255 visible characters for this one wish, quoted (RFC 9651) or \
                bare; best a UUID version 7.";
    header("Idempotency-Key", required, text, json!({ "type": "string", "pattern": KEY }))
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid", "pattern": UUID })
}

fn request_id() -> Value {
    json!({ "name": "request_id", "in": "path", "required": true,
            "schema": uuid() })
}

fn named(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

fn query(name: &str, required: bool, text: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": required, "description": text,
            "schema": schema })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A message of NATS without what HTTP says elsewhere.
fn without<T: JsonSchema>(generator: &SchemaGenerator, ours: &[&str]) -> Value {
    let mut settings = generator.settings().clone();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let is_ours = |name: &str| ours.contains(&name);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| !is_ours(name));
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| !name.as_str().is_some_and(is_ours));
    }
    schema
}

pub(super) fn all(generator: &mut SchemaGenerator) -> Vec<Operation> {
    let mut operations = changes(generator);
    operations.extend(reads(generator));
    operations.extend(compatibility(generator));
    operations.extend(bookstores());
    operations.extend(operators());
    operations
}

fn changes(generator: &mut SchemaGenerator) -> Vec<Operation> {
    let view = schema::<PurchaseView>(generator);
    let ours = ["request_id", "command_id", "if_version"];
    let change = |id, method, path, summary, required: bool, parameters, body| Operation {
        id,
        method,
        path,
        tag: "purchases",
        summary,
        parameters,
        body: Some((required, JSON, body)),
        answer: (200, "The request as it is now; ETag is its version.", Some((JSON, view.clone()))),
        refusals: CHANGES,
        open: false,
    };
    let of_match = header(
        "If-Match",
        false,
        "The ETag of the request as you saw it: with another version nothing is changed (412).",
        json!({ "anyOf": [{ "type": "string", "pattern": TAG }, { "const": "*" }] }),
    );
    let create = without::<CreatePurchase>(generator, &ours);
    let update = without::<UpdatePurchase>(generator, &ours);
    let cancel = without::<CancelPurchase>(generator, &ours);
    let accept = without::<AcceptQuote>(generator, &ours);
    let one = "/v1/purchase-requests/{request_id}";
    vec![
        Operation {
            answer: (
                202,
                "Accepted, and on the broker's own disk. Location is where to look.",
                Some((JSON, view.clone())),
            ),
            ..change(
                "createPurchaseRequest",
                "post",
                "/v1/purchase-requests",
                "Buy this book if the landed total is at most max_total, before expires_at",
                true,
                vec![key(true)],
                create,
            )
        },
        Operation {
            refusals: UPDATES,
            ..change(
                "updatePurchaseRequest",
                "patch",
                one,
                "Change limit, end or strategy of an open request",
                true,
                vec![request_id(), key(false), of_match],
                update,
            )
        },
        change(
            "cancelPurchaseRequest",
            "post",
            "/v1/purchase-requests/{request_id}/cancel",
            "Cancel; after the order was sent its outcome decides",
            false,
            vec![request_id(), key(false)],
            cancel,
        ),
        change(
            "acceptQuote",
            "post",
            "/v1/purchase-requests/{request_id}/accept-quote",
            "Buy the quote of a quoted notification, although it is above the limit",
            true,
            vec![request_id(), key(true)],
            accept,
        ),
    ]
}

fn read(
    id: &'static str,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    answer: Option<(&'static str, Value)>,
) -> Operation {
    Operation {
        id,
        method: "get",
        path,
        tag,
        summary,
        parameters,
        body: None,
        answer: (200, "What is known.", answer),
        refusals: READS,
        open: false,
    }
}

fn reads(generator: &mut SchemaGenerator) -> Vec<Operation> {
    let view = schema::<PurchaseView>(generator);
    let page = schema::<Page>(generator);
    let shown = schema::<Shown>(generator);
    let me = schema::<Me>(generator);
    let status = schema::<schemas::purchase::PurchaseStatus>(generator);
    let filters = vec![
        query("status", false, "Only those in this status.", status),
        query("cursor", false, "`next` of the page before.", uuid()),
        query(
            "limit",
            false,
            "Default 20.",
            json!({ "type": "integer", "minimum": 1, "maximum": 100 }),
        ),
    ];
    let last = header(
        "Last-Event-ID",
        false,
        "The id of the last event that came: only later ones are sent.",
        json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
    );
    // As OpenAPI 3.2 has it for one event of the stream.
    let event = json!({
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": { "type": "string" },
            "event": { "type": "string" },
            "data": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": schema::<PurchaseEvent>(generator),
            },
        },
    });
    vec![
        read(
            "getPurchaseRequest",
            "/v1/purchase-requests/{request_id}",
            "purchases",
            "One request; ETag is its version",
            vec![request_id()],
            Some((JSON, view)),
        ),
        read(
            "listPurchaseRequests",
            "/v1/purchase-requests",
            "purchases",
            "A page of your requests, newest first",
            filters,
            Some((JSON, page)),
        ),
        read(
            "getReceipt",
            "/v1/purchase-requests/{request_id}/receipt",
            "purchases",
            "Why the broker bought there, or did not buy",
            vec![request_id()],
            Some((JSON, shown)),
        ),
        read(
            "followPurchaseRequest",
            "/v1/purchase-requests/{request_id}/events",
            "purchases",
            "What happens to the request, as server-sent events: data is a PurchaseEvent",
            vec![request_id(), last],
            Some(("text/event-stream", event)),
        ),
        read("whoAmI", "/v1/me", "purchases", "Whose token this is", Vec::new(), Some((JSON, me))),
    ]
}

fn compatibility(generator: &mut SchemaGenerator) -> Vec<Operation> {
    let create = schema::<CompatCreate>(generator);
    let created = schema::<CompatCreated>(generator);
    let status = schema::<CompatStatus>(generator);
    let which = query("request_id", true, "As the create answered.", uuid());
    vec![
        Operation {
            id: "compatCreate",
            method: "post",
            path: "/purchase-request",
            tag: "compatibility",
            summary: "Buy a book by its ISBN or title",
            parameters: vec![key(false)],
            body: Some((true, JSON, create)),
            answer: (202, "Accepted.", Some((JSON, created))),
            refusals: CHANGES,
            open: false,
        },
        read(
            "compatStatus",
            "/request-status",
            "compatibility",
            "How a request stands",
            vec![which],
            Some((JSON, status)),
        ),
    ]
}

fn bookstores() -> Vec<Operation> {
    let signed = |name, text| header(name, true, text, json!({ "type": "string" }));
    vec![
        Operation {
            id: "callBack",
            method: "post",
            path: "/v1/partners/{partner_id}/callbacks",
            tag: "bookstores",
            summary: "A bookstore's call-back, signed by Standard Webhooks 1.0.0",
            parameters: vec![
                named("partner_id"),
                signed("webhook-id", "The same for every copy."),
                signed("webhook-timestamp", "Unix seconds of sending, within five minutes."),
                signed("webhook-signature", "`v1,` and base64 of the HMAC-SHA256."),
            ],
            body: Some((true, JSON, json!({}))),
            answer: (202, "Stored.", None),
            refusals: &[400, 401, 404, 413],
            open: true,
        },
        read(
            "getPartner",
            "/v1/partners/{partner_id}",
            "bookstores",
            "How a bookstore stands, for itself and for operators",
            vec![named("partner_id")],
            Some((JSON, json!({ "type": "object" }))),
        ),
    ]
}

fn operators() -> Vec<Operation> {
    let object = || Some((JSON, json!({ "type": "object" })));
    let say = |id, path, summary, parameters, body: Option<Value>| Operation {
        id,
        method: "post",
        path,
        tag: "operators",
        summary,
        parameters,
        body: body.map(|body| (true, JSON, body)),
        answer: (200, "Done, and in the audit log.", Some((JSON, json!({ "type": "object" })))),
        refusals: CHANGES,
        open: false,
    };
    let text = |max: u32| json!({ "type": "string", "minLength": 1, "maxLength": max });
    let money = json!({ "type": "object", "required": ["amount", "currency"], "properties": {
        "amount": { "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000u64 },
        "currency": { "type": "string", "pattern": "^[A-Z]{3}$" } } });
    let word = json!({
        "type": "object", "required": ["resolution", "reason"],
        "properties": {
            "resolution": { "enum": ["found", "not_found", "release"] },
            "attempt": { "type": "integer", "minimum": 1, "maximum": 255 },
            "order_id": { "type": "string", "minLength": 1, "maxLength": 64,
                          "pattern": "^[A-Za-z0-9_.:/+=-]+$" },
            "total": money,
            "reason": text(500),
        },
        "additionalProperties": false,
    });
    let why = json!({ "type": "object", "required": ["reason"],
                      "properties": { "reason": text(500) }, "additionalProperties": false });
    let number = json!({ "type": "integer", "minimum": 1, "maximum": u64::MAX });
    let numbered =
        || json!({ "name": "number", "in": "path", "required": true, "schema": number.clone() });
    vec![
        read(
            "listPartners",
            "/v1/operator/partners",
            "operators",
            "How all bookstores stand, with the numbers behind it",
            Vec::new(),
            object(),
        ),
        read(
            "listSweeps",
            "/v1/operator/sweeps",
            "operators",
            "The sweeps under way, oldest first, with what they have found so far",
            Vec::new(),
            object(),
        ),
        read(
            "listIncidents",
            "/v1/operator/incidents",
            "operators",
            "What waits for a human, with the evidence",
            vec![query("cursor", false, "`next` of the page before.", uuid())],
            object(),
        ),
        say(
            "resolveIncident",
            "/v1/operator/incidents/{request_id}/resolve",
            "A human's word about one request",
            vec![request_id()],
            Some(word),
        ),
        read(
            "listDeadLetters",
            "/v1/operator/dead-letters",
            "operators",
            "Messages that were given up, newest first",
            vec![
                query("cursor", false, "Only letters older than this number.", number.clone()),
                query(
                    "limit",
                    false,
                    "Default 20.",
                    json!({ "type": "integer", "minimum": 1, "maximum": 100 }),
                ),
            ],
            object(),
        ),
        say(
            "replayDeadLetter",
            "/v1/operator/dead-letters/{number}/replay",
            "Publish the original once more, the normal way",
            vec![numbered()],
            None,
        ),
        say(
            "dropDeadLetter",
            "/v1/operator/dead-letters/{number}/drop",
            "Delete a letter for ever",
            vec![numbered()],
            Some(why),
        ),
    ]
}
