//! The one place of this module where a thread waits: always on a condition, never on time alone.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks at the condition.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks at `probe` until it answers or `deadline` has passed; `None` means it never did.
/// The probe is looked at once more at the end, so a slow machine costs patience, not a failure.
pub fn until<T>(deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        let last = Instant::now() >= end;
        if let Some(found) = probe() {
            return Some(found);
        }
        if last {
            return None;
        }
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_probe_is_returned_as_soon_as_there_is_one() {
        let mut looks = 0;
        let found = until(Duration::from_secs(60), || {
            looks += 1;
            (looks == 3).then_some("here")
        });
        assert_eq!((found, looks), (Some("here"), 3));
    }

    #[test]
    fn a_condition_that_never_holds_ends_at_the_deadline() {
        assert_eq!(until(Duration::from_millis(20), || None::<()>), None);
    }

    #[test]
    fn even_a_deadline_already_passed_allows_one_look() {
        assert_eq!(until(Duration::ZERO, || Some(1)), Some(1));
    }
}
