//! Ends quietly when whoever reads the output has seen enough, as with `| head`.

/// Lets a broken pipe end this process, as it ends other tools.
///
/// Not for a server: a job that closes its input must not end it.
pub fn end_with_reader() {
    // SAFETY: no handler is installed; the default action only ends the process.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
