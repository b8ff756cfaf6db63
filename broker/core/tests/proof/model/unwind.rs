//! The undisturbed purchase with one disturbance at one step: whatever it is and wherever it
//! strikes, everything is undone or done, and every step may happen twice.

use broker_core::effect::{PartnerCommand, PaymentCommand};
use broker_core::partner::PartnerProfile;
use broker_core::request::Status;

use super::act::{Act, Find};
use super::bank::Payment;
use super::shop::Mood;
use super::world::{Command, What, World};
use crate::support::{fencing, ideal, mute, plain, queued, status, submission, trailing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Reserve,
    Authorize,
    Place,
    Capture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// No copy arrives for two minutes.
    CommandsLost,
    /// Every copy is taken in, and no answer arrives for two minutes.
    AnswersLost,
    /// "Not now" for two minutes.
    Busy,
    /// "No" for good.
    Refused,
    /// The customer has to act and does not.
    Demanding,
}

const STEPS: [At; 4] = [At::Reserve, At::Authorize, At::Place, At::Capture];
const DISTURBANCES: [Disturbance; 5] = [
    Disturbance::CommandsLost,
    Disturbance::AnswersLost,
    Disturbance::Busy,
    Disturbance::Refused,
    Disturbance::Demanding,
];
const DISTURBED_MS: u64 = 120_000;

fn step_of(command: &Command) -> Option<At> {
    match &command.what {
        What::Partner(_, PartnerCommand::Reserve { .. }) => Some(At::Reserve),
        What::Partner(_, PartnerCommand::Place { .. }) => Some(At::Place),
        What::Payment(PaymentCommand::Authorize { .. }) => Some(At::Authorize),
        What::Payment(PaymentCommand::Capture { .. }) => Some(At::Capture),
        What::Partner(..) | What::Payment(_) => None,
    }
}

/// Runs one purchase; returns how often the disturbance struck.
fn disturbed(profile: &PartnerProfile, at: At, disturbance: Disturbance) -> (World, u32) {
    let mut named = profile.clone();
    named.id = crate::support::partner("ann");
    let mut world = World::new(submission(), vec![named], 0);
    Act::Sweep { find: Find::Affordable, pick: 0 }.perform(&mut world);
    let mut struck = 0;
    let end = world.now.saturating_add(schemas::DurationMs(DISTURBED_MS));
    while world.now < end && !world.is_sweeping() {
        if !world.commands.is_empty() {
            let command = world.commands.remove(0);
            let strikes = step_of(&command) == Some(at);
            struck += u32::from(strikes);
            deliver(&mut world, &command, strikes.then_some(disturbance));
        } else if !world.answers.is_empty() {
            let answer = world.answers.remove(0);
            world.happen(answer);
        } else if !world.fire_next_timer() {
            break;
        }
    }
    world.come_to_rest();
    world.check_rest();
    (world, struck)
}

fn deliver(world: &mut World, command: &Command, disturbance: Option<Disturbance>) {
    let mood = match disturbance {
        Some(Disturbance::CommandsLost) => return,
        Some(Disturbance::Busy) => Mood::Busy,
        Some(Disturbance::Refused) => Mood::Unwilling,
        Some(Disturbance::Demanding) => Mood::Demanding,
        Some(Disturbance::AnswersLost) | None => Mood::Willing,
    };
    world.arrive(command, mood);
    if disturbance == Some(Disturbance::AnswersLost) {
        world.answers.pop();
    }
}

fn tempers() -> Vec<PartnerProfile> {
    vec![ideal("ann"), plain("ann"), trailing("ann"), fencing("ann"), mute("ann"), queued("ann")]
}

#[test]
fn a_failure_at_any_step_is_undone_or_overcome_at_every_kind_of_store() {
    for profile in tempers() {
        for at in STEPS.into_iter().filter(|at| *at != At::Reserve || profile.reservation) {
            for disturbance in DISTURBANCES {
                let (world, struck) = disturbed(&profile, at, disturbance);
                assert!(struck > 0, "{at:?} was never reached\n{}", world.story());
            }
        }
    }
}

#[test]
fn a_definite_no_before_the_order_leaves_no_trace() {
    for at in [At::Reserve, At::Authorize, At::Place] {
        let (world, _) = disturbed(&ideal("ann"), at, Disturbance::Refused);
        assert!(world.shops.values().all(|shop| !shop.is_live()), "{}", world.story());
        assert!(world.payments.values().all(|payment| !payment.is_open()), "{}", world.story());
        assert_ne!(world.request.status, Status::Ordered);
    }
}

#[test]
fn an_answer_to_the_order_that_never_comes_is_found_out_and_the_order_stands() {
    for profile in tempers() {
        let (world, _) = disturbed(&profile, At::Place, Disturbance::AnswersLost);
        let canceled_by_fence = profile.fences_cancel && profile.lookup != ideal("ann").lookup;
        if !canceled_by_fence {
            assert_eq!(status(&world.request), "ordered", "{}", world.story());
        }
    }
}

#[test]
fn a_capture_that_is_only_delayed_takes_the_money_in_the_end() {
    for disturbance in [Disturbance::CommandsLost, Disturbance::AnswersLost, Disturbance::Busy] {
        let (world, _) = disturbed(&plain("ann"), At::Capture, disturbance);
        assert_eq!(status(&world.request), "ordered", "{}", world.story());
        assert!(matches!(world.payments[&1], Payment::Captured { .. }), "{}", world.story());
        assert_eq!(world.request.incident, None, "{}", world.story());
    }
}

/// Every command and every answer twice: one order, one capture, one notification.
#[test]
fn every_step_of_a_purchase_may_happen_twice() {
    for profile in tempers() {
        let mut named = profile.clone();
        named.id = crate::support::partner("ann");
        let mut world = World::new(submission(), vec![named], 0);
        Act::Sweep { find: Find::Affordable, pick: 0 }.perform(&mut world);
        while !(world.commands.is_empty() && world.answers.is_empty()) {
            for command in std::mem::take(&mut world.commands) {
                world.arrive(&command, Mood::Willing);
                world.arrive(&command, Mood::Willing);
            }
            for answer in std::mem::take(&mut world.answers) {
                world.happen(answer.clone());
                world.happen(answer);
            }
        }
        world.come_to_rest();
        world.check_rest();
        assert_eq!(status(&world.request), "ordered", "{}", world.story());
        assert_eq!(world.told, [(0, broker_core::effect::Outcome::Ordered)]);
        assert_eq!(world.orders.len(), 1, "{}", world.story());
    }
}
