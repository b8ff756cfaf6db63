//! Named points at which a test may kill the process: `CRASH_AT=store.after_commit:3` aborts at
//! the third time the point is reached. Costs one load of a static when unset.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that arms one point, as `name:n` (n from 1).
pub const CRASH_AT: &str = "CRASH_AT";

/// One place in the code. Only the list below makes them, so every point has a listed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint(&'static str);

macro_rules! points {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: CrashPoint = CrashPoint($text);)*

        /// Every point, for the suite that proves each one is reached and recovered from.
        pub const ALL: &[CrashPoint] = &[$($name,)*];
    };
}

points! {
    /// The group is collected; nothing of it is on disk.
    STORE_BEFORE_COMMIT = "store.before_commit";
    /// The group is durable; nobody has been told.
    STORE_AFTER_COMMIT = "store.after_commit";
    /// Some writers of the group have been told, others not.
    STORE_BETWEEN_ACKS = "store.between_acks";
    /// A batch is durable; neither engine nor egress knows yet.
    DRIVER_AFTER_COMMIT = "driver.after_commit";
    /// A message of a stream is decided; the server does not know yet.
    INGRESS_BEFORE_ACK = "ingress.before_ack";
    /// A call of the micro service is decided; the caller does not know yet.
    SERVICE_BEFORE_REPLY = "service.before_reply";
    /// A row is durable and about to be sent.
    EGRESS_BEFORE_PUBLISH = "egress.before_publish";
    /// A row was sent; its acknowledgement is not in.
    EGRESS_AFTER_PUBLISH = "egress.after_publish";
    /// Rows are acknowledged; the cursor is not durable yet.
    EGRESS_BEFORE_CURSOR = "egress.before_cursor";
}

impl CrashPoint {
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Why the value of `CRASH_AT` arms nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{CRASH_AT} must be <name>:<n> with n from 1 and one of the names {}: got {got:?}",
    names()
)]
pub struct CrashAtError {
    got: String,
}

fn names() -> String {
    ALL.iter().map(|point| point.name()).collect::<Vec<_>>().join(", ")
}

#[derive(Debug)]
struct Armed {
    point: CrashPoint,
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Reads `CRASH_AT` once. Call it at start: a misspelt name would make a crash test pass without
/// a crash.
pub fn arm_from_env() -> Result<(), CrashAtError> {
    let armed = match std::env::var(CRASH_AT) {
        Ok(text) => Some(parse(&text)?),
        Err(_) => None,
    };
    ARMED.get_or_init(|| armed);
    Ok(())
}

fn parse(text: &str) -> Result<Armed, CrashAtError> {
    let wrong = || CrashAtError { got: text.to_owned() };
    let (name, nth) = text.split_once(':').ok_or_else(wrong)?;
    let point = *ALL.iter().find(|point| point.name() == name).ok_or_else(wrong)?;
    let nth: u64 = nth.parse().map_err(|_| wrong())?;
    if nth == 0 {
        return Err(wrong());
    }
    Ok(Armed { point, left: AtomicU64::new(nth) })
}

/// Aborts here if this point is armed and its time has come.
pub fn point(here: CrashPoint) {
    let Some(Some(armed)) = ARMED.get() else { return };
    if armed.point == here && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        eprintln!("crash point {} reached", here.name());
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_each_can_be_armed() {
        for (i, point) in ALL.iter().enumerate() {
            assert!(!ALL[..i].contains(point), "{} twice", point.name());
            assert_eq!(parse(&format!("{}:2", point.name())).unwrap().point, *point);
        }
    }

    #[test]
    fn a_misspelt_value_is_refused_with_the_list_of_names() {
        for bad in ["store.before_comit:1", "store.before_commit", "store.before_commit:0", ""] {
            let text = parse(bad).unwrap_err().to_string();
            assert!(text.contains("store.after_commit"), "{text}");
        }
    }
}
