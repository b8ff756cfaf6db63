//! Commands of the broker, carried out at stores. Each handler may be run twice, by this process
//! or another: what it did before is in the records.

pub(crate) mod callbacks;
mod commands;
mod holds;
mod inlet;
mod orders;
mod poll;
mod quotes;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::partner::{CommandHeader, PartnerOutcome, PartnerReply, ReplyHeader};
use schemas::text::Text;
use schemas::{DurationMs, PartnerId, Timestamp, TraceContext};

use crate::caller::Caller;
use crate::calls::Calls;
use crate::config::BridgeConfig;
use crate::egress::Egress;
use crate::turns::Turns;

pub(crate) use inlet::commands_inlet;
pub(crate) use quotes::run as run_quotes;

/// What all handlers share.
pub(crate) struct Desk {
    pub(crate) callers: BTreeMap<PartnerId, Arc<Caller>>,
    pub(crate) calls: Calls,
    pub(crate) egress: Egress,
    pub(crate) turns: Turns,
    pub(crate) config: BridgeConfig,
}

/// What handling a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Answer(PartnerOutcome),
    /// Nothing is known, and nothing is said: the broker finds out.
    Silence,
    /// The store will be asked again and again.
    Poll {
        store_ref: Option<String>,
        status_url: Option<String>,
    },
    /// Nothing was done; the command is wanted again.
    Later(DurationMs),
}

pub(crate) fn refused(reason: &str, final_for_key: bool) -> PartnerOutcome {
    let reason = Text::parse(reason).expect("reasons are short, printable and not empty");
    PartnerOutcome::Refused { reason, final_for_key }
}

impl Desk {
    /// Publishes the answer to one command and returns when it is stored.
    pub(crate) async fn answer(
        &self,
        partner: &PartnerId,
        header: &CommandHeader,
        outcome: PartnerOutcome,
        trace: Option<TraceContext>,
    ) {
        let reply = ReplyHeader {
            in_reply_to: header.id.clone(),
            request_id: header.request_id,
            attempt: header.attempt,
        };
        self.reply(partner, &header.reply_to, reply, outcome, trace).await;
    }

    pub(crate) async fn reply(
        &self,
        partner: &PartnerId,
        reply_to: &str,
        header: ReplyHeader,
        outcome: PartnerOutcome,
        trace: Option<TraceContext>,
    ) {
        let id = format!("{partner}:{}", header.in_reply_to);
        let body = schemas::json::encode(&PartnerReply { header, outcome });
        self.egress.store(reply_to, &id, body.into(), trace).await;
    }
}

/// The end of a call about something that has no `not_after`.
fn deadline(caller: &Caller, now: Timestamp) -> Timestamp {
    now.saturating_add(caller.call_max())
}
