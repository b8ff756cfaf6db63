//! Searching: admission, the end of a sweep, and searching again (T2, T4–T9).

use schemas::RejectReason;
use schemas::purchase::Mode;

use super::cadence::next_look;
use super::draft::Draft;
use super::{Outcome, Rejection, checkout};
use crate::effect::{EventKind, Outcome as Notice};
use crate::event::{Conclusion, Finding, OfferToken};
use crate::quote::Quote;
use crate::request::{Offered, Status};
use crate::row::Row;
use crate::timer::TimerKind;

/// The customer has been told that nobody has it; any price is an improvement on that.
const TOLD_NOBODY_HAS_IT: u64 = u64::MAX;

/// T2
pub(super) fn admitted(d: &mut Draft<'_>) -> Outcome {
    match d.next.status {
        Status::Pending => {
            d.row(Row::T2);
            start_sweep(d);
            Ok(())
        }
        Status::Searching
        | Status::Quoted(_)
        | Status::OutOfStock
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => Err(Rejection::Ignored("already admitted")),
    }
}

/// Into `searching`, with the next sweep number. The engine runs the sweep.
pub(super) fn start_sweep(d: &mut Draft<'_>) {
    d.next.status = Status::Searching;
    d.next.sweep = d.next.sweep.saturating_add(1);
    d.sleep(TimerKind::Sweep);
}

/// T4–T8
pub(super) fn sweep_closed(d: &mut Draft<'_>, conclusion: Conclusion) -> Outcome {
    match d.next.status {
        Status::Searching if d.next.sweep == conclusion.sweep => {}
        Status::Searching => return Err(Rejection::Ignored("another sweep is running")),
        Status::Pending
        | Status::Quoted(_)
        | Status::OutOfStock
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => return Err(Rejection::Ignored("not searching any more")),
    }
    match conclusion.finding {
        Finding::Affordable(quotes) => buy(d, quotes),
        Finding::TooDear { best, token } => too_dear(d, best, token),
        Finding::NoStock => no_stock(d),
        Finding::NoAnswer => no_answer(d),
    }
}

/// T4, guarded again: limit, validity and time are those of this instant.
fn buy(d: &mut Draft<'_>, quotes: Vec<Quote>) -> Outcome {
    if d.next.is_money_open() {
        // An order or a hold of an earlier attempt is not proven gone. Nothing may be bought
        // beside it; search again when it may be.
        search_again_later(d, d.policy.sweep_retry_delay);
        return Ok(());
    }
    let usable = checkout::usable(d, quotes);
    if usable.is_empty() || !d.has_time_to_buy() {
        return Err(Rejection::Ignored("no quote is still affordable, valid and in time"));
    }
    d.row(Row::T4);
    d.next.fruitless = 0;
    checkout::begin_attempt(d, usable);
    Ok(())
}

/// T5: told once, and again for every improvement.
fn too_dear(d: &mut Draft<'_>, best: Quote, token: OfferToken) -> Outcome {
    let total = best.worst_total().map_or(TOLD_NOBODY_HAS_IT, |money| money.minor());
    d.row(Row::T5);
    d.next.fruitless = 0;
    d.next.status = Status::Quoted(Offered { quote: best, token_digest: token.digest });
    d.event(EventKind::Quoted);
    let improved = d.next.told_best.is_none_or(|told| total < told);
    if improved {
        d.next.told_best = Some(total);
        d.notify(Notice::Quoted, token.secret);
    }
    rest(d);
    Ok(())
}

/// T6
fn no_stock(d: &mut Draft<'_>) -> Outcome {
    d.row(Row::T6);
    d.next.fruitless = 0;
    d.next.status = Status::OutOfStock;
    d.event(EventKind::OutOfStock);
    if d.next.told_best.is_none() {
        d.next.told_best = Some(TOLD_NOBODY_HAS_IT);
        d.notify(Notice::OutOfStock, None);
    }
    rest(d);
    Ok(())
}

/// T7, T8: silence is not "no stock". Where nobody can be asked, asking again changes nothing; only
/// who watches waits on, for a directory that may have grown.
fn no_answer(d: &mut Draft<'_>) -> Outcome {
    let (terms, wanted) = (d.next.terms, &d.next.submission);
    let unserved =
        d.policy.partners.unserved(terms.max_total.currency(), wanted.destination.country);
    if let (Some(reason), Mode::OneShot) = (unserved, wanted.mode) {
        d.row(Row::T8);
        d.fail(reason);
        return Ok(());
    }
    if d.next.fruitless < d.policy.sweep_retries {
        d.next.fruitless += 1;
        search_again_later(d, d.policy.sweep_retry_delay);
        return Ok(());
    }
    match d.next.submission.mode {
        Mode::Watch => search_again_later(d, next_look(&d.next, d.now, d.policy)),
        Mode::OneShot => {
            d.row(Row::T8);
            d.fail(RejectReason::PartnerUnavailable);
        }
    }
    Ok(())
}

/// T7: stays searching; the sweep timer starts the next sweep.
fn search_again_later(d: &mut Draft<'_>, delay: schemas::DurationMs) {
    d.row(Row::T7);
    start_sweep(d);
    d.wake(TimerKind::Sweep, delay);
}

fn rest(d: &mut Draft<'_>) {
    match d.next.submission.mode {
        Mode::Watch => d.wake(TimerKind::Sweep, next_look(&d.next, d.now, d.policy)),
        Mode::OneShot => d.sleep(TimerKind::Sweep),
    }
}

/// T9 with T4: a queued partner answered after the sweep, and its offer is good enough.
pub(super) fn late_offer(d: &mut Draft<'_>, quote: Quote) -> Outcome {
    match d.next.status {
        Status::Quoted(_) | Status::OutOfStock if !d.next.is_closed() => {}
        Status::Quoted(_)
        | Status::OutOfStock
        | Status::Pending
        | Status::Searching
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => return Err(Rejection::Ignored("nobody waits for this offer")),
    }
    let usable = checkout::usable(d, vec![quote]);
    if usable.is_empty() || !d.has_time_to_buy() || d.next.is_money_open() {
        return Err(Rejection::Ignored("the late offer cannot be bought"));
    }
    d.row(Row::T9);
    d.row(Row::T4);
    buy_at_hand(d, usable);
    Ok(())
}

/// Buys what is on offer without asking anybody. It counts as a sweep of that one partner, so that
/// it has a receipt of its own.
pub(super) fn buy_at_hand(d: &mut Draft<'_>, usable: Vec<Quote>) {
    d.next.sweep = d.next.sweep.saturating_add(1);
    checkout::begin_attempt(d, usable);
}
