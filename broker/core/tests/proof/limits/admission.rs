use broker_core::engine::admission::{Admission, AdmissionPolicy, Class, Joined, Ticket, WhenFull};
use broker_core::policy::Overload;
use proptest::prelude::*;
use schemas::DurationMs;

use crate::support::{at, request_id};

fn policy() -> AdmissionPolicy {
    Overload::standard().admission
}

fn ticket(number: u64, class: Class, deadline_ms: u64, came_ms: u64) -> Ticket {
    Ticket { request: request_id(number), class, deadline: at(deadline_ms), came: at(came_ms) }
}

/// So far away that nobody is in a hurry.
const FAR: u64 = 600_000;

fn crowd(queue: &mut Admission, policy: &AdmissionPolicy, class: Class, from: u64, count: u64) {
    for number in from..from + count {
        let joined = queue.join(ticket(number, class, FAR + number, 0), policy);
        assert_eq!(joined, Joined::Waits);
    }
}

fn served(queue: &mut Admission, policy: &AdmissionPolicy, count: usize) -> [usize; 3] {
    let mut served = [0; 3];
    for _ in 0..count {
        let Some(next) = queue.next(policy, at(0)) else { break };
        served[next.class as usize] += 1;
    }
    served
}

#[test]
fn under_saturation_each_class_gets_its_share() {
    let mut queue = Admission::default();
    let policy = policy();
    crowd(&mut queue, &policy, Class::Free, 0, 300);
    crowd(&mut queue, &policy, Class::Silver, 300, 300);
    crowd(&mut queue, &policy, Class::Gold, 600, 300);
    assert_eq!(served(&mut queue, &policy, 100), [50, 30, 20]);
}

#[test]
fn what_a_class_does_not_use_the_others_share() {
    let mut queue = Admission::default();
    let policy = policy();
    crowd(&mut queue, &policy, Class::Free, 0, 300);
    assert_eq!(served(&mut queue, &policy, 100), [0, 0, 100]);
    crowd(&mut queue, &policy, Class::Silver, 300, 300);
    let [_, silver, free] = served(&mut queue, &policy, 100);
    assert!((59..=61).contains(&silver), "silver {silver}, free {free}: nothing was saved up");
}

#[test]
fn the_nearest_deadline_goes_first_within_a_class_and_before_all_classes_when_it_is_near() {
    let mut queue = Admission::default();
    let policy = policy();
    queue.join(ticket(1, Class::Gold, FAR, 0), &policy);
    queue.join(ticket(2, Class::Gold, FAR - 1, 0), &policy);
    queue.join(ticket(3, Class::Free, 5_000, 0), &policy);
    let order: Vec<_> =
        std::iter::from_fn(|| queue.next(&policy, at(0)).map(|next| next.request)).collect();
    assert_eq!(order, [3, 2, 1].map(request_id));
}

#[test]
fn nobody_waits_longer_than_a_quarter_of_its_time() {
    let mut queue = Admission::default();
    let policy = policy();
    queue.join(ticket(1, Class::Gold, 4_000, 0), &policy);
    queue.join(ticket(2, Class::Gold, FAR, 0), &policy);
    assert_eq!(queue.next_give_up(), Some(at(1_000)));
    assert_eq!(queue.give_up(&policy, at(999)), None);
    assert_eq!(queue.give_up(&policy, at(1_000)).map(|gone| gone.request), Some(request_id(1)));
    assert_eq!(queue.next_give_up(), Some(at(2_000)));
    assert_eq!(queue.worn_permille(&policy, at(1_500)), 750);
}

#[test]
fn a_full_queue_does_what_it_was_told() {
    let full = |when_full| {
        let policy = AdmissionPolicy { waiting_max: 2, when_full, ..policy() };
        let mut queue = Admission::default();
        crowd(&mut queue, &policy, Class::Free, 1, 2);
        let joined = queue.join(ticket(9, Class::Gold, FAR, 0), &policy);
        (joined, queue.len())
    };
    assert_eq!(full(WhenFull::Retry), (Joined::TurnedAway, 2));
    assert_eq!(full(WhenFull::Delay), (Joined::Waits, 3));
    assert_eq!(full(WhenFull::Drop), (Joined::InsteadOf(request_id(2)), 2));
}

