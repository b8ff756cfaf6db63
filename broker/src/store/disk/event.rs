//! Applied events, as the audit log keeps them.

use broker_core::event::{
    Conclusion, Event, Finding, OfferToken, OperatorWord, PartnerAnswer, PartnerOutcome,
    PaymentAnswer, PaymentOutcome, Ruling, Update,
};
use broker_core::request::Version;
use schemas::id::{CommandId, OrderId, ReservationId};
use schemas::text::Text;
use schemas::{Digest, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{
    DiskLapsed, DiskMoney, DiskPartnerOperation, DiskPaymentOperation, DiskStrategy, at, ms,
    opt_at, opt_ms, timer_kind,
};
use super::quote::{DiskQuote, all, all_back};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskEvent<'a> {
    Admitted,
    SweepClosed {
        sweep: u32,
        #[serde(borrow)]
        finding: DiskFinding<'a>,
    },
    LateOffer(DiskQuote<'a>),
    Update {
        command: &'a str,
        if_version: Option<u64>,
        max_total: Option<DiskMoney>,
        expires_at: Option<u64>,
        strategy: Option<DiskStrategy>,
    },
    Cancel {
        command: &'a str,
    },
    AcceptQuote {
        command: &'a str,
        token_digest: [u8; 32],
    },
    Partner {
        partner: &'a str,
        attempt: u8,
        operation: Option<DiskPartnerOperation>,
        in_reply_to: Option<u64>,
        outcome: DiskPartnerOutcome<'a>,
    },
    Payment {
        attempt: u8,
        operation: DiskPaymentOperation,
        outcome: DiskPaymentOutcome<'a>,
    },
    Timer(u8),
    Lapsed {
        attempt: u8,
        operation: DiskLapsed,
    },
    /// `Payment`, since answers say which question they answer.
    PaymentReply {
        attempt: u8,
        operation: DiskPaymentOperation,
        in_reply_to: u64,
        outcome: DiskPaymentOutcome<'a>,
    },
    Operator {
        actor: &'a str,
        reason: &'a str,
        ruling: DiskRuling<'a>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskRuling<'a> {
    Found { attempt: u8, order_id: &'a str, total: DiskMoney },
    NotFound { attempt: u8 },
    Freeze,
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFinding<'a> {
    #[serde(borrow)]
    Affordable(Vec<DiskQuote<'a>>),
    TooDear {
        best: DiskQuote<'a>,
        /// The token itself is in nobody's log.
        token_digest: [u8; 32],
    },
    NoStock,
    NoAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskPartnerOutcome<'a> {
    Reserved {
        id: &'a str,
        valid_until: u64,
    },
    Released,
    Confirmed {
        order_id: &'a str,
        total: DiskMoney,
    },
    Canceled,
    NotFound {
        final_for_key: bool,
    },
    Refused {
        reason: &'a str,
        final_for_key: bool,
    },
    /// `Canceled`, since the order it takes back is kept.
    CanceledOrder {
        order_id: &'a str,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskPaymentOutcome<'a> {
    Authorized { amount: DiskMoney, valid_until: u64 },
    Declined,
    ActionRequired { url: &'a str },
    Captured { amount: DiskMoney },
    Voided,
    Refunded,
    NotFound { final_for_key: bool },
    Failed,
}

impl<'a> From<&'a Event> for DiskEvent<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Admitted => Self::Admitted,
            Event::SweepClosed(conclusion) => {
                Self::SweepClosed { sweep: conclusion.sweep, finding: (&conclusion.finding).into() }
            }
            Event::LateOffer(quote) => Self::LateOffer(quote.into()),
            Event::Update(update) => Self::Update {
                command: update.command.as_str(),
                if_version: update.if_version,
                max_total: update.max_total.map(Into::into),
                expires_at: opt_ms(update.expires_at),
                strategy: update.strategy.map(Into::into),
            },
            Event::Cancel { command } => Self::Cancel { command: command.as_str() },
            Event::AcceptQuote { command, token_digest } => Self::AcceptQuote {
                command: command.as_str(),
                token_digest: *token_digest.as_bytes(),
            },
            Event::Partner(answer) => Self::Partner {
                partner: answer.partner.as_str(),
                attempt: answer.attempt,
                operation: answer.operation.map(Into::into),
                in_reply_to: answer.in_reply_to.map(|version| version.0),
                outcome: (&answer.outcome).into(),
            },
            Event::Payment(answer) => payment(answer),
            Event::Timer(kind) => Self::Timer(kind.number()),
            Event::Lapsed { attempt, operation } => {
                Self::Lapsed { attempt: *attempt, operation: (*operation).into() }
            }
            Event::Operator(word) => Self::Operator {
                actor: word.actor.as_str(),
                reason: word.reason.as_str(),
                ruling: (&word.ruling).into(),
            },
        }
    }
}

impl TryFrom<DiskEvent<'_>> for Event {
    type Error = DiskError;
    fn try_from(disk: DiskEvent<'_>) -> Result<Self, DiskError> {
        let bad = |e| DiskError::new("event", e);
        Ok(match disk {
            DiskEvent::Admitted => Self::Admitted,
            DiskEvent::SweepClosed { sweep, finding } => {
                Self::SweepClosed(Conclusion { sweep, finding: finding.try_into()? })
            }
            DiskEvent::LateOffer(quote) => Self::LateOffer(quote.try_into()?),
            DiskEvent::Update { command, if_version, max_total, expires_at, strategy } => {
                Self::Update(Update {
                    command: CommandId::parse(command).map_err(bad)?,
                    if_version,
                    max_total: max_total.map(TryInto::try_into).transpose()?,
                    expires_at: opt_at(expires_at),
                    strategy: strategy.map(Into::into),
                })
            }
            DiskEvent::Cancel { command } => {
                Self::Cancel { command: CommandId::parse(command).map_err(bad)? }
            }
            DiskEvent::AcceptQuote { command, token_digest } => Self::AcceptQuote {
                command: CommandId::parse(command).map_err(bad)?,
                token_digest: Digest::from_bytes(token_digest),
            },
            DiskEvent::Partner { partner, attempt, operation, in_reply_to, outcome } => {
                Self::Partner(PartnerAnswer {
                    partner: PartnerId::parse(partner).map_err(bad)?,
                    attempt,
                    operation: operation.map(Into::into),
                    in_reply_to: in_reply_to.map(Version),
                    outcome: outcome.try_into()?,
                })
            }
            DiskEvent::Payment { attempt, operation, outcome } => {
                payment_back(attempt, operation, None, outcome)?
            }
            DiskEvent::PaymentReply { attempt, operation, in_reply_to, outcome } => {
                payment_back(attempt, operation, Some(Version(in_reply_to)), outcome)?
            }
            DiskEvent::Timer(number) => Self::Timer(timer_kind(number)?),
            DiskEvent::Lapsed { attempt, operation } => {
                Self::Lapsed { attempt, operation: operation.into() }
            }
            DiskEvent::Operator { actor, reason, ruling } => Self::Operator(OperatorWord {
                actor: Text::parse(actor).map_err(|e| DiskError::new("actor", e))?,
                reason: Text::parse(reason).map_err(|e| DiskError::new("reason", e))?,
                ruling: ruling.try_into()?,
            }),
        })
    }
}

impl<'a> From<&'a Ruling> for DiskRuling<'a> {
    fn from(ruling: &'a Ruling) -> Self {
        match ruling {
            Ruling::Found { attempt, order_id, total } => Self::Found {
                attempt: *attempt,
                order_id: order_id.as_str(),
                total: (*total).into(),
            },
            Ruling::NotFound { attempt } => Self::NotFound { attempt: *attempt },
            Ruling::Freeze => Self::Freeze,
            Ruling::Release => Self::Release,
        }
    }
}

impl TryFrom<DiskRuling<'_>> for Ruling {
    type Error = DiskError;
    fn try_from(disk: DiskRuling<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskRuling::Found { attempt, order_id, total } => Self::Found {
                attempt,
                order_id: OrderId::parse(order_id).map_err(|e| DiskError::new("ruling", e))?,
                total: total.try_into()?,
            },
            DiskRuling::NotFound { attempt } => Self::NotFound { attempt },
            DiskRuling::Freeze => Self::Freeze,
            DiskRuling::Release => Self::Release,
        })
    }
}

