//! From a decision to messages: latency, faults of the way back, message ids.

use schemas::id::MessageId;
use schemas::partner::{
    CommandHeader, PartnerNews, PartnerNotice, PartnerOutcome, PartnerReply, ReplyHeader,
};
use schemas::text::Text;
use schemas::{RequestId, Timestamp};

use super::{Partner, PartnerAnswer, PartnerMessage};
use crate::delivery::Scheduled;
use crate::dice::{Lane, Roll};
use crate::fault::Fault;
use crate::ledger::{Asked, Decision, Decisions};

/// How a decision is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// On the command's `reply_to`.
    ByReply,
    /// Not at all, or in another way.
    Not,
}

/// A decision on one copy of a command, before it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `None`: the copy was lost.
    pub(super) outcome: Option<PartnerOutcome>,
    pub(super) faults: Vec<Fault>,
    pub(super) told: Told,
}

impl Verdict {
    pub(super) fn new(outcome: PartnerOutcome) -> Self {
        Self { outcome: Some(outcome), faults: Vec::new(), told: Told::ByReply }
    }

    fn lost() -> Self {
        Self { outcome: None, faults: vec![Fault::Lost], told: Told::Not }
    }

    fn busy() -> Self {
        Self { faults: vec![Fault::Busy], ..Self::new(refused("busy, ask again", false)) }
    }
}

/// One copy of one command, as the decision needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copy<'a> {
    pub(super) header: &'a CommandHeader,
    pub(super) asked: Asked,
    pub(super) ordinal: u32,
    pub(super) roll: Roll,
    pub(super) not_after: Option<Timestamp>,
}

impl<'a> Copy<'a> {
    pub(super) fn new<O>(
        header: &'a CommandHeader,
        asked: Asked,
        key: &str,
        earlier: &Decisions<O>,
        not_after: Option<Timestamp>,
    ) -> Self {
        let count = earlier.kept.len() as u64 + earlier.dropped + 1;
        Self {
            header,
            asked,
            ordinal: u32::try_from(count).unwrap_or(u32::MAX),
            roll: Roll::of_text(key, (asked as u64) << 32 | count),
            not_after,
        }
    }

    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.not_after.is_some_and(|not_after| now > not_after)
    }
}

pub(super) fn refused(reason: &str, final_for_key: bool) -> PartnerOutcome {
    let reason = Text::parse(reason).expect("reasons are short, printable and not empty");
    PartnerOutcome::Refused { reason, final_for_key }
}

impl Partner {
    /// Lost on the way here, whatever the command.
    pub(super) fn lost(&self, copy: &Copy<'_>) -> Option<Verdict> {
        let chance = self.profile.faults.lost_permille;
        self.dice.strikes(Lane::Command, Fault::Lost, copy.roll, chance).then(Verdict::lost)
    }

    /// Too busy for anything that has no answer yet.
    pub(super) fn busy(&self, copy: &Copy<'_>) -> Option<Verdict> {
        let chance = self.profile.faults.busy_permille;
        self.dice.strikes(Lane::Command, Fault::Busy, copy.roll, chance).then(Verdict::busy)
    }

    /// Whether `now` is too late for this copy. It answers the copy, not the key: another copy
    /// may have been accepted.
    pub(super) fn late(&self, copy: &Copy<'_>, now: Timestamp) -> Option<Verdict> {
        let late = self.profile.honours_not_after && copy.is_late(now);
        late.then(|| Verdict::new(refused("arrived after its not_after", false)))
    }

    /// Records the decision and schedules its answer.
    pub(super) fn tell(
        &mut self,
        copy: &Copy<'_>,
        verdict: Verdict,
        decisions: &mut Decisions<PartnerOutcome>,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        let Verdict { outcome, mut faults, told } = verdict;
        let mut answers = Vec::new();
        if let (Some(outcome), Told::ByReply) = (&outcome, told) {
            let reply =
                PartnerReply { header: reply_header(copy.header), outcome: outcome.clone() };
            let answer = PartnerAnswer {
                subject: copy.header.reply_to.clone(),
                message_id: Some(format!("{}:{}", self.id, copy.header.id)),
                message: PartnerMessage::Reply(reply),
            };
            let ready = now.saturating_add(self.command_latency(copy.roll));
            faults.extend(self.deliver(answer, copy.roll, ready, copy.not_after, &mut answers));
        }
        self.count(&faults);
        decisions.push(Decision {
            asked: copy.asked,
            id: copy.header.id.clone(),
            copy: copy.ordinal,
            received_at: now,
            not_after: copy.not_after,
            outcome,
            faults,
        });
        answers
    }

    pub(super) fn command_latency(&self, roll: Roll) -> schemas::DurationMs {
        self.profile.commands.latency(&self.dice, Lane::Command, roll)
    }

    /// Schedules an unasked notice about an order.
    pub(super) fn notice(
        &mut self,
        (header, subject): (&CommandHeader, String),
        key: &schemas::id::Key,
        news: PartnerNews,
        (roll, ready): (Roll, Timestamp),
        answers: &mut Vec<Scheduled<PartnerAnswer>>,
    ) {
        let (order_id, what) = match &news {
            PartnerNews::OrderConfirmed { order_id, .. } => (order_id, "confirmed"),
            PartnerNews::OrderCanceled { order_id, .. } => (order_id, "canceled"),
        };
        let id = format!("{}:{order_id}-{what}", self.id);
        let notice = PartnerNotice {
            notice_id: MessageId::parse(&id).expect("partner id and order id fit 96 characters"),
            request_id: header.request_id,
            attempt: header.attempt,
            placement_key: key.clone(),
            news,
        };
        let message = PartnerMessage::Notice(notice);
        let answer = PartnerAnswer { subject, message_id: Some(id), message };
        let faults = self.deliver(answer, roll, ready, None, answers);
        self.count(&faults);
    }

    fn deliver(
        &self,
        answer: PartnerAnswer,
        roll: Roll,
        ready: Timestamp,
        deadline: Option<Timestamp>,
        answers: &mut Vec<Scheduled<PartnerAnswer>>,
    ) -> Vec<Fault> {
        let way = &self.profile.commands;
        let times = way.times((&self.dice, Lane::Command, roll), ready, deadline);
        let Some(first) = times.first else { return times.faults };
        if let Some(at) = times.second {
            // A second id, or the stream would take the duplicate away before the broker sees it.
            let message_id = answer.message_id.as_ref().map(|id| format!("{id}:again"));
            answers.push(Scheduled { at, value: PartnerAnswer { message_id, ..answer.clone() } });
        }
        answers.push(Scheduled { at: first, value: answer });
        times.faults
    }
}

fn reply_header(header: &CommandHeader) -> ReplyHeader {
    ReplyHeader {
        in_reply_to: header.id.clone(),
        request_id: header.request_id,
        attempt: header.attempt,
    }
}

/// The notice subject beside a reply subject: `partner.<id>.reply.<partition>.notice`. The
/// broker named the partition in `reply_to`, so the store takes it from there.
pub(super) fn notice_subject(reply_to: &str) -> String {
    match reply_to.rsplit_once('.') {
        Some((prefix, _)) => format!("{prefix}.notice"),
        None => reply_to.to_owned(),
    }
}

/// Whether a record was made for the same request: a key names one attempt of one request.
pub(super) fn same_owner(header: &CommandHeader, request: RequestId, attempt: u8) -> bool {
    header.request_id == request && header.attempt == attempt
}
