//! Ports that stay ours while a killed server is down.
//!
//! A port picked by the kernel lies in the range it also hands to outgoing connections, so between
//! a kill and a restart anybody could be given it. These ports lie below that range, and a lock
//! file per port keeps the fixtures of parallel test binaries apart for as long as they live.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt;

use super::resolve::cache_dir;

/// Below the ephemeral ranges of Linux (32768) and macOS (49152), above the well-known services.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many ports are tried before the machine is declared full.
const TRIES_MAX: u32 = 200;

/// The right to listen on one port, kept until drop.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _lock: File,
}

impl PortLease {
    /// A port that nobody listens on and no other fixture of this machine holds.
    ///
    /// # Errors
    /// When lock files cannot be created, or no free port was found.
    pub fn any() -> io::Result<Self> {
        let mut rng = rand::rng();
        for _ in 0..TRIES_MAX {
            let port = rng.random_range(PORTS);
            if let Some(lease) = Self::take(port)?
                && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            {
                return Ok(lease);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port was found for nats-server"))
    }

    /// The given port, which the caller vouches for.
    ///
    /// # Errors
    /// When another fixture holds it.
    pub(crate) fn exactly(port: u16) -> io::Result<Self> {
        Self::take(port)?.ok_or_else(|| {
            let said = format!("port {port} is held by another running fixture");
            io::Error::new(io::ErrorKind::AddrInUse, said)
        })
    }

    /// The leased port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn take(port: u16) -> io::Result<Option<Self>> {
        let dir = cache_dir().join("ports");
        fs::create_dir_all(&dir)?;
        let lock = File::create(dir.join(port.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { port, _lock: lock })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leased_port_is_refused_to_others_until_the_lease_is_dropped() {
        let lease = PortLease::any().unwrap();
        let port = lease.port();
        assert!(PortLease::exactly(port).is_err());
        drop(lease);
        assert_eq!(PortLease::exactly(port).unwrap().port(), port);
    }

    #[test]
    fn leases_lie_below_the_range_of_outgoing_connections() {
        assert!(PORTS.contains(&PortLease::any().unwrap().port()));
    }
}
