//! `list`: one customer's requests, newest first, straight from the store.

use std::sync::Arc;

use schemas::problem::Problem;
use schemas::purchase::{ListPurchases, ListReply};
use schemas::{CustomerId, RejectReason, RequestId};

use super::reply;
use crate::storage::{Storage, describe};
use crate::store::{Listing, Reader, StoreError};
use crate::waiters::Call;
use crate::wire::{command, view};

const PAGE_DEFAULT: u16 = 20;
/// Requests looked at for one page when a status is asked for that few of them have. The page may
/// then be short or empty, with `next` to go on.
const SCAN_MAX: usize = 1000;

pub(super) async fn answer(call: Call, customer: CustomerId, storage: Arc<Storage>) {
    let list = match command::list(&call.request.message.payload) {
        Ok(list) => list,
        Err(problem) => return reply::refuse(&call, problem).await,
    };
    let reader = storage.reader();
    let read = move || page(reader.as_ref(), customer, &list);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(page)) => reply::page(&call, &page).await,
        Ok(Err(error)) => {
            reply::refuse(&call, internal()).await;
            storage.fail(&describe(&error));
        }
        Err(_cancelled) => reply::refuse(&call, internal()).await,
    }
}

fn internal() -> Problem {
    Problem::new(RejectReason::Internal, "the list cannot be read now")
}

fn page(
    reader: &dyn Reader,
    customer: CustomerId,
    list: &ListPurchases,
) -> Result<ListReply, StoreError> {
    let wanted = usize::from(list.limit.unwrap_or(PAGE_DEFAULT));
    // One more than the page shows whether there is a next one.
    let scan = if list.status.is_some() { SCAN_MAX } else { wanted + 1 };
    let ids = reader.ids(&Listing::Customer(customer), list.after, scan)?;
    let mut requests = Vec::new();
    let mut last: Option<RequestId> = None;
    for id in &ids {
        if requests.len() == wanted {
            return Ok(ListReply::Page { requests, next: last });
        }
        last = Some(*id);
        let Some(stored) = reader.load(*id)? else { continue };
        let fits = list.status.is_none_or(|status| status == stored.request.status.kind());
        if fits {
            requests.push(view::view(&stored.request));
        }
    }
    let more = ids.len() == scan;
    Ok(ListReply::Page { requests, next: last.filter(|_| more) })
}
