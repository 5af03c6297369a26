//! Hands out the addresses of a node's pods and remembers them across restarts.
//!
//! An address is a file named after the pod in one folder, written before the pod's
//! network is made; so whoever restarts finds every address that may be in use.

use std::{
    collections::BTreeMap,
    fs, io,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// A range of addresses such as `10.42.0.0/24`; the first is the bridge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    base: u32,
    prefix: u8,
}

/// Why a text is no range for pods.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IPv4 range with at least 4 addresses such as `10.42.0.0/24`, found `{0}`")]
pub struct ParseRangeError(String);

impl std::str::FromStr for Range {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseRangeError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if !(8..=30).contains(&prefix) {
            return Err(wrong());
        }
        Ok(Self {
            base: u32::from(address) & (u32::MAX << (32 - prefix)),
            prefix,
        })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl Range {
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Every address a pod may have, beginning after `last` and wrapping around.
    fn candidates(&self, last: Option<Ipv4Addr>) -> impl Iterator<Item = Ipv4Addr> {
        let count = (1_u32 << (32 - self.prefix)) - 3;
        let first = self.base + 2;
        let start = last.map_or(0, |last| {
            (u32::from(last) + 1).saturating_sub(first) % count
        });
        (0..count).map(move |index| Ipv4Addr::from(first + (start + index) % count))
    }
}

/// The addresses of one node, by the pods' unique IDs.
#[derive(Debug)]
pub struct Addresses {
    range: Range,
    dir: PathBuf,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    by_pod: BTreeMap<String, Ipv4Addr>,
    last: Option<Ipv4Addr>,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("no free address is left in {0}")]
    Exhausted(Range),
    #[error("the address could not be recorded: {0}")]
    Record(#[from] io::Error),
}

impl Addresses {
    /// Reads back what was handed out before.
    pub fn open(range: Range, dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut taken = Taken::default();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let address = fs::read_to_string(entry.path())?.trim().parse().ok();
            if let (Some(address), Ok(pod)) = (address, entry.file_name().into_string()) {
                taken.last = taken.last.max(Some(address));
                taken.by_pod.insert(pod, address);
            }
        }
        Ok(Self {
            range,
            dir,
            taken: Mutex::new(taken),
        })
    }

    pub fn range(&self) -> Range {
        self.range
    }

    /// The pod's address: the one it has, or the next free one. Addresses are reused as late as possible.
    pub fn take(&self, pod: &str) -> Result<Ipv4Addr, AddressError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = taken.by_pod.get(pod) {
            return Ok(*address);
        }
        let free = |address: &Ipv4Addr| !taken.by_pod.values().any(|used| used == address);
        let address = self
            .range
            .candidates(taken.last)
            .find(free)
            .ok_or(AddressError::Exhausted(self.range))?;
        fs::write(self.dir.join(pod), address.to_string())?;
        taken.by_pod.insert(pod.to_owned(), address);
        taken.last = Some(address);
        Ok(address)
    }

    /// Gives the pod's address back; without one nothing happens.
    pub fn release(&self, pod: &str) -> io::Result<()> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.by_pod.remove(pod);
        match fs::remove_file(self.dir.join(pod)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_reused_late_and_remembered() {
        let dir = tempfile::tempdir().expect("a folder");
        let range: Range = "10.252.9.7/29".parse().expect("a range");
        let open = || Addresses::open(range, dir.path().to_owned()).expect("addresses");
        let addresses = open();
        let take =
            |addresses: &Addresses, pod: &str| addresses.take(pod).map(|a| a.octets()[3]).ok();
        assert_eq!(range.gateway().octets()[3], 1);
        assert_eq!(
            (
                take(&addresses, "a"),
                take(&addresses, "b"),
                take(&addresses, "a")
            ),
            (Some(2), Some(3), Some(2))
        );
        addresses.release("a").expect("released");
        assert_eq!(take(&addresses, "c"), Some(4));
        let addresses = open();
        assert_eq!(
            (take(&addresses, "b"), take(&addresses, "d")),
            (Some(3), Some(5))
        );
        assert_eq!(
            (
                take(&addresses, "e"),
                take(&addresses, "f"),
                take(&addresses, "g")
            ),
            (Some(6), Some(2), None)
        );
    }

    #[test]
    fn only_real_ranges_are_taken() {
        for wrong in ["10.0.0.0", "10.0.0.0/31", "x/24", "fd00::/64"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }
}
