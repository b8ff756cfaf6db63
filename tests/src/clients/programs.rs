//! The example programs, started the way their own first line says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use schemas::CustomerId;
use tokio::process::Command;

use super::tools::Tools;
use crate::harness::Gateway;

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
    /// Where the gateway is, and who calls; without it the example speaks NATS.
    http: Option<(String, String)>,
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
        Self::new("rust", &tools.rust.join("submit"), [])
    }

    /// With the NATS command line.
    pub(super) fn shell(tools: &Tools) -> Self {
        Self::new("shell", Path::new("bash"), [tools.examples.join("shell/submit.sh")])
    }

    /// What has an example over HTTP. Each calls with the token of a customer of its own.
    pub(super) fn over_http(tools: &Tools, gateway: &Gateway) -> anyhow::Result<[Self; 4]> {
        let script = |file: &str| [tools.examples.join(file)];
        let (python, bash) = (Path::new("python3"), Path::new("bash"));
        let all = [
            Self::new("shell http", bash, script("shell/submit-http.sh")).named("ann"),
            Self::new("python http", python, script("python/submit_http.py")).named("bob"),
            Self::new("javascript http", &tools.node, script("javascript/submit-http.js"))
                .named("cyd"),
            Self::new("rust http", &tools.rust.join("submit-http"), []).named("dee"),
        ];
        if let Some(example) = all.iter().find(|one| !gateway.tokens.contains_key(one.owner())) {
            anyhow::bail!("{} has no token", example.owner());
        }
        Ok(all.map(|one| {
            let token = gateway.tokens[one.owner()].clone();
            Self { http: Some((gateway.url(), token)), ..one }
        }))
    }

    fn owner(&self) -> &str {
        self.customer.as_str()
    }

    fn new<const N: usize>(name: &'static str, program: &Path, leading: [PathBuf; N]) -> Self {
        let language = name.split(' ').next().unwrap_or(name);
        Self {
            name,
            customer: CustomerId::parse(language).expect("the name of a language is a token"),
            program: program.to_owned(),
            leading: leading.into_iter().map(Into::into).collect(),
            python_packages: None,
            http: None,
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
        match &self.http {
            Some((url, token)) => command.env("GATEWAY_URL", url).env("BROKER_TOKEN", token),
            None => command.env("NATS_URL", url).env("BROKER_CUSTOMER", self.owner()),
        };
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
