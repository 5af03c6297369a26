//! Addresses for the services of jobs, out of the way of installations and of other local runs.

use std::{fs, net::Ipv4Addr, os::unix::fs::OpenOptionsExt as _, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use rustix::fs::FlockOperation;
use sandbox::Local;

/// Installations use the numbers below; so many local runs with services fit beside each other.
const NUMBERS: std::ops::Range<u8> = 128..192;

/// Bits of a range: 253 services at the same time.
const PREFIX: u8 = 24;

/// A range that nobody else uses as long as this lives.
pub struct Addresses {
    number: u8,
    file: PathBuf,
    _held: fs::File,
}

impl Addresses {
    /// Takes a free range; `None` where the machine has no place for locks.
    pub fn hold() -> anyhow::Result<Option<Self>> {
        for number in NUMBERS {
            let file = PathBuf::from(format!("/run/lock/landfall-run-{number}"));
            let mut options = fs::OpenOptions::new();
            let opened = options.create(true).write(true).truncate(false).mode(0o600).open(&file);
            let Ok(held) = opened else { return Ok(None) };
            if rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return Ok(Some(Self { number, file, _held: held }));
            }
        }
        Ok(None)
    }

    fn bridge(&self) -> String {
        format!("lfrun{}", self.number)
    }

    pub fn networks(&self, sandbox: &Local) -> ci::JobNetworks {
        let base = Ipv4Addr::new(10, 243, self.number, 0);
        ci::JobNetworks::new(Arc::new(sandbox.clone()), base, PREFIX, self.bridge())
    }

    /// Removes the bridge, if a service needed one.
    pub fn give_back(self) -> anyhow::Result<()> {
        sandbox::remove_bridge(&self.bridge()).context("the bridge of the services of jobs cannot be removed")?;
        // Whoever takes the number next makes the file again.
        let _ = fs::remove_file(&self.file);
        Ok(())
    }
}
