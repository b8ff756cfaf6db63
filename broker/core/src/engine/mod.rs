//! The sans-IO engine. Four families of methods, called in this order by a driver:
//!
//! 1. [`Engine::handle`] – any number of inputs, with non-decreasing `now`;
//! 2. [`Engine::poll_output`] – until it returns `None`;
//! 3. [`Engine::poll_timeout`] – when to call `handle(Input::Tick, now)` at the latest.
//!
//! The driver takes no decisions: it performs outputs and feeds results back.

pub mod input;
pub mod output;

use std::collections::VecDeque;

use schemas::Timestamp;

use crate::policy::Policy;
use crate::timer::TimerKind;
use input::Input;
use output::Output;

/// What the shell decides once per start of the process.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub policy: Policy,
    /// Different at every start, so that answers to an earlier life's questions are recognised.
    pub boot_epoch: u32,
    /// Secret random bytes; accept tokens are a keyed hash of (request, sweep) under it.
    pub token_key: [u8; 32],
}

/// The machine.
#[derive(Debug)]
pub struct Engine {
    outputs: VecDeque<Output>,
}

impl Engine {
    pub fn new(_config: EngineConfig, _now: Timestamp) -> Self {
        Self { outputs: VecDeque::new() }
    }

    /// Takes one input in. `now` never goes backwards.
    pub fn handle(&mut self, _input: Input, _now: Timestamp) {}

    /// The next thing to do outside; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimerKind)> {
        None
    }
}
