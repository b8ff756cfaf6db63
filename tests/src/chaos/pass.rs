//! Time that passes on purpose: for so long something stays broken, or a customer hesitates. Never
//! for hoping that a condition has come true.

use std::time::Duration;

pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
