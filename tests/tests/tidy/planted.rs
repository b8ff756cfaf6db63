//! The planted bugs of `tests/bugbase` still fit the sources: a patch that no longer applies
//! proves nothing.

use std::fs;

use crate::source::workspace;

const PLANTED_MIN: usize = 12;

/// What one hunk expects to find: the path of its file and the lines that are there before.
fn expectations(patch: &str) -> Vec<(String, String)> {
    let (mut path, mut found) = (String::new(), Vec::<(String, String)>::new());
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            path = name.to_owned();
        } else if line.starts_with("@@ ") {
            found.push((path.clone(), String::new()));
        } else if let (Some((_, before)), Some(text)) =
            (found.last_mut(), line.strip_prefix([' ', '-']).filter(|_| !line.starts_with("---")))
        {
            before.push_str(text);
            before.push('\n');
        }
    }
    found
}

#[test]
fn every_planted_bug_still_applies_and_says_what_it_is() {
    let dir = workspace().join("tests/bugbase");
    let mut patches = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        patches += 1;
        let patch = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let title = patch.lines().next().unwrap_or_default();
        assert!(title.ends_with('.'), "{name}: the first line says in one sentence what is wrong");
        let hunks = expectations(&patch);
        assert!(!hunks.is_empty(), "{name} changes nothing");
        for (file, before) in hunks {
            let text = fs::read_to_string(workspace().join(&file)).unwrap_or_default();
            assert!(text.contains(&before), "{name} no longer fits {file}: make it anew");
        }
    }
    assert!(patches >= PLANTED_MIN, "{patches} planted bugs, at least {PLANTED_MIN} are promised");
}

#[test]
fn a_hunk_expects_its_context_and_what_it_removes() {
    let patch = "Why.\n\n--- a/x.rs\n+++ b/x.rs\n@@ -1,3 +1,2 @@ fn\n one\n-two\n+2\n three\n";
    assert_eq!(expectations(patch), [("x.rs".to_owned(), "one\ntwo\nthree\n".to_owned())]);
}
