//! What a measurement is worth: a broker that breaks its promises may be as fast as it likes.

use tests::auditor::{Evidence, audit};

/// Prints the auditor's verdict in one line; a broken promise is an error with all of it.
pub(crate) fn judge(evidence: &Evidence) -> anyhow::Result<()> {
    let verdict = audit(evidence);
    println!("  audit of {} requests: {}", evidence.heads.len(), verdict.summary());
    anyhow::ensure!(verdict.is_clean(), "a promise was broken\n{verdict}");
    Ok(())
}
