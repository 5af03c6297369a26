//! `cargo xtask bench`
//!
//! Measures what users wait for, through public interfaces only: the binary, git,
//! HTTP, kubectl. Machines differ, so each figure stands beside a floor that was
//! measured in the same run: what the same work costs without Landfall.

mod apps;
mod changeovers;
mod caches;
mod cold;
mod figure;
mod http;
mod installation;
mod logs;
mod memory;
mod pipelines;
mod pods;
mod project;
mod real_cluster;
mod render;
mod rollouts;
mod runs;
mod seeds;
mod serving;
mod start;
mod steps;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, ensure};

use self::figure::Figure;
use crate::{program, workspace::Workspace};

/// Measure what users wait for, each beside a floor
#[derive(clap::Args, Debug)]
pub struct BenchArgs {
    /// Only this measurement
    #[arg(long, value_name = "NAME", value_parser = ["up", "serving", "pods", "rollouts", "changeovers", "memory", "render", "apps", "apps-real", "seeds", "steps", "runs", "logs", "caches"])]
    only: Option<String>,

    /// Measure a build from nothing, too
    #[arg(long)]
    cold_build: bool,

    /// Measure this program and build none
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What a measurement works with.
struct Ground {
    program: PathBuf,
    root: PathBuf,
}

/// A measurement: its name, and what makes its figures.
type Measurement = (&'static str, fn(&Ground) -> anyhow::Result<Vec<Figure>>);

const MEASUREMENTS: [Measurement; 14] = [
    ("up", start::measure),
    ("serving", serving::measure),
    ("pods", pods::measure),
    ("rollouts", rollouts::measure),
    ("changeovers", changeovers::measure),
    ("memory", memory::measure),
    ("render", render::measure),
    ("apps", apps::measure),
    ("apps-real", apps::measure_real),
    ("seeds", seeds::measure),
    ("steps", steps::measure),
    ("runs", runs::measure),
    ("logs", logs::measure),
    ("caches", caches::measure),
];

/// These take a quarter of an hour each, so they are measured only by name.
const ON_REQUEST: [&str; 2] = ["apps-real", "seeds"];

pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    ensure!(program::is_root(), "Landfall needs root here, and so does what measures it");
    let workspace = Workspace::load()?;
    let mut figures = Vec::new();
    if args.cold_build {
        figures.extend(cold::measure(&workspace)?);
    }
    let program = match &args.program {
        Some(file) => file.canonicalize().with_context(|| format!("no program `{}`", file.display()))?,
        None => build(&workspace)?,
    };
    let ground = Ground { program, root: workspace.root.clone() };
    let mut failed = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if args.only.as_deref().map_or(ON_REQUEST.contains(&name), |only| only != name) {
            continue;
        }
        eprintln!("measuring {name}");
        match measure(&ground) {
            Ok(new) => figures.extend(new),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    figure::print(&figures);
    let file = workspace.target.join("bench.json");
    fs::write(&file, serde_json::to_string_pretty(&figures)?).with_context(|| format!("cannot write `{}`", file.display()))?;
    println!("\nwritten to {}", file.display());
    failed.iter().for_each(|failure| eprintln!("error: {failure}"));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let status = program::cargo().args(["build", "--release", "--locked", "--package", "landfall"]).status()?;
    ensure!(status.success(), "the build ended with {status}");
    Ok(workspace.target.join("release/landfall"))
}
