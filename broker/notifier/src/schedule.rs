//! When to try again.

use schemas::{DurationMs, Timestamp};

use crate::key::DeliveryId;

/// A pause is prolonged by up to this part of it.
const JITTER_DIVISOR: u64 = 5;

/// When attempt `attempts + 1` is due after attempt `attempts` ended at `now`; `None` after the
/// last. An endpoint may ask for a longer pause, not for a shorter one.
///
/// What is added to the pause comes from the id: the same delivery waits as long wherever it is
/// computed, and many that failed together do not come back together.
pub fn next_due(
    schedule: &[DurationMs],
    attempts: u16,
    id: &DeliveryId,
    asked: Option<DurationMs>,
    now: Timestamp,
) -> Option<Timestamp> {
    let pause = schedule.get(usize::from(attempts))?.as_ms();
    let span = pause / JITTER_DIVISOR;
    let jitter = if span == 0 { 0 } else { dice(id, attempts) % span };
    let pause = DurationMs(pause.saturating_add(jitter)).max(asked.unwrap_or_default());
    Some(now.saturating_add(pause))
}

fn dice(id: &DeliveryId, attempts: u16) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(id.as_str().as_bytes()).update(&attempts.to_le_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::id::MessageId;

    use super::*;
    use crate::config::WebhookConfig;
    use crate::key::Channel;

    fn id(n: u32) -> DeliveryId {
        DeliveryId::of(&MessageId::parse(&format!("n-{n}")).unwrap(), Channel::Webhook)
    }

    const NOW: Timestamp = Timestamp::from_unix_ms(1_000_000);

    #[test]
    fn after_the_last_pause_there_is_no_attempt() {
        let schedule = WebhookConfig::default().schedule_ms;
        let due = |attempts| next_due(&schedule, attempts, &id(1), None, NOW);
        assert_eq!(due(0), Some(NOW));
        assert!((1..10).all(|attempts| due(attempts).is_some()));
        assert_eq!((due(10), due(u16::MAX)), (None, None));
    }

    #[test]
    fn an_endpoint_can_ask_for_a_longer_pause_only() {
        let schedule = [DurationMs::ZERO, DurationMs(10_000)];
        let due = |asked| next_due(&schedule, 1, &id(1), Some(DurationMs(asked)), NOW).unwrap();
        assert_eq!(due(60_000), NOW.saturating_add(DurationMs(60_000)));
        assert!(due(1) >= NOW.saturating_add(DurationMs(10_000)));
    }

    #[test]
    fn deliveries_that_failed_together_do_not_come_back_together() {
        let schedule = [DurationMs::ZERO, DurationMs::from_secs(300)];
        let due = |n| next_due(&schedule, 1, &id(n), None, NOW).unwrap();
        let times: std::collections::BTreeSet<_> = (0..100).map(due).collect();
        assert!(times.len() > 90, "{}", times.len());
    }

    proptest! {
        #[test]
        fn a_pause_is_at_most_a_fifth_longer(n: u32, pause in 0..1_000_000_000_u64) {
            let due = next_due(&[DurationMs(pause)], 0, &id(n), None, NOW).unwrap();
            let waited = due.since(NOW).as_ms();
            prop_assert!(pause <= waited && waited <= pause + pause / 5);
        }
    }
}