fn payment(answer: &PaymentAnswer) -> DiskEvent<'_> {
    let (attempt, operation) = (answer.attempt, answer.operation.into());
    let outcome = (&answer.outcome).into();
    match answer.in_reply_to {
        Some(Version(in_reply_to)) => {
            DiskEvent::PaymentReply { attempt, operation, in_reply_to, outcome }
        }
        None => DiskEvent::Payment { attempt, operation, outcome },
    }
}

fn payment_back(
    attempt: u8,
    operation: DiskPaymentOperation,
    in_reply_to: Option<Version>,
    outcome: DiskPaymentOutcome<'_>,
) -> Result<Event, DiskError> {
    let (operation, outcome) = (operation.into(), outcome.try_into()?);
    Ok(Event::Payment(PaymentAnswer { attempt, operation, in_reply_to, outcome }))
}

impl<'a> From<&'a Finding> for DiskFinding<'a> {
    fn from(finding: &'a Finding) -> Self {
        match finding {
            Finding::Affordable(quotes) => Self::Affordable(all(quotes)),
            Finding::TooDear { best, token } => {
                Self::TooDear { best: best.into(), token_digest: *token.digest.as_bytes() }
            }
            Finding::NoStock => Self::NoStock,
            Finding::NoAnswer => Self::NoAnswer,
        }
    }
}

