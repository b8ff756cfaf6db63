//! What the headers say of a body, before anybody reads it. Headers are not needed: a body without
//! any is the JSON of its subject. One whose headers say otherwise is not guessed at.

use async_nats::HeaderMap;
use schemas::problem::Problem;
use schemas::violation::Violations;
use schemas::{RejectReason, Violation};

/// Types of content, in the client's own words and in those of CloudEvents.
const CONTENT_TYPES: [&str; 2] = ["content-type", "ce-datacontenttype"];
const SPECVERSION: &str = "ce-specversion";
/// A URI that ends in the version of the contract, as in `…/v1`.
const DATASCHEMA: &str = "ce-dataschema";
/// The version of the contract that is spoken here.
const VERSION: u32 = 1;

/// # Errors
/// Every header that names another type of content, or a version that is not known here.
pub fn check(headers: Option<&HeaderMap>) -> Result<(), Problem> {
    let all = headers.into_iter().flat_map(HeaderMap::iter);
    let broken =
        all.filter_map(|(name, values)| rule_broken(name.as_ref(), values.first()?.as_str()));
    let mut broken: Vec<Violation> = broken.collect();
    if broken.is_empty() {
        return Ok(());
    }
    // The client's map has no order, and every delivery of a message is refused in the same words.
    broken.sort_by(|one, other| one.field.cmp(&other.field));
    let mut found = Violations::default();
    for Violation { code, field, rule } in broken {
        found.push(code, field, rule);
    }
    let code = found.first().map_or(RejectReason::Malformed, |first| first.code);
    Err(Problem::new(code, found.to_string()).with_violations(found.into_vec()))
}

fn rule_broken(name: &str, value: &str) -> Option<Violation> {
    if CONTENT_TYPES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        content_type(name, value)
    } else if name.eq_ignore_ascii_case(SPECVERSION) && value.trim() != "1.0" {
        Some(version(name, "CloudEvents 1.0", value))
    } else if name.eq_ignore_ascii_case(DATASCHEMA) && !is_known_schema(value) {
        Some(version(name, "a schema of version 1", value))
    } else {
        None
    }
}

fn content_type(name: &str, value: &str) -> Option<Violation> {
    let kind = value.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return None;
    }
    let advice = if kind.eq_ignore_ascii_case("application/cloudevents+json") {
        "; send the data alone, and attributes as headers"
    } else {
        ""
    };
    let rule = format!("must be application/json, got {}{advice}", shown(value));
    Some(refused(RejectReason::ContentTypeUnsupported, name, rule))
}

/// What does not end in a version is somebody's own name for the schema, and no business of ours.
fn is_known_schema(value: &str) -> bool {
    let last = value.trim().rsplit(['/', ':', '#']).next().unwrap_or_default();
    let number = last.strip_prefix(['v', 'V']).and_then(|digits| digits.parse::<u32>().ok());
    number.is_none_or(|number| number == VERSION)
}

fn version(name: &str, wanted: &str, got: &str) -> Violation {
    let rule = format!("must be {wanted}, got {}", shown(got));
    refused(RejectReason::VersionUnsupported, name, rule)
}

fn refused(code: RejectReason, header: &str, rule: String) -> Violation {
    Violation { code, field: header.to_owned(), rule }
}

/// The sender's words, as far as they are worth repeating.
fn shown(value: &str) -> String {
    const CHARS_MAX: usize = 100;
    if schemas::json::contains_card_number(value) {
        return "something else".to_owned();
    }
    format!("{:?}", value.chars().take(CHARS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, value: &str) -> Option<RejectReason> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-1");
        headers.insert(name, value);
        check(Some(&headers)).err().map(|problem| problem.code)
    }

    #[test]
    fn headers_are_not_needed_and_json_may_be_said_in_any_way() {
        assert_eq!(check(None), Ok(()));
        for (name, value) in [
            ("Content-Type", "application/json"),
            ("content-type", "Application/JSON; charset=utf-8"),
            ("ce-datacontenttype", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-dataschema", "https://bpb.example/schemas/create_purchase/v1"),
            ("ce-dataschema", "urn:our-own-shape"),
            ("X-Type", "text/xml"),
        ] {
            assert_eq!(judged(name, value), None, "{name}: {value}");
        }
    }

    #[test]
    fn another_type_of_content_or_a_later_version_is_not_guessed_at() {
        use RejectReason::{ContentTypeUnsupported, VersionUnsupported};
        for (name, value, reason) in [
            ("Content-Type", "text/xml", ContentTypeUnsupported),
            ("CE-DataContentType", "application/protobuf", ContentTypeUnsupported),
            ("Content-Type", "application/cloudevents+json", ContentTypeUnsupported),
            ("ce-specversion", "2.0", VersionUnsupported),
            ("ce-dataschema", "https://bpb.example/schemas/create_purchase/v2", VersionUnsupported),
            ("ce-dataschema", "urn:bpb:create:v99", VersionUnsupported),
        ] {
            assert_eq!(judged(name, value), Some(reason), "{name}: {value}");
        }
    }

    #[test]
    fn all_wrong_headers_are_told_in_one_order() {
        let wrong = [
            ("ce-specversion", "0.3"),
            ("Content-Type", "text/xml"),
            ("ce-dataschema", "urn:bpb:v2"),
            ("content-type", "text/csv"),
        ];
        let mut rotated = wrong;
        for _ in 0..wrong.len() {
            rotated.rotate_left(1);
            let mut headers = HeaderMap::new();
            for (name, value) in rotated {
                headers.insert(name, value);
            }
            let problem = check(Some(&headers)).unwrap_err();
            let fields: Vec<_> = problem.violations.iter().map(|one| one.field.as_str()).collect();
            let wanted = ["Content-Type", "ce-dataschema", "ce-specversion", "content-type"];
            assert_eq!(fields, wanted);
            assert_eq!(problem.code, RejectReason::ContentTypeUnsupported);
        }
    }

    #[test]
    fn a_very_long_header_is_repeated_only_in_part() {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "x".repeat(60_000));
        let problem = check(Some(&headers)).unwrap_err();
        assert!(problem.detail.len() < 300, "{} bytes", problem.detail.len());
    }

    #[test]
    fn a_card_number_in_a_header_is_not_repeated() {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "4111111111111111");
        let problem = check(Some(&headers)).unwrap_err();
        assert!(!problem.detail.contains("4111"), "{}", problem.detail);
    }
}
