use proptest::prelude::*;
use schemas::id::MessageId;
use schemas::{CustomerId, DurationMs};

use super::*;
use crate::key::DeliveryId;

const LIMITS: AgendaLimits = AgendaLimits {
    places: 4,
    webhook_places: 2,
    mail_places: 3,
    breaker: BreakerLimits { failures: 2, open: DurationMs(1000) },
};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn key_of(channel: Channel, customer: &str, n: u32) -> DeliveryKey {
    let id = DeliveryId::of(&MessageId::parse(&format!("{customer}-{n}")).unwrap(), channel);
    DeliveryKey { customer: CustomerId::parse(customer).unwrap(), channel, id }
}

fn key(customer: &str, n: u32) -> DeliveryKey {
    key_of(Channel::Webhook, customer, n)
}

fn due(ms: u64) -> Place {
    Place { revision: 1, due: Some(at(ms)) }
}

const OVER: Result<Place, Timestamp> = Ok(Place { revision: 9, due: None });

fn agenda(keys: &[(DeliveryKey, u64)]) -> Agenda {
    let mut agenda = Agenda::new(LIMITS);
    for (key, ms) in keys {
        agenda.learn(key, due(*ms));
    }
    agenda
}

/// Everything that may go now.
fn taken(agenda: &mut Agenda, now: u64) -> Vec<DeliveryKey> {
    std::iter::from_fn(|| agenda.take(at(now))).map(|(key, _)| key).collect()
}

#[test]
fn what_is_due_is_taken_in_the_order_of_its_time_and_not_before() {
    let mut agenda = agenda(&[(key("ann", 1), 20), (key("bob", 1), 10), (key("eve", 1), 30)]);
    assert_eq!(agenda.wake_at(), Some(at(10)));
    assert_eq!(taken(&mut agenda, 9), []);
    assert_eq!(taken(&mut agenda, 20), [key("bob", 1), key("ann", 1)]);
    assert_eq!(agenda.wake_at(), Some(at(30)));
}

#[test]
fn one_endpoint_has_only_its_few_places() {
    let mut agenda =
        agenda(&[(key("ann", 1), 1), (key("ann", 2), 2), (key("ann", 3), 3), (key("bob", 1), 4)]);
    assert_eq!(taken(&mut agenda, 10), [key("ann", 1), key("ann", 2), key("bob", 1)]);
    agenda.done(&key("ann", 1), OVER, Verdict::Works, at(11));
    assert_eq!(taken(&mut agenda, 11), [key("ann", 3)]);
}

#[test]
fn the_mail_server_is_one_endpoint_for_all_customers() {
    let keys = ["ann", "bob", "eve", "zoe"].map(|who| (key_of(Channel::Email, who, 1), 1));
    let mut agenda = agenda(&keys);
    assert_eq!(taken(&mut agenda, 1).len(), LIMITS.mail_places);
}

#[test]
fn endpoints_that_fail_take_at_most_half_of_the_places() {
    let mut agenda = Agenda::new(LIMITS);
    let bad = ["b1", "b2", "b3", "b4"];
    for who in bad {
        agenda.learn(&key(who, 1), due(1));
        agenda.learn(&key(who, 2), due(5));
    }
    for _ in 0..4 {
        let (first, _) = agenda.take(at(2)).unwrap();
        agenda.done(&first, Err(at(900)), Verdict::Fails, at(2));
    }
    assert_eq!(taken(&mut agenda, 10).len(), 2, "suspects have one place each, two in all");
    agenda.learn(&key("good", 1), due(10));
    agenda.learn(&key("good", 2), due(10));
    assert_eq!(taken(&mut agenda, 10), [key("good", 1), key("good", 2)]);
}

#[test]
fn an_open_breaker_postpones_everything_of_its_endpoint_and_lets_one_try() {
    let mut agenda = agenda(&[(key("ann", 1), 1), (key("ann", 2), 2), (key("ann", 3), 3)]);
    let both = taken(&mut agenda, 5);
    assert_eq!(agenda.done(&both[0], Err(at(7)), Verdict::Fails, at(6)), Switch::None);
    assert_eq!(agenda.done(&both[1], Err(at(8)), Verdict::Fails, at(7)), Switch::Opened);
    assert_eq!(taken(&mut agenda, 1006), []);
    assert_eq!(agenda.wake_at(), Some(at(1007)));
    let tries = taken(&mut agenda, 1007);
    assert_eq!(tries.len(), 1);
    assert_eq!(agenda.done(&tries[0], OVER, Verdict::Works, at(1010)), Switch::Closed);
    assert_eq!(taken(&mut agenda, 1010).len(), 2);
}

#[test]
fn old_news_changes_nothing_and_new_news_does() {
    let mut agenda = agenda(&[(key("ann", 1), 10)]);
    agenda.learn(&key("ann", 1), Place { revision: 1, due: Some(at(5)) });
    assert_eq!(agenda.wake_at(), Some(at(10)));
    agenda.learn(&key("ann", 1), Place { revision: 2, due: Some(at(5)) });
    assert_eq!(agenda.wake_at(), Some(at(5)));
    agenda.learn(&key("ann", 1), Place { revision: 3, due: None });
    assert_eq!((agenda.wake_at(), agenda.len()), (None, 0));
}

