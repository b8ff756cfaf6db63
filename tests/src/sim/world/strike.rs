//! Faults that last: at each beat of the chaos phase every one of them has an opportunity.

use broker_core::batch::SourceStream;
use schemas::subject::{PartnerReplyKind, parse_partner_reply};
use schemas::{DurationMs, Timestamp};

use super::{Damage, World};
use crate::auditor::Trouble;
use crate::sim::choices::Lane;
use crate::sim::clock::START;
use crate::sim::fault::Fault;
use crate::sim::jetstream::StreamIx;
use crate::sim::luck::Luck;
use crate::sim::network::Partition;
use crate::sim::scene::{Item, ProcessId};

/// Opportunities for each lasting fault in one run.
const BEATS: u32 = 24;
/// Half of them fall into the time in which requests come, and so long after it, milliseconds.
const BUSY_AFTER_MS: u32 = 10_000;
/// Each lasts between these, milliseconds.
const SERVER_DOWN_MS: (u32, u32) = (50, 6_000);
const PARTITION_MS: (u32, u32) = (200, 30_000);
const FULL_MS: (u32, u32) = (500, 20_000);
const PAUSE_MS: (u32, u32) = (500, 120_000);
const DEPOSED_MS: (u32, u32) = (500, 60_000);
const PARTIES_DOWN_MS: (u32, u32) = (100, 30_000);
const CLOCK_WRONG_MS: (u32, u32) = (1_000, 120_000);
/// How far a clock jumps, milliseconds.
const CLOCK_JUMP_MS: (u32, u32) = (600, 600_000);
/// How far clocks of broker and stores differ at most: within the margin of the policy.
const SKEW_MAX_MS: u32 = 400;
/// A cut is noticed after three pings.
const PINGS_MS: DurationMs = DurationMs(6_000);
/// Reconnecting takes at most this, milliseconds.
const RECONNECT_MS: u32 = 250;
/// Messages lost at the end of a stream.
const TAIL_MAX: u32 = 12;
/// The server flushes acks of consumers this late.
const ACKS_FLUSHED_AFTER: DurationMs = DurationMs(100);

pub(super) fn skew(luck: &mut Luck) -> i64 {
    let off = luck.within(Fault::ClockSkew, 0, 2 * SKEW_MAX_MS).as_ms();
    i64::try_from(off).unwrap_or(0) - i64::from(SKEW_MAX_MS)
}

impl World {
    pub(super) fn plan_beats(&mut self) {
        let options = &self.scene.luck.options;
        if options.faults.is_empty() {
            return;
        }
        let chaos_ms = options.chaos_ms;
        let busy_ms = chaos_ms.min(options.arrival_span_ms + BUSY_AFTER_MS);
        for beat in 0..BEATS {
            let span_ms = if beat % 2 == 0 { busy_ms } else { chaos_ms };
            let at_ms = self.scene.luck.choices.below(Lane::Crash, span_ms);
            let at = START.saturating_add(DurationMs(u64::from(at_ms)));
            self.scene.agenda.push(at, Item::Beat);
        }
    }

    pub(super) fn beat(&mut self) {
        if self.scene.luck.is_healed() {
            return;
        }
        self.strike_server();
        self.strike_network();
        self.strike_broker();
        self.strike_clock();
        self.strike_parties();
        self.strangers();
        self.operate();
    }

    /// No fault, but it happens when it happens.
    fn operate(&mut self) {
        let often = self.scene.luck.options.search.steered;
        let Some((id, node)) = self.nodes.iter().next_back() else { return };
        if node.paused_until.is_some_and(|until| until > self.scene.now) {
            return;
        }
        if self.scene.luck.choices.strikes(Lane::Options, often) {
            let id = *id;
            self.node(id, |node, scene| node.steered(scene));
        }
    }

    fn lasting(&mut self, fault: Fault, (low, high): (u32, u32), what: Trouble) -> DurationMs {
        let lasts = self.scene.luck.within(fault, low, high);
        let now = self.scene.now;
        self.scene.luck.disturb(what, now, now.saturating_add(lasts));
        lasts
    }

