//! `landfall down`

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{Context, exit};
use crate::server;

/// Pods get their grace period before they are killed; the longest usual one is half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stop the server, its jobs and its pods
///
/// The data stay; `landfall up` goes on with them. With `--purge` nothing is
/// left on the machine: no process, mount, namespace, cgroup, interface or file.
#[derive(clap::Args, Debug)]
pub struct DownArgs {
    /// Delete the data folder, too
    #[arg(long)]
    purge: bool,

    /// Do not ask before data are deleted
    #[arg(long, requires = "purge")]
    yes: bool,
}

pub async fn down(args: DownArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let data = &context.data;
    if !data.path().exists() {
        println!("nothing runs on {}", data.path().display());
        return Ok(ExitCode::from(exit::OK));
    }
    if args.purge && !args.yes && std::io::stdin().is_terminal() && !confirmed(context)? {
        bail!("nothing was deleted");
    }
    if let Some(running) = data.running()? {
        let pid = i32::try_from(running.pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.context("the server's process id is damaged")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(std::io::Error::from)
            .with_context(|| format!("process {} cannot be stopped", running.pid))?;
        let started = Instant::now();
        while data.is_locked() {
            if started.elapsed() > PATIENCE {
                bail!("process {} does not stop; end it with `kill -9 {}` and try again", running.pid, running.pid);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    // A server that was killed leaves jobs and pods running; they end here.
    server::clean_up(data).await?;
    if args.purge {
        server::remove(data)?;
        println!("stopped, and nothing is left of {}", data.path().display());
    } else {
        println!("stopped; the data stay in {}", data.path().display());
    }
    Ok(ExitCode::from(exit::OK))
}

fn confirmed(context: &Context) -> anyhow::Result<bool> {
    eprint!("Delete all of {} (repositories, images, runs)? [y/N] ", context.data.path().display());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
