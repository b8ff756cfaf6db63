//! What a started server is asked to be, and the configuration file that says so.

use std::path::{Path, PathBuf};

/// How often JetStream syncs its files; decides what a publish acknowledgement survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncInterval {
    /// Before every acknowledgement: an acknowledged message survives a power cut.
    Always,
    /// The server's own default (two minutes): an acknowledgement survives only a process crash.
    Default,
}

/// What a test wants from its server; a test names the options that matter to it.
#[derive(Debug, Clone)]
pub struct NatsServerOptions {
    pub sync: SyncInterval,
    /// Where JetStream keeps its files; a temporary directory of the fixture if `None`.
    pub store_dir: Option<PathBuf>,
    /// The client port; one that no other fixture uses if `None`.
    pub port: Option<u16>,
    /// Upper bound of everything JetStream stores; streams reserve their `max_bytes` from it.
    pub max_file_store_bytes: u64,
    /// Further configuration in the server's own syntax, appended as it is.
    pub extra_config: String,
}

/// Largest message a client may publish; the schemas keep every message far below it.
const MAX_PAYLOAD_BYTES: u64 = 1024 * 1024;
/// Memory streams are no part of the design; a little room lets a test create one anyway.
const MAX_MEMORY_STORE_BYTES: u64 = 256 * 1024 * 1024;
/// Room for the sum of all `max_bytes` the broker declares, not a figure about the disk.
const DEFAULT_MAX_FILE_STORE_BYTES: u64 = 64 * 1024 * 1024 * 1024;

impl Default for NatsServerOptions {
    /// What the design asks of a managed server: synced before every acknowledgement.
    fn default() -> Self {
        Self {
            sync: SyncInterval::Always,
            store_dir: None,
            port: None,
            max_file_store_bytes: DEFAULT_MAX_FILE_STORE_BYTES,
            extra_config: String::new(),
        }
    }
}

/// The values that differ from one running server to the next.
#[derive(Debug)]
pub(super) struct Identity<'a> {
    pub server_name: &'a str,
    pub port: u16,
    pub monitor_port: u16,
    pub store_dir: &'a Path,
}

impl NatsServerOptions {
    /// The configuration file of a server with these options and this identity.
    pub(super) fn render(&self, identity: &Identity<'_>) -> String {
        let Identity { server_name, port, monitor_port, store_dir } = identity;
        let sync = match self.sync {
            SyncInterval::Always => "  sync_interval: always\n",
            SyncInterval::Default => "",
        };
        format!(
            "server_name: {server_name}\n\
             listen: \"127.0.0.1:{port}\"\n\
             http: \"127.0.0.1:{monitor_port}\"\n\
             max_payload: {MAX_PAYLOAD_BYTES}\n\
             jetstream {{\n\
             \x20 store_dir: {store_dir:?}\n\
             \x20 max_file_store: {}\n\
             \x20 max_memory_store: {MAX_MEMORY_STORE_BYTES}\n\
             {sync}}}\n\
             {}\n",
            self.max_file_store_bytes, self.extra_config,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(options: NatsServerOptions) -> String {
        let store_dir = Path::new("/data/with \"quotes\"");
        options.render(&Identity { server_name: "n1", port: 1, monitor_port: 2, store_dir })
    }

    #[test]
    fn always_is_written_and_the_default_is_left_to_the_server() {
        let always = rendered(NatsServerOptions::default());
        assert!(always.contains("\n  sync_interval: always\n}"), "{always}");
        let sync = SyncInterval::Default;
        let default = rendered(NatsServerOptions { sync, ..NatsServerOptions::default() });
        assert!(!default.contains("sync_interval"), "{default}");
    }

    #[test]
    fn a_store_directory_is_quoted_and_extra_configuration_comes_last() {
        let extra_config = "debug: true".to_owned();
        let text = rendered(NatsServerOptions { extra_config, ..NatsServerOptions::default() });
        assert!(text.contains(r#"store_dir: "/data/with \"quotes\"""#), "{text}");
        assert!(text.ends_with("}\ndebug: true\n"), "{text}");
    }
}