    fn strike_server(&mut self) {
        if self.scene.luck.strikes(Fault::StreamFull) {
            let stream = self.some_stream();
            let lasts = self.lasting(Fault::StreamFull, FULL_MS, Trouble::Server);
            self.scene.jetstream.fill(stream, self.scene.now.saturating_add(lasts));
        }
        let mut damage = Vec::new();
        if self.scene.luck.strikes(Fault::DedupAmnesia) {
            damage.push(Damage::ForgotIds(self.some_stream()));
        }
        if self.scene.luck.strikes(Fault::ConsumerRollback) {
            damage.push(Damage::ForgotAcks);
        }
        if self.scene.luck.strikes(Fault::DeliveryCountReset) {
            damage.push(Damage::ForgotCounts);
        }
        if self.scene.luck.strikes(Fault::TailTruncated) {
            damage.push(Damage::LostTail(self.some_stream()));
        }
        if self.scene.luck.strikes(Fault::StreamRecreated) {
            damage.push(Damage::LostStream(self.some_stream()));
        }
        if self.scene.luck.strikes(Fault::ServerKilled) || !damage.is_empty() {
            self.kill_server(damage);
        }
    }

    fn some_stream(&mut self) -> StreamIx {
        let streams: Vec<StreamIx> = self.scene.jetstream.streams().collect();
        *self.scene.luck.choices.pick(Lane::Server, &streams)
    }

    fn kill_server(&mut self, damage: Vec<Damage>) {
        self.damage.extend(damage);
        if !self.scene.network.server_up {
            return;
        }
        let lasts = self.lasting(Fault::ServerKilled, SERVER_DOWN_MS, Trouble::Server);
        self.scene.network.server_up = false;
        self.scene.network.generation += 1;
        self.scene.serving.clear();
        self.nodes.values_mut().for_each(|node| node.disconnected());
        self.scene.after(lasts, Item::ServerUp);
    }

    /// The server is back, with what it lost.
    pub(super) fn server_up(&mut self) {
        if self.scene.network.server_up {
            return;
        }
        self.scene.network.server_up = true;
        for damage in std::mem::take(&mut self.damage) {
            self.suffer(damage);
        }
        let ids: Vec<ProcessId> = self.nodes.keys().copied().collect();
        for id in ids {
            let takes = self.scene.luck.choices.below(Lane::Network, RECONNECT_MS);
            self.scene.after(DurationMs(u64::from(takes)), Item::Connect(id));
        }
        self.scene.pump_all();
    }

    fn suffer(&mut self, damage: Damage) {
        let now = self.scene.now;
        self.scene.luck.disturb(Trouble::StreamLoss, now, now);
        let jetstream = &mut self.scene.jetstream;
        match damage {
            Damage::ForgotIds(stream) => jetstream.forget_ids(stream),
            Damage::ForgotAcks | Damage::ForgotCounts => {
                // Counted from the kill, which was at most the longest outage ago.
                let down = DurationMs(u64::from(SERVER_DOWN_MS.1));
                let since = now.saturating_sub(down).saturating_sub(ACKS_FLUSHED_AFTER);
                let counts = damage == Damage::ForgotCounts;
                let since = if counts { Timestamp::MAX } else { since };
                jetstream.consumers().for_each(|ix| jetstream.roll_back(ix, since, counts));
            }
            Damage::LostTail(stream) => {
                let most = self.scene.luck.choices.within(Lane::Server, 1, TAIL_MAX);
                let count = self.may_be_lost(stream, most as usize);
                self.note_unread(stream, count);
                self.scene.jetstream.truncate(stream, count);
            }
            Damage::LostStream(stream) => {
                let all = self.scene.jetstream.places(stream).count();
                if self.may_be_lost(stream, all) == all {
                    self.note_unread(stream, all);
                    self.scene.jetstream.recreate(stream, now);
                }
            }
        }
    }

    /// How many of the last messages can go. A notice that the broker has not read is said once:
    /// if it were lost, nobody could ever know what became of an order.
    fn may_be_lost(&self, stream: StreamIx, most: usize) -> usize {
        let jetstream = &self.scene.jetstream;
        let is_said_once = |place: &usize| {
            let subject = &jetstream.seen(*place).subject;
            let notice =
                matches!(parse_partner_reply(subject), Some((_, PartnerReplyKind::Notice)));
            notice && jetstream.has_unread(*place)
        };
        jetstream.places(stream).rev().take(most).take_while(|place| !is_said_once(place)).count()
    }

    /// What customers were told is stored, and is not any more.
    fn note_unread(&mut self, stream: StreamIx, count: usize) {
        let jetstream = &self.scene.jetstream;
        let name = jetstream.spec(stream).name;
        if !SourceStream::ALL.iter().any(|source| source.name() == name) {
            return;
        }
        let last = jetstream.places(stream).rev().take(count);
        let unread = last.filter(|place| jetstream.has_unread(*place));
        let now = self.scene.now;
        let unread: Vec<_> = unread.map(|place| (place, now)).collect();
        self.lost.extend(unread);
    }

