use proptest::prelude::*;

use super::*;

#[test]
fn rows_are_first_sent_in_order_and_only_so_many_at_once() {
    let now = Instant::now();
    let mut window = window(2);
    assert_eq!(send_all(&mut window, &[1, 2, 3], now), [1, 2]);
    assert!(!window.has_room());
    window.settle(1);
    assert_eq!(drain(&mut window, now), [3]);
}

#[test]
fn the_cursor_stops_before_the_first_open_row() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2, 3], now);
    window.settle(2);
    window.settle(3);
    assert_eq!(window.cursor(), 0);
    window.settle(1);
    assert_eq!(window.cursor(), 3);
    assert!(window.is_empty());
}

#[test]
fn silence_means_the_same_row_again() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2], now);
    window.settle(1);
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
    assert!(window.settle(1).is_some());
    assert_eq!((window.cursor(), window.in_flight()), (1, 0));
    assert!(window.settle(1).is_none());
}

#[test]
fn a_refused_row_waits_longer_each_time_and_frees_its_place() {
    let now = Instant::now();
    let mut window = window(1);
    send_all(&mut window, &[1, 2], now);
    window.refused(1, now);
    assert_eq!(drain(&mut window, now), [2]);
    window.settle(2);
    assert_eq!(window.due(now + RETRY_MIN - TICK), None);
    assert_eq!(drain(&mut window, now + RETRY_MIN), [1]);
    let second = now + RETRY_MIN;
    window.refused(1, second);
    assert_eq!(window.due(second + RETRY_MIN), None);
    assert_eq!(drain(&mut window, second + RETRY_MIN * 2), [1]);
    for _ in 0..40 {
        window.refused(1, second);
    }
    assert_eq!(drain(&mut window, second + RETRY_MAX), [1]);
    assert_eq!(window.cursor(), 0);
}

#[test]
fn a_held_row_holds_its_lane_and_no_other() {
    let now = Instant::now();
    let mut window = window(9);
    for (seq, key) in [(1, lane(1)), (2, lane(1)), (3, lane(2))] {
        window.take(seq, Some(key), seq);
    }
    window.hold(1, now + TICK);
    assert_eq!(drain(&mut window, now), [3]);
    assert_eq!(window.next_due(), Some(now + TICK));
    assert_eq!(drain(&mut window, now + TICK), [1, 2]);
}

#[test]
fn a_new_connection_sends_again_what_was_in_flight() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2], now);
    window.settle(1);
    window.resend_in_flight(now);
    assert_eq!(window.in_flight(), 0);
    assert_eq!(drain(&mut window, now), [2]);
}

#[test]
fn after_a_rewind_the_rows_are_taken_in_again_and_gaps_are_settled() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1, 2, 3], now);
    for seq in 1..=3 {
        window.settle(seq);
    }
    window.rewind(0);
    assert_eq!((window.cursor(), window.taken()), (0, 0));
    // Rows 1 is no longer kept, row 3 belongs to a stream that lost nothing.
    assert_eq!(send_all(&mut window, &[2], now), [2]);
    window.skip_to(3);
    assert_eq!(window.cursor(), 1);
    window.settle(2);
    assert_eq!(window.cursor(), 3);
}

#[test]
fn a_row_that_was_taken_before_is_ignored() {
    let now = Instant::now();
    let mut window = window(9);
    send_all(&mut window, &[1], now);
    assert_eq!(send_all(&mut window, &[1], now), Vec::<u64>::new());
}

proptest! {
    /// Whatever happens in whatever order, the counters agree with the rows, nothing is lost, and
    /// the first copies of a lane leave in order.
    #[test]
    fn any_history_settles_every_row_and_keeps_first_copies_in_order(
        ops in prop::collection::vec((0u8..6, 0u64..12), 1..200)
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut window = window(3);
        let mut next = 1;
        let mut first_sent: Vec<u64> = Vec::new();
        for (op, pick) in ops {
            match op {
                0 => if window.has_room() {
                    window.take(next, Some(lane(next % 2)), next);
                    next += 1;
                },
                1 => for seq in drain(&mut window, now) {
                    if !first_sent.contains(&seq) {
                        first_sent.push(seq);
                    }
                },
                2 => { window.settle(pick); },
                3 => window.refused(pick, now),
                4 => { now += RETRY_MIN; window.time_out(now); },
                _ => window.hold(pick, now + RETRY_MIN),
            }
            prop_assert!(window.in_flight() <= 3);
            prop_assert!(window.cursor() <= window.taken());
        }
        for parity in 0..2 {
            let lane: Vec<u64> = first_sent.iter().copied().filter(|s| s % 2 == parity).collect();
            prop_assert!(lane.is_sorted(), "{lane:?}");
        }
        // From here on everything goes well.
        for _ in 0..100 {
            now += RETRY_MAX + ACK_TIMEOUT;
            window.time_out(now);
            for seq in drain(&mut window, now) {
                window.settle(seq);
            }
        }
        prop_assert!(window.is_empty());
        prop_assert_eq!(window.cursor(), next - 1);
    }
}

const TICK: Duration = Duration::from_millis(1);
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

fn window(in_flight_max: usize) -> Window<u64> {
    let bounds = Bounds {
        in_flight_max,
        open_max: 100,
        ack_timeout: ACK_TIMEOUT,
        retry_min: RETRY_MIN,
        retry_max: RETRY_MAX,
    };
    Window::new(0, bounds)
}

fn lane(n: u64) -> LaneKey {
    (RequestId::from_parts(1, u128::from(n) << 64), Lane::Partner)
}

fn send_all(window: &mut Window<u64>, rows: &[u64], now: Instant) -> Vec<u64> {
    for seq in rows {
        window.take(*seq, None, *seq);
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
