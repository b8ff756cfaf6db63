//! Freezing what a restored store may be wrong about: every request that could still buy.

use broker_core::batch::{AuditRow, Batch, Change, Expect, IndexOp};
use broker_core::event::{Event, OperatorWord, Ruling};
use broker_core::partner::Partners;
use broker_core::policy::Policy;
use broker_core::request::PurchaseRequest;
use broker_core::transition;
use schemas::text::Text;
use schemas::{RequestId, Timestamp};

use crate::clock::Clock;
use crate::store::{Committed, Listing, Reader, Store, StoreError, Write};

/// Requests frozen by one commit.
const GROUP_MAX: usize = 256;

const ACTOR: &str = "broker store restore";
const REASON: &str = "brought back from a backup after which the broker went on";

/// Gives their number. Done again it freezes what is not frozen yet.
///
/// # Errors
/// The store cannot be read or written.
pub fn open_requests(store: &mut dyn Store) -> Result<u64, StoreError> {
    let reader = store.reader();
    let policy = Policy::standard(Partners::default());
    let now = Clock::system().now().max(reader.meta()?.last_at);
    let (mut after, mut frozen) = (None, 0);
    loop {
        let page = reader.ids(&Listing::All, after, GROUP_MAX)?;
        let Some(last) = page.last().copied() else { return Ok(frozen) };
        let writes = group(reader.as_ref(), &page, now, &policy)?;
        frozen += u64::try_from(writes.len()).unwrap_or(u64::MAX);
        for committed in store.commit(writes)? {
            // Nobody else has the store open.
            assert!(matches!(committed, Committed::Request { .. }), "{committed:?}");
        }
        after = Some(last);
    }
}

fn group(
    reader: &dyn Reader,
    page: &[RequestId],
    now: Timestamp,
    policy: &Policy,
) -> Result<Vec<Write>, StoreError> {
    let mut writes = Vec::new();
    for id in page {
        let stored = reader.load(*id)?;
        let batch = stored.and_then(|stored| frozen(&stored.request, now, policy));
        writes.extend(batch.map(|batch| Write::Request(Box::new(batch))));
    }
    Ok(writes)
}

/// `None` for a request that cannot buy any more, or is frozen already.
fn frozen(request: &PurchaseRequest, now: Timestamp, policy: &Policy) -> Option<Batch> {
    let event = Event::Operator(OperatorWord {
        actor: Text::parse(ACTOR).expect("a short text"),
        reason: Text::parse(REASON).expect("a short text"),
        ruling: Ruling::Freeze,
    });
    let next = transition::transition(request, event.clone(), now, policy).ok()?.next;
    let index = if request.is_active() { Vec::new() } else { vec![IndexOp::AddActive] };
    Some(Batch {
        expect: Expect::Version(request.version),
        parts: Vec::new(),
        outbox: Vec::new(),
        timers: next.timers.diff(&request.timers),
        index,
        audit: vec![AuditRow { version: next.version, at: now, change: Change::Applied(event) }],
        source: None,
        request: next,
    })
}
