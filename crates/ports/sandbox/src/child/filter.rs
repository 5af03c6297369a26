//! The system call filter: what containers commonly may not call, and nothing newer than we know.

use std::{collections::BTreeMap, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, sock_filter,
};

use crate::sys;

/// Calls with a higher number did not exist when this list was made (and the x32 calls have one): they look missing.
const NEWEST_CALL: u32 = 466;

/// Look missing rather than forbidden, because libraries then fall back to what the filter can look into.
const MISSING: [libc::c_long; 4] = [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Forbidden to everybody.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
];

/// Forbidden without `SYS_ADMIN`.
const ADMINISTRATIVE: &[libc::c_long] = &[
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
];

const NAMESPACE_FLAGS: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Harmless executions domains: Linux, its 32 bit form, both without the newest version number, and asking.
const DOMAINS: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Compiled filters, the one installed first in front.
#[derive(Debug)]
pub struct Filter(Vec<BpfProgram>);

impl Filter {
    pub fn standard(administrative: Administrative) -> io::Result<Self> {
        Ok(Self(vec![missing(), forbidden(administrative).map_err(io::Error::other)?]))
    }

    /// Needs `SYS_ADMIN` still, because gaining privileges through `sudo` stays possible.
    pub fn install(&self) -> io::Result<()> {
        for program in &self.0 {
            let length = u16::try_from(program.len()).map_err(io::Error::other)?;
            let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
            // SAFETY: the kernel copies the program, which outlives the call.
            sys::check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })?;
        }
        Ok(())
    }
}

/// Whether the sandbox was given `SYS_ADMIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administrative {
    Allowed,
    Forbidden,
}

/// Written out by hand, because it compares call numbers by size.
fn missing() -> BpfProgram {
    const LOAD_CALL_NUMBER: sock_filter = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    const ANSWER: u16 = 0x06;
    let not_implemented = sock_filter { code: ANSWER, jt: 0, jf: 0, k: 0x0005_0000 | libc::ENOSYS as u32 };
    let mut program = vec![LOAD_CALL_NUMBER];
    program.push(sock_filter { code: 0x25, jt: 0, jf: 1, k: NEWEST_CALL });
    program.push(not_implemented.clone());
    for call in MISSING {
        program.push(sock_filter { code: 0x15, jt: 0, jf: 1, k: call as u32 });
        program.push(not_implemented.clone());
    }
    program.push(sock_filter { code: ANSWER, jt: 0, jf: 0, k: 0x7fff_0000 });
    program
}

fn forbidden(administrative: Administrative) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    if administrative == Administrative::Forbidden {
        rules.extend(ADMINISTRATIVE.iter().map(|call| (*call, Vec::new())));
        let flags = NAMESPACE_FLAGS.map(|flag| {
            let flag = flag as u32 as u64;
            SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
        });
        rules.insert(libc::SYS_clone, flags.into_iter().collect::<Result<_, _>>()?);
    }
    let unknown_domain = DOMAINS.iter().map(|domain| argument(0, SeccompCmpOp::Ne, *domain)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(unknown_domain)?]);
    let families = [libc::AF_VSOCK, libc::AF_ALG]
        .map(|family| SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, family as u64)?]));
    rules.insert(libc::SYS_socket, families.into_iter().collect::<Result<_, _>>()?);
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32), architecture)?.try_into()
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}
