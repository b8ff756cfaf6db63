//! Hours pass in milliseconds: a mail server or an endpoint that is down for long, with the plan, the
//! breaker and the schedules as they are shipped.

use std::collections::BTreeMap;

use schemas::id::MessageId;
use schemas::{CustomerId, DurationMs, Timestamp};

use super::*;
use crate::config::{EmailConfig, NotifierConfig};
use crate::key::DeliveryId;
use crate::schedule::next_due;

const MINUTE: u64 = 60_000;
/// One attempt, whatever it ends in.
const ATTEMPT_MS: u64 = 50;

/// Most attempts of one delivery, attempts in all, and when the last was delivered.
struct Outage {
    attempts_max: u16,
    attempts: usize,
    last_delivered: u64,
}

/// `count` deliveries are due at once; until `up` the receiver fails.
fn outage(channel: Channel, schedule: &[DurationMs], count: u32, up: u64) -> Outage {
    let config = NotifierConfig::default();
    let mut agenda = Agenda::new(AgendaLimits {
        places: config.concurrency_max,
        webhook_places: config.webhook.endpoint_concurrency_max,
        mail_places: 4,
        breaker: BreakerLimits { failures: config.breaker_failures, open: config.breaker_open_ms },
    });
    let mut attempts: BTreeMap<DeliveryKey, u16> = BTreeMap::new();
    for n in 0..count {
        let id = DeliveryId::of(&MessageId::parse(&format!("n-{n}")).unwrap(), channel);
        let key = DeliveryKey { customer: CustomerId::parse("ann").unwrap(), channel, id };
        agenda.learn(&key, Place { revision: 1, due: Some(Timestamp::ZERO) });
        attempts.insert(key, 0);
    }
    let (mut now, mut revision, mut delivered, mut all) = (0, 1, 0, 0);
    while let Some(wake) = agenda.wake_at() {
        now = wake.as_unix_ms().max(now);
        let at = Timestamp::from_unix_ms(now);
        let begun: Vec<DeliveryKey> =
            std::iter::from_fn(|| agenda.take(at)).map(|(key, _)| key).collect();
        now += ATTEMPT_MS;
        let at = Timestamp::from_unix_ms(now);
        for key in begun {
            (revision, all) = (revision + 1, all + 1);
            let tried = attempts.get_mut(&key).unwrap();
            *tried += 1;
            let (due, verdict) = if now < up {
                let due = next_due(schedule, *tried, &key.id, None, at);
                (Some(due.expect("no delivery runs out of attempts")), Verdict::Fails)
            } else {
                delivered += 1;
                (None, Verdict::Works)
            };
            agenda.done(&key, Ok(Place { revision, due }), verdict, at);
        }
    }
    assert_eq!(delivered, count, "every delivery arrives");
    let attempts_max = attempts.into_values().max().unwrap();
    Outage { attempts_max, attempts: all, last_delivered: now }
}

#[test]
fn a_mail_server_that_is_down_for_an_hour_loses_nothing_and_is_not_hammered() {
    let schedule = EmailConfig::new("mail", "a@b.c").schedule_ms;
    let up = 60 * MINUTE;
    for count in [1, 10, 1000] {
        let seen = outage(Channel::Email, &schedule, count, up);
        assert!(seen.attempts_max < 8, "{count}: {} of 12 attempts", seen.attempts_max);
        // One try each half minute, and the first few.
        let tries = seen.attempts - usize::try_from(count).unwrap();
        assert!(tries <= 130, "{count}: {tries} attempts were in vain");
        let late = seen.last_delivered - up;
        assert!(late <= 75 * MINUTE, "{count}: the last one came {late} ms after the server");
    }
}

#[test]
fn an_endpoint_that_is_down_for_two_days_gets_everything_in_the_end() {
    let schedule = NotifierConfig::default().webhook.schedule_ms;
    for count in [1, 1000] {
        let seen = outage(Channel::Webhook, &schedule, count, 48 * 60 * MINUTE);
        assert!(seen.attempts_max <= 10, "{count}: {}", seen.attempts_max);
    }
}
