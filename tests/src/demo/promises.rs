//! The ledger check at the end, promise by promise.

use super::paint::Paint;
use crate::auditor::{Evidence, Promise, Verdict};

/// Prints what the auditor found.
pub(super) fn print(verdict: &Verdict, evidence: &Evidence, paint: Paint) {
    println!("\n{}", paint.bold("The promises, checked against everybody's ledgers"));
    let (orders, payments) = (evidence.partners.orders.len(), evidence.payments.payments.len());
    let sources = format!(
        "{} commands sent, {} audited commits, {orders} orders, {payments} payments, {} messages",
        evidence.sent.len(),
        evidence.log.len(),
        evidence.messages.len()
    );
    println!("{}\n", paint.dim(&sources));
    for promise in Promise::ALL {
        let checks: Vec<_> = verdict.of(promise).collect();
        let kept = checks.iter().all(|check| check.violations.is_empty());
        let mark = if kept { paint.green("kept  ") } else { paint.red("BROKEN") };
        let name = paint.bold(promise.label());
        println!("{mark} {name} {}", promise.says());
        for check in checks {
            let line = format!("{:<27} {} ({} examined)", check.name, check.says, check.examined);
            println!("          {}", paint.dim(&line));
            for violation in &check.violations {
                let request =
                    violation.request.map_or(String::new(), |id| format!("request {id}: "));
                println!("          {}", paint.red(&format!("✗ {request}{}", violation.said)));
            }
        }
    }
    if let Some(timeline) = &verdict.timeline {
        println!("\nEverything known about the first offending request:\n{timeline}");
    }
}
