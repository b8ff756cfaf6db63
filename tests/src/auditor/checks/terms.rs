//! What was asked for, followed from the customers' own words alone.

use broker_core::Event;
use broker_core::event::Update;
use broker_core::request::{Status, Terms};
use schemas::RequestId;
use schemas::item::ItemIdentifier;
use schemas::purchase::CreatePurchase;

use super::Findings;
use crate::auditor::Command;
use crate::auditor::casebook::{Case, Casebook};

/// P3, invariants NoOrderAfterExpiry and Budget: limit, deadline and everything else the broker
/// works with are those of the submission, and change only by what its customer sent later.
pub(in crate::auditor) fn terms_are_the_customers(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let Some(head) = case.head else { continue };
        let kept = &head.submission;
        let create = case.sent.iter().find_map(|copy| match &*copy.command {
            Command::Create(create) if copy.digest == kept.digest => Some(create),
            _ => None,
        });
        // Without one, `rejected_has_no_effect` tells.
        let Some(create) = create else { continue };
        findings.demand(is_kept(kept, create), *request, || {
            format!("submitted was {create:?}, kept is {kept:?}")
        });
        follow(*request, case, create, findings);
    }
}

fn is_kept(kept: &broker_core::request::Submission, create: &CreatePurchase) -> bool {
    let CreatePurchase { quantity, destination, payment_token, condition, mode, rebuy, .. } =
        create;
    let same_book = match &create.item {
        ItemIdentifier::Isbn(isbn) => {
            schemas::Isbn13::parse(isbn.as_str()).is_ok_and(|isbn| isbn == kept.isbn)
        }
        // Titles and other ids are resolved by the broker's catalog.
        _ => true,
    };
    same_book
        && (kept.quantity, kept.condition) == (*quantity, *condition)
        && (kept.mode, kept.rebuy) == (*mode, *rebuy)
        && kept.destination == *destination
        && kept.payment_token == *payment_token
        && kept.terms == terms(create)
}

fn terms(create: &CreatePurchase) -> Terms {
    let CreatePurchase { max_total, expires_at, strategy, .. } = create;
    Terms { max_total: *max_total, expires_at: *expires_at, strategy: *strategy }
}

/// The terms of every version, from the commands that were applied.
fn follow(request: RequestId, case: &Case<'_>, create: &CreatePurchase, findings: &mut Findings) {
    let mut wanted = terms(create);
    let mut before: Option<&Status> = None;
    for step in &case.steps {
        match step.event() {
            Some(Event::Update(update)) => apply(&mut wanted, update),
            Some(Event::AcceptQuote { .. }) => {
                if let Some(Status::Quoted(offered)) = before
                    && let Some(total) = offered.quote.worst_total()
                    && total.minor() > wanted.max_total.minor()
                {
                    wanted.max_total = total;
                }
            }
            Some(_) | None => {}
        }
        findings.demand(step.next.terms == wanted, request, || {
            let (version, terms) = (step.next.version.0, &step.next.terms);
            format!("version {version} works with {terms:?}, its customer wants {wanted:?}")
        });
        before = Some(&step.next.status);
    }
}

fn apply(terms: &mut Terms, update: &Update) {
    terms.max_total = update.max_total.unwrap_or(terms.max_total);
    terms.expires_at = update.expires_at.unwrap_or(terms.expires_at);
    terms.strategy = update.strategy.unwrap_or(terms.strategy);
}
