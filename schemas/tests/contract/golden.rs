//! Every example message, as text. A changed byte is a changed contract: run with
//! `GOLDEN_ACCEPT=1` to accept it, and let the review see it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemas::RejectReason;
use schemas::generate::message;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn file_name(message: &str, label: &str) -> String {
    if label.is_empty() { format!("{message}.json") } else { format!("{message}.{label}.json") }
}

/// The accepted text of a golden file, which becomes `text` under `GOLDEN_ACCEPT=1`.
fn accepted(name: &str, text: &str) -> String {
    let path = directory().join(name);
    if std::env::var_os("GOLDEN_ACCEPT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}; GOLDEN_ACCEPT=1?"))
}

#[test]
fn examples_are_the_golden_files() {
    for message in message::all() {
        for example in &message.examples {
            let name = file_name(message.name, example.label);
            assert_eq!(accepted(&name, &example.text), example.text, "{name}");
        }
    }
}

#[test]
fn every_golden_file_decodes_and_encodes_to_the_same_bytes() {
    for message in message::all() {
        for example in &message.examples {
            let name = file_name(message.name, example.label);
            let golden = accepted(&name, &example.text);
            let again = message.recode(golden.as_bytes());
            assert_eq!(again.as_deref(), Ok(golden.as_str()), "{name}");
        }
    }
}

#[test]
fn unknown_fields_are_ignored_in_every_message_and_refused_only_in_the_directory() {
    for message in message::all() {
        for example in &message.examples {
            let mut extended = example.value();
            extended["added_by_a_later_version"] = true.into();
            let read = message.recode(extended.to_string().as_bytes());
            if message.name == "partner_directory" {
                // A misspelt setting of the operator must not be taken for its default.
                assert!(read.is_err(), "{}", message.name);
            } else {
                assert_eq!(read.as_deref(), Ok(example.text.as_str()), "{}", message.name);
            }
        }
    }
}

#[test]
fn a_message_without_one_of_its_required_fields_is_refused_by_that_name() {
    for message in message::all() {
        let schema = message.json_schema();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for field in required.iter().filter_map(|name| name.as_str()) {
            for example in &message.examples {
                let mut cut = example.value();
                cut.as_object_mut().unwrap().remove(field);
                let refused = message.recode(cut.to_string().as_bytes()).unwrap_err();
                let named = refused.problem().field;
                assert_eq!(named.as_deref(), Some(field), "{}: {refused}", message.name);
            }
        }
    }
}

#[test]
fn there_is_no_golden_file_without_a_message() {
    let mut known: BTreeSet<String> = BTreeSet::from(["reject_reasons.txt".to_owned()]);
    for message in message::all() {
        known.extend(message.examples.iter().map(|e| file_name(message.name, e.label)));
    }
    for entry in std::fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "{name} belongs to no message");
    }
}

#[test]
fn reject_reasons_keep_their_numbers_names_and_transience() {
    let mut table = String::from("number name transient\n");
    for reason in RejectReason::ALL {
        let row = format!("{} {} {}\n", reason.number(), reason.label(), reason.is_transient());
        table.push_str(&row);
    }
    assert_eq!(accepted("reject_reasons.txt", &table), table);
}
