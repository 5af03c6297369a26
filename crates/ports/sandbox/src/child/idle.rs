//! The built-in first process of sandboxes whose work is executed into them: it reaps and forwards.

use std::{io, time::Duration};

use super::capabilities::{self, Set};
use crate::sys;

/// How often a stopping sandbox is looked at for what still runs in it.
const LOOK: Duration = Duration::from_millis(4);

/// Waits until told to end. Orphans become its children and are reaped; `SIGTERM`, `SIGINT`, `SIGHUP` and
/// `SIGQUIT` are forwarded to every process, and end this one once none is left.
pub fn idle() -> io::Result<std::convert::Infallible> {
    // Blocked, not handled: signals without a handler do not reach a first process, taken ones do.
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let wanted = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
    // SAFETY: the set is made before it is used, and lives until the end.
    let signals = unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        for signal in wanted {
            libc::sigaddset(signals.as_mut_ptr(), signal);
        }
        let signals = signals.assume_init();
        sys::check(libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()).into())?;
        signals
    };
    capabilities::bound(Set::KILL)?;
    capabilities::apply(Set::KILL)?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)?;
    sys::close_all_but(-1)?;
    // SAFETY: 0, 1 and 2 lead to the host's null device and are not used.
    unsafe {
        (0..3).for_each(|number| {
            libc::close(number);
        });
    }
    let mut ending = false;
    loop {
        let wait = libc::timespec { tv_sec: 0, tv_nsec: i64::try_from(LOOK.as_nanos()).unwrap_or(0) };
        // SAFETY: set and span outlive the call; no siginfo is asked for.
        let signal = unsafe {
            match ending {
                true => libc::sigtimedwait(&raw const signals, std::ptr::null_mut(), &raw const wait),
                false => libc::sigwaitinfo(&raw const signals, std::ptr::null_mut()),
            }
        };
        if signal > 0 && signal != libc::SIGCHLD {
            ending = true;
            let _ = sys::kill(-1, signal);
        }
        // SAFETY: no memory is involved.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
        if ending && sys::kill(-1, 0).is_err() {
            sys::exit_now(0);
        }
    }
}