#[test]
fn what_is_under_way_is_not_taken_twice_whatever_the_bucket_says() {
    let mut agenda = agenda(&[(key("ann", 1), 1)]);
    assert_eq!(agenda.take(at(1)), Some((key("ann", 1), 1)));
    agenda.learn(&key("ann", 1), Place { revision: 2, due: Some(at(1)) });
    agenda.forget_waiting();
    assert_eq!(agenda.take(at(1)), None);
    let again = Ok(Place { revision: 3, due: Some(at(50)) });
    agenda.done(&key("ann", 1), again, Verdict::Works, at(2));
    assert_eq!(agenda.take(at(50)), Some((key("ann", 1), 3)));
}

#[test]
fn a_replay_that_comes_before_our_own_end_is_not_overlooked() {
    let mut agenda = agenda(&[(key("ann", 1), 1)]);
    agenda.take(at(1)).unwrap();
    agenda.learn(&key("ann", 1), Place { revision: 2, due: Some(at(30_000)) });
    agenda.learn(&key("ann", 1), Place { revision: 3, due: None });
    agenda.learn(&key("ann", 1), Place { revision: 4, due: Some(at(7)) });
    agenda.done(&key("ann", 1), Ok(Place { revision: 3, due: None }), Verdict::Works, at(5));
    assert_eq!(agenda.take(at(7)), Some((key("ann", 1), 4)));
}

#[test]
fn a_busy_endpoint_is_left_alone_and_others_are_not() {
    let mut agenda = agenda(&[(key("ann", 1), 1), (key("ann", 2), 50), (key("bob", 1), 60)]);
    let (first, _) = agenda.take(at(1)).unwrap();
    agenda.done(&first, OVER, Verdict::Busy { until: at(5000) }, at(2));
    assert_eq!(taken(&mut agenda, 100), [key("bob", 1)]);
    assert_eq!(taken(&mut agenda, 5000), [key("ann", 2)]);
}

#[derive(Debug, Clone)]
enum Step {
    Learn { who: u8, n: u8, due: Option<u16> },
    Take,
    Done { verdict: u8, again: Option<u16> },
    Pass(u16),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 0..4u8, prop::option::weighted(0.8, 0..3000u16))
            .prop_map(|(who, n, due)| Step::Learn { who, n, due }),
        4 => Just(Step::Take),
        3 => (0..4u8, prop::option::of(0..3000u16))
            .prop_map(|(verdict, again)| Step::Done { verdict, again }),
        2 => (1..2000u16).prop_map(Step::Pass),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    /// Whatever happens, limits hold, and in the end everything that is planned goes out.
    #[test]
    fn no_limit_is_broken_and_nothing_is_forgotten(steps in prop::collection::vec(step(), 1..120)) {
        let names = ["ann", "bob", "eve", "zoe"];
        let mut agenda = Agenda::new(LIMITS);
        let (mut now, mut revision) = (0_u64, 1_u64);
        let mut under_way: Vec<DeliveryKey> = Vec::new();
        for step in steps {
            revision += 1;
            match step {
                Step::Learn { who, n, due } => {
                    let channel = if n % 2 == 0 { Channel::Webhook } else { Channel::Email };
                    let key = key_of(channel, names[usize::from(who)], n.into());
                    let due = due.map(|ms| at(now + u64::from(ms)));
                    agenda.learn(&key, Place { revision, due });
                }
                Step::Take => {
                    if let Some((key, _)) = agenda.take(at(now)) {
                        prop_assert!(!under_way.contains(&key));
                        under_way.push(key);
                    }
                }
                Step::Done { verdict, again } => {
                    if let Some(key) = under_way.pop() {
                        let verdict = [
                            Verdict::Works,
                            Verdict::Fails,
                            Verdict::Unknown,
                            Verdict::Busy { until: at(now + 500) },
                        ][usize::from(verdict)];
                        let due = again.map(|ms| at(now + u64::from(ms)));
                        agenda.done(&key, Ok(Place { revision, due }), verdict, at(now));
                    }
                }
                Step::Pass(ms) => now += u64::from(ms),
                Step::Forget => agenda.forget_waiting(),
            }
            prop_assert_eq!(agenda.under_way(), under_way.len());
            prop_assert!(agenda.under_way() <= LIMITS.places);
        }
        for key in under_way.drain(..) {
            agenda.done(&key, OVER, Verdict::Works, at(now));
        }
        let planned = agenda.len();
        let mut sent = 0;
        while let Some(wake) = agenda.wake_at() {
            now = now.max(wake.as_unix_ms());
            let (key, _) = agenda.take(at(now)).expect("something is due when it says so");
            agenda.done(&key, OVER, Verdict::Works, at(now));
            sent += 1;
        }
        prop_assert_eq!(sent, planned);
        prop_assert!(agenda.is_empty());
        prop_assert_eq!(agenda.suspects_under_way, 0);
    }
}
