use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: &str = "A";
const B: &str = "B";

#[test]
fn rows_are_first_sent_in_order_and_only_so_many_at_once() {
    let now = Instant::now();
    let mut window = window(2);
    assert_eq!(send_all(&mut window, &[1, 2, 3], now), [1, 2]);
    window.stored(1);
    assert_eq!(drain(&mut window, now), [3]);
}

#[test]
fn the_cursor_stops_before_the_first_open_row() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2, 3], now);
    window.stored(2);
    window.stored(3);
    assert_eq!(window.cursor(), 0);
    window.stored(1);
    assert_eq!(window.cursor(), 3);
    assert!(window.is_empty());
}

#[test]
fn silence_means_the_same_row_again() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2], now);
    window.stored(1);
    let later = now + ACK_TIMEOUT;
    assert_eq!(window.time_out(later - TICK), 0);
    assert_eq!(window.time_out(later), 1);
    assert_eq!(drain(&mut window, later), [2]);
    assert_eq!(window.time_out(later), 0);
    assert_eq!(window.time_out(later + ACK_TIMEOUT), 1);
}

#[test]
fn a_late_ack_of_an_earlier_copy_settles_the_row() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1], now);
    window.time_out(now + ACK_TIMEOUT);
    assert!(window.stored(1).is_some());
    assert_eq!((window.cursor(), window.in_flight()), (1, 0));
    assert!(window.stored(1).is_none());
}

#[test]
fn a_refused_row_waits_longer_each_time() {
    let now = Instant::now();
    let mut window = window(1);
    send_all(&mut window, &[1], now);
    window.refused(1, now);
    assert_eq!(window.due(now + RETRY_MIN - TICK), None);
    assert_eq!(window.next_due(now), Some(now + RETRY_MIN));
    assert_eq!(drain(&mut window, now + RETRY_MIN), [1]);
    let second = now + RETRY_MIN;
    window.refused(1, second);
    assert_eq!(window.due(second + RETRY_MIN), None);
    assert_eq!(drain(&mut window, second + RETRY_MIN * 2), [1]);
    let mut last = second;
    for _ in 0..40 {
        last += RETRY_MAX;
        window.refused(1, last);
        assert_eq!(drain(&mut window, last + RETRY_MAX), [1]);
    }
    assert_eq!(window.cursor(), 0);
}

#[test]
fn a_stream_that_refuses_is_tried_with_one_row_until_it_takes_one() {
    let now = Instant::now();
    let mut window = window(9);
    assert_eq!(send_all(&mut window, &[1, 2, 3], now), [1, 2, 3]);
    for seq in 1..=3 {
        window.refused(seq, now);
    }
    assert_eq!(window.closed().collect::<Vec<_>>(), [(A, true), (B, false)]);
    let trial = now + RETRY_MIN;
    assert_eq!(drain(&mut window, trial), [1]);
    window.refused(1, trial);
    assert_eq!(window.due(trial + RETRY_MIN), None);
    let second = trial + RETRY_MIN * 2;
    // Not the same one again: it may be the row that cannot be stored.
    assert_eq!(drain(&mut window, second), [2]);
    window.stored(2);
    assert_eq!(drain(&mut window, second), [1, 3]);
    assert!(window.closed().all(|(_, closed)| !closed));
}

#[test]
fn a_row_that_is_refused_for_ever_stops_its_lane_and_no_other() {
    let mut now = Instant::now();
    let mut window = window(9);
    for (seq, key) in [(1, lane(1)), (2, lane(2)), (3, lane(1)), (4, lane(3))] {
        window.take(seq, A, Some(key), seq);
    }
    let mut left = BTreeSet::new();
    window.sent(1, now);
    window.refused(1, now);
    for _ in 0..200 {
        now += RETRY_MIN;
        for seq in drain(&mut window, now) {
            match seq {
                1 => window.refused(1, now),
                other => {
                    left.insert(other);
                    window.stored(other);
                }
            }
        }
    }
    assert_eq!(left, BTreeSet::from([2, 4]));
    assert_eq!(window.cursor(), 0);
}

#[test]
fn a_full_stream_keeps_no_row_of_another_one_waiting() {
    let now = Instant::now();
    let mut window = window(9);
    let mut left = Vec::new();
    for seq in 1..=1000 {
        let stream = if seq % 2 == 0 { A } else { B };
        window.take(seq, stream, Some(lane(seq)), seq);
        for seq in drain(&mut window, now) {
            if seq % 2 == 0 {
                window.refused(seq, now);
            } else {
                left.push(seq);
                window.stored(seq);
            }
        }
    }
    assert_eq!(left, (1..=1000).filter(|seq| seq % 2 == 1).collect::<Vec<_>>());
    assert!(window.open.len() <= OPEN_MAX, "{} open", window.open.len());
    assert_eq!((window.cursor(), window.settled_of(A), window.settled_of(B)), (1, 1, 1000));
}

