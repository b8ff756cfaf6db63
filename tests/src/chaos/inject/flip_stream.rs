//! A bit of a stream's file, turned over while the server is down. The server drops what follows
//! the damage and gives its numbers out again. What the broker said, it says again by itself; what
//! partners said, it asks for; what customers said, they send again, as the broker's alarm asks.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream;
use rand::RngExt;
use schemas::stream::{self, name};

use super::Done;
use crate::auditor::{Answer, Route, Sent};
use crate::chaos::flip::{files_below, flip};
use crate::chaos::rig::Rig;
use crate::harness::message_id;

/// The damage lies near the end of the file: a long history is filled again from the outbox, and a
/// run is about many faults, not about one long repair.
const NEAR_END_BYTES: u64 = 48 * 1024;

pub(super) async fn of_the_server(rig: &mut Rig) -> Done {
    rig.cluster.kill_nats()?;
    let mut blocks = blocks(rig)?;
    ensure!(!blocks.is_empty(), "the server has no stream files in {:?}", store_dir(rig));
    let block = blocks.swap_remove(rig.dice.random_range(0..blocks.len()));
    let at = flip(&block, NEAR_END_BYTES, &mut rig.dice)?;
    let sent = rig.cluster.ledger().entries();
    rig.cluster.restart_nats().await?;
    rig.cluster.streams_may_be_shorter(u64::MAX).await;
    let again = send_again(rig, &sent).await?;
    rig.sent_again += again;
    let inside = block.strip_prefix(store_dir(rig)).unwrap_or(&block);
    Ok(Ok(Some(format!("byte {at} of {}, {again} commands sent again", inside.display()))))
}

fn store_dir(rig: &Rig) -> PathBuf {
    rig.cluster.nats().store_dir()
}

fn blocks(rig: &Rig) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = files_below(&store_dir(rig))?;
    files.retain(|file| {
        let holds = std::fs::metadata(file).is_ok_and(|meta| meta.len() > 0);
        // A file of zeros is one that the server has only just begun.
        let begun = || std::fs::read(file).is_ok_and(|bytes| bytes.iter().any(|byte| *byte != 0));
        file.extension().is_some_and(|extension| extension == "blk") && holds && begun()
    });
    Ok(files)
}

/// Customers whose acknowledged words are gone say them again.
async fn send_again(rig: &Rig, sent: &[Sent]) -> anyhow::Result<usize> {
    let mut count = 0;
    for stream in [name::PURCHASE_CREATES, name::PURCHASE_COMMANDS] {
        for lost in lost(rig, stream, sent).await? {
            let requester = rig.cluster.requester(lost.customer.as_str());
            requester.publish(lost.command.clone()).await.context("sending a command again")?;
            count += 1;
        }
    }
    Ok(count)
}

/// What was acknowledged and is no longer there, newest first. Damage cuts a stream off, so the
/// first message that is still itself ends the search.
async fn lost<'s>(
    rig: &Rig,
    stream: &'static str,
    sent: &'s [Sent],
) -> anyhow::Result<Vec<&'s Sent>> {
    let mut stored: Vec<(u64, &Sent)> = sent.iter().filter_map(|s| on(stream, s)).collect();
    stored.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
    let context = jetstream::new(rig.cluster.client().clone());
    let handle = context.get_stream(stream).await.context("asking for a stream")?;
    let first = handle.cached_info().state.first_sequence;
    let mut lost = Vec::new();
    for (sequence, sent) in stored {
        // Before the first one everything was consumed long ago and purged.
        if sequence < first {
            break;
        }
        let id = message_id(&sent.customer, &sent.command);
        let there = handle.get_raw_message(sequence).await.is_ok_and(|message| {
            message.headers.get(NATS_MESSAGE_ID).is_some_and(|found| found.as_str() == id)
        });
        if there {
            break;
        }
        lost.push(sent);
    }
    Ok(lost)
}

/// Sequence of a command that this stream acknowledged.
fn on<'s>(stream: &str, sent: &'s Sent) -> Option<(u64, &'s Sent)> {
    let Answer::Stored { sequence, .. } = sent.answer else { return None };
    let subject = schemas::subject::purchase_command(sent.command.operation(), &sent.customer);
    let here = sent.route == Route::Stream && stream::of_subject(&subject) == Some(stream);
    here.then_some((sequence, sent))
}
