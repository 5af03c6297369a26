//! `landfall up`

use std::{
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{Context, exit, status};
use crate::server::{self, Choice};

/// A server that is not ready after this long has failed; on a slow disk it takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Start the server: Git host, pipeline, registry and cluster
///
/// Runs until it is stopped with Ctrl-C or `landfall down`. Everything lies in
/// one data folder; what ran before a crash goes on.
#[derive(clap::Args, Debug)]
pub struct UpArgs {
    /// Return when the server is ready, and leave it running
    #[arg(long)]
    detach: bool,

    /// The TCP port; chosen at the first start and kept
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Use this existing Kubernetes cluster instead of the embedded one
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig; its current one by default
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,

    /// Host and prefix under which the existing cluster reaches our images, e.g. `registry.example.org/team`
    #[arg(long, value_name = "HOST/PREFIX", requires = "kubeconfig")]
    registry: Option<String>,

    /// Run pods of the existing cluster here, as its node of this name
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    node: Option<String>,
}

pub async fn up(args: UpArgs, context: &Context) -> anyhow::Result<ExitCode> {
    context.data.create()?;
    if args.detach {
        return detach(&args, context).await;
    }
    let choice = Choice {
        port: args.port,
        kubeconfig: args.kubeconfig,
        context: args.context,
        registry: args.registry,
        node: args.node,
    };
    init_tracing();
    let server = server::start(&context.data, choice).await?;
    let token = context.data.token()?;
    println!("ready in {} ms", server.started_in().as_millis());
    status::print(server.running(), &token);
    println!("next        git remote add landfall {}/NAME.git && git push landfall main", status::git_url(server.running(), &token));
    server.until_stopped().await?;
    Ok(ExitCode::from(exit::OK))
}

/// What the server tells about itself goes to standard error.
pub fn init_tracing() {
    let chosen = std::env::var("LANDFALL_LOG").ok().and_then(|text| text.parse().ok());
    let filter: Targets = chosen.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Tests may have set one before.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// Starts this program again without a terminal, and waits until it is ready.
async fn detach(args: &UpArgs, context: &Context) -> anyhow::Result<ExitCode> {
    super::pipe::end_with_reader();
    if let Some(running) = context.data.running()?.filter(|_| context.data.answers()) {
        println!("running     process {} already", running.pid);
        status::print(&running, &context.data.token()?);
        return Ok(ExitCode::from(exit::OK));
    }
    let log_path = context.data.join("server.log");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path)?;
    let mut command = std::process::Command::new("/proc/self/exe");
    command.arg("--data").arg(context.data.path()).arg("up");
    if let Some(port) = args.port {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(kubeconfig) = &args.kubeconfig {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    for (flag, value) in [("--context", &args.context), ("--registry", &args.registry), ("--node", &args.node)] {
        if let Some(value) = value {
            command.args([flag, value]);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A process group of its own, so that Ctrl-C in the terminal does not reach it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().context("the server could not be started")?;
    let started = Instant::now();
    loop {
        if let Some(running) = context.data.running()?.filter(|running| running.pid == child.id()) {
            println!("ready in {} ms", started.elapsed().as_millis());
            status::print(&running, &context.data.token()?);
            return Ok(ExitCode::from(exit::OK));
        }
        if let Some(ended) = child.try_wait()? {
            let log = std::fs::read_to_string(&log_path).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(12).collect();
            for line in last.iter().rev() {
                eprintln!("{line}");
            }
            bail!("the server ended at once ({ended}); all it said is in {}", log_path.display());
        }
        if started.elapsed() > PATIENCE {
            bail!("the server is not ready after {PATIENCE:?}; what it says is in {}", log_path.display());
        }
        // The file appears once, so a short look now and then costs little.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
