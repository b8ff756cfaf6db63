//! What may happen next. The network is prompt and in order until a budget says otherwise: the
//! clock moves only once everything has arrived, and only to instants that make a difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broker_core::request::Status;
use broker_core::row::Row;
use broker_core::timer::TimerKind;
use broker_core::transition;
use stateright::{Model, Property};

use super::bank::Payment;
use super::numbers::{T0, submission};
use super::promise;
use super::setting::{Budget, Setting};
use super::shop::Mood;
use super::state::{Command, LANES, Record, State, Stray, What};

/// One step of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Admit,
    /// A command arrives at its receiver.
    Arrive {
        from: Place,
        mood: Mood,
        copy: Copy,
    },
    /// An answer arrives at the broker.
    Hear {
        from: Place,
        copy: Copy,
        by: Owner,
    },
    SetAsideCommand {
        lane: usize,
    },
    SetAsideAnswer {
        lane: usize,
    },
    LoseCommand {
        lane: usize,
    },
    LoseAnswer {
        lane: usize,
    },
    /// The outbox gives a command up whose time has passed.
    Lapse {
        stray: usize,
    },
    Fire {
        kind: TimerKind,
        by: Owner,
    },
    Sweep {
        find: Find,
        after: u64,
    },
    /// The clock moves to the next instant that matters.
    Tick,
    Cancel {
        by: Owner,
    },
    Update {
        which: usize,
        by: Owner,
    },
    AcceptOffer,
    CustomerActs {
        success: bool,
    },
    StoreTakesBack,
    /// The newest inputs are delivered again, and the newest commands published again.
    Crash {
        inputs: usize,
        commands: usize,
    },
    SecondOwner,
}

