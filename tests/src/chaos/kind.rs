//! The kinds of faults, what each one is called, and which row of the fault matrix it stands for.

use std::fmt;
use std::str::FromStr;

use crate::auditor::Trouble;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $rows:literal;)*) => {
        /// One kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name, on the command line and in the report.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Rows of the project's fault matrix.
            pub const fn rows(self) -> &'static str {
                match self {
                    $(Self::$kind => $rows,)*
                }
            }
        }
    };
}

kinds! {
    /// `kill -9` of the broker at a random moment.
    KillBroker = "kill-broker", "1-12";
    /// The broker aborts at a named point, and its second life at the same one.
    CrashPoint = "crash-point", "1-13";
    /// `kill -9` of nats-server.
    KillServer = "kill-server", "15";
    /// `kill -9` of the stores and the payment provider.
    KillPartners = "kill-partners", "30";
    /// SIGSTOP of the broker, for longer than its messages stay acknowledged-pending.
    PauseBroker = "pause-broker", "44";
    /// SIGSTOP of nats-server.
    PauseServer = "pause-server", "18";
    /// SIGSTOP of the stores.
    PausePartners = "pause-partners", "30, 32";
    /// Nothing that the broker says arrives.
    HoleUp = "hole-up", "18";
    /// What the broker says arrives; acknowledgements and everything else is lost.
    HoleDown = "hole-down", "19, 20";
    /// Neither way, with the connection left open.
    HoleBoth = "hole-both", "18";
    /// What the stores say does not arrive, or what they are told.
    HolePartners = "hole-partners", "30, 32";
    /// The broker's connection is reset.
    Reset = "reset", "19";
    /// The broker's way of the connection ends; the server's goes on.
    HalfClose = "half-close", "19";
    /// The connection is reset in the middle of a message.
    Cut = "cut", "19";
    /// Every packet between broker and server takes longer.
    Latency = "latency", "18";
    /// The broker's disk is full.
    FullBroker = "full-broker", "46";
    /// The server's disk is full.
    FullServer = "full-server", "45";
    /// fsync and fdatasync of the broker fail.
    SyncError = "sync-error", "47";
    /// fsync and fdatasync of the broker are slow.
    SlowSync = "slow-sync", "48";
    /// The broker's wall clock jumps ahead, and back again.
    ClockAhead = "clock-ahead", "43";
    /// The broker's wall clock is set back, and forward again.
    ClockBack = "clock-back", "43";
    /// The broker starts with a clock that is slow, which is set right while it runs.
    ClockSlowStart = "clock-slow", "43";
    /// A bit of a copy of the broker's store is flipped, and a broker started on it.
    FlipStore = "flip-store", "49";
    /// A bit of a stream's file is flipped while the server is down.
    FlipStream = "flip-stream", "17, 50";
    /// Power cut of the broker's disk.
    PowerBroker = "power-broker", "14";
    /// Power cut of the server's disk.
    PowerServer = "power-server", "16";
    /// A store of an older version is opened, recovered and its requests are finished.
    Upgrade = "upgrade", "71";
    /// One customer floods the broker; the others are served all the same.
    Flood = "flood", "55";
}

impl Kind {
    /// What it makes unreliable while it lasts, beside processes that are not there: those tell
    /// of it themselves.
    pub(super) const fn troubles(self) -> &'static [Trouble] {
        match self {
            Self::KillBroker
            | Self::CrashPoint
            | Self::KillPartners
            | Self::FlipStore
            | Self::Upgrade
            | Self::Flood => &[],
            Self::KillServer | Self::PauseServer | Self::FullServer => &[Trouble::Server],
            Self::FlipStream | Self::PowerServer => &[Trouble::Server, Trouble::StreamLoss],
            Self::PauseBroker => &[Trouble::BrokerPaused],
            Self::PausePartners => &[Trouble::Parties],
            Self::HolePartners => &[Trouble::Network, Trouble::Parties],
            Self::HoleUp
            | Self::HoleDown
            | Self::HoleBoth
            | Self::Reset
            | Self::HalfClose
            | Self::Cut
            | Self::Latency => &[Trouble::Network],
            Self::FullBroker | Self::SyncError | Self::SlowSync | Self::PowerBroker => {
                &[Trouble::Store]
            }
            Self::ClockAhead | Self::ClockBack | Self::ClockSlowStart => &[Trouble::Clock],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.name() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("there is no fault of that kind; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        assert!("kill".parse::<Kind>().unwrap_err().contains("kill-broker"));
    }
}
