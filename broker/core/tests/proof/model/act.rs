//! One thing that happens. What it happens to is chosen by index into what is outstanding, so
//! that every sequence means something, also a shrunk one.

use broker_core::event::{
    Event, Finding, LapsedOperation, PartnerAnswer, PartnerOutcome, PaymentAnswer, PaymentOutcome,
    Update,
};
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Status, Version};
use broker_core::timer::TimerKind;
use proptest::prelude::*;
use schemas::DurationMs;
use schemas::purchase::Strategy as Hurry;
use schemas::subject::{PartnerOperation, PaymentOperation};

use super::instant;
use super::shop::Mood;
use super::world::{What, World};
use crate::support::*;

#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// What would happen undisturbed: the oldest answer is heard, or the oldest command arrives, or
    /// a sweep finds the book. Brings a sequence into the deeper stations.
    GoOn,
    /// A command arrives; a copy may stay on its way.
    Arrive {
        index: usize,
        mood: Mood,
        again: bool,
    },
    LoseCommand {
        index: usize,
    },
    /// The outbox gives a command up whose time has passed.
    Lapse {
        index: usize,
    },
    /// An answer arrives; a copy may stay on its way.
    Hear {
        index: usize,
        again: bool,
    },
    LoseAnswer {
        index: usize,
    },
    /// The next timer fires.
    Timer,
    /// Time passes; timers that come due fire late, or not before the next [`Act::Timer`].
    Wait {
        ms: u64,
    },
    Sweep {
        find: Find,
        pick: u8,
    },
    LateOffer {
        pick: u8,
    },
    Cancel,
    Update {
        kind: u8,
    },
    Accept,
    CustomerActs {
        success: bool,
    },
    StoreSpeaks {
        takes_back: bool,
    },
    /// Any event at all.
    Say(Box<Event>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Find {
    Affordable,
    TooDear,
    NoStock,
    NoAnswer,
}

const NAMES: [&str; 3] = ["ann", "bob", "cat"];

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        6 => Just(Mood::Willing),
        1 => Just(Mood::Busy),
        1 => Just(Mood::Unwilling),
        1 => Just(Mood::Demanding)
    ]
}

fn find() -> impl Strategy<Value = Find> {
    prop_oneof![
        6 => Just(Find::Affordable),
        2 => Just(Find::TooDear),
        1 => Just(Find::NoStock),
        1 => Just(Find::NoAnswer)
    ]
}

fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(1_u64),
        Just(300),
        Just(600),
        Just(1_100),
        Just(5_000),
        Just(30_000),
        Just(130_000)
    ]
}

/// What may happen to a request among stores that keep their contract.
pub(crate) fn honest() -> impl Strategy<Value = Act> {
    let index = 0_usize..4;
    prop_oneof![
        14 => Just(Act::GoOn),
        12 => (index.clone(), mood(), prop::bool::weighted(0.2))
            .prop_map(|(index, mood, again)| Act::Arrive { index, mood, again }),
        12 => (index.clone(), prop::bool::weighted(0.2))
            .prop_map(|(index, again)| Act::Hear { index, again }),
        2 => index.clone().prop_map(|index| Act::LoseCommand { index }),
        2 => index.clone().prop_map(|index| Act::LoseAnswer { index }),
        1 => index.prop_map(|index| Act::Lapse { index }),
        5 => Just(Act::Timer),
        3 => wait().prop_map(|ms| Act::Wait { ms }),
        6 => (find(), any::<u8>()).prop_map(|(find, pick)| Act::Sweep { find, pick }),
        1 => any::<u8>().prop_map(|pick| Act::LateOffer { pick }),
        1 => Just(Act::Cancel),
        1 => (0_u8..6).prop_map(|kind| Act::Update { kind }),
        1 => Just(Act::Accept),
        1 => any::<bool>().prop_map(|success| Act::CustomerActs { success }),
        1 => any::<bool>().prop_map(|takes_back| Act::StoreSpeaks { takes_back }),
    ]
}

/// The same, and anything that anybody could say about any attempt.
pub(crate) fn hostile() -> impl Strategy<Value = Act> {
    prop_oneof![2 => honest(), 3 => anything().prop_map(|event| Act::Say(Box::new(event)))]
}

