//! The example programs, started the way their own first line says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use schemas::CustomerId;
use tokio::process::Command;

use super::tools::Tools;

/// Longer than any of them waits for an outcome by itself.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(150);

/// One example in one language.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) name: &'static str,
    /// The principal it speaks as: its own, so that its requests can be counted.
    pub(super) customer: CustomerId,
    program: PathBuf,
    leading: Vec<OsString>,
    python_packages: Option<PathBuf>,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Example {
    pub(super) fn python(tools: &Tools) -> Self {
        let script = tools.examples.join("python/submit.py");
        let packages = Some(tools.python_packages.clone());
        Self { python_packages: packages, ..Self::new("python", Path::new("python3"), [script]) }
    }

    pub(super) fn javascript(tools: &Tools) -> Self {
        Self::new("javascript", &tools.node, [tools.javascript.join("submit.js")])
    }

    pub(super) fn rust(tools: &Tools) -> Self {
        Self::new("rust", &tools.rust, [])
    }

    /// With the NATS command line.
    pub(super) fn shell(tools: &Tools) -> Self {
        Self::new("shell", Path::new("bash"), [tools.examples.join("shell/submit.sh")])
    }

    fn new<const N: usize>(name: &'static str, program: &Path, leading: [PathBuf; N]) -> Self {
        Self {
            name,
            customer: CustomerId::parse(name).expect("the name of a language is a token"),
            program: program.to_owned(),
            leading: leading.into_iter().map(Into::into).collect(),
            python_packages: None,
        }
    }

    /// The same for another customer.
    #[must_use]
    pub(super) fn named(self, customer: &'static str) -> Self {
        let id = CustomerId::parse(customer).expect("a customer here is named by a token");
        Self { customer: id, ..self }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub(super) async fn run(&self, url: &str, words: &[&str]) -> anyhow::Result<Said> {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).args(words);
        command.env("NATS_URL", url).env("BROKER_CUSTOMER", self.customer.as_str());
        if let Some(packages) = &self.python_packages {
            command.env("PYTHONPATH", packages);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let name = self.name;
        let ended = tokio::time::timeout(PROGRAM_TIMEOUT, command.output()).await;
        let ended = ended.with_context(|| format!("the {name} example does not end"))?;
        let ended = ended.with_context(|| format!("starting the {name} example"))?;
        Ok(Said {
            code: ended.status.code(),
            out: String::from_utf8_lossy(&ended.stdout).into_owned(),
            err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }
}
