//! `receipt`: why the broker bought there, or did not buy, straight from the store; and what the
//! sweep under way has found so far.

use schemas::event::Receipt;
use schemas::problem::Problem;
use schemas::purchase::ReceiptReply;
use schemas::{CustomerId, RejectReason, RequestId};

use super::{Calls, reply};
use crate::storage::describe;
use crate::store::{Reader, StoreError};
use crate::waiters::Call;
use crate::wire::{command, receipt, running};

pub(super) async fn answer(mut call: Call, customer: CustomerId, calls: Calls) {
    let request = match command::get(&call.request.message.payload) {
        Ok(request) => request,
        Err(problem) => return reply::refuse(&call, problem).await,
    };
    call.about = Some(request);
    let reader = calls.storage.reader();
    let read = move || find(reader.as_ref(), &customer, request);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(receipt))) => match calls.running(Some(request)).await {
            Ok(running) => {
                let running = running.into_iter().next().map(running::sweep).map(Box::new);
                let found =
                    ReceiptReply::Found { request_id: request, receipt: receipt.0, running };
                reply::receipt(&call, &found).await;
            }
            Err(problem) => reply::refuse(&call, problem.with_request(request)).await,
        },
        Ok(Ok(None)) => {
            let problem = Problem::new(RejectReason::NotFound, "you have no request with this id");
            reply::refuse(&call, problem.with_request(request)).await;
        }
        Ok(Err(error)) => {
            reply::refuse(&call, internal()).await;
            calls.storage.fail(&describe(&error));
        }
        Err(_cancelled) => reply::refuse(&call, internal()).await,
    }
}

fn internal() -> Problem {
    Problem::new(RejectReason::Internal, "the receipt cannot be read now")
}

/// The last receipt of a request that there is.
struct Kept(Option<Box<Receipt>>);

/// Nothing of a request that is somebody else's, not even that there is one.
fn find(
    reader: &dyn Reader,
    customer: &CustomerId,
    request: RequestId,
) -> Result<Option<Kept>, StoreError> {
    let stored = reader.load(request)?;
    if stored.is_none_or(|stored| stored.request.submission.customer != *customer) {
        return Ok(None);
    }
    let last = reader.receipts(request)?.pop();
    Ok(Some(Kept(last.map(|last| Box::new(receipt::receipt(&last))))))
}
