//! What one customer has in mind: a request, what is said of it at known instants, and what
//! follows when something is told.

use schemas::event::{Notification, NotificationOutcome};
use schemas::id::CommandId;
use schemas::purchase::{AcceptQuote, CancelPurchase, CreatePurchase, Strategy, UpdatePurchase};
use schemas::text::Text;
use schemas::{CustomerId, DurationMs, Money, RequestId, Timestamp};

use super::{Act, Expectation};
use crate::auditor::{Command, Route};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) request: RequestId,
    pub(super) customer: CustomerId,
    /// When the request is first sent.
    pub(super) at: Timestamp,
    /// What is sent whatever happens, the request itself and copies included.
    pub(super) acts: Vec<Act>,
    pub(super) reactions: Vec<Reaction>,
    pub(super) expectation: Option<Expectation>,
    /// Commands made so far; part of their ids.
    commands: u32,
}

/// What is said once something was told.
#[derive(Debug, Clone)]
pub(super) struct Reaction {
    pub(super) on: NotificationOutcome,
    pub(super) after: DurationMs,
    pub(super) wish: Wish,
    pub(super) route: Route,
    pub(super) is_done: bool,
}

/// A change that a customer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Cancel,
    Update(Terms),
    /// Buy the offer of the notification.
    Accept,
    /// The same with a token that names nothing.
    AcceptForged,
    /// The same with a token that is none.
    AcceptNonsense,
}

/// What an update says. Absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Terms {
    pub(super) max_total: Option<Money>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) strategy: Option<Strategy>,
    pub(super) if_version: Option<u64>,
}

impl Plan {
    pub(super) fn new(customer: CustomerId, request: RequestId, at: Timestamp) -> Self {
        Self {
            request,
            customer,
            at,
            acts: Vec::new(),
            reactions: Vec::new(),
            expectation: None,
            commands: 0,
        }
    }

    /// The request itself, at its instant.
    pub(super) fn submit(&mut self, create: CreatePurchase, route: Route) {
        self.say(self.at, Command::Create(Box::new(create)), route);
    }

    pub(super) fn say(&mut self, at: Timestamp, command: Command, route: Route) {
        let customer = self.customer.clone();
        self.acts.push(Act { at, customer, command, route });
    }

    /// What is wished at an instant. An offer is accepted with the token of `notice`; without
    /// one, with a forged token.
    pub(super) fn command(&mut self, wish: &Wish, notice: Option<&Notification>) -> Command {
        self.commands += 1;
        let command_id = CommandId::parse(&format!("cmd-{}", self.commands))
            .expect("a word and a number are a command id");
        let request_id = self.request;
        match wish {
            Wish::Cancel => {
                Command::Cancel(CancelPurchase { request_id, command_id, reason: None })
            }
            Wish::Update(terms) => Command::Update(UpdatePurchase {
                request_id,
                command_id,
                if_version: terms.if_version,
                max_total: terms.max_total,
                expires_at: terms.expires_at,
                strategy: terms.strategy,
            }),
            Wish::Accept => {
                let told = notice.and_then(|notice| notice.accept_token.as_deref());
                accept(request_id, command_id, told.unwrap_or(FORGED))
            }
            Wish::AcceptForged => accept(request_id, command_id, FORGED),
            Wish::AcceptNonsense => accept(request_id, command_id, "give it to me"),
        }
    }
}

/// Well-formed, and the token of nothing.
const FORGED: &str = "00112233445566778899aabbccddeeff";

fn accept(request_id: RequestId, command_id: CommandId, token: &str) -> Command {
    let accept_token = Text::parse(token).expect("tokens are short text");
    Command::AcceptQuote(AcceptQuote { request_id, command_id, accept_token })
}
