//! The end of a run: everything that anybody wrote down, as the auditor reads it.

use std::collections::BTreeSet;

use schemas::Digest;
use schemas::purchase::PurchaseStatus;

use super::node::Setup;
use super::world::World;
use crate::auditor::{
    Answer, Background, Evidence, Route, Seen, Sent, is_with_a_human, liars, standing,
};
use crate::harness::{StoreContents, message_id, read_store};

/// Gathers the evidence; nothing is left of the world but counters.
pub fn collect(world: &mut World) -> Evidence {
    let store = read_store(world.scene.reader.as_ref()).expect("the twin can always be read");
    for head in store.heads.values() {
        world.scene.luck.coverage.note_end(head);
    }
    world.scene.luck.coverage.note_parties(&world.parties.world);
    let readings = readings(world, &store);
    let Setup { policy, .. } = world.setup.clone();
    let ledgers = &world.parties.world;
    let background = Background {
        standing: standing(ledgers, &store.heads, &policy),
        vouched: Vec::new(),
        liars: liars(ledgers).collect(),
        bridged: BTreeSet::new(),
        meta: world.scene.reader.meta().ok(),
        readings,
        virtual_time: true,
        store_only: false,
    };
    Evidence {
        sent: sent(world),
        log: store.log,
        heads: store.heads,
        receipts: store.receipts,
        incarnation: store.incarnation,
        policy,
        partners: world.parties.world.partner_ledger(),
        payments: world.parties.world.payment_ledger(),
        messages: messages(world),
        disturbances: world.scene.luck.disturbances(),
        background,
        // Who did something last has done it by then, also by a clock that is a little ahead.
        at: world.scene.now.max(world.parties.clock(&world.scene)),
    }
}

/// Reading a store whole is slow; only runs with so few requests do it twice.
const READ_TWICE_REQUESTS_MAX: usize = 3;

/// What the store held at rest, and what it holds after its process was killed.
fn readings(world: &mut World, store: &StoreContents) -> Vec<Digest> {
    if store.heads.len() > READ_TWICE_REQUESTS_MAX {
        return Vec::new();
    }
    world.scene.store.crash();
    let again = read_store(world.scene.reader.as_ref()).expect("the twin can always be read");
    vec![store.digest(), again.digest()]
}

/// A server that lost what it had acknowledged, before anybody read it, acknowledged nothing.
fn sent(world: &mut World) -> Vec<Sent> {
    let mut sent = std::mem::take(&mut world.doors.sent);
    for (place, at) in &world.lost {
        let lost = world.scene.jetstream.seen(*place);
        for copy in &mut sent {
            let told = matches!(copy.answer, Answer::Stored { .. }) && copy.route == Route::Stream;
            let same = told && lost.message_id == Some(message_id(&copy.customer, &copy.command));
            if same && copy.answered <= *at {
                copy.answer = Answer::Silent;
            }
        }
    }
    sent
}

fn messages(world: &mut World) -> Vec<Seen> {
    let mut messages = world.scene.jetstream.history().to_vec();
    messages.append(&mut world.scene.tap);
    messages.sort_by_key(|seen| seen.at);
    messages
}

/// Requests that are neither over nor given to a human, in words.
pub fn unfinished(world: &World) -> Vec<(schemas::RequestId, String)> {
    let reader = &world.scene.reader;
    let active = reader.ids(&broker::store::Listing::Active, None, usize::MAX);
    let mut unfinished = Vec::new();
    for id in active.expect("the twin can always be read") {
        let stored = reader.load(id).expect("the twin can always be read");
        let Some(stored) = stored.filter(|stored| !is_with_a_human(&stored.request)) else {
            continue;
        };
        let request = &stored.request;
        let status: PurchaseStatus = request.status.kind();
        let step = request.checkout.as_ref().map(|checkout| &checkout.step);
        let said = format!("{} {step:?}, to undo {:?}", status.label(), request.undo);
        unfinished.push((id, said));
    }
    unfinished
}

/// Names of requests, for a short report.
pub fn names(unfinished: &[(schemas::RequestId, String)]) -> BTreeSet<schemas::RequestId> {
    unfinished.iter().map(|(id, _)| *id).collect()
}
