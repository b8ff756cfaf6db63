//! Named points at which a test may kill the process: `CRASH_AT=store.after_commit:3` aborts at
//! the third time the point is reached. `PANIC_AT=PURCHASE_CREATES:5` makes one message poison: the
//! engine panics whenever it is to decide it. Each costs one load of a static when unset.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use broker_core::batch::{SourceStream, StreamPosition};

/// Environment variable that arms one point, as `name:n` (n from 1).
pub const CRASH_AT: &str = "CRASH_AT";
/// Environment variable that names one message, as `stream:sequence`.
pub const PANIC_AT: &str = "PANIC_AT";

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

/// Why a value arms nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrashAtError {
    #[error(
        "{CRASH_AT} must be <name>:<n> with n from 1 and one of the names {}: got {got:?}",
        names()
    )]
    Point { got: String },
    #[error("{PANIC_AT} must be <stream>:<sequence> with a stream that is read: got {got:?}")]
    Message { got: String },
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
static POISON: OnceLock<Option<StreamPosition>> = OnceLock::new();

/// Reads `CRASH_AT` and `PANIC_AT` once. Call it at start: a misspelt name would make a crash test
/// pass without a crash.
pub fn arm_from_env() -> Result<(), CrashAtError> {
    let armed = match std::env::var(CRASH_AT) {
        Ok(text) => Some(parse(&text)?),
        Err(_) => None,
    };
    ARMED.get_or_init(|| armed);
    let poison = match std::env::var(PANIC_AT) {
        Ok(text) => Some(parse_message(&text)?),
        Err(_) => None,
    };
    POISON.get_or_init(|| poison);
    Ok(())
}

fn parse(text: &str) -> Result<Armed, CrashAtError> {
    let wrong = || CrashAtError::Point { got: text.to_owned() };
    let (name, nth) = text.split_once(':').ok_or_else(wrong)?;
    let point = *ALL.iter().find(|point| point.name() == name).ok_or_else(wrong)?;
    let nth: u64 = nth.parse().map_err(|_| wrong())?;
    if nth == 0 {
        return Err(wrong());
    }
    Ok(Armed { point, left: AtomicU64::new(nth) })
}

fn parse_message(text: &str) -> Result<StreamPosition, CrashAtError> {
    let wrong = || CrashAtError::Message { got: text.to_owned() };
    let (name, sequence) = text.split_once(':').ok_or_else(wrong)?;
    let stream = SourceStream::ALL.into_iter().find(|stream| stream.name() == name);
    let sequence = sequence.parse().map_err(|_| wrong())?;
    Ok(StreamPosition { stream: stream.ok_or_else(wrong)?, sequence })
}

/// Panics if the message in hand is the poison that was named.
pub fn panic_point(in_hand: Option<StreamPosition>) {
    let Some(Some(poison)) = POISON.get() else { return };
    assert_ne!(in_hand, Some(*poison), "the poison that {PANIC_AT} names is in hand");
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
    fn a_message_is_named_by_its_stream_and_sequence() {
        let position = parse_message("PARTNER_REPLIES:12").unwrap();
        assert_eq!((position.stream, position.sequence), (SourceStream::PartnerReplies, 12));
        for bad in ["PARTNER_REPLIES", "DEAD_LETTERS:1", "PARTNER_REPLIES:", ""] {
            assert!(parse_message(bad).is_err(), "{bad}");
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
