//! One injection of each kind: break it, leave it broken, mend it, wait until everybody is well.

mod clock;
mod crash;
mod disk;
mod flip_store;
mod flip_stream;
mod kill;
mod network;
mod pause;
mod power;
mod sync;

use std::time::Instant;

use super::kind::Kind;
use super::percentiles::Percentiles;
use super::rig::{Pace, Rig};
use super::upgrade;
use crate::harness::now;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Injected {
    Done {
        /// Orders that customers were told of meanwhile.
        ordered: u64,
        /// Worth a word in the log of the run.
        said: Option<String>,
    },
    /// This machine does not allow it; why.
    Not(String),
}

/// What an injection has to say for itself; `Err` if the machine does not allow it.
pub(super) type Done = anyhow::Result<Result<Option<String>, String>>;

/// Injects one fault and returns once everything runs and answers again.
///
/// # Errors
/// The product did not do what it must: did not end on a full disk, did not come back.
pub(super) async fn inject(rig: &mut Rig, kind: Kind) -> anyhow::Result<Injected> {
    let (from, ordered) = (now(), rig.load.served().ordered());
    rig.moment().await;
    let done = match kind {
        Kind::KillBroker => kill::broker(rig).await,
        Kind::KillServer => kill::server(rig).await,
        Kind::KillPartners => kill::partners(rig).await,
        Kind::CrashPoint => crash::twice(rig).await,
        Kind::PauseBroker => pause::broker(rig).await,
        Kind::PauseServer => pause::server(rig).await,
        Kind::PausePartners => pause::partners(rig).await,
        Kind::HoleUp => network::hole_up(rig).await,
        Kind::HoleDown => network::hole_down(rig).await,
        Kind::HoleBoth => network::hole_both(rig).await,
        Kind::HolePartners => network::hole_partners(rig).await,
        Kind::Reset => network::reset(rig).await,
        Kind::HalfClose => network::half_close(rig).await,
        Kind::Cut => network::cut(rig).await,
        Kind::Latency => network::latency(rig).await,
        Kind::FullBroker => disk::full_broker(rig).await,
        Kind::FullServer => disk::full_server(rig).await,
        Kind::SyncError => sync::error(rig).await,
        Kind::SlowSync => sync::slow(rig).await,
        Kind::ClockAhead => clock::ahead(rig).await,
        Kind::ClockBack => clock::back(rig).await,
        Kind::ClockSlowStart => clock::slow_start(rig).await,
        Kind::FlipStore => flip_store::on_a_copy(rig).await,
        Kind::FlipStream => flip_stream::of_the_server(rig).await,
        Kind::PowerBroker => power::broker(rig).await,
        Kind::PowerServer => power::server(rig).await,
        Kind::Upgrade => upgrade::side_show(rig).await,
        Kind::Flood => flood(rig).await,
    }?;
    let said = match done {
        Ok(said) => said,
        Err(why) => return Ok(Injected::Not(why)),
    };
    rig.healthy().await?;
    let ordered = rig.load.served().ordered() - ordered;
    for trouble in kind.troubles() {
        rig.cluster.disturbed(*trouble, from);
    }
    rig.served_again().await;
    Ok(Injected::Done { ordered, said })
}

/// Creates of one flood.
const FLOOD_CREATES: u32 = 400;
const FLOOD_CREATES_SHORT: u32 = 150;

async fn flood(rig: &mut Rig) -> Done {
    let creates = match rig.pace {
        Pace::Short => FLOOD_CREATES_SHORT,
        Pace::Long => FLOOD_CREATES,
    };
    let from = Instant::now();
    rig.load.flood(creates).await?;
    let until = Instant::now();
    let waits = Percentiles::of(rig.load.served().waits(from, until));
    let took = until.duration_since(from).as_millis();
    let others = waits.map_or("nobody else asked".to_owned(), |waits| waits.to_string());
    Ok(Ok(Some(format!("{creates} creates in {took} ms; first word to others: {others}"))))
}