#[test]
fn a_silent_stream_keeps_no_row_of_another_one_waiting() {
    let now = Instant::now();
    let mut window = window(2);
    for seq in 1..=50 {
        window.take(seq, A, None, seq);
    }
    assert_eq!(drain(&mut window, now), [1, 2]);
    window.take(51, B, None, 51);
    assert_eq!(drain(&mut window, now), [51]);
}

#[test]
fn what_a_full_stream_left_in_the_store_is_read_again_in_order() {
    let mut now = Instant::now();
    let mut window = window(9);
    for seq in 1..=100 {
        window.take(seq, A, None, seq);
    }
    for seq in drain(&mut window, now) {
        window.refused(seq, now);
    }
    assert_eq!(window.wants_more(), None);
    let mut stored = Vec::new();
    while !window.is_empty() {
        now += RETRY_MIN;
        for seq in drain(&mut window, now) {
            stored.push(seq);
            window.stored(seq);
        }
        read_on(&mut window, |_| true);
        assert!(window.open.len() <= OPEN_MAX);
    }
    assert_eq!(stored, (1..=100).collect::<Vec<_>>());
    assert_eq!(window.cursor(), 100);
}

#[test]
fn a_held_row_holds_its_lane_and_no_other() {
    let now = Instant::now();
    let mut window = window(9);
    for (seq, key) in [(1, lane(1)), (2, lane(1)), (3, lane(2))] {
        window.take(seq, A, Some(key), seq);
    }
    window.hold(1, now + TICK);
    assert_eq!(drain(&mut window, now), [3]);
    assert_eq!(window.next_due(now), Some(now + TICK));
    assert_eq!(drain(&mut window, now + TICK), [1, 2]);
}

#[test]
fn a_new_connection_sends_again_what_was_in_flight_and_tries_what_was_refused() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2], now);
    window.stored(1);
    window.take(3, B, None, 3);
    drain(&mut window, now);
    window.refused(3, now);
    window.resend_in_flight(now);
    assert_eq!(window.in_flight(), 0);
    assert_eq!(drain(&mut window, now), [2]);
    assert_eq!(drain(&mut window, now + RETRY_MIN), [3]);
}

#[test]
fn a_stream_that_lost_rows_is_filled_again_while_others_go_on() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2, 3], now);
    for seq in 1..=3 {
        window.stored(seq);
    }
    window.rewind(A, 1);
    assert_eq!((window.cursor(), window.taken()), (1, 3));
    window.take(4, B, None, 4);
    window.take(5, A, None, 5);
    assert_eq!(drain(&mut window, now), [4]);
    // Row 2 is no longer kept.
    read_on(&mut window, |seq| seq != 2 && seq != 4);
    assert_eq!(drain(&mut window, now), [3, 5]);
    for seq in 3..=5 {
        window.stored(seq);
    }
    assert!(window.is_empty());
    assert_eq!(window.cursor(), 5);
}

#[test]
fn a_start_goes_on_where_each_stream_was_left() {
    let now = Instant::now();
    let streams = BTreeMap::from([(A, 2), (B, 5)]);
    let mut window = Window::new(&Settled { cursor: 2, streams }, bounds(9));
    assert_eq!((window.cursor(), window.taken()), (2, 5));
    window.take(6, B, None, 6);
    assert_eq!(drain(&mut window, now), [6]);
    read_on(&mut window, |seq| seq == 4);
    assert_eq!(drain(&mut window, now), [4]);
    assert_eq!(window.settled_of(A), 3);
}

#[test]
fn a_row_that_was_taken_before_is_ignored() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1], now);
    assert_eq!(send_all(&mut window, &[1], now), Vec::<u64>::new());
}

