//! What the server lets this login do, as the server itself tells, compared with what the broker
//! must do.

use schemas::stream::{self, broker_consumers, name};
use schemas::subject::{self, AdminOperation, PurchaseOperation, filter};
use serde::Deserialize;

use super::check::{Finding, Verdict, failure, finding};
use super::connect::Session;
use crate::config::Config;

/// The server's own page about the user that asks.
const USER_INFO: &str = "$SYS.REQ.USER.INFO";
const INBOX_PREFIX_DEFAULT: &str = "_INBOX";

#[derive(Debug, Deserialize)]
struct Answer {
    data: User,
}

#[derive(Debug, Deserialize)]
struct User {
    #[serde(default)]
    permissions: Option<Permissions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Permissions {
    publish: Option<Lists>,
    subscribe: Option<Lists>,
}

/// No list of what is allowed means everything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lists {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

impl Lists {
    fn permits(&self, wanted: &str) -> bool {
        let allowed = self.allow.as_ref().is_none_or(|allow| {
            allow.is_empty() || allow.iter().any(|allow| covers(allow, wanted))
        });
        let denied = self.deny.iter().flatten().any(|deny| overlap(deny, wanted));
        allowed && !denied
    }
}

pub(super) async fn check(session: &Session, config: &Config) -> Vec<Finding> {
    let answer = session.client.request(USER_INFO, "".into()).await;
    let permissions = match answer {
        Ok(message) => match serde_json::from_slice::<Answer>(&message.payload) {
            Ok(answer) => answer.data.permissions.unwrap_or_default(),
            Err(error) => return vec![failure("permissions", error)],
        },
        Err(error) => {
            let detail = format!("not known: the server does not answer {USER_INFO}: {error}");
            return vec![finding("permissions", Verdict::Warning, detail)];
        }
    };
    let lacks = lacking(&permissions, config);
    if lacks.is_empty() {
        return vec![finding(
            "permissions",
            Verdict::Fine,
            "everything the broker does is allowed",
        )];
    }
    let finding = |what: String| finding("permissions", Verdict::Failure, what);
    lacks.into_iter().map(finding).collect()
}

fn lacking(permissions: &Permissions, config: &Config) -> Vec<String> {
    let mut lacks = Vec::new();
    for (may, does, wanted) in [
        (&permissions.publish, "publish", published(config)),
        (&permissions.subscribe, "subscribe to", subscribed(config)),
    ] {
        let Some(lists) = may else { continue };
        for subject in wanted.iter().filter(|subject| !lists.permits(subject)) {
            lacks.push(format!("may not {does} {subject}"));
        }
    }
    lacks
}

fn published(config: &Config) -> Vec<String> {
    let mut subjects = vec![filter::partner_quotes(), filter::partner_quotes_queued()];
    subjects.extend(filter::partner_commands());
    subjects.extend(filter::payment_commands_of(&config.payment_provider));
    subjects.extend([filter::purchase_events(), filter::notifications(), filter::dead_letters()]);
    for spec in stream::all() {
        for request in ["STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE"] {
            subjects.push(format!("$JS.API.{request}.{}", spec.name));
        }
    }
    for spec in broker_consumers() {
        // Whatever the consumer is called: see `ConsumerSpec::names`.
        subjects.push(format!("$JS.API.CONSUMER.MSG.NEXT.{}.*", spec.stream));
        subjects.push(format!("$JS.ACK.{}.*.>", spec.stream));
    }
    for request in ["STREAM.MSG.GET", "STREAM.MSG.DELETE"] {
        subjects.push(format!("$JS.API.{request}.{}", name::DEAD_LETTERS));
    }
    // Answers to whoever called.
    subjects.push(format!("{INBOX_PREFIX_DEFAULT}.>"));
    subjects
}

fn subscribed(config: &Config) -> Vec<String> {
    let mut subjects: Vec<String> =
        PurchaseOperation::ALL.into_iter().map(subject::purchase_api_endpoint).collect();
    subjects.push(subject::partner_quote_replies());
    let asked = [
        AdminOperation::Incidents,
        AdminOperation::Resolve,
        AdminOperation::Partners,
        AdminOperation::SteerPartner,
        AdminOperation::DropDeadLetter,
    ];
    subjects.extend(asked.map(subject::admin));
    let prefix = config.nats.inbox_prefix.as_deref().unwrap_or(INBOX_PREFIX_DEFAULT);
    subjects.push(format!("{prefix}.>"));
    subjects.push("$SRV.PING".to_owned());
    if config.store.backup_dir.is_some() {
        subjects.push(subject::admin(AdminOperation::Backup));
    }
    subjects
}

/// Whether every subject of `wanted` is one of `allow`.
fn covers(allow: &str, wanted: &str) -> bool {
    // A queue group may follow.
    let allow = allow.split(' ').next().unwrap_or_default();
    let (mut allow, mut wanted) = (allow.split('.'), wanted.split('.'));
    loop {
        match (allow.next(), wanted.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(a), Some(w)) if a == w || (a == "*" && w != ">") => {}
            _ => return false,
        }
    }
}

/// Whether some subject is one of both.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_must_cover_all_that_is_wanted() {
        for (allow, wanted, covered) in [
            (">", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.>", false),
            ("a.b", "a.*", false),
            ("a.b queue", "a.b", true),
            ("a.b.c", "a.b", false),
        ] {
            assert_eq!(covers(allow, wanted), covered, "{allow} {wanted}");
        }
    }

    #[test]
    fn a_denial_counts_if_it_takes_anything_away() {
        let lists = Lists { allow: None, deny: Some(vec!["a.x.c".to_owned()]) };
        assert!(!lists.permits("a.*.c"));
        assert!(lists.permits("b.>"));
        let nothing = Lists { allow: Some(vec!["a".to_owned()]), deny: None };
        assert!(!nothing.permits("b"));
    }

    #[test]
    fn the_servers_answer_is_understood_with_and_without_permissions() {
        let all: Answer = serde_json::from_str(r#"{"data":{"user":"x","account":"$G"}}"#).unwrap();
        assert!(all.data.permissions.is_none());
        let some =
            r#"{"data":{"permissions":{"publish":{"allow":["a"]},"subscribe":{"deny":["b"]}}}}"#;
        let some: Answer = serde_json::from_str(some).unwrap();
        let permissions = some.data.permissions.unwrap();
        assert!(!permissions.publish.unwrap().permits("b"));
        assert!(permissions.subscribe.unwrap().permits("a"));
    }
}
