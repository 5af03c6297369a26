//! Exit codes and errors, as scripts and people see them.

use std::process::ExitCode;

use reqwest::StatusCode;

use crate::client::{NotRunning, Refused};

pub const OK: u8 = 0;
/// What was asked for was tried and failed: a run, a rollout.
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
/// Nothing failed, and something is not as it should be.
pub const DIFFERS: u8 = 3;
pub const FORBIDDEN: u8 = 4;
pub const NOT_FOUND: u8 = 5;
pub const CONFLICT: u8 = 6;
pub const TIMEOUT: u8 = 7;
/// Landfall's fault or the machine's, not the user's.
pub const INFRASTRUCTURE: u8 = 9;
pub const ROLLED_BACK: u8 = 10;
/// Ctrl-C, as shells tell it.
pub const INTERRUPTED: u8 = 130;
/// The same for a hang-up and a termination.
pub const HUNG_UP: u8 = 129;
pub const TERMINATED: u8 = 143;

/// Prints an error with its causes, and gives the code that tells its kind.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::from(code_of(error))
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<NotRunning>().is_some() || error.chain().any(|it| it.is::<reqwest::Error>()) {
        return INFRASTRUCTURE;
    }
    let Some(refused) = error.downcast_ref::<Refused>() else { return FAILED };
    match refused.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FORBIDDEN,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::CONFLICT => CONFLICT,
        StatusCode::BAD_REQUEST => USAGE,
        status if status.is_server_error() => INFRASTRUCTURE,
        _ => FAILED,
    }
}
