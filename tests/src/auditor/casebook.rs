//! Everything known about each request, gathered once: its history replayed from the audit log,
//! its records in the ledgers, its messages. Nothing of the evidence is copied, and no message is
//! parsed that no check asks for.

mod chain;
mod mail;
mod replay;
mod secrets;

use std::borrow::Cow;
use std::collections::BTreeMap;

use broker::store::Incarnation;
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::request::{Incident, Step as CheckoutStep, Version};
use broker_core::{Event, PurchaseRequest};
use partner_sim::ledger::{OrderRecord, PaymentRecord, ReservationRecord};
use schemas::json::{COMMAND_BYTES_MAX, decode};
use schemas::subject::PurchaseOperation;
use schemas::{CustomerId, Digest, DurationMs, PartnerId, RequestId, Timestamp};

use super::evidence::Trouble;
use super::{Command, Evidence, Sent};

use chain::Chain;
pub(super) use mail::{Mail, Posted};
pub(super) use replay::Step;
pub(super) use secrets::Secrets;

pub(super) struct Casebook<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) cases: BTreeMap<RequestId, Case<'a>>,
    pub(super) mail: Mail<'a>,
    pub(super) chain: Chain,
}

/// What is known about one request.
#[derive(Default)]
pub(super) struct Case<'a> {
    /// The replayed history, version 1 first.
    pub(super) steps: Vec<Step<'a>>,
    /// Why the replay stopped before the end of the log, if it did.
    pub(super) broken: Option<String>,
    /// Versions as the log numbers them.
    pub(super) versions: Vec<Version>,
    pub(super) head: Option<&'a PurchaseRequest>,
    pub(super) orders: Vec<&'a OrderRecord>,
    pub(super) reservations: Vec<&'a ReservationRecord>,
    pub(super) payments: Vec<&'a PaymentRecord>,
    pub(super) sent: Vec<Copy<'a>>,
    /// What the broker published about it under its ids, by version and index, copies by time.
    pub(super) posted: Vec<Posted<'a>>,
    /// Who answered about which attempt: partners by name, the provider as `None`.
    pub(super) spoken: Vec<(Option<PartnerId>, u8)>,
}

/// One copy of a command, its bytes read as the broker would read them.
pub(super) struct Copy<'a> {
    pub(super) sent: &'a Sent,
    pub(super) command: Cow<'a, Command>,
    pub(super) digest: Digest,
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
        replay::replay(evidence, &mut cases);
        let mail = Mail::sort(evidence, &mut cases);
        let chain = Chain::follow(evidence, &cases);
        Self { evidence, cases, mail, chain }
    }

    /// Whether trouble of one of these kinds fell into the time from `from` until `until`.
    pub(super) fn is_disturbed(&self, by: &[Trouble], from: Timestamp, until: Timestamp) -> bool {
        let mut all = self.evidence.disturbances.iter();
        all.any(|d| by.contains(&d.what) && d.overlaps(from, until))
    }

    /// How long at most trouble of any kind kept something from happening between two instants.
    pub(super) fn delayed(&self, from: Timestamp, until: Timestamp) -> DurationMs {
        let overlap = |from: Timestamp, until: Timestamp| until.since(from).as_ms();
        let all = self.evidence.disturbances.iter().filter(|d| d.overlaps(from, until));
        DurationMs(all.map(|d| overlap(d.from.max(from), d.until.min(until))).sum())
    }

    /// Whether the broker's clock may have been far from everybody's at `at`.
    pub(super) fn has_run_off(&self, at: Timestamp) -> bool {
        self.is_disturbed(&[Trouble::Clock, Trouble::BootClock], Timestamp::ZERO, at)
    }

    pub(super) fn incarnation(&self) -> Incarnation {
        self.evidence.incarnation
    }

    /// The store may take an order after proof of its absence: it refuses no late one and cannot
    /// be fenced, or it breaks its word. What comes of it must have become an incident.
    pub(super) fn may_surprise(&self, store: &PartnerId) -> bool {
        let profile = self.evidence.policy.partners.profile(store);
        self.evidence.background.liars.contains(store)
            || !(profile.honours_not_after || profile.fences_cancel)
    }
}

