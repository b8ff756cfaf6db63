//! The small parts that others build on: timers by number and the directory.

use broker_core::partner::Partners;
use broker_core::timer::TimerKind;
use schemas::Digest;

use crate::support::{partner, plain};

#[test]
fn a_timer_is_known_by_the_number_it_is_stored_under() {
    let numbers: Vec<_> = TimerKind::ALL.iter().map(|kind| kind.number()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    for kind in TimerKind::ALL {
        assert_eq!(TimerKind::from_number(kind.number()), Some(kind));
    }
    assert_eq!(TimerKind::from_number(5), None);
}

#[test]
fn a_directory_counts_and_finds_its_partners() {
    let version = Digest::of(b"two");
    let two = Partners::new(vec![plain("a"), plain("b")], version);
    assert_eq!((two.len(), two.is_empty(), two.version()), (2, false, version));
    let index = two.index_of(&partner("b")).unwrap();
    assert_eq!(two.at(index).id, partner("b"));
    assert_eq!(two.index_of(&partner("c")), None);
    assert!(Partners::default().is_empty());
}
