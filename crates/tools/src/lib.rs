//! The tools that jobs call by name: `docker` and, where the machine has none, `kubectl`, `helm` and `sudo`.
//!
//! Each answers as the original does where scripts look: the same words, the same exit
//! codes. What it does not do it refuses by name. A tool knows its job's environment and
//! the two servers behind it, Landfall's own and the Kubernetes API; nothing else.

mod console;
mod disk;
mod docker;
mod failure;
mod flags;
mod go_template;
mod helm;
mod kubectl;
mod patience;
mod sudo;

use std::{ffi::OsString, process::ExitCode};

pub use console::Console;
pub use disk::Disk;
use failure::Failure;
pub use self::helm::{Fetched as FetchedChart, keychain as chart_keychain, receive as pull_chart, send as push_chart, unpack as unpack_chart};

/// Runs the tool that is called `name` with its arguments, the name itself not among them.
///
/// `None` if there is no such tool here; nothing has happened then.
pub fn run(name: &str, args: Vec<OsString>) -> Option<ExitCode> {
    let name = name.rsplit('/').next().unwrap_or(name);
    if name == "sudo" {
        let args: Vec<_> = args.into_iter().map(|it| it.to_string_lossy().into_owned()).collect();
        return Some(sudo::run(&args));
    }
    if !matches!(name, "docker" | "helm" | "kubectl") {
        return None;
    }
    // Whoever calls may have installed a provider; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut args_text = Vec::with_capacity(args.len());
    for arg in args {
        match arg.into_string() {
            Ok(arg) => args_text.push(arg),
            Err(arg) => {
                eprintln!("{name}: the argument `{}` is not UTF-8", arg.display());
                return Some(ExitCode::FAILURE);
            }
        }
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{name}: no thread can be started: {error}");
            return Some(ExitCode::FAILURE);
        }
    };
    let mut console = Console::of_process();
    let code = runtime.block_on(main(name, &args_text, &mut console));
    // A read from standard input may still hang in a thread of its own.
    runtime.shutdown_background();
    Some(ExitCode::from(code))
}

/// As [`run`], on any console and within a runtime; 127 for a name that is no tool.
pub async fn main(name: &str, args: &[String], console: &mut Console) -> u8 {
    let done = match name {
        "docker" => docker::main(args, console).await,
        "helm" => helm::main(args, console).await,
        "kubectl" => kubectl::main(args, console).await,
        _ => Err(Failure::new(format!("{name}: command not found")).with_code(127)),
    };
    let code = match done {
        Ok(()) => 0,
        Err(failure) => {
            if !failure.message.is_empty() {
                console.err(&failure.message);
            }
            failure.code
        }
    };
    console.flush();
    code
}