fn anything() -> impl Strategy<Value = Event> {
    let partner = (0_usize..4, 0_u8..5, 0_usize..6, 0_usize..12, prop::option::of(0_u64..40));
    let partner = partner.prop_map(|(name, attempt, operation, outcome, version)| {
        Event::Partner(PartnerAnswer {
            partner: crate::support::partner(NAMES.get(name).copied().unwrap_or("nobody")),
            attempt,
            operation: PartnerOperation::ALL.get(operation).copied(),
            in_reply_to: version.map(Version),
            outcome: partner_outcome(outcome),
        })
    });
    let payment = (0_u8..5, 0_usize..5, 0_usize..11, prop::option::of(0_u64..40));
    let payment = payment.prop_map(|(attempt, operation, outcome, version)| {
        let (operation, outcome) = (PaymentOperation::ALL[operation], payment_outcome(outcome));
        let in_reply_to = version.map(Version);
        Event::Payment(PaymentAnswer { attempt, operation, in_reply_to, outcome })
    });
    let lapse = (0_u8..5, 0_usize..3).prop_map(|(attempt, operation)| {
        use LapsedOperation::{Authorize, Place, Reserve};
        lapsed(attempt, [Reserve, Authorize, Place][operation])
    });
    prop_oneof![
        10 => partner,
        8 => payment,
        2 => lapse,
        1 => (0_usize..5).prop_map(|kind| timer(TimerKind::ALL[kind])),
        1 => Just(Event::Admitted),
        1 => (0_u32..5).prop_map(|number| sweep(number, Finding::NoStock)),
        1 => any::<u8>().prop_map(|pick| Event::LateOffer(offers(pick).remove(0))),
    ]
}

fn partner_outcome(number: usize) -> PartnerOutcome {
    match number {
        0 => reserved(0),
        1 => reserved(2_000),
        2 => reserved(500_000),
        3 => PartnerOutcome::Released,
        4 => confirmed("o-1", 2000),
        5 => confirmed("o-2", 2000),
        6 => confirmed("o-1", 999_999),
        7 => canceled("o-1"),
        8 => not_found(true),
        9 => not_found(false),
        10 => refused(true),
        _ => refused(false),
    }
}

fn payment_outcome(number: usize) -> PaymentOutcome {
    match number {
        0 | 1 => authorized(3000),
        2 => authorized(1),
        3 => PaymentOutcome::Declined,
        4 => action_required(),
        5 => captured(2000),
        6 => PaymentOutcome::Voided,
        7 => PaymentOutcome::Refunded,
        8 => no_payment(true),
        9 => no_payment(false),
        _ => PaymentOutcome::Failed,
    }
}

/// One to three offers; which, and how good, follows from `pick`.
fn offers(pick: u8) -> Vec<Quote> {
    let count = usize::from(pick % 3) + 1;
    let offer = |place: usize| {
        let name = NAMES[(usize::from(pick / 3) + place) % NAMES.len()];
        let mut offer = quote(name, 2500 + 100 * place as u64);
        match pick % 7 {
            0 => offer.shipping = Cost::AtMost(300),
            1 => offer.valid_until = instant(8_000),
            2 => offer.item += 300,
            _ => {}
        }
        offer
    };
    (0..count).map(offer).collect()
}

impl Act {
    pub(crate) fn perform(&self, world: &mut World) {
        match self {
            Self::GoOn => go_on(world),
            Self::Arrive { index, mood, again } => arrive(world, *index, *mood, *again),
            Self::Hear { index, again } => hear(world, *index, *again),
            Self::LoseCommand { index } => {
                if let Some(index) = pick(*index, world.commands.len()) {
                    world.commands.remove(index);
                }
            }
            Self::LoseAnswer { index } => lose_answer(world, *index),
            Self::Lapse { index } => lapse(world, *index),
            Self::Timer => {
                world.fire_next_timer();
            }
            Self::Wait { ms } => world.now = world.now.saturating_add(DurationMs(*ms)),
            Self::Sweep { find, pick } => close_sweep(world, *find, *pick),
            Self::LateOffer { pick } => {
                world.happen(Event::LateOffer(offers(*pick).remove(0)));
            }
            Self::Cancel => {
                world.happen(cancel());
            }
            Self::Update { kind } => {
                world.happen(change(world, *kind));
            }
            Self::Accept => accept_offer(world),
            Self::CustomerActs { success } => world.customer_acts(*success),
            Self::StoreSpeaks { takes_back } => world.store_speaks(*takes_back),
            Self::Say(event) => {
                world.happen((**event).clone());
            }
        }
    }
}

