//! All customers of a run: their plans, and how they take what they are told.

use std::collections::BTreeMap;

use schemas::event::{Notification, NotificationOutcome};
use schemas::purchase::CommandReply;
use schemas::subject::PurchaseOperation;
use schemas::{Digest, DurationMs, RequestId, Timestamp};

use super::desk::Desk;
use super::plan::Plan;
use super::{Act, Buyers, Expectation, Shelves, extras, kinds};
use crate::auditor::{Answer, Command, Route};
use crate::sim::choices::{Choices, Lane};
use crate::sim::options::Options;

/// Copies of a command that nobody answers before its customer gives up.
const RETRIES_MAX: u8 = 6;
/// Shortest and longest pause before such a copy, milliseconds.
const RETRY_AFTER_MS: (u32, u32) = (100, 10_000);

/// See the module.
#[derive(Debug)]
pub struct Customers {
    shelves: Shelves,
    plans: BTreeMap<RequestId, Plan>,
    /// Copies sent of each command that was not answered.
    retries: BTreeMap<Digest, u8>,
}

impl Customers {
    /// Plans everything: one plan for each request of `options`.
    pub fn plan(options: &Options, choices: &mut Choices) -> Self {
        let mut desk = Desk::new(options, choices);
        let mut plans = BTreeMap::new();
        for _ in 0..options.requests {
            let mut plan = kinds::draw(&mut desk);
            extras::add(&mut desk, &mut plan);
            plans.insert(plan.request, plan);
        }
        Self { shelves: desk.shelves, plans, retries: BTreeMap::new() }
    }

    /// What each customer had in mind, for the report of a failure.
    pub fn plans(&self) -> impl Iterator<Item = (RequestId, String)> {
        self.plans.iter().map(|(request, plan)| {
            let wanted = plan.expectation.as_ref().map_or("no matter what", |wanted| wanted.plan);
            let first = plan.acts.iter().find_map(|act| match &act.command {
                Command::Create(create) if create.request_id == plan.request => Some(create),
                _ => None,
            });
            let said: Vec<String> = plan
                .reactions
                .iter()
                .map(|reaction| format!("on {}: {:?}", reaction.on.label(), reaction.wish))
                .collect();
            let acts = plan.acts.len();
            let text = match first {
                Some(create) => format!(
                    "{wanted}: {} × {:?} ≤ {} until {}, {:?} {:?}, {}, rebuy {}; {acts} acts; {}",
                    create.quantity,
                    create.item,
                    create.max_total,
                    create.expires_at,
                    create.strategy,
                    create.mode,
                    create.payment_token,
                    create.rebuy,
                    said.join(", ")
                ),
                None => format!("{wanted}; {acts} acts"),
            };
            (*request, text)
        })
    }

    /// The same bytes again, as long as nobody says anything.
    fn again(&mut self, act: &Act, now: Timestamp, choices: &mut Choices) -> Vec<Act> {
        let reads = [PurchaseOperation::Get, PurchaseOperation::List, PurchaseOperation::Receipt];
        if reads.contains(&act.command.operation()) {
            return Vec::new();
        }
        let tries = self.retries.entry(act.command.digest()).or_default();
        if *tries >= RETRIES_MAX {
            return Vec::new();
        }
        *tries += 1;
        let (low, high) = RETRY_AFTER_MS;
        let after = choices.within(Lane::Buyers, low, high);
        let at = now.saturating_add(DurationMs(u64::from(after)));
        let other = match act.route {
            Route::Stream => Route::Service,
            Route::Service => Route::Stream,
        };
        let route = if choices.strikes(Lane::Buyers, 250) { other } else { act.route };
        vec![Act { at, route, ..act.clone() }]
    }
}

impl Buyers for Customers {
    fn shelves(&self) -> Shelves {
        self.shelves.clone()
    }

    fn opening(&mut self, _: &mut Choices) -> Vec<Act> {
        self.plans.values().flat_map(|plan| plan.acts.iter().cloned()).collect()
    }

    fn answered(
        &mut self,
        act: &Act,
        answer: &Answer,
        now: Timestamp,
        choices: &mut Choices,
    ) -> Vec<Act> {
        match answer {
            Answer::Silent => self.again(act, now, choices),
            Answer::Reply(reply) => match reply.as_ref() {
                CommandReply::Rejected(problem) if problem.retryable => {
                    let wait = problem.retry_after_ms.unwrap_or_default();
                    self.again(act, now.saturating_add(wait), choices)
                }
                CommandReply::Rejected(_) | CommandReply::Accepted { .. } => Vec::new(),
            },
            Answer::Stored { .. } => Vec::new(),
        }
    }

    fn awaits(&self, outcome: NotificationOutcome) -> bool {
        let mut reactions = self.plans.values().flat_map(|plan| &plan.reactions);
        reactions.any(|reaction| !reaction.is_done && reaction.on == outcome)
    }

    fn notified(&mut self, notice: &Notification, now: Timestamp, _: &mut Choices) -> Vec<Act> {
        let Some(plan) = self.plans.get_mut(&notice.request_id) else { return Vec::new() };
        let mut acts = Vec::new();
        for index in 0..plan.reactions.len() {
            let reaction = plan.reactions[index].clone();
            if reaction.is_done || reaction.on != notice.outcome {
                continue;
            }
            plan.reactions[index].is_done = true;
            let command = plan.command(&reaction.wish, Some(notice));
            let at = now.saturating_add(reaction.after);
            let customer = plan.customer.clone();
            acts.push(Act { at, customer, command, route: reaction.route });
        }
        acts
    }

    fn expected(&self, request: RequestId) -> Option<&Expectation> {
        self.plans.get(&request)?.expectation.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customers(seed: u64) -> (Customers, Options) {
        let mut choices = Choices::from_seed(seed);
        let options = Options::draw(&mut choices);
        (Customers::plan(&options, &mut choices), options)
    }

    #[test]
    fn every_request_has_a_plan_and_the_same_seed_the_same_plans() {
        for seed in 0..200 {
            let (mut one, options) = customers(seed);
            let (mut other, _) = customers(seed);
            assert_eq!(one.plans.len(), options.requests as usize, "seed {seed}");
            let mut choices = Choices::from_seed(seed);
            let (first, second) = (one.opening(&mut choices), other.opening(&mut choices));
            assert_eq!(first, second, "seed {seed}");
            assert_eq!(one.shelves(), other.shelves(), "seed {seed}");
        }
    }

    #[test]
    fn the_tamest_customer_buys_one_book() {
        let mut choices = Choices::from_script(crate::sim::choices::Script::default());
        let options = Options::draw(&mut choices);
        assert!(options.is_calm());
        let mut customers = Customers::plan(&options, &mut choices);
        let acts = customers.opening(&mut choices);
        assert_eq!(acts.len(), 1);
        let wanted = customers.expected(acts[0].command.request().unwrap()).unwrap();
        assert_eq!(wanted.plan, "bought");
    }

    #[test]
    fn a_command_that_nobody_answers_is_sent_again_a_few_times() {
        let (mut customers, _) = customers(1);
        let mut choices = Choices::from_seed(1);
        let mut acts = customers.opening(&mut choices);
        acts.retain(|act| matches!(act.command, Command::Create(_)));
        let mut act = acts.remove(0);
        let mut copies = 0;
        while let Some(again) =
            customers.answered(&act, &Answer::Silent, act.at, &mut choices).pop()
        {
            assert!(again.at > act.at);
            assert_eq!(again.command, act.command);
            act = again;
            copies += 1;
        }
        assert_eq!(copies, RETRIES_MAX);
    }
}
