//! Capability sets: names to bits, and making a set the process's own.

use std::io;

use crate::{CannotStart, Privilege, Reason, Security, sys};

/// All names, in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
    "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
];

/// What Docker gives: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service,
/// net_raw, sys_chroot, mknod, audit_write and setfcap.
const STANDARD: u64 = 0xa804_25fb;

const ALL: u64 = (1 << NAMES.len()) - 1;

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    pub const KILL: Self = Self(1 << 5);
    const SYS_ADMIN: u64 = 1 << 21;

    pub fn may_administrate(self) -> bool {
        self.0 & Self::SYS_ADMIN != 0
    }
}

/// The set that `security` asks for.
pub fn wanted(security: &Security) -> Result<Set, CannotStart> {
    if security.privilege == Privilege::Privileged {
        return Ok(Set(ALL));
    }
    let add = bits(&security.add_capabilities)?;
    let drop = bits(&security.drop_capabilities)?;
    // `drop: ALL, add: X` leaves X; `add: ALL, drop: X` leaves all but X.
    Ok(Set(match (add == ALL, drop == ALL) {
        (true, _) => ALL & !drop,
        (false, true) => add,
        (false, false) => (STANDARD | add) & !drop,
    }))
}

fn bits(names: &[String]) -> Result<u64, CannotStart> {
    names.iter().try_fold(0, |set, name| {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if plain == "ALL" {
            return Ok(ALL);
        }
        let Some(number) = NAMES.iter().position(|known| *known == plain) else {
            return Err(CannotStart { reason: Reason::Spec, message: format!("no capability `{name}`") });
        };
        Ok(set | 1 << number)
    })
}

/// Takes everything outside `set` away for good, for this process and all it starts.
pub fn bound(set: Set) -> io::Result<()> {
    for number in 0..64 {
        if set.0 & (1 << number) == 0
            && let Err(error) = sys::prctl(libc::PR_CAPBSET_DROP, number)
        {
            // The kernel knows no capability of this number: neither of those that follow.
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}

/// Keeps only `set`, as far as the process has it.
pub fn apply(set: Set) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: header and data are laid out as version 3 asks for and outlive the calls.
    sys::check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    for (part, shift) in data.iter_mut().zip([0, 32]) {
        let wanted = (set.0 >> shift) as u32 & part.permitted;
        *part = Data { effective: wanted, permitted: wanted, inheritable: 0 };
    }
    // SAFETY: as above.
    sys::check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_added_to_and_taken_from() {
        check(&[], &[], Ok(STANDARD));
        check(&["SYS_ADMIN"], &[], Ok(STANDARD | 1 << 21));
        check(&[], &["cap_chown"], Ok(STANDARD & !1));
        check(&["NET_BIND_SERVICE"], &["ALL"], Ok(1 << 10));
        check(&["ALL"], &["SYS_ADMIN"], Ok(ALL & !(1 << 21)));
        check(&["FLY"], &[], Err("no capability `FLY`"));
    }

    #[track_caller]
    fn check(add: &[&str], drop: &[&str], expected: Result<u64, &str>) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let security = Security { add_capabilities: owned(add), drop_capabilities: owned(drop), ..Security::default() };
        let found = wanted(&security).map(|set| set.0).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}
