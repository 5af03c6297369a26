//! `landfall logs`

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context as _;
use names::Timestamp;
use serde::Deserialize;

use super::{
    Context, exit,
    output::{Output, OutputArgs},
    run_name::{self, RunName},
    thread_answer,
};

/// Show what the steps of a run printed
///
/// Secrets are masked. A run that is still going shows what there is so far;
/// with `--follow` the rest comes as it is printed, until the run is over.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall logs shop#3 --job build --follow")]
pub struct LogsArgs {
    /// `shop#3`, `shop/3`, or `3` where there is one project
    run: RunName,

    /// Only this job
    #[arg(long, short = 'j', value_name = "JOB")]
    job: Option<String>,

    /// Go on until the run is over
    #[arg(long, short = 'f')]
    follow: bool,

    /// Begin each line with its time
    #[arg(long, short = 't')]
    timestamps: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// A line of a log as the server tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct JobLine {
    pub job: String,
    pub at: Timestamp,
    pub step: u32,
    pub text: String,
}

pub async fn logs(args: LogsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = args.run.resolve(&client).await?;
    let run: api::Run = client.get(&format!("runs/{}", run_name::path_of(&id))).await?;
    let named = args.job.is_some() || run.jobs.len() < 2;
    let mut path = format!("logs/{}?follow={}", run_name::path_of(&id), args.follow);
    if let Some(job) = &args.job {
        path.push_str(&format!("&job={}", thread_answer::escape(job)));
    }
    let mut response = client.stream(&path).await?;
    let mut lines = Lines::default();
    while let Some(bytes) = response.chunk().await.context("the log ended early; the server stopped")? {
        lines.buffer.extend_from_slice(&bytes);
        lines.whole().try_for_each(|line| print(&line, &args, named))?;
        io::stdout().flush()?;
    }
    Ok(ExitCode::from(exit::OK))
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn whole(&mut self) -> impl Iterator<Item = Vec<u8>> {
        let end = self.buffer.iter().rposition(|it| *it == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.buffer.drain(..end).collect();
        let lines: Vec<_> = whole.split(|it| *it == b'\n').filter(|it| !it.is_empty()).map(<[u8]>::to_vec).collect();
        lines.into_iter()
    }
}

fn print(line: &[u8], args: &LogsArgs, one_job: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.output.output == Output::Json {
        out.write_all(line)?;
        return out.write_all(b"\n");
    }
    let line: JobLine = serde_json::from_slice(line)?;
    if args.timestamps {
        write!(out, "{} ", line.at)?;
    }
    if !one_job {
        write!(out, "{} | ", line.job)?;
    }
    writeln!(out, "{}", line.text)
}
