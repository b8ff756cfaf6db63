//! The shipped permissions (`ops/nats/permissions.conf`), with a password for everybody in them.

use std::io;
use std::path::Path;

/// Everybody whom the file names: who adds one there adds it here.
pub const USERS: [&str; 10] = [
    "broker",
    "operator",
    "bridge",
    "gateway",
    "notifier",
    "simpay",
    "acme-books",
    "corner-books",
    "alice",
    "bob",
];

/// The variable that the file takes a user's password from.
pub fn password_variable(user: &str) -> String {
    format!("{}_PASSWORD", user.to_uppercase().replace('-', "_"))
}

/// Configuration of a server on which each of [`USERS`] logs in with `pw-<user>`.
///
/// # Errors
/// The file cannot be read.
pub fn permissions() -> io::Result<String> {
    let password = |user| format!("{}: \"pw-{user}\"\n", password_variable(user));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/nats/permissions.conf");
    Ok(USERS.map(password).concat() + &std::fs::read_to_string(file)?)
}
