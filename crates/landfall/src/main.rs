//! Landfall: the whole road from a commit to production on Kubernetes, in one binary.

mod agent;
mod cli;
mod client;
mod data;
mod demo;
mod server;

use std::{ffi::OsString, path::Path, process::ExitCode};

fn main() -> ExitCode {
    // A spawner is this program, started once more; it must not become a server.
    sandbox::spawner_main_if_asked();
    // In a job this program also carries out actions.
    if let Some(code) = ci::native_main_if_asked() {
        return code;
    }
    // Every TLS connection of this program uses ring; fails only if something chose before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // In a job this program also answers to the names of tools.
    let name = arguments.first().map(Path::new).and_then(Path::file_name).map(|it| it.to_string_lossy().into_owned());
    if let Some(name) = name.filter(|name| name != "landfall")
        && let Some(code) = tools::run(&name, arguments.drain(1..).collect())
    {
        return code;
    }
    cli::main(std::env::args_os())
}
