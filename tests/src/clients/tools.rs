//! What the examples need beside this workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::fetched::{self, copy, finish, installed, npm, read};

/// Where the examples and what they need are.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) examples: PathBuf,
    /// Holds the packages of the Python examples.
    pub(super) python_packages: PathBuf,
    /// A copy of the JavaScript example beside its `node_modules`.
    pub(super) javascript: PathBuf,
    pub(super) node: PathBuf,
    /// Where the Rust examples are.
    pub(super) rust: PathBuf,
}

impl Tools {
    /// Fetches and builds what is not there yet.
    ///
    /// # Errors
    /// Names the tool that is missing, or ends with the last words of the one that failed.
    pub(super) fn provide() -> anyhow::Result<Self> {
        let root = fetched::workspace()?;
        let examples = root.join("docs/examples");
        let cache = fetched::cache("clients")?;
        let requirements = examples.join("python/requirements.txt");
        let python_packages = fetched::python_packages(&cache, &requirements)?;
        let node = fetched::node(&cache)?;
        let javascript = javascript(&examples, &cache, &node)?;
        Ok(Self { rust: rust(root)?, examples, python_packages, javascript, node })
    }
}

/// The example is copied: a module is looked for beside the file that imports it.
fn javascript(examples: &Path, cache: &Path, node: &Path) -> anyhow::Result<PathBuf> {
    let from = examples.join("javascript");
    let lock = read(&from.join("package-lock.json"))?;
    let dir = installed(cache, "javascript", &lock, |dir| {
        for file in ["package.json", "package-lock.json", ".npmrc"] {
            copy(&from.join(file), &dir.join(file))?;
        }
        finish("npm", &mut npm(node, "ci", dir))
    })?;
    copy(&from.join("submit.js"), &dir.join("submit.js"))?;
    Ok(dir)
}

fn rust(root: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "submit-example"]).current_dir(root);
    let this = std::env::current_exe().context("finding this executable")?;
    let dir = this.parent().context("finding the directory of this executable")?;
    if dir.ends_with("release") {
        build.arg("--release");
    }
    finish("cargo", &mut build)?;
    Ok(dir.to_owned())
}
