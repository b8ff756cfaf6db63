//! The one place of the harness where a task waits: always on a condition, never on time alone.

use std::time::{Duration, Instant};

use super::HarnessError;

/// Pause between two looks at the condition.
const INTERVAL: Duration = Duration::from_millis(15);

/// Looks at a condition, one after the other until a deadline, and one more at the end, so that a
/// slow machine costs patience, not a failure. For loops whose future must be [`Send`]; elsewhere
/// [`until`] reads better.
#[derive(Debug)]
pub struct Looks {
    deadline: Duration,
    end: Instant,
    begun: bool,
    last: bool,
}

impl Looks {
    pub fn within(deadline: Duration) -> Self {
        Self { deadline, end: Instant::now() + deadline, begun: false, last: false }
    }

    /// Whether it is time for another look; the first is at once.
    pub async fn next(&mut self) -> bool {
        if self.last {
            return false;
        }
        if self.begun {
            tokio::time::sleep(INTERVAL).await;
        }
        self.begun = true;
        self.last = Instant::now() >= self.end;
        true
    }

    /// None of the looks showed this.
    pub fn timed_out(&self, what: impl Into<String>) -> HarnessError {
        HarnessError::TimedOut { what: what.into(), after: self.deadline }
    }
}

/// Looks at `probe` until it answers or `deadline` has passed.
///
/// # Errors
/// [`HarnessError::TimedOut`] with `what`, or whatever error the probe ends with.
pub async fn until<T>(
    what: impl Into<String>,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>, HarnessError>,
) -> Result<T, HarnessError> {
    let mut looks = Looks::within(deadline);
    while looks.next().await {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
    }
    Err(looks.timed_out(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_is_returned_as_soon_as_there_is_one() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(60), async || {
            looks += 1;
            Ok((looks == 3).then_some("here"))
        });
        assert_eq!(found.await.unwrap(), "here");
        assert_eq!(looks, 3);
    }

    #[tokio::test]
    async fn a_condition_that_never_holds_is_named() {
        let never = until("pigs fly", Duration::ZERO, async || Ok(None::<()>));
        assert!(never.await.unwrap_err().to_string().ends_with("pigs fly"));
    }
}