/// Where a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Lane(usize),
    Stray(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    Only,
    /// Another one is set aside.
    Another,
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The one who wrote last.
    Current,
    /// The one whose view is out of date.
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Find {
    /// Every store has it.
    Stock,
    NoStock,
    NoAnswer,
}

/// The broker, the stores, the provider and the customer of one configuration.
#[derive(Clone)]
pub(crate) struct Market {
    pub(crate) setting: Setting,
    rows: Arc<AtomicU64>,
}

impl Market {
    pub(crate) fn new(setting: Setting) -> Self {
        Self { setting, rows: Arc::new(AtomicU64::new(0)) }
    }

    /// Notes rows of the canonical tables as taken, for the report.
    pub(crate) fn note(&self, rows: &[Row]) {
        let bits = rows.iter().fold(0, |bits, row| bits | 1_u64 << *row as u64);
        self.rows.fetch_or(bits, Ordering::Relaxed);
    }

    /// One bit per row of the canonical tables that was taken.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

impl Model for Market {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let wanted = submission(self.setting.life, self.setting.rebuy);
        let created = transition::create(wanted, T0, &self.setting.policy).expect("it is valid");
        self.note(&created.rows);
        vec![State {
            stored: Record::new(created.next),
            stale: None,
            now: T0,
            commands: Default::default(),
            answers: Default::default(),
            strays: Vec::new(),
            shops: Default::default(),
            payments: Default::default(),
            sent: Default::default(),
            asked_money: Default::default(),
            told: Vec::new(),
            unacknowledged: Vec::new(),
            unrecorded: Vec::new(),
            left: self.setting.budget,
            broken: Default::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.request().status == Status::Pending {
            actions.push(Action::Admit);
            return;
        }
        messages(self, state, actions);
        strays(self, state, actions);
        time(self, state, actions);
        customer(self, state, actions);
        mishaps(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        super::step::take(self, &mut next, action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = promise::properties();
        all.extend(self.setting.reaches.iter().map(|status| super::reach::property(*status)));
        all
    }
}

/// Who may decide, given what is left to go wrong.
fn owners(state: &State) -> impl Iterator<Item = Owner> {
    [Owner::Current].into_iter().chain(state.old_view().map(|_| Owner::Stale))
}

fn moods(market: &Market, state: &State, command: &Command) -> impl Iterator<Item = Mood> {
    let Budget { busy, refusals, demands, .. } = state.left;
    let index = command.index();
    let (decides, of_payment) = match &command.what {
        What::Partner(partner, command) => {
            let profile = market.setting.policy.partners.profile(partner);
            (state.shops[index].decides(&profile, command), false)
        }
        What::Payment(command) => (state.payments[index].decides(command), true),
    };
    let others = [
        (Mood::Busy, busy > 0),
        (Mood::Unwilling, refusals > 0),
        (Mood::Demanding, demands > 0 && of_payment),
    ];
    let others = others.into_iter().filter(move |(_, may)| *may && decides);
    [Mood::Willing].into_iter().chain(others.map(|(mood, _)| mood))
}

fn copies(left: u8) -> impl Iterator<Item = Copy> {
    [Copy::Only].into_iter().chain((left > 0).then_some(Copy::Another))
}

fn messages(market: &Market, state: &State, actions: &mut Vec<Action>) {
    let left = &state.left;
    for lane in 0..LANES {
        if let Some(command) = state.commands[lane].first() {
            for mood in moods(market, state, command) {
                let from = Place::Lane(lane);
                actions.extend(copies(left.twice).map(|copy| Action::Arrive { from, mood, copy }));
            }
            actions.extend((left.late > 0).then_some(Action::SetAsideCommand { lane }));
            actions.extend((left.lost_commands > 0).then_some(Action::LoseCommand { lane }));
        }
        if !state.answers[lane].is_empty() {
            for by in owners(state) {
                let from = Place::Lane(lane);
                actions.extend(copies(left.twice).map(|copy| Action::Hear { from, copy, by }));
            }
            actions.extend((left.late > 0).then_some(Action::SetAsideAnswer { lane }));
            actions.extend((left.lost_answers > 0).then_some(Action::LoseAnswer { lane }));
        }
    }
}

fn strays(market: &Market, state: &State, actions: &mut Vec<Action>) {
    for (index, stray) in state.strays.iter().enumerate() {
        let from = Place::Stray(index);
        let copy = Copy::Only;
        match stray {
            Stray::Command(command) => {
                actions.extend(moods(market, state, command).map(|mood| Action::Arrive {
                    from,
                    mood,
                    copy,
                }));
                if command.not_after().is_some_and(|not_after| not_after < state.now) {
                    actions.push(Action::Lapse { stray: index });
                }
            }
            Stray::Answer(_) => {
                actions.extend(owners(state).map(|by| Action::Hear { from, copy, by }));
            }
        }
    }
}

fn time(market: &Market, state: &State, actions: &mut Vec<Action>) {
    let is_due = |(kind, at)| (at <= state.now).then_some(kind);
    let due: Vec<TimerKind> = state.timers().filter_map(is_due).collect();
    actions.extend(due.iter().map(|&kind| Action::Fire { kind, by: Owner::Current }));
    let old = state.old_view().into_iter().flat_map(Record::timers).filter_map(is_due);
    actions.extend(old.map(|kind| Action::Fire { kind, by: Owner::Stale }));
    if !due.is_empty() || !state.nothing_on_its_way() {
        return;
    }
    if state.is_sweeping() {
        for &after in &market.setting.sweeps_take {
            actions.push(Action::Sweep { find: Find::Stock, after });
            if state.left.poor_sweeps > 0 {
                actions.push(Action::Sweep { find: Find::NoStock, after });
                actions.push(Action::Sweep { find: Find::NoAnswer, after });
            }
        }
    } else if state.next_instant(market.setting.skew).is_some() {
        actions.push(Action::Tick);
    }
}

fn customer(market: &Market, state: &State, actions: &mut Vec<Action>) {
    let left = &state.left;
    if left.cancels > 0 {
        actions.extend(owners(state).map(|by| Action::Cancel { by }));
    }
    if left.updates > 0 {
        for which in 0..market.setting.changes.len() {
            actions.extend(owners(state).map(|by| Action::Update { which, by }));
        }
    }
    if left.accepts > 0 && matches!(state.request().status, Status::Quoted(_)) {
        actions.push(Action::AcceptOffer);
    }
    if state.payments.iter().any(|payment| matches!(payment, Payment::Waiting { .. })) {
        actions.extend([true, false].map(|success| Action::CustomerActs { success }));
    }
}

fn mishaps(state: &State, actions: &mut Vec<Action>) {
    let left = &state.left;
    if left.take_backs > 0 && state.live_orders() > 0 {
        actions.push(Action::StoreTakesBack);
    }
    if left.crashes > 0 {
        for inputs in 0..=state.unacknowledged.len() {
            let again = 0..=state.unrecorded.len();
            let again = again.filter(|commands| inputs + commands > 0);
            actions.extend(again.map(|commands| Action::Crash { inputs, commands }));
        }
    }
    if left.takeovers > 0 {
        actions.push(Action::SecondOwner);
    }
}