impl<'a> Case<'a> {
    pub(super) fn customer(&self) -> Option<&CustomerId> {
        self.head.map(|head| &head.submission.customer)
    }

    /// The step that produced `version`.
    pub(super) fn step(&self, version: Version) -> Option<&Step<'a>> {
        let index = usize::try_from(version.0.checked_sub(1)?).ok()?;
        self.steps.get(index)
    }

    /// Every order the history lets leave, oldest first: its step and its command.
    pub(super) fn places(&self, attempt: u8) -> impl Iterator<Item = (&Step<'a>, &PartnerCommand)> {
        self.steps.iter().flat_map(move |step| {
            step.effects().filter_map(move |effect| match effect {
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
    pub(super) fn authorizes(
        &self,
        attempt: u8,
    ) -> impl Iterator<Item = (&Step<'a>, schemas::Money)> {
        self.steps.iter().flat_map(move |step| {
            step.effects().filter_map(move |effect| match effect {
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
    ) -> impl Iterator<Item = (&schemas::CommandId, &Event, &Step<'a>)> {
        self.steps.iter().filter_map(|step| {
            let event = step.event()?;
            event.command().map(|command| (command, event, step))
        })
    }

    /// The step that let the first copy of an attempt's order leave, and the step whose terms it
    /// obeys.
    pub(super) fn intent(&self, attempt: u8) -> Option<(&Step<'a>, &Step<'a>)> {
        let (left, _) = self.places(attempt).next()?;
        let named = left.next.checkout.as_ref().filter(|c| c.attempt == attempt)?.intent?;
        Some((left, self.step(named.version)?))
    }

    pub(super) fn has_told(&self, incident: Incident) -> bool {
        self.steps.iter().any(|step| step.next.incident == Some(incident))
    }

    /// See [`is_with_a_human`].
    pub(super) fn is_with_a_human(&self) -> bool {
        self.head.is_some_and(is_with_a_human)
    }
}

/// A human was called, and what they were called for is still open: until they decide, the books
/// may differ.
pub(crate) fn is_with_a_human(request: &PurchaseRequest) -> bool {
    if request.incident.is_none() {
        return false;
    }
    let open_step = request.checkout.as_ref().is_some_and(|checkout| match checkout.step {
        CheckoutStep::PlacementUnknown(_) | CheckoutStep::Capturing { .. } => true,
        CheckoutStep::Failed(reason) => reason == schemas::RejectReason::CaptureFailed,
        CheckoutStep::Reserving { .. }
        | CheckoutStep::Authorizing { .. }
        | CheckoutStep::ActionRequired { .. }
        | CheckoutStep::Placing
        | CheckoutStep::Completed => false,
    });
    // A second order under one key, or another amount than the owed one, has no undo.
    let theirs = matches!(request.incident, Some(Incident::LateOrder | Incident::CaptureFailed));
    !request.undo.is_empty() || open_step || theirs
}

/// Raw bytes that happen to be a proper command count as that command.
fn understood(command: &Command) -> Cow<'_, Command> {
    let Command::Raw { operation, body } = command else { return Cow::Borrowed(command) };
    let read = match operation {
        PurchaseOperation::Create => {
            decode(body, COMMAND_BYTES_MAX).map(|create| Command::Create(Box::new(create)))
        }
        PurchaseOperation::Update => decode(body, COMMAND_BYTES_MAX).map(Command::Update),
        PurchaseOperation::Cancel => decode(body, COMMAND_BYTES_MAX).map(Command::Cancel),
        PurchaseOperation::AcceptQuote => decode(body, COMMAND_BYTES_MAX).map(Command::AcceptQuote),
        PurchaseOperation::Get | PurchaseOperation::List | PurchaseOperation::Receipt => {
            return Cow::Borrowed(command);
        }
    };
    read.map_or(Cow::Borrowed(command), Cow::Owned)
}