    fn strike_network(&mut self) {
        let cut = self.scene.network.partition.is_some_and(|cut| self.scene.now < cut.until);
        if cut || !self.scene.luck.strikes(Fault::Partition) {
            return;
        }
        let lasts = self.lasting(Fault::Partition, PARTITION_MS, Trouble::Network);
        let ways = [(true, true), (true, false), (false, true)];
        let (out, back) = *self.scene.luck.choices.pick(Lane::Network, &ways);
        let until = self.scene.now.saturating_add(lasts);
        self.scene.network.partition = Some(Partition { until, out, back });
        for id in self.scene.serving.clone() {
            self.scene.after(PINGS_MS, Item::Disconnect(id));
        }
    }

    fn strike_broker(&mut self) {
        let Some(id) = self.nodes.keys().next_back().copied() else { return };
        if self.scene.luck.strikes(Fault::BrokerPaused) {
            self.pause(id);
        }
        let alone = self.nodes.len() == 1 && !self.is_starting() && !self.clock_was_wrong;
        if alone && self.scene.luck.strikes(Fault::Deposed) {
            // The old one may stand still while the new one starts, and go on later.
            if self.scene.luck.choices.strikes(Lane::Crash, 500) {
                self.pause(id);
            }
            self.start_after(DurationMs(1));
            // Each takes messages that the other waits for.
            let lasts = self.lasting(Fault::Deposed, DEPOSED_MS, Trouble::BrokerPaused);
            self.scene.after(lasts, Item::Exit(id));
        }
    }

    fn pause(&mut self, id: ProcessId) {
        let lasts = self.lasting(Fault::BrokerPaused, PAUSE_MS, Trouble::BrokerPaused);
        let until = self.scene.now.saturating_add(lasts);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.paused_until = node.paused_until.max(Some(until));
            self.scene.agenda.push(until, Item::Resume(id));
        }
    }

    fn strike_clock(&mut self) {
        if self.nodes.len() > 1 || (self.is_starting() && !self.nodes.is_empty()) {
            return;
        }
        for (fault, sign) in [(Fault::ClockAhead, 1), (Fault::ClockBack, -1)] {
            if self.scene.wall_off_ms != 0 || !self.scene.luck.strikes(fault) {
                continue;
            }
            let jump = self.scene.luck.within(fault, CLOCK_JUMP_MS.0, CLOCK_JUMP_MS.1);
            let lasts = self.scene.luck.within(fault, CLOCK_WRONG_MS.0, CLOCK_WRONG_MS.1);
            self.clock_was_wrong = true;
            self.scene.wall_off_ms = sign * i64::try_from(jump.as_ms()).unwrap_or(i64::MAX);
            self.scene.after(lasts, Item::ClockRight);
            // What a clock that was ahead gave out stays its lower bound until it is reached.
            let now = self.scene.now;
            let until = now.saturating_add(lasts).saturating_add(jump);
            self.scene.luck.disturb(Trouble::Clock, now, until);
            let ids: Vec<ProcessId> = self.nodes.keys().copied().collect();
            for id in ids {
                self.scene.after(DurationMs::ZERO, Item::Wake(id));
            }
        }
    }

    fn strike_parties(&mut self) {
        if self.scene.parties_up && self.scene.luck.strikes(Fault::PartiesCrash) {
            let lasts = self.lasting(Fault::PartiesCrash, PARTIES_DOWN_MS, Trouble::Parties);
            self.scene.parties_up = false;
            self.parties.crash();
            self.scene.after(lasts, Item::PartiesUp);
        }
    }

    /// No fault strikes any more, everything that is down comes up, and one broker is left.
    pub fn heal(&mut self) {
        self.scene.luck.heal();
        self.scene.network.partition = None;
        self.scene.wall_off_ms = 0;
        self.server_up();
        self.parties_up();
        let streams: Vec<StreamIx> = self.scene.jetstream.streams().collect();
        for stream in streams {
            self.scene.jetstream.fill(stream, Timestamp::ZERO);
        }
        let ids: Vec<ProcessId> = self.nodes.keys().copied().collect();
        match ids.as_slice() {
            [only] => {
                self.resume(*only);
                self.scene.after(DurationMs::ZERO, Item::Wake(*only));
                self.scene.after(DurationMs::ZERO, Item::Connect(*only));
            }
            several => several.iter().for_each(|id| self.died(*id)),
        }
        if self.nodes.is_empty() && !self.is_starting() {
            self.start_after(DurationMs(1));
        }
    }
}
