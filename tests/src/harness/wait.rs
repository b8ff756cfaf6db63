//! The one place of the harness where a task waits: always on a condition, never on time alone.

use std::time::{Duration, Instant};

use super::HarnessError;

/// Pause between two looks at the condition.
const INTERVAL: Duration = Duration::from_millis(15);

/// Looks at `probe` until it answers or `deadline` has passed. The probe is looked at once more at
/// the end, so a slow machine costs patience, not a failure.
///
/// # Errors
/// [`HarnessError::TimedOut`] with `what`, or whatever error the probe ends with.
pub async fn until<T>(
    what: impl Into<String>,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>, HarnessError>,
) -> Result<T, HarnessError> {
    let end = Instant::now() + deadline;
    loop {
        let last = Instant::now() >= end;
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        if last {
            return Err(HarnessError::TimedOut { what: what.into(), after: deadline });
        }
        tokio::time::sleep(INTERVAL).await;
    }
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
