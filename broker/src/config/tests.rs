use super::*;

const SMALLEST: &str = r#"
partners_file = "partners.toml"
payment_provider = "sim"
[nats]
urls = ["nats://127.0.0.1:4222"]
[store]
dir = "data"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/broker"))
}

fn message(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_smallest_file_gets_defaults_and_paths_beside_the_file() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.store.dir, Path::new("/etc/broker/data"));
    assert_eq!(config.partners_file, Path::new("/etc/broker/partners.toml"));
    assert_eq!(config.limits.publish_in_flight_max, 512);
    assert_eq!(config.http_bind, None);
}

#[test]
fn absolute_paths_stay_as_they_are() {
    let config = parse(&SMALLEST.replace("\"data\"", "\"/var/lib/broker\"")).unwrap();
    assert_eq!(config.store.dir, Path::new("/var/lib/broker"));
}

#[test]
fn a_misspelt_field_is_refused_by_name() {
    let text = format!("{SMALLEST}\n[limits]\nintake_maximum = 5\n");
    assert!(message(&text).contains("intake_maximum"), "{}", message(&text));
}

#[test]
fn a_missing_field_is_refused_by_name() {
    let text = SMALLEST.replace("payment_provider = \"sim\"", "");
    assert!(message(&text).contains("payment_provider"), "{}", message(&text));
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    for (table, field) in [
        ("[limits]\npublish_in_flight_max = 0", "limits.publish_in_flight_max"),
        ("[limits]\nshutdown_ms = 0", "limits.shutdown_ms"),
        ("[policy]\nmargin_permille = 1001", "policy.margin_permille"),
        ("[policy]\nlookup_ladder_ms = []", "policy.lookup_ladder_ms"),
        ("[policy]\nattempts_max = 0", "policy.attempts_max"),
    ] {
        let message = message(&format!("{SMALLEST}\n{table}\n"));
        assert!(message.starts_with(field), "{field}: {message}");
    }
}

#[test]
fn a_server_is_required_and_monitoring_is_plain_http() {
    let none = SMALLEST.replace("\"nats://127.0.0.1:4222\"", "");
    assert!(message(&none).starts_with("nats.urls"));
    let https = SMALLEST.replace("[store]", "monitoring_url = \"https://x\"\n[store]");
    assert!(message(&https).starts_with("nats.monitoring_url"));
}

#[test]
fn overrides_change_only_what_they_name() {
    let text =
        format!("{SMALLEST}\n[policy]\nsweep_hard_stop_ms = 400\nlookup_ladder_ms = [50, 100]\n");
    let standard = broker_core::Policy::standard(broker_core::partner::Partners::default());
    let policy = parse(&text).unwrap().policy.apply(standard.clone());
    assert_eq!(policy.sweep_hard_stop.as_ms(), 400);
    assert_eq!(policy.lookup_ladder.iter().map(|d| d.as_ms()).collect::<Vec<_>>(), [50, 100]);
    assert_eq!(policy.grace, standard.grace);
}

#[test]
fn what_is_printed_has_no_password_and_parses_again() {
    let text = SMALLEST.replace("nats://127.0.0.1", "nats://user:secret@127.0.0.1");
    let shown = parse(&text).unwrap().to_display();
    assert!(!shown.contains("secret"), "{shown}");
    parse(&shown).unwrap();
}

#[test]
fn the_configuration_of_the_readme_is_accepted() {
    let config = parse(include_str!("../../../docs/local/broker.toml")).unwrap();
    assert_eq!(config.payment_provider.as_str(), "simpay");
}