#[test]
fn with_the_worst_place_the_newcomer_itself_is_dropped() {
    let policy = AdmissionPolicy { waiting_max: 1, when_full: WhenFull::Drop, ..policy() };
    let mut queue = Admission::default();
    crowd(&mut queue, &policy, Class::Gold, 1, 1);
    let late = ticket(2, Class::Gold, FAR + 2, 0);
    assert_eq!(queue.join(late, &policy), Joined::TurnedAway);
}

fn class() -> impl Strategy<Value = Class> {
    (0_usize..3).prop_map(|index| Class::ALL[index])
}

fn when_full() -> impl Strategy<Value = WhenFull> {
    prop_oneof![Just(WhenFull::Drop), Just(WhenFull::Delay), Just(WhenFull::Retry)]
}

proptest! {
    #[test]
    fn everybody_leaves_once_and_nobody_after_its_patience(
        waiting_max in 1_usize..20, when_full in when_full(),
        steps in proptest::collection::vec((class(), 1_u64..60_000, any::<bool>(), 0_u64..300), 1..300),
    ) {
        let policy = AdmissionPolicy { waiting_max, when_full, ..policy() };
        let mut queue = Admission::default();
        let (mut now, mut inside) = (0, std::collections::BTreeMap::new());
        for (number, (class, life, serve, passed)) in (1..).zip(steps) {
            now += passed;
            while let Some(gone) = queue.give_up(&policy, at(now)) {
                prop_assert!(inside.remove(&gone.request).is_some());
            }
            for ticket in inside.values() {
                let ticket: &Ticket = ticket;
                prop_assert!(ticket.patience_ends(&policy) > at(now));
            }
            let newcomer = ticket(number, class, now + life, now);
            match queue.join(newcomer, &policy) {
                Joined::Waits => { inside.insert(newcomer.request, newcomer); }
                Joined::InsteadOf(gone) => {
                    prop_assert!(inside.remove(&gone).is_some());
                    inside.insert(newcomer.request, newcomer);
                }
                Joined::TurnedAway => {}
            }
            if serve && let Some(next) = queue.next(&policy, at(now)) {
                prop_assert!(inside.remove(&next.request).is_some());
                let urgent = at(now).saturating_add(policy.urgent);
                let nearest = inside.values().map(|ticket| ticket.deadline).min();
                let outranked = nearest.is_some_and(|at| at <= urgent && at < next.deadline);
                prop_assert!(!outranked, "a deadline outranks fairness");
            }
            prop_assert_eq!(queue.len(), inside.len());
            prop_assert!(when_full == WhenFull::Delay || queue.len() <= waiting_max);
        }
    }

    #[test]
    fn no_class_that_waits_starves(
        counts in proptest::array::uniform3(1_u64..100), shares in proptest::array::uniform3(1_u32..100),
    ) {
        let policy = AdmissionPolicy {
            shares, waiting_max: 1000, patience_max: DurationMs(u64::MAX), ..policy()
        };
        let mut queue = Admission::default();
        let mut number = 0;
        for (class, count) in Class::ALL.into_iter().zip(counts) {
            for _ in 0..count {
                number += 1;
                queue.join(ticket(number, class, FAR, 0), &policy);
            }
        }
        let all: u32 = shares.iter().sum();
        let mut left = counts;
        let mut taken = [0_u64; 3];
        for turn in 1_u64.. {
            let Some(next) = queue.next(&policy, at(0)) else { break };
            left[next.class as usize] -= 1;
            taken[next.class as usize] += 1;
            for class in Class::ALL.into_iter().filter(|class| left[*class as usize] > 0) {
                let fair = turn * u64::from(shares[class as usize]) / u64::from(all);
                let had = taken[class as usize];
                prop_assert!(had + 3 >= fair, "{class:?} had {had} of {fair} after {turn}");
            }
        }
        prop_assert_eq!(left, [0; 3]);
    }
}
