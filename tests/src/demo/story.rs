//! What is known of each request while the demo runs: what the broker says unasked, on subjects
//! that any customer can follow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use futures_util::StreamExt;
use schemas::event::{Notification, PurchaseEvent, PurchaseEventKind};
use schemas::purchase::PurchaseStatus;
use schemas::subject::filter;
use schemas::{RequestId, json};
use tokio::task::JoinHandle;

use crate::harness::{HarnessError, wait};

/// Longest wait for something that a request is to bring about; the demo goes on without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// One request as its customer sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) version: u64,
    pub(super) status: Option<PurchaseStatus>,
    pub(super) events: Vec<PurchaseEventKind>,
    pub(super) notices: Vec<Notification>,
    /// What our own customer did or was told, for the table.
    pub(super) remark: Option<String>,
    /// From its first event to its first notification.
    pub(super) told_after: Option<Duration>,
    began: Option<Instant>,
}

/// All stories; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Stories(Arc<Mutex<BTreeMap<RequestId, Story>>>);

impl Stories {
    /// Follows events and notifications of everybody until the handle is aborted.
    pub(super) async fn follow(&self, client: &Client) -> Result<JoinHandle<()>, HarnessError> {
        let subscribe = |subject: String| {
            let client = client.clone();
            async move {
                let doing = format!("following {subject}");
                client.subscribe(subject).await.map_err(HarnessError::nats(doing))
            }
        };
        let events = subscribe(filter::purchase_events()).await?;
        let notices = subscribe(filter::notifications()).await?;
        let mut heard = futures_util::stream::select(events, notices);
        let stories = self.clone();
        Ok(tokio::spawn(async move {
            while let Some(message) = heard.next().await {
                if let Ok(event) = json::decode::<PurchaseEvent>(&message.payload, usize::MAX) {
                    stories.event(&event);
                } else if let Ok(notice) = json::decode(&message.payload, usize::MAX) {
                    stories.notice(notice);
                }
            }
        }))
    }

    pub(super) fn of(&self, request: RequestId) -> Story {
        self.all().get(&request).cloned().unwrap_or_default()
    }

    pub(super) fn remark(&self, request: RequestId, remark: impl Into<String>) {
        self.all().entry(request).or_default().remark = Some(remark.into());
    }

    /// Waits until the story has come so far; `None` if it never does.
    pub(super) async fn until<T>(
        &self,
        request: RequestId,
        found: impl Fn(&Story) -> Option<T>,
    ) -> Option<T> {
        let mut looks = wait::Looks::within(PATIENCE);
        while looks.next().await {
            if let Some(found) = found(&self.of(request)) {
                return Some(found);
            }
        }
        None
    }

    fn event(&self, event: &PurchaseEvent) {
        let mut all = self.all();
        let story = all.entry(event.request_id).or_default();
        story.began.get_or_insert_with(Instant::now);
        story.events.push(event.event);
        // Events of one request are published in order, but copies may come late.
        if event.version >= story.version {
            story.version = event.version;
            story.status = Some(event.status);
        }
    }

    fn notice(&self, notice: Notification) {
        let mut all = self.all();
        let story = all.entry(notice.request_id).or_default();
        let known = story.notices.iter().any(|n| n.notification_id == notice.notification_id);
        if !known {
            story.told_after = story.told_after.or(story.began.map(|began| began.elapsed()));
            story.notices.push(notice);
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<RequestId, Story>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
