//! `receipt`: why the broker bought there, or did not buy, straight from the store.

use std::sync::Arc;

use schemas::problem::Problem;
use schemas::purchase::ReceiptReply;
use schemas::{CustomerId, RejectReason, RequestId};

use super::reply;
use crate::storage::{Storage, describe};
use crate::store::{Reader, StoreError};
use crate::waiters::Call;
use crate::wire::{command, receipt};

pub(super) async fn answer(mut call: Call, customer: CustomerId, storage: Arc<Storage>) {
    let request = match command::get(&call.request.message.payload) {
        Ok(request) => request,
        Err(problem) => return reply::refuse(&call, problem).await,
    };
    call.about = Some(request);
    let reader = storage.reader();
    let read = move || find(reader.as_ref(), &customer, request);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(found))) => reply::receipt(&call, &found).await,
        Ok(Ok(None)) => {
            let problem = Problem::new(RejectReason::NotFound, "you have no request with this id");
            reply::refuse(&call, problem.with_request(request)).await;
        }
        Ok(Err(error)) => {
            reply::refuse(&call, internal()).await;
            storage.fail(&describe(&error));
        }
        Err(_cancelled) => reply::refuse(&call, internal()).await,
    }
}

fn internal() -> Problem {
    Problem::new(RejectReason::Internal, "the receipt cannot be read now")
}

/// Nothing of a request that is somebody else's, not even that there is one.
fn find(
    reader: &dyn Reader,
    customer: &CustomerId,
    request: RequestId,
) -> Result<Option<ReceiptReply>, StoreError> {
    let stored = reader.load(request)?;
    if stored.is_none_or(|stored| stored.request.submission.customer != *customer) {
        return Ok(None);
    }
    let last = reader.receipts(request)?.pop();
    let receipt = last.map(|last| Box::new(receipt::receipt(&last)));
    Ok(Some(ReceiptReply::Found { request_id: request, receipt }))
}
