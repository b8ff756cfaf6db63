//! A store that is not the latest state of its life is known by what that life has sent.

use broker::store::rollback::{LastWord, check};
use broker::store::{FjallStore, Incarnation, Store, StoreError};

use crate::rig::{INCARNATION, options};
use crate::samples::{create, id, write};

fn word(id: String, cursor: u64) -> LastWord {
    LastWord { stream: "PURCHASE_EVENTS", id, cursor: Some(cursor) }
}

fn judged(words: &[LastWord]) -> Result<(), StoreError> {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    store.commit((0..3).map(|n| write(create(n))).collect()).unwrap();
    let (reader, meta) = (store.reader(), store.reader().meta().unwrap());
    assert_eq!(meta.outbox_last.0, 6);
    check(reader.as_ref(), &meta, words)
}

#[test]
fn a_store_that_knows_what_it_sent_may_go_on() {
    let known = (0..3).map(|n| word(format!("{INCARNATION}-{}-1-0", id(n)), 6));
    judged(&known.collect::<Vec<_>>()).unwrap();
    judged(&[word(format!("{INCARNATION}-dead-6"), 0)]).unwrap();
    judged(&[]).unwrap();
}

#[test]
fn the_messages_of_other_lives_and_of_others_say_nothing() {
    let other = Incarnation(INCARNATION.0 + 1);
    judged(&[word(format!("{other}-{}-9-0", id(8)), 99)]).unwrap();
    judged(&[word("whoever-1".to_owned(), 99)]).unwrap();
}

#[test]
fn a_message_that_the_store_does_not_know_proves_that_it_is_old() {
    for unknown in [
        word(format!("{INCARNATION}-{}-1-0", id(3)), 0),
        word(format!("{INCARNATION}-{}-2-0", id(1)), 0),
        word(format!("{INCARNATION}-dead-7"), 0),
        word(format!("{INCARNATION}-{}-1-0", id(1)), 7),
    ] {
        let refused = judged(std::slice::from_ref(&unknown)).unwrap_err();
        assert!(matches!(&refused, StoreError::Older { message, .. } if *message == unknown.id));
    }
}
