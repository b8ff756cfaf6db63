//! Who calls, from `Authorization: Bearer …`, and what they may do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use schemas::{CustomerId, PartnerId};

use crate::problem::{Own, Refusal};
use crate::shared::Shared;
use crate::throttle::Group;
use crate::tokens::{Principal, Scope};

/// A caller whose token is in force. Taking one counts against its limits.
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let principal = principal(parts, shared)?;
        shared.limits.token(&principal, Group::of(parts))?;
        Ok(Self(principal))
    }
}

fn principal(parts: &Parts, shared: &Shared) -> Result<Arc<Principal>, Refusal> {
    let unknown = |detail: &str| Refusal::own(Own::Unauthenticated, detail);
    let header = parts.headers.get(AUTHORIZATION);
    let header = header.ok_or_else(|| unknown("send `Authorization: Bearer <token>`"))?;
    let text = header.to_str().map_err(|_| unknown("the Authorization header is not readable"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown("only the scheme Bearer is understood"));
    }
    let found = shared.tokens.find(token.trim());
    found.ok_or_else(|| unknown("no such token is in force; ask the operator for one"))
}

fn forbidden(detail: &str) -> Refusal {
    Refusal::own(Own::Forbidden, detail)
}

impl Caller {
    /// Whose requests they may look at.
    pub(crate) fn reads(&self) -> Result<&CustomerId, Refusal> {
        match &self.0.scope {
            Scope::Requester(customer) | Scope::ReadOnly(customer) => Ok(customer),
            Scope::Operator | Scope::Partner(_) => {
                Err(forbidden("this needs a token of a customer (requester or read_only)"))
            }
        }
    }

    /// For whom they may buy.
    pub(crate) fn buys(&self) -> Result<&CustomerId, Refusal> {
        match &self.0.scope {
            Scope::Requester(customer) => Ok(customer),
            Scope::ReadOnly(_) => Err(forbidden("this token may look and change nothing")),
            Scope::Operator | Scope::Partner(_) => {
                Err(forbidden("this needs a token with the scope requester"))
            }
        }
    }

    pub(crate) fn operates(&self) -> Result<(), Refusal> {
        match &self.0.scope {
            Scope::Operator => Ok(()),
            Scope::Requester(_) | Scope::ReadOnly(_) | Scope::Partner(_) => {
                Err(forbidden("this needs a token with the scope operator"))
            }
        }
    }

    /// Whether they may see how this bookstore stands.
    pub(crate) fn sees_partner(&self, partner: &PartnerId) -> Result<(), Refusal> {
        match &self.0.scope {
            Scope::Operator => Ok(()),
            Scope::Partner(own) if own == partner => Ok(()),
            Scope::Partner(_) | Scope::Requester(_) | Scope::ReadOnly(_) => {
                Err(forbidden("this needs a token of an operator or of this partner"))
            }
        }
    }
}
