//! Everything known about each request, gathered once: its history replayed from the audit log,
//! its records in the ledgers, its messages.

use std::collections::BTreeMap;

use broker::store::{AuditBody, CommitNumber};
use broker_core::batch::{AuditRow, Change};
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::request::Version;
use broker_core::transition::{self, Transition};
use broker_core::{Event, PurchaseRequest};
use partner_sim::ledger::{OrderRecord, PaymentRecord, ReservationRecord};
use schemas::event::Notification;
use schemas::json::{COMMAND_BYTES_MAX, decode};
use schemas::subject::PurchaseOperation;
use schemas::{CustomerId, Digest, RequestId, Timestamp, stream};

use super::{Command, Evidence, Seen, Sent};

pub(super) struct Casebook<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) cases: BTreeMap<RequestId, Case<'a>>,
    /// Every notification on the stream, copies included, oldest first.
    pub(super) notices: Vec<Notice<'a>>,
    /// Notifications that no type can read.
    pub(super) unreadable: Vec<&'a Seen>,
}

/// What is known about one request.
#[derive(Default)]
pub(super) struct Case<'a> {
    /// The replayed history, version 1 first.
    pub(super) steps: Vec<Step>,
    /// Why the replay stopped before the end of the log, if it did.
    pub(super) broken: Option<String>,
    pub(super) head: Option<&'a PurchaseRequest>,
    pub(super) orders: Vec<&'a OrderRecord>,
    pub(super) reservations: Vec<&'a ReservationRecord>,
    pub(super) payments: Vec<&'a PaymentRecord>,
    pub(super) sent: Vec<Copy<'a>>,
}

/// One applied event and what followed from it.
pub(super) struct Step {
    pub(super) commit: CommitNumber,
    pub(super) at: Timestamp,
    pub(super) change: Change,
    pub(super) effects: Vec<Effect>,
    pub(super) next: PurchaseRequest,
}

/// One copy of a command, its bytes read as the broker would read them.
pub(super) struct Copy<'a> {
    pub(super) sent: &'a Sent,
    pub(super) command: Command,
    pub(super) digest: Digest,
}

pub(super) struct Notice<'a> {
    pub(super) seen: &'a Seen,
    pub(super) notification: Notification,
}

impl<'a> Casebook<'a> {
    pub(super) fn open(evidence: &'a Evidence) -> Self {
        let mut cases: BTreeMap<RequestId, Case<'a>> = BTreeMap::new();
        for (request, head) in &evidence.heads {
            cases.entry(*request).or_default().head = Some(head);
        }
        for order in &evidence.partners.orders {
            cases.entry(order.request_id).or_default().orders.push(order);
        }
        for reservation in &evidence.partners.reservations {
            cases.entry(reservation.request_id).or_default().reservations.push(reservation);
        }
        for payment in &evidence.payments.payments {
            cases.entry(payment.request_id).or_default().payments.push(payment);
        }
        for sent in &evidence.sent {
            let command = understood(&sent.command);
            if let Some(request) = command.request() {
                let digest = command.digest();
                cases.entry(request).or_default().sent.push(Copy { sent, command, digest });
            }
        }
        replay(evidence, &mut cases);
        let (mut notices, mut unreadable) = (Vec::new(), Vec::new());
        for seen in of_stream(evidence, stream::name::NOTIFICATIONS) {
            match decode::<Notification>(&seen.body, usize::MAX) {
                Ok(notification) => notices.push(Notice { seen, notification }),
                Err(_) => unreadable.push(seen),
            }
        }
        Self { evidence, cases, notices, unreadable }
    }

    /// Whether something that lasted from `from` to `until` fell into a time in which the server
    /// could not be relied on.
    pub(super) fn is_disturbed(&self, from: Timestamp, until: Timestamp) -> bool {
        self.evidence.disturbances.iter().any(|d| d.overlaps(from, until))
    }
}

pub(super) fn of_stream<'a>(
    evidence: &'a Evidence,
    stream: &'static str,
) -> impl Iterator<Item = &'a Seen> {
    let stored_there = move |seen: &&Seen| seen.stored.is_some_and(|(name, _)| name == stream);
    evidence.messages.iter().filter(stored_there)
}

