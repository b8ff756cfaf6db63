//! Which binaries play the parts. A test binary finds them through `CARGO_BIN_EXE_…`; the demo is
//! all of them in one and starts itself again under another role.

use std::path::PathBuf;
use std::process::Command;

/// One executable and the words before its own arguments.
#[derive(Debug, Clone)]
pub struct Program {
    pub executable: PathBuf,
    pub leading: Vec<String>,
}

impl Program {
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self { executable: executable.into(), leading: Vec::new() }
    }

    /// The same executable in another role.
    #[must_use]
    pub fn role(mut self, word: &str) -> Self {
        self.leading.push(word.to_owned());
        self
    }

    pub(super) fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.leading).args(arguments);
        command
    }
}

/// The two programs under test. In an integration test of this package: `tests::programs!()`.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Understands `serve --config FILE`.
    pub broker: Program,
    /// Understands `serve --config FILE`.
    pub partner_sim: Program,
}

impl Programs {
    pub fn at(broker: impl Into<PathBuf>, partner_sim: impl Into<PathBuf>) -> Self {
        Self { broker: Program::new(broker), partner_sim: Program::new(partner_sim) }
    }
}

/// The thin binaries that cargo built beside the calling integration test.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::harness::Programs::at(
            env!("CARGO_BIN_EXE_test-broker"),
            env!("CARGO_BIN_EXE_test-partner-sim"),
        )
    };
}
