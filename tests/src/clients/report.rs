//! The table: one row per run of an example.

/// Verdicts, printed as they come.
#[derive(Debug, Default)]
pub(super) struct Report {
    failures: usize,
}

impl Report {
    pub(super) fn row(&mut self, example: &str, what: &str, verdict: Result<String, String>) {
        let (word, detail) = match verdict {
            Ok(detail) => ("ok", detail),
            Err(detail) => {
                self.failures += 1;
                ("FAILED", detail)
            }
        };
        println!("{example:<15} {what:<34} {word:<7} {detail}");
    }

    /// Something that cannot be done here, and why.
    pub(super) fn not_run(&self, example: &str, what: &str, why: &str) {
        println!("{example:<15} {what:<34} {:<7} {why}", "not run");
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.failures == 0
    }
}