impl Case<'_> {
    pub(super) fn customer(&self) -> Option<&CustomerId> {
        self.head.map(|head| &head.submission.customer)
    }

    /// The step that produced `version`.
    pub(super) fn step(&self, version: Version) -> Option<&Step> {
        let index = usize::try_from(version.0.checked_sub(1)?).ok()?;
        self.steps.get(index)
    }

    /// Every order the history lets leave, oldest first: its step and its command.
    pub(super) fn places(&self, attempt: u8) -> impl Iterator<Item = (&Step, &PartnerCommand)> {
        self.steps.iter().flat_map(move |step| {
            step.effects.iter().filter_map(move |effect| match effect {
                Effect::Partner { attempt: of, command, .. }
                    if *of == attempt && matches!(command, PartnerCommand::Place { .. }) =>
                {
                    Some((step, command))
                }
                _ => None,
            })
        })
    }

    /// Every authorisation the history lets leave, oldest first.
    pub(super) fn authorizes(&self, attempt: u8) -> impl Iterator<Item = (&Step, schemas::Money)> {
        self.steps.iter().flat_map(move |step| {
            step.effects.iter().filter_map(move |effect| match effect {
                Effect::Payment {
                    attempt: of,
                    command: PaymentCommand::Authorize { amount, .. },
                } if *of == attempt => Some((step, *amount)),
                _ => None,
            })
        })
    }

    /// The customer's commands that the log applied, with their events.
    pub(super) fn applied_commands(
        &self,
    ) -> impl Iterator<Item = (&schemas::CommandId, &Event, &Step)> {
        self.steps.iter().filter_map(|step| match &step.change {
            Change::Applied(event) => event.command().map(|command| (command, event, step)),
            Change::Created => None,
        })
    }
}

/// Raw bytes that happen to be a proper command count as that command.
fn understood(command: &Command) -> Command {
    let Command::Raw { operation, body } = command else { return command.clone() };
    let read = match operation {
        PurchaseOperation::Create => {
            decode(body, COMMAND_BYTES_MAX).map(|create| Command::Create(Box::new(create)))
        }
        PurchaseOperation::Update => decode(body, COMMAND_BYTES_MAX).map(Command::Update),
        PurchaseOperation::Cancel => decode(body, COMMAND_BYTES_MAX).map(Command::Cancel),
        PurchaseOperation::AcceptQuote => decode(body, COMMAND_BYTES_MAX).map(Command::AcceptQuote),
        PurchaseOperation::Get | PurchaseOperation::List => return command.clone(),
    };
    read.unwrap_or_else(|_| command.clone())
}

fn replay(evidence: &Evidence, cases: &mut BTreeMap<RequestId, Case<'_>>) {
    for record in &evidence.log {
        let AuditBody::Request { request, rows } = &record.body else { continue };
        let case = cases.entry(*request).or_default();
        for row in rows {
            if case.broken.is_some() {
                break;
            }
            match apply(evidence, case, row) {
                Ok(done) => case.steps.push(Step {
                    commit: record.commit,
                    at: row.at,
                    change: row.change.clone(),
                    effects: done.effects,
                    next: done.next,
                }),
                Err(why) => {
                    let version = row.version.0;
                    case.broken = Some(format!("version {version}, {}: {why}", label(row)));
                }
            }
        }
    }
}

fn apply(evidence: &Evidence, case: &Case<'_>, row: &AuditRow) -> Result<Transition, String> {
    let done = match (&row.change, case.steps.last()) {
        (Change::Created, None) => {
            let head = case.head.ok_or("there is no stored request for it")?;
            let submission = head.submission.as_ref().clone();
            transition::create(submission, row.at, &evidence.policy)
        }
        (Change::Created, Some(_)) => return Err("the request was created before".to_owned()),
        (Change::Applied(_), None) => return Err("the request was never created".to_owned()),
        (Change::Applied(event), Some(before)) => {
            transition::transition(&before.next, event.clone(), row.at, &evidence.policy)
        }
    };
    let done = done.map_err(|rejection| format!("the core refuses it: {rejection}"))?;
    if done.next.version != row.version {
        return Err(format!("the next version is {}", done.next.version.0));
    }
    Ok(done)
}

fn label(row: &AuditRow) -> &'static str {
    match &row.change {
        Change::Created => "created",
        Change::Applied(event) => event.label(),
    }
}