impl TryFrom<DiskFinding<'_>> for Finding {
    type Error = DiskError;
    fn try_from(disk: DiskFinding<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskFinding::Affordable(quotes) => Self::Affordable(all_back(quotes)?),
            DiskFinding::TooDear { best, token_digest } => {
                let digest = Digest::from_bytes(token_digest);
                Self::TooDear { best: best.try_into()?, token: OfferToken { digest, secret: None } }
            }
            DiskFinding::NoStock => Self::NoStock,
            DiskFinding::NoAnswer => Self::NoAnswer,
        })
    }
}

impl<'a> From<&'a PartnerOutcome> for DiskPartnerOutcome<'a> {
    fn from(outcome: &'a PartnerOutcome) -> Self {
        match outcome {
            PartnerOutcome::Reserved { id, valid_until } => {
                Self::Reserved { id: id.as_str(), valid_until: ms(*valid_until) }
            }
            PartnerOutcome::Released => Self::Released,
            PartnerOutcome::Confirmed { order_id, total } => {
                Self::Confirmed { order_id: order_id.as_str(), total: (*total).into() }
            }
            PartnerOutcome::Canceled { order_id: Some(order_id) } => {
                Self::CanceledOrder { order_id: order_id.as_str() }
            }
            PartnerOutcome::Canceled { order_id: None } => Self::Canceled,
            PartnerOutcome::NotFound { final_for_key } => {
                Self::NotFound { final_for_key: *final_for_key }
            }
            PartnerOutcome::Refused { reason, final_for_key } => {
                Self::Refused { reason: reason.as_str(), final_for_key: *final_for_key }
            }
        }
    }
}

impl TryFrom<DiskPartnerOutcome<'_>> for PartnerOutcome {
    type Error = DiskError;
    fn try_from(disk: DiskPartnerOutcome<'_>) -> Result<Self, DiskError> {
        let bad = |e| DiskError::new("partner outcome", e);
        Ok(match disk {
            DiskPartnerOutcome::Reserved { id, valid_until } => Self::Reserved {
                id: ReservationId::parse(id).map_err(bad)?,
                valid_until: at(valid_until),
            },
            DiskPartnerOutcome::Released => Self::Released,
            DiskPartnerOutcome::Confirmed { order_id, total } => Self::Confirmed {
                order_id: OrderId::parse(order_id).map_err(bad)?,
                total: total.try_into()?,
            },
            DiskPartnerOutcome::Canceled => Self::Canceled { order_id: None },
            DiskPartnerOutcome::CanceledOrder { order_id } => {
                Self::Canceled { order_id: Some(OrderId::parse(order_id).map_err(bad)?) }
            }
            DiskPartnerOutcome::NotFound { final_for_key } => Self::NotFound { final_for_key },
            DiskPartnerOutcome::Refused { reason, final_for_key } => Self::Refused {
                reason: Text::parse(reason).map_err(|e| DiskError::new("partner outcome", e))?,
                final_for_key,
            },
        })
    }
}

impl<'a> From<&'a PaymentOutcome> for DiskPaymentOutcome<'a> {
    fn from(outcome: &'a PaymentOutcome) -> Self {
        match outcome {
            PaymentOutcome::Authorized { amount, valid_until } => {
                Self::Authorized { amount: (*amount).into(), valid_until: ms(*valid_until) }
            }
            PaymentOutcome::Declined => Self::Declined,
            PaymentOutcome::ActionRequired { url } => Self::ActionRequired { url: url.as_str() },
            PaymentOutcome::Captured { amount } => Self::Captured { amount: (*amount).into() },
            PaymentOutcome::Voided => Self::Voided,
            PaymentOutcome::Refunded => Self::Refunded,
            PaymentOutcome::NotFound { final_for_key } => {
                Self::NotFound { final_for_key: *final_for_key }
            }
            PaymentOutcome::Failed => Self::Failed,
        }
    }
}

impl TryFrom<DiskPaymentOutcome<'_>> for PaymentOutcome {
    type Error = DiskError;
    fn try_from(disk: DiskPaymentOutcome<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskPaymentOutcome::Authorized { amount, valid_until } => {
                Self::Authorized { amount: amount.try_into()?, valid_until: at(valid_until) }
            }
            DiskPaymentOutcome::Declined => Self::Declined,
            DiskPaymentOutcome::ActionRequired { url } => Self::ActionRequired {
                url: Text::parse(url).map_err(|e| DiskError::new("payment outcome", e))?,
            },
            DiskPaymentOutcome::Captured { amount } => {
                Self::Captured { amount: amount.try_into()? }
            }
            DiskPaymentOutcome::Voided => Self::Voided,
            DiskPaymentOutcome::Refunded => Self::Refunded,
            DiskPaymentOutcome::NotFound { final_for_key } => Self::NotFound { final_for_key },
            DiskPaymentOutcome::Failed => Self::Failed,
        })
    }
}
