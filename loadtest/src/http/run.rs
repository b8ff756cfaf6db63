//! One load: callers at their own instants, or one after the other on every connection.
//!
//! Each connection takes the next caller of the schedule, waits for the instant at which that
//! caller means to call, and calls. While all connections are busy callers wait; their time counts
//! from what they meant.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use schemas::RequestId;
use tokio::task::JoinSet;

use super::callers::{Callers, fresh_key};
use super::connection::{Connection, Said};
use crate::load::Arrivals;

/// What is to be called, by whom.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) callers: Arc<Callers>,
    pub(super) connections: usize,
    pub(super) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// So many callers a second.
    Open { rate: u32 },
    /// As many as the connections carry.
    Closed,
}

/// One call and what came of it; times since the start of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) request: RequestId,
    /// Of [`Callers`].
    pub(super) caller: usize,
    pub(super) intended: Duration,
    pub(super) sent: Duration,
    pub(super) answered: Duration,
    pub(super) said: Said,
}

/// Who calls next, and when.
struct Schedule {
    start: Instant,
    length: Duration,
    next: AtomicUsize,
    /// None: at once.
    instants: Option<Vec<Duration>>,
}

impl Schedule {
    fn new(load: Load, seed: u64, length: Duration) -> Self {
        let instants = match load {
            Load::Open { rate } => Some(Arrivals::new(seed, rate, length).collect()),
            Load::Closed => None,
        };
        Self { start: Instant::now(), length, next: AtomicUsize::new(0), instants }
    }

    fn next(&self) -> Option<(usize, Duration)> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let at = match &self.instants {
            Some(instants) => *instants.get(n)?,
            None => self.start.elapsed(),
        };
        (at < self.length).then_some((n, at))
    }
}

/// Lets callers come for `length`; returns when the last one was answered.
pub(super) async fn run(
    target: &Target,
    load: Load,
    length: Duration,
) -> anyhow::Result<Vec<Call>> {
    let mut connections = Vec::with_capacity(target.connections);
    for _ in 0..target.connections {
        let mut connection = Connection::new(target.address)?;
        connection.open().await?;
        connections.push(connection);
    }
    let schedule = Arc::new(Schedule::new(load, target.seed, length));
    let mut lines = JoinSet::new();
    for connection in connections {
        let (schedule, callers) = (Arc::clone(&schedule), Arc::clone(&target.callers));
        lines.spawn(line(connection, schedule, callers));
    }
    let mut calls = Vec::new();
    while let Some(ended) = lines.join_next().await {
        calls.extend(ended.context("a connection")??);
    }
    Ok(calls)
}

async fn line(
    mut connection: Connection,
    schedule: Arc<Schedule>,
    callers: Arc<Callers>,
) -> anyhow::Result<Vec<Call>> {
    let mut calls = Vec::new();
    while let Some((caller, intended)) = schedule.next() {
        // A timer that is due already would still cost up to a millisecond.
        if schedule.start.elapsed() < intended {
            tokio::time::sleep_until((schedule.start + intended).into()).await;
        }
        let request = fresh_key();
        let sent = schedule.start.elapsed();
        let (token, body) = (callers.token(caller), callers.body(caller));
        let said = connection.create(request, token, body).await?;
        let answered = schedule.start.elapsed();
        calls.push(Call { request, caller, intended, sent, answered, said });
    }
    Ok(calls)
}
