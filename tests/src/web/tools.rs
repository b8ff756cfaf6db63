//! What the tests need beside this workspace.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::fetched::{self, finish, installed, npm};

/// What drives the browser. It comes without one.
const PLAYWRIGHT: &str = "playwright-core@1.65.1";
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser and what drives it.
#[derive(Debug)]
pub(super) struct Browser {
    pub(super) node: PathBuf,
    pub(super) chromium: PathBuf,
    /// The module to import.
    pub(super) playwright: PathBuf,
    pub(super) script: PathBuf,
}

impl Browser {
    /// Fetches what is not there yet.
    ///
    /// # Errors
    /// Names the tool that is missing, or ends with the last words of the one that failed.
    pub(super) fn provide() -> anyhow::Result<Self> {
        let cache = fetched::cache("web")?;
        let node = fetched::node(&cache)?;
        let packages = installed(&cache, "playwright", PLAYWRIGHT, |dir| {
            let mut npm = npm(&node, "install", dir);
            npm.args(["--no-save", "--no-package-lock", "--prefix"]).arg(dir).arg(PLAYWRIGHT);
            finish("npm", &mut npm)
        })?;
        let playwright = packages.join("node_modules/playwright-core/index.mjs");
        let script = directory()?.join("page.test.mjs");
        Ok(Self { node, chromium: chromium()?, playwright, script })
    }
}

/// What asks the gateway everything that its contract allows.
#[derive(Debug)]
pub(super) struct Questioner {
    /// With the program in `bin`.
    pub(super) packages: PathBuf,
    /// Its configuration, and what lets wishes come true.
    pub(super) directory: PathBuf,
}

impl Questioner {
    /// # Errors
    /// As [`Browser::provide`].
    pub(super) fn provide() -> anyhow::Result<Self> {
        let directory = directory()?;
        let requirements = directory.join("requirements.txt");
        let packages = fetched::python_packages(&fetched::cache("web")?, &requirements)?;
        Ok(Self { packages, directory })
    }
}

fn directory() -> anyhow::Result<PathBuf> {
    Ok(fetched::workspace()?.join("tests/web"))
}

/// That of the machine, else the package of Debian.
fn chromium() -> anyhow::Result<PathBuf> {
    if let Some(found) = BROWSERS.into_iter().find_map(on_path) {
        return Ok(found);
    }
    let needed = format!("one of {} on PATH, or apt-get as root", BROWSERS.join(", "));
    if on_path("apt-get").is_none() {
        bail!("{needed} is needed to test the page");
    }
    println!("installing the package chromium …");
    let apt = |words: &[&str]| {
        // Root needs no sudo, and has none in most containers.
        let plain = finish(&needed, Command::new("apt-get").args(words));
        plain.or_else(|_| finish(&needed, Command::new("sudo").args(["-n", "apt-get"]).args(words)))
    };
    apt(&["update", "--quiet"])?;
    apt(&["install", "--quiet", "--yes", "--no-install-recommends", "chromium"])?;
    on_path("chromium").with_context(|| format!("{needed} is needed to test the page"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let all = env::var_os("PATH")?;
    env::split_paths(&all).map(|dir| dir.join(program)).find(|file| file.is_file())
}
