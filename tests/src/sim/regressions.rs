//! Runs that once showed a mistake, kept as text with its cause: they must stay clean.

use std::path::{Path, PathBuf};

use super::script::{Case, CaseError};

/// One kept run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regression {
    pub name: String,
    /// The mistake, in one line.
    pub cause: String,
    /// What it was a mistake of: product, auditor or simulator.
    pub found: String,
    pub case: Case,
}

/// Why a file is no kept run.
#[derive(Debug, thiserror::Error)]
pub enum RegressionError {
    #[error("the kept runs in {path} cannot be read")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{name} has no line `# {word}: …`")]
    Untold { name: String, word: &'static str },
    #[error("{name} cannot be replayed")]
    Case { name: String, source: CaseError },
}

/// Where they are kept.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sim/regressions")
}

/// All kept runs, by name.
///
/// # Errors
/// A file that cannot be read, has no cause or is no run.
pub fn all() -> Result<Vec<Regression>, RegressionError> {
    let path = directory();
    let failed = |source| RegressionError::Read { path: path.clone(), source };
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "txt") {
            let text = std::fs::read_to_string(&file).map_err(failed)?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            kept.push(parse(name, &text)?);
        }
    }
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(kept)
}

/// One kept run.
///
/// # Errors
/// See [`all`].
pub fn parse(name: String, text: &str) -> Result<Regression, RegressionError> {
    let cause = told(&name, text, "cause")?;
    let found = told(&name, text, "found")?;
    match Case::parse(text) {
        Ok(case) => Ok(Regression { name, cause, found, case }),
        Err(source) => Err(RegressionError::Case { name, source }),
    }
}

fn told(name: &str, text: &str, word: &'static str) -> Result<String, RegressionError> {
    let start = format!("# {word}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let said = line.map(str::trim).filter(|said| !said.is_empty());
    let untold = || RegressionError::Untold { name: name.to_owned(), word };
    said.map(str::to_owned).ok_or_else(untold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_run_says_what_was_wrong_and_how_to_see_it() {
        let text = "# cause: a copy was taken for an order\n# found: product\nseed 5\n";
        let kept = parse("copy".to_owned(), text).unwrap();
        assert_eq!(kept.cause, "a copy was taken for an order");
        assert_eq!((kept.found.as_str(), kept.case), ("product", Case::Seed(5)));
    }

    #[test]
    fn a_run_without_a_cause_is_not_kept() {
        let error = parse("x".to_owned(), "# found: product\nseed 5\n").unwrap_err();
        assert_eq!(error.to_string(), "x has no line `# cause: …`");
    }
}
