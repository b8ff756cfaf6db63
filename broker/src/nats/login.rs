//! As whom we connect, and how the connection is protected.

use std::io;
use std::path::Path;

use async_nats::ConnectOptions;

use super::NatsError;
use crate::config::NatsConfig;

/// Adds login, TLS and inbox prefix to connection options.
///
/// # Errors
/// A file of the login cannot be read, or does not hold what it should.
pub async fn apply(
    mut options: ConnectOptions,
    config: &NatsConfig,
) -> Result<ConnectOptions, NatsError> {
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.reveal().to_owned());
    }
    if let Some(token) = &config.token {
        options = options.token(token.reveal().to_owned());
    }
    if let Some(path) = &config.nkey_file {
        let seed = std::fs::read_to_string(path).and_then(|text| seed_in(&text));
        options = options.nkey(seed.map_err(failed("nkey file", path))?);
    }
    if let Some(path) = &config.credentials_file {
        let with = options.credentials_file(path).await;
        options = with.map_err(failed("credentials file", path))?;
    }
    if let Some(path) = &config.tls_ca_file {
        readable("file of certificate authorities", path)?;
        options = options.add_root_certificates(path.clone());
    }
    if let (Some(cert), Some(key)) = (&config.tls_cert_file, &config.tls_key_file) {
        readable("certificate", cert)?;
        readable("key of the certificate", key)?;
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    if config.tls_required {
        options = options.require_tls(true);
    }
    if config.tls_first {
        options = options.tls_first();
    }
    if let Some(prefix) = &config.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    Ok(options)
}

/// The client would complain about a missing file without its name, and only while connecting.
fn readable(what: &'static str, path: &Path) -> Result<(), NatsError> {
    std::fs::File::open(path).map(drop).map_err(failed(what, path))
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> NatsError {
    move |source| NatsError::Login { what, path: path.to_owned(), source }
}

/// The line with the seed; tools write comments or a frame around it.
fn seed_in(text: &str) -> io::Result<String> {
    let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
    seed.map(str::to_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "there is no user seed (SU…) in it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_found_in_its_frame() {
        let framed = "-----BEGIN USER NKEY SEED-----\n  SUABC\n------END USER NKEY SEED------\n";
        assert_eq!(seed_in(framed).unwrap(), "SUABC");
        assert!(seed_in("UABC").is_err());
    }

    #[tokio::test]
    async fn a_missing_file_is_named_with_what_it_is_for() {
        for (what, config) in [
            ("nkey file", NatsConfig { nkey_file: Some("gone".into()), ..NatsConfig::default() }),
            (
                "file of certificate authorities",
                NatsConfig { tls_ca_file: Some("gone".into()), ..NatsConfig::default() },
            ),
        ] {
            let error = apply(ConnectOptions::new(), &config).await.err().unwrap().to_string();
            assert_eq!(error, format!("cannot use the {what} gone"));
        }
    }
}
