//! Single fields of compact JSON, found without parsing the rest: most messages of a run are only
//! asked whom they are about. A quote inside a JSON string is escaped, so a text cannot pretend to
//! be a field; a nested object can, and whoever relies on an answer must parse then.

/// The text of a field; `field` is written as on the wire, quotes and colon included.
pub(super) fn text<'a>(body: &'a [u8], field: &'static str) -> Option<&'a str> {
    let body = std::str::from_utf8(body).ok()?;
    let rest = &body[body.find(field)? + field.len()..];
    let rest = rest.strip_prefix('"')?;
    Some(&rest[..rest.find('"')?])
}

/// The number in a field.
pub(super) fn number(body: &[u8], field: &'static str) -> Option<u64> {
    let body = std::str::from_utf8(body).ok()?;
    let rest = &body[body.find(field)? + field.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Every text of a field that occurs more than once, such as those of a list.
pub(super) fn texts<'a>(body: &'a [u8], field: &'static str) -> impl Iterator<Item = &'a str> {
    let body = std::str::from_utf8(body).unwrap_or_default();
    body.match_indices(field).filter_map(move |(at, _)| {
        let rest = body[at + field.len()..].strip_prefix('"')?;
        Some(&rest[..rest.find('"')?])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"request_id":"r1","attempt":12,"items":[{"id":"a"},{"id":"b"}]}"#;

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(text(BODY, "\"request_id\":"), Some("r1"));
        assert_eq!(number(BODY, "\"attempt\":"), Some(12));
        assert_eq!(texts(BODY, "\"id\":").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_text_is_no_field() {
        let body = br#"{"reason":"\"request_id\":\"r9\"","request_id":"r1"}"#;
        assert_eq!(text(body, "\"request_id\":"), Some("r1"));
        assert_eq!(number(br#"{"attempt":"1"}"#, "\"attempt\":"), None);
        assert_eq!(text(&[0xff], "\"request_id\":"), None);
    }
}
