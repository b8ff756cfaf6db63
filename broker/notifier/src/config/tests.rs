use super::*;

fn with_email(change: impl FnOnce(&mut EmailConfig)) -> Result<(), String> {
    let mut email = EmailConfig::new("mail.example.com", "Shop <shop@example.com>");
    change(&mut email);
    NotifierConfig { email: Some(email), ..NotifierConfig::default() }.validate()
}

fn with(change: impl FnOnce(&mut NotifierConfig)) -> Result<(), String> {
    let mut config = NotifierConfig::default();
    change(&mut config);
    config.validate()
}

#[test]
fn what_is_shipped_is_valid() {
    assert_eq!(NotifierConfig::default().validate(), Ok(()));
    assert_eq!(with_email(|_| {}), Ok(()));
}

#[test]
fn webhooks_are_tried_for_days_as_the_standard_says() {
    let pauses = WebhookConfig::default().schedule_ms;
    let secs: Vec<u64> = pauses.iter().map(|pause| pause.as_ms() / 1000).collect();
    let (minute, hour) = (60, 3600);
    let standard = [
        0,
        5,
        5 * minute,
        30 * minute,
        2 * hour,
        5 * hour,
        10 * hour,
        14 * hour,
        20 * hour,
        24 * hour,
    ];
    assert_eq!(secs, standard);
    assert_eq!(secs.iter().sum::<u64>() / hour, 75);
    assert_eq!(WebhookConfig::default().timeout_ms, DurationMs::from_secs(15));
}

#[test]
fn an_hour_without_a_mail_server_uses_up_no_delivery() {
    let pauses = EmailConfig::new("h", "a@b.c").schedule_ms;
    let total: u64 = pauses.iter().map(|pause| pause.as_ms()).sum();
    assert!(total > 2 * hours(1).as_ms(), "{total}");
}

#[test]
fn a_broken_rule_names_its_key() {
    let broken = [
        (with(|c| c.concurrency_max = 0), "notifier.concurrency_max "),
        (with(|c| c.breaker_open_ms = DurationMs::ZERO), "notifier.breaker_open_ms "),
        (with(|c| c.intake_batch_max = 1001), "notifier.intake_batch_max "),
        (with(|c| c.bucket_bytes_max = 1), "notifier.bucket_bytes_max "),
        (with(|c| c.keep_ms = hours(24)), "notifier.keep_ms "),
        (with(|c| c.webhook.timeout_ms = DurationMs::ZERO), "notifier.webhook.timeout_ms "),
        (with(|c| c.webhook.schedule_ms.clear()), "notifier.webhook.schedule_ms "),
        (
            with(|c| c.webhook.allow_private_hosts = vec!["http://x".to_owned()]),
            "notifier.webhook.allow_private_hosts ",
        ),
        (with_email(|e| e.from = "nobody".to_owned()), "notifier.email.from "),
        (with_email(|e| e.user = Some("u".to_owned())), "notifier.email.user "),
        (with_email(|e| e.password = Some(Secret::new("p"))), "notifier.email.user "),
        (with_email(|e| e.schedule_ms.clear()), "notifier.email.schedule_ms "),
    ];
    for (result, key) in broken {
        let why = result.unwrap_err();
        assert!(why.starts_with(key), "{why} should be about {key}");
    }
}

#[test]
fn a_password_never_goes_over_an_open_line() {
    let open = with_email(|email| {
        email.user = Some("u".to_owned());
        email.password = Some(Secret::new("p"));
        email.security = SmtpSecurity::None;
    });
    assert!(open.unwrap_err().starts_with("notifier.email.security "));
}

#[test]
fn an_unknown_key_is_refused_and_a_password_is_not_shown() {
    assert!(toml::from_str::<NotifierConfig>("concurency_max = 1").is_err());
    let text = "[email]\nhost = \"h\"\nfrom = \"a@b.c\"\nuser = \"u\"\npassword = \"hush\"\n";
    let config: NotifierConfig = toml::from_str(text).unwrap();
    assert_eq!(config.validate(), Ok(()));
    assert!(!format!("{config:?}").contains("hush"));
    assert!(!toml::to_string(&config.masked()).unwrap().contains("hush"));
    assert!(toml::to_string(&config).unwrap().contains("hush"), "written on purpose");
}

#[test]
fn every_path_is_resolved() {
    let mut config = NotifierConfig {
        subscribers_file: Some("s.toml".into()),
        email: Some(EmailConfig {
            password_file: Some("p".into()),
            templates_dir: Some("t".into()),
            tls_ca_file: Some("ca".into()),
            ..EmailConfig::new("h", "a@b.c")
        }),
        ..NotifierConfig::default()
    };
    config.webhook.tls_ca_file = Some("wca".into());
    for (key, path) in config.paths_mut() {
        assert!(key.starts_with("notifier."), "{key}");
        if let Some(path) = path {
            *path = PathBuf::from("/etc/broker").join(&*path);
        }
    }
    let text = toml::to_string(&config).unwrap();
    for path in ["s.toml", "p", "t", "ca", "wca"] {
        assert!(text.contains(&format!("\"/etc/broker/{path}\"")), "{path} in {text}");
    }
}
