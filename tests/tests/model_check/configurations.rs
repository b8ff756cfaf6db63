//! The configurations, one kind of trouble each.

use schemas::purchase::PurchaseStatus::{Canceled, Expired, Failed, Ordered, OutOfStock, Quoted};

use super::bank::Unheard;
use super::numbers::{fencing, ideal, plain, trailing};
use super::run::holds;
use super::setting::{Budget, Change, Setting};

fn none() -> Budget {
    Budget::default()
}

#[test]
fn without_faults() {
    let budget = Budget { refusals: 2, poor_sweeps: 2, demands: 1, ..none() };
    let reaches = vec![Ordered, Failed, OutOfStock];
    holds(Setting { budget, reaches, ..Setting::named("no faults") });
}

#[test]
fn a_cancel_races_the_order() {
    let budget = Budget { cancels: 1, late: 2, refusals: 1, ..none() };
    let reaches = vec![Ordered, Canceled, Failed];
    holds(Setting { budget, reaches, ..Setting::named("cancel race") });
}

#[test]
fn an_update_races_the_order() {
    let budget = Budget { updates: 2, late: 1, accepts: 1, ..none() };
    let changes =
        vec![Change::Limit(2_550), Change::Limit(2_000), Change::Deadline(0), Change::Deadline(9)];
    let reaches = vec![Ordered, Quoted, Expired];
    holds(Setting { budget, changes, reaches, ..Setting::named("update race") });
}

#[test]
fn a_second_copy_of_an_accepted_order_is_refused() {
    let budget = Budget { twice: 2, busy: 1, lost_answers: 1, ..none() };
    let setting = Setting::named("second copy refused").stores([trailing(0), plain(1)]);
    holds(Setting { budget, ..setting });
}

#[test]
fn the_outcome_of_an_order_is_unknown() {
    let budget = Budget { lost_answers: 2, late: 2, ..none() };
    let setting = Setting::named("unknown order, conclusive look-up").stores([ideal(0), plain(1)]);
    holds(Setting { budget, ..setting });
}

#[test]
fn the_outcome_of_an_order_is_unknown_at_a_store_that_trails_behind() {
    let budget = Budget { lost_answers: 2, late: 2, ..none() };
    let setting = Setting::named("unknown order, trailing look-up");
    holds(Setting { budget, ..setting.stores([trailing(0), plain(1)]) });
}

#[test]
fn the_outcome_of_an_order_is_unknown_at_a_store_that_fences() {
    let budget = Budget { lost_commands: 1, lost_answers: 1, late: 2, ..none() };
    let setting = Setting::named("unknown order, fence").stores([fencing(0), plain(1)]);
    holds(Setting { budget, ..setting });
}

#[test]
fn a_crash_loses_everything_volatile() {
    let budget = Budget { crashes: 1, late: 1, refusals: 1, cancels: 1, ..none() };
    let reaches = vec![Ordered, Canceled, Failed];
    holds(Setting { budget, reaches, ..Setting::named("crash") });
}

#[test]
fn two_owners_share_one_store() {
    let budget = Budget { takeovers: 1, stale_decisions: 2, twice: 1, cancels: 1, ..none() };
    holds(Setting { budget, ..Setting::named("two owners") });
}

#[test]
fn an_authorisation_is_unknown() {
    let budget = Budget { lost_answers: 2, late: 1, demands: 1, cancels: 1, ..none() };
    let setting = Setting::named("unknown payment").stores([plain(0), plain(1)]);
    holds(Setting { budget, ..setting });
}

#[test]
fn an_authorisation_is_unknown_to_a_provider_without_tombstones() {
    let budget = Budget { lost_answers: 1, late: 2, cancels: 1, ..none() };
    let setting = Setting::named("unknown payment, no tombstones").stores([plain(0), plain(1)]);
    holds(Setting { budget, unheard: Unheard::Nothing, ..setting });
}

#[test]
fn answers_come_twice_and_out_of_order() {
    let budget = Budget { twice: 2, late: 1, refusals: 1, ..none() };
    holds(Setting { budget, ..Setting::named("doubled and reordered") });
}

#[test]
fn the_deadline_comes_while_authorizing_and_placing() {
    let budget = Budget { late: 3, ..none() };
    let reaches = vec![Ordered, Expired];
    let setting = Setting::named("deadline").stores([plain(0), plain(1)]);
    let sweeps_take = vec![0, 1, 3, 4];
    holds(Setting { budget, reaches, life: 10, skew: -1, sweeps_take, ..setting });
}

#[test]
fn a_store_takes_its_order_back() {
    let budget = Budget { take_backs: 2, cancels: 1, late: 1, ..none() };
    let reaches = vec![Ordered, Canceled, Failed];
    holds(Setting { budget, reaches, rebuy: true, ..Setting::named("taken back, rebuy") });
}