proptest! {
    /// Whatever happens in whatever order, the counters agree with the rows, nothing is lost, the
    /// first copies of a lane leave in order on each stream, and a stream that takes everything
    /// never waits for one that does not.
    #[test]
    fn any_history_settles_every_row_and_keeps_first_copies_in_order(
        ops in prop::collection::vec((0u8..9, 0u64..40), 1..300)
    ) {
        let mut now = Instant::now();
        let mut window = window(3);
        let mut next = 1;
        let mut first_sent: Vec<u64> = Vec::new();
        let mut settled: BTreeSet<u64> = BTreeSet::new();
        for (op, pick) in ops {
            match op {
                0..=2 => {
                    window.take(next, stream_of(next), Some(lane(next % 4)), next);
                    next += 1;
                },
                3 => for seq in drain(&mut window, now) {
                    if !first_sent.contains(&seq) {
                        first_sent.push(seq);
                    }
                },
                4 => if window.stored(pick).is_some() { settled.insert(pick); },
                5 => window.refused(pick, now),
                6 => { now += RETRY_MIN; window.time_out(now); },
                7 => { read_on_each(&mut window); },
                _ => window.hold(pick, now + RETRY_MIN),
            }
            for stream in [A, B] {
                let line = &window.lines[stream];
                prop_assert!(line.in_flight <= 3 && line.open.len() <= OPEN_MAX);
                let up_to = window.settled_of(stream);
                let all = (1..=up_to).filter(|seq| stream_of(*seq) == stream);
                prop_assert!(all.into_iter().all(|seq| settled.contains(&seq)), "{stream} {up_to}");
            }
            prop_assert!(window.cursor() <= window.taken());
        }
        // From here on everything goes well for one stream, and badly for the other.
        for _ in 0..100 {
            now += RETRY_MAX + ACK_TIMEOUT;
            window.time_out(now);
            read_on_each(&mut window);
            for seq in drain(&mut window, now) {
                if !first_sent.contains(&seq) {
                    first_sent.push(seq);
                }
                match stream_of(seq) {
                    A => window.refused(seq, now),
                    _ => { window.stored(seq); },
                }
            }
        }
        prop_assert_eq!(window.settled_of(B), next - 1);
        // And then for both.
        for _ in 0..200 {
            now += RETRY_MAX + ACK_TIMEOUT;
            read_on_each(&mut window);
            for seq in drain(&mut window, now) {
                if !first_sent.contains(&seq) {
                    first_sent.push(seq);
                }
                window.stored(seq);
            }
        }
        prop_assert!(window.is_empty());
        prop_assert_eq!(window.cursor(), next - 1);
        for key in 0..4 {
            let sent: Vec<u64> = first_sent.iter().copied().filter(|s| s % 4 == key).collect();
            prop_assert!(sent.is_sorted(), "{sent:?}");
        }
    }
}

const TICK: Duration = Duration::from_millis(1);
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
const OPEN_MAX: usize = 20;

fn bounds(in_flight_max: usize) -> Bounds {
    Bounds {
        in_flight_max,
        open_max: OPEN_MAX,
        ack_timeout: ACK_TIMEOUT,
        retry_min: RETRY_MIN,
        retry_max: RETRY_MAX,
    }
}

fn window(in_flight_max: usize) -> Window<u64> {
    let streams = BTreeMap::from([(A, 0), (B, 0)]);
    Window::new(&Settled { cursor: 0, streams }, bounds(in_flight_max))
}

/// Of the property: rows of one lane all go to one stream.
fn stream_of(seq: u64) -> &'static str {
    if seq % 4 < 2 { A } else { B }
}

fn lane(n: u64) -> LaneKey {
    (RequestId::from_parts(1, u128::from(n) << 64), Lane::Partner)
}

fn send_all(window: &mut Window<u64>, rows: &[u64], now: Instant) -> Vec<u64> {
    for seq in rows {
        window.take(*seq, A, None, *seq);
    }
    drain(window, now)
}

/// Sends whatever is due.
fn drain(window: &mut Window<u64>, now: Instant) -> Vec<u64> {
    let mut sent = Vec::new();
    while let Some((seq, _)) = window.due(now) {
        window.sent(seq, now);
        sent.push(seq);
    }
    sent
}

/// As egress reads the store, with the rows that are `kept` for a stream that is behind.
fn read_on(window: &mut Window<u64>, kept: impl Fn(u64) -> bool) {
    while let Some((stream, after)) = window.wants_more() {
        let last = window.taken();
        let fits = |window: &mut Window<u64>, seq| window.take_back(seq, stream, None, seq);
        if (after + 1..=last).filter(|seq| kept(*seq)).all(|seq| fits(window, seq)) {
            window.read_up_to(stream, last);
        }
    }
}

/// The same with the streams and lanes of the property.
fn read_on_each(window: &mut Window<u64>) {
    while let Some((stream, after)) = window.wants_more() {
        let last = window.taken();
        let mut rows = (after + 1..=last).filter(|seq| stream_of(*seq) == stream);
        if rows.all(|seq| window.take_back(seq, stream, Some(lane(seq % 4)), seq)) {
            window.read_up_to(stream, last);
        }
    }
}
