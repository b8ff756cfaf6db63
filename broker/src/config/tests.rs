use super::*;

const SMALLEST: &str = r#"
partners_file = "partners.toml"
payment_provider = "sim"
[nats]
urls = ["nats://127.0.0.1:4222"]
[store]
dir = "data"
"#;

/// A file in a directory of its own, and what else is said.
struct World {
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
    set: Vec<String>,
}

fn world(text: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("broker.toml"), text).unwrap();
    World { dir, environment: Vec::new(), set: Vec::new() }
}

impl World {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(mut self, flag: &str) -> Self {
        self.set.push(flag.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let file = Some(self.dir.path().join("broker.toml"));
        let (environment, set) = (self.environment.clone(), self.set.clone());
        Sources { file, environment, set }.load()
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    fn message(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

#[test]
fn the_smallest_file_gets_defaults_and_paths_beside_the_file() {
    let world = world(SMALLEST);
    let config = world.config();
    assert_eq!(config.store.dir, world.dir.path().join("data"));
    assert_eq!(config.partners_file, world.dir.path().join("partners.toml"));
    assert_eq!(config.limits.publish_in_flight_max, 512);
    assert_eq!(config.http_bind, None);
}

#[test]
fn absolute_paths_stay_and_paths_of_others_count_from_the_working_directory() {
    let config = world(&SMALLEST.replace("\"data\"", "\"/var/lib/broker\"")).config();
    assert_eq!(config.store.dir, Path::new("/var/lib/broker"));
    let config = world(SMALLEST).env("BROKER__STORE__DIR", "here").config();
    assert_eq!(config.store.dir, Path::new("here"));
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let text = format!("{SMALLEST}\n[limits]\nintake_max = 1\nreader_threads = 3\n");
    let world = world(&text)
        .env("BROKER__LIMITS__INTAKE_MAX", "2")
        .env("BROKER__LOG__JSON", "true")
        .env("BROKER_PORT", "tcp://10.0.0.1:80")
        .set("limits.intake_max=7");
    let Loaded { config, origins } = world.load().unwrap();
    assert_eq!((config.limits.intake_max, config.limits.reader_threads), (7, 3));
    assert!(config.log.json);
    assert_eq!(origins["limits.intake_max"], "--set limits.intake_max");
    assert_eq!(origins["log.json"], "environment variable BROKER__LOG__JSON");
    assert!(origins["limits.reader_threads"].ends_with("broker.toml:11"), "{origins:?}");
    assert!(!origins.contains_key("limits.shutdown_ms"));
}

#[test]
fn without_a_file_the_environment_is_enough() {
    let said = [
        ("BROKER__NATS__URLS", "nats://a:4222, nats://b:4222"),
        ("BROKER__NATS__USER", "broker"),
        ("BROKER__NATS__PASSWORD", "0123"),
        ("BROKER__STORE__DIR", "/data"),
        ("BROKER__PARTNERS_FILE", "/etc/partners.toml"),
        ("BROKER__PAYMENT_PROVIDER", "sim"),
    ];
    let environment = said.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let config = Sources { file: None, environment, set: Vec::new() }.load().unwrap().config;
    assert_eq!(config.nats.urls, ["nats://a:4222", "nats://b:4222"]);
    assert_eq!(config.nats.password.unwrap().reveal(), "0123");
}

#[test]
fn every_misspelt_key_is_refused_with_its_line_and_the_one_that_was_meant() {
    let text = format!("{SMALLEST}\n[limits]\nintake_maximum = 5\n[logs]\nfilter = \"x\"\n");
    let message = world(&text).env("BROKER__BACKUP_DIR", "x").set("nats.url=x").message();
    for expected in [
        "broker.toml:10: limits.intake_maximum: there is no such key; did you mean limits.intake_max?",
        "broker.toml:12: logs.filter: there is no such key; did you mean log.filter?",
        "BROKER__BACKUP_DIR: backup_dir: there is no such key; did you mean store.backup_dir?",
        "--set nats.url: nats.url: there is no such key; did you mean nats.urls?",
    ] {
        assert!(message.contains(expected), "{expected}\nnot in\n{message}");
    }
}

#[test]
fn a_name_that_nobody_could_have_meant_gets_no_guess() {
    let message = world(&format!("zzzzzzzz = 5\n{SMALLEST}")).message();
    assert!(message.contains("zzzzzzzz: there is no such key; `broker config keys`"), "{message}");
}

#[test]
fn a_missing_key_is_named_with_what_it_is_for() {
    let message = world(&SMALLEST.replace("payment_provider = \"sim\"", "")).message();
    for part in ["payment_provider: is missing", "BROKER__PAYMENT_PROVIDER", "authorises"] {
        assert!(message.contains(part), "{message}");
    }
    let message = world(&SMALLEST.replace("[store]\ndir = \"data\"", "")).message();
    assert!(message.contains("store.dir: is missing"), "{message}");
}

#[test]
fn a_wrong_type_is_refused_with_where_it_was_said() {
    let text = format!("{SMALLEST}\n[limits]\nintake_max = \"many\"\n");
    let message = world(&text).message();
    assert!(message.contains("broker.toml:10: limits.intake_max: invalid type"), "{message}");
    let message = world(SMALLEST).set("limits.intake_max=many").message();
    assert!(message.contains("must be a number, got \"many\""), "{message}");
    let message = world(&format!("limits = 5\n{SMALLEST}")).message();
    assert!(message.contains("broker.toml:1: limits: invalid type"), "{message}");
}

#[test]
fn numbers_out_of_range_are_refused_by_name_and_line() {
    for (table, field) in [
        ("[limits]\npublish_in_flight_max = 0", "limits.publish_in_flight_max"),
        ("[limits]\nshutdown_ms = 0", "limits.shutdown_ms"),
        ("[limits]\nshutdown_ms = -1", "limits.shutdown_ms"),
        ("[policy]\nmargin_permille = 1001", "policy.margin_permille"),
        ("[policy]\nlookup_ladder_ms = []", "policy.lookup_ladder_ms"),
        ("[policy]\nhedge_budget_permille = 1001", "policy.hedge_budget_permille"),
        ("[policy]\ntier_size = 0", "policy.tier_size"),
        ("[policy]\nrounds_max = 0", "policy.rounds_max"),
        ("[policy]\nrounds_max = 101", "policy.rounds_max"),
        ("[policy]\nattempts_max = 0", "policy.attempts_max"),
        ("[policy]\nattempts_max = 300", "policy.attempts_max"),
    ] {
        let message = world(&format!("{SMALLEST}\n{table}\n")).message();
        assert!(message.contains(&format!("broker.toml:10: {field}: ")), "{field}: {message}");
    }
}

#[test]
fn a_server_is_required_and_monitoring_is_plain_http() {
    let none = world(&SMALLEST.replace("\"nats://127.0.0.1:4222\"", "")).message();
    assert!(none.contains("nats.urls: give at least one"), "{none}");
    let text = SMALLEST.replace("[store]", "monitoring_url = \"https://x\"\n[store]");
    let https = world(&text).message();
    assert!(https.contains("nats.monitoring_url: must start"), "{https}");
}

#[test]
fn a_login_is_complete_and_only_one() {
    let message =
        |more: &[&str]| more.iter().fold(world(SMALLEST), |world, flag| world.set(flag)).message();
    assert!(message(&["nats.user=ann"]).contains("nats.user: needs nats.password"));
    let two = message(&["nats.token=x", "nats.nkey_file=y"]);
    assert!(two.contains("given are nats.token, nats.nkey_file"), "{two}");
    let half = message(&["nats.tls_key_file=x"]);
    assert!(half.contains("together or not at all"), "{half}");
}

#[test]
fn overrides_change_only_what_they_name() {
    let text =
        format!("{SMALLEST}\n[policy]\nsweep_hard_stop_ms = 400\nlookup_ladder_ms = [50, 100]\n");
    let standard = Policy::standard(Partners::default());
    let policy = world(&text).config().policy.apply(standard.clone());
    assert_eq!(policy.sweep_hard_stop.as_ms(), 400);
    assert_eq!(policy.lookup_ladder.iter().map(|d| d.as_ms()).collect::<Vec<_>>(), [50, 100]);
    assert_eq!(policy.grace, standard.grace);
}

#[test]
fn what_is_printed_has_no_secret_and_parses_again() {
    let text = SMALLEST.replace("nats://127.0.0.1", "nats://user:secret@127.0.0.1");
    let config = world(&text).set("nats.user=ann").set("nats.password=hush").config();
    let shown = config.to_display();
    assert!(!shown.contains("secret") && !shown.contains("hush"), "{shown}");
    assert!(!format!("{:?}", config.nats.password).contains("hush"));
    world(&shown).config();
}

#[test]
fn what_is_written_by_a_program_is_read_back_with_its_secrets() {
    let config = world(SMALLEST).set("nats.user=ann").set("nats.password=hush").config();
    let read = world(&toml::to_string(&config).unwrap()).config();
    assert_eq!(read.nats.password.unwrap().reveal(), "hush");
}

#[test]
fn every_key_is_explained_and_has_a_default_or_a_reason_to_have_none() {
    let keys = keys::all();
    for key in &keys {
        assert!(key.doc.len() > 20, "{} needs a doc comment", key.name);
        let number = matches!(key.kind, keys::Kind::Number | keys::Kind::NumberList);
        assert!(!number || key.default.is_some(), "{} has no default", key.name);
    }
    let default = |name: &str| keys.iter().find(|k| k.name == name).unwrap().default.clone();
    assert_eq!(default("limits.intake_max").unwrap(), "4096");
    assert_eq!(default("policy.grace_ms").unwrap(), "200");
    assert_eq!(default("log.json").unwrap(), "false");
    assert_eq!(default("nats.name").unwrap(), "\"broker\"");
    assert_eq!(default("catalog_file"), None);
}

#[test]
fn the_files_that_are_shipped_are_accepted() {
    for (name, text) in [
        ("docs/local", include_str!("../../../docs/local/broker.toml")),
        ("development", include_str!("../../../ops/config/development.toml")),
        ("reference", include_str!("../../../ops/config/reference.toml")),
    ] {
        let config = world(text).config();
        assert_eq!(config.payment_provider.as_str(), "simpay", "{name}");
    }
    let production = include_str!("../../../ops/config/production.toml");
    let config = world(production).env("BROKER__NATS__PASSWORD", "hush").config();
    assert!(config.nats.tls_required);
    let forgotten = world(production).message();
    assert!(forgotten.contains("nats.user: needs nats.password"), "{forgotten}");
}

#[test]
fn the_reference_shows_every_key_and_is_what_the_program_prints() {
    let shipped = include_str!("../../../ops/config/reference.toml");
    assert_eq!(shipped, keys::reference(), "write it anew with `broker config reference`");
    // With every comment sign taken from the values, it is still a configuration.
    let all: String = keys::reference()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(value) if value.contains(" = ") && !value.starts_with('(') => value,
            Some(table) if table.starts_with('[') => table,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let table: toml::Table = toml::from_str(&all).unwrap();
    assert_eq!(values(&table), keys::all().len());
}

/// Those in tables included.
fn values(table: &toml::Table) -> usize {
    table.values().map(|value| value.as_table().map_or(1, values)).sum()
}
