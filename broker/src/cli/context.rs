//! The files in which the NATS command line keeps its connections:
//! `~/.config/nats/context/NAME.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::CliError;
use crate::config::{NatsConfig, Secret};

/// What we understand of such a file; empty texts mean "not set".
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    url: String,
    token: String,
    user: String,
    password: String,
    creds: String,
    nkey: String,
    cert: String,
    key: String,
    ca: String,
    nsc: String,
    user_jwt: String,
    jetstream_domain: String,
    jetstream_api_prefix: String,
    inbox_prefix: String,
    tls_first: bool,
}

/// The connection that `name` stands for; a name with a slash or ending in `.json` is a file.
pub(super) fn load(name: &str) -> Result<NatsConfig, CliError> {
    let path = if name.contains('/') || name.ends_with(".json") {
        PathBuf::from(name)
    } else {
        directory()?.join("context").join(format!("{name}.json"))
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| CliError::Context { path: path.clone(), source })?;
    parse(&path, &text)
}

fn directory() -> Result<PathBuf, CliError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| {
        CliError::Usage("a NATS context is looked up below HOME, which is not set".to_owned())
    })?;
    Ok(config.join("nats"))
}

fn parse(path: &Path, text: &str) -> Result<NatsConfig, CliError> {
    let context: Context = serde_json::from_str(text)
        .map_err(|source| CliError::ContextSyntax { path: path.to_owned(), source })?;
    let unsupported = [
        ("nsc", &context.nsc),
        ("user_jwt", &context.user_jwt),
        ("jetstream_domain", &context.jetstream_domain),
        ("jetstream_api_prefix", &context.jetstream_api_prefix),
    ];
    if let Some((what, _)) = unsupported.iter().find(|(_, value)| !value.is_empty()) {
        let path = path.display();
        return Err(CliError::Usage(format!(
            "the NATS context {path} uses {what}, which is not supported; use creds, nkey, user \
             and password or token"
        )));
    }
    let file = |text: String| some(text).map(|text| expand(&text));
    Ok(NatsConfig {
        urls: context
            .url
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect(),
        user: some(context.user),
        password: some(context.password).map(Secret::new),
        token: some(context.token).map(Secret::new),
        nkey_file: file(context.nkey),
        credentials_file: file(context.creds),
        tls_ca_file: file(context.ca),
        tls_cert_file: file(context.cert),
        tls_key_file: file(context.key),
        tls_first: context.tls_first,
        inbox_prefix: some(context.inbox_prefix),
        ..NatsConfig::default()
    })
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Contexts are written by hand, too.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_the_nats_command_line_is_understood() {
        let text = r#"{"description":"x","url":"nats://a:4222,nats://b:4222","socks_proxy":"",
            "token":"","user":"alice","password":"hush","creds":"","nkey":"","cert":"/c.pem",
            "key":"/k.pem","ca":"/ca.pem","nsc":"","jetstream_domain":"","jetstream_api_prefix":"",
            "jetstream_event_prefix":"","inbox_prefix":"_INBOX.alice","user_jwt":"",
            "color_scheme":"","tls_first":true}"#;
        let nats = parse(Path::new("x.json"), text).unwrap();
        assert_eq!(nats.urls, ["nats://a:4222", "nats://b:4222"]);
        assert_eq!(nats.user.as_deref(), Some("alice"));
        assert_eq!(nats.password.unwrap().reveal(), "hush");
        assert_eq!(nats.tls_ca_file, Some(PathBuf::from("/ca.pem")));
        assert_eq!(nats.inbox_prefix.as_deref(), Some("_INBOX.alice"));
        assert_eq!((nats.tls_first, nats.token, nats.credentials_file), (true, None, None));
    }

    #[test]
    fn what_we_cannot_do_is_refused_by_name_and_not_left_out() {
        let error = parse(Path::new("x.json"), r#"{"nsc":"nsc://o/a/u"}"#).unwrap_err();
        assert!(error.to_string().contains("uses nsc"), "{error}");
        let error = parse(Path::new("x.json"), "{").unwrap_err();
        assert_eq!(error.exit(), 2);
    }
}
