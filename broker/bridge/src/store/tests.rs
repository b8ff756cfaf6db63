use std::path::PathBuf;

use super::*;

fn example(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ops/stores").join(name);
    std::fs::read_to_string(file).unwrap()
}

fn parse(text: &str) -> Result<Store, StoreError> {
    Store::parse(text, FilePath::new("stores/acme.toml"))
}

/// The example with one text replaced by another is refused, in these words.
fn refused(name: &str, from: &str, to: &str) -> String {
    let text = example(name);
    assert!(text.contains(from), "{from} is not in {name}");
    parse(&text.replacen(from, to, 1)).map(drop).unwrap_err().to_string()
}

#[test]
fn the_shipped_examples_can_be_used() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ops/stores");
    let stores = load_all(&dir).unwrap();
    let ids: Vec<&str> = stores.keys().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["callisto", "northwind", "pollux", "walkin", "xanadu"]);
}

#[test]
fn a_wrong_template_is_found_at_start_with_file_key_and_fix() {
    let why = refused("json-sync.toml", "{{ client_reference_id }}", "{{ client_refrence_id }}");
    assert!(why.starts_with("stores/acme.toml: place.request.body: line 1"), "{why}");
    assert!(why.contains("client_reference_id"), "{why}");
    let why = refused("json-sync.toml", "{{ item.isbn }}", "\"{{ item.isbn }}\"");
    assert!(why.contains("quote.request.body") && why.contains("write {{ isbn }}"), "{why}");
    let why = refused("json-sync.toml", "{% endfor %}]}", "]}");
    assert!(why.contains("quote.request.body"), "{why}");
    let why = refused("xml.toml", "</quote>\n", "</quot>\n");
    assert!(why.contains("quote.request.body") && why.contains("not well-formed"), "{why}");
    let why = refused("json-sync.toml", "\"/holds/{{ key }}\"", "\"/holds/{{ order }}\"");
    assert!(why.contains("release.request.url"), "{why}");
}

#[test]
fn a_wrong_path_or_rule_is_found_at_start() {
    let why = refused("json-sync.toml", "\"$.order.id\"", "\"$.order[\"");
    assert!(why.contains("place.order_id"), "{why}");
    let why = refused("xml.toml", "\"/response/order/@id\"", "\"/response/order/@\"");
    assert!(why.contains("place.order_id"), "{why}");
    let why = refused("json-sync.toml", "status = \"201\"", "status = \"2x1\"");
    assert!(why.contains("reserve.outcomes[0].status"), "{why}");
    let why = refused("json-sync.toml", "outcome = \"too_many\"", "outcome = \"too_much\"");
    assert!(why.contains("too_much"), "{why}");
    let why = refused("json-sync.toml", "item = { path = \"$.prices.item\" }", "item = {}");
    assert!(why.contains("quote.offer.item: needs either"), "{why}");
    let why = refused("json-sync.toml", "total = { path = \"$.order.total\" }", "");
    assert!(why.contains("place: an accepted order needs"), "{why}");
    let why = refused("json-sync.toml", "calls_per_s", "calls_per_second");
    assert!(why.contains("calls_per_second"), "{why}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let why = refused("json-sync.toml", "base_url", "style = \"poll\"\nbase_url");
    assert!(why.contains("poll: there is a [poll]"), "{why}");
    let why = refused("poll.toml", "style = \"poll\"", "style = \"sync\"");
    assert!(why.contains("poll: there is a [poll]"), "{why}");
    let why = refused("json-sync.toml", "lookup = \"read_your_writes\"", "lookup = \"none\"");
    assert!(why.contains("promises.lookup"), "{why}");
    let why = refused("json-sync.toml", "ref = \"$.ref\"", "");
    assert!(why.contains("quote.items"), "{why}");
    let why = refused("json-sync.toml", "timeout_ms = 5000", "timeout_ms = 500000");
    assert!(why.contains("limits.timeout_ms must be 1 to") || why.contains("limits.timeout_ms:"));
    for (to, said) in [
        ("ftp://x.example", "must be an http"),
        ("http://u:p@x.example/", "must not have a password"),
        ("not an address", "[partner] base_url"),
    ] {
        let why = refused("json-sync.toml", "http://127.0.0.1:8081/northwind", to);
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn two_files_cannot_describe_one_partner() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.toml", "b.toml"] {
        std::fs::write(dir.path().join(name), example("xml.toml")).unwrap();
    }
    let why = load_all(dir.path()).unwrap_err().to_string();
    assert!(why.contains("both describe partner xanadu"), "{why}");
}
