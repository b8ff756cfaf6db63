//! Variable, PATH, cache, download: the first usable one wins, the unusable ones are named.

use tests::nats_server::{Origin, Resolved};

use crate::stage::{Stage, WHEEL_VERSION};

fn messages(resolved: &Resolved) -> Vec<String> {
    resolved.unusable().map(ToString::to_string).collect()
}

#[test]
fn the_variable_wins_over_path_and_cache() {
    let mut stage = Stage::new();
    let named = stage.server("named", "2.11.0");
    stage.server("bin", "2.15.1");
    stage.cached_server(WHEEL_VERSION);
    stage.resolver.variable = Some(named.clone());
    stage.resolver.path = vec![stage.path().join("bin")];
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!((resolved.origin, resolved.binary), (Origin::Variable, named));
}

#[test]
fn the_first_directory_of_path_that_has_a_server_wins_over_the_cache() {
    let mut stage = Stage::new();
    let second = stage.server("second", "2.12.4");
    stage.server("third", "2.15.0");
    stage.cached_server(WHEEL_VERSION);
    stage.resolver.path = ["first", "second", "third"].map(|dir| stage.path().join(dir)).into();
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!((resolved.origin, &resolved.binary), (Origin::Path, &second));
    assert_eq!(messages(&resolved), Vec::<String>::new());
}

#[test]
fn a_cached_server_is_used_without_any_download() {
    let stage = Stage::new();
    let cached = stage.cached_server(WHEEL_VERSION);
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!((resolved.origin, resolved.binary), (Origin::Cache, cached));
    assert_eq!((stage.pip_calls(), stage.curl_calls()), (0, 0));
}

#[test]
fn an_older_server_on_path_is_named_and_passed_over() {
    let mut stage = Stage::new();
    let old = stage.server("bin", "2.9.0");
    let cached = stage.cached_server(WHEEL_VERSION);
    stage.resolver.path = vec![stage.path().join("bin")];
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!((resolved.origin, &resolved.binary), (Origin::Cache, &cached));
    let expected = format!(
        "PATH {}: it is version 2.9.0, older than the 2.11.0 that the broker needs",
        old.display()
    );
    assert_eq!(messages(&resolved), [expected]);
}

#[test]
fn an_older_server_named_by_the_variable_is_named_and_passed_over() {
    let mut stage = Stage::new();
    let old = stage.server("named", "2.10.29");
    let newer = stage.server("bin", "2.11.1");
    stage.resolver.variable = Some(old.clone());
    stage.resolver.path = vec![stage.path().join("bin")];
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!((resolved.origin, &resolved.binary), (Origin::Path, &newer));
    let said = messages(&resolved).concat();
    assert!(said.starts_with(&format!("NATS_SERVER_BIN {}: ", old.display())), "{said}");
    assert!(said.contains("2.10.29"), "{said}");
}

#[test]
fn a_variable_that_names_no_file_is_said_and_does_not_stop_the_search() {
    let mut stage = Stage::new();
    stage.resolver.variable = Some(stage.path().join("nowhere"));
    stage.cached_server(WHEEL_VERSION);
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!(resolved.origin, Origin::Cache);
    assert!(messages(&resolved).concat().contains("there is no such file"));
}

#[test]
fn a_program_on_path_that_is_no_nats_server_is_passed_over_with_its_own_words() {
    let mut stage = Stage::new();
    stage.server("bin", "nonsense");
    stage.cached_server(WHEEL_VERSION);
    stage.resolver.path = vec![stage.path().join("bin")];
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!(resolved.origin, Origin::Cache);
    assert!(messages(&resolved).concat().contains("nats-server: vnonsense"));
}