fn go_on(world: &mut World) {
    if !world.answers.is_empty() {
        hear(world, 0, false);
    } else if !world.commands.is_empty() {
        arrive(world, 0, Mood::Willing, false);
    } else {
        close_sweep(world, Find::Affordable, 1);
    }
}

fn pick(index: usize, len: usize) -> Option<usize> {
    (len > 0).then(|| index % len)
}

fn arrive(world: &mut World, index: usize, mood: Mood, again: bool) {
    let Some(index) = pick(index, world.commands.len()) else { return };
    let command = world.commands[index].clone();
    if !again {
        world.commands.remove(index);
    }
    world.arrive(&command, mood);
}

fn hear(world: &mut World, index: usize, again: bool) {
    let Some(index) = pick(index, world.answers.len()) else { return };
    let answer = world.answers[index].clone();
    if !again {
        world.answers.remove(index);
    }
    world.happen(answer);
}

/// Answers are asked for again. An unasked notice is not, nor is the word on an order that is gone
/// when nobody waits for it any more: those are the stream's to keep.
fn lose_answer(world: &mut World, index: usize) {
    let Some(index) = pick(index, world.answers.len()) else { return };
    let kept = matches!(&world.answers[index], Event::Partner(answer)
        if answer.operation.is_none() || matches!(answer.outcome, PartnerOutcome::Canceled { .. }));
    if !kept {
        world.answers.remove(index);
    }
}

fn lapse(world: &mut World, index: usize) {
    use broker_core::effect::{PartnerCommand, PaymentCommand};
    let Some(index) = pick(index, world.commands.len()) else { return };
    let (operation, not_after) = match &world.commands[index].what {
        What::Partner(_, PartnerCommand::Reserve { not_after, .. }) => {
            (LapsedOperation::Reserve, *not_after)
        }
        What::Partner(_, PartnerCommand::Place { not_after, .. }) => {
            (LapsedOperation::Place, *not_after)
        }
        What::Payment(PaymentCommand::Authorize { not_after, .. }) => {
            (LapsedOperation::Authorize, *not_after)
        }
        What::Partner(..) | What::Payment(_) => return,
    };
    if world.now > not_after {
        let command = world.commands.remove(index);
        world.happen(lapsed(command.attempt, operation));
    }
}

fn close_sweep(world: &mut World, find: Find, pick: u8) {
    if !world.is_sweeping() {
        return;
    }
    let number = world.request.sweep;
    let finding = match find {
        Find::Affordable => Finding::Affordable(offers(pick)),
        Find::TooDear => Finding::TooDear {
            best: quote(NAMES[0], 3100 + u64::from(pick)),
            token: token(7).into(),
        },
        Find::NoStock => Finding::NoStock,
        Find::NoAnswer => Finding::NoAnswer,
    };
    world.happen(sweep(number, finding));
}

fn change(world: &World, kind: u8) -> Event {
    let terms = world.request.terms;
    let event = match kind {
        0 => return raise_to(4000),
        1 => return raise_to(2450),
        2 => return expire_at(terms.expires_at.saturating_add(DurationMs(30_000))),
        3 => return expire_at(world.now.saturating_add(DurationMs(2_500))),
        4 => return expire_at(world.now.saturating_sub(DurationMs(1))),
        _ => Update { strategy: Some(Hurry::Fast), ..update() },
    };
    Event::Update(event)
}

fn accept_offer(world: &mut World) {
    if matches!(world.request.status, Status::Quoted(_)) {
        world.happen(accept(7));
    }
}
