//! `cargo xtask bench`

use std::process::ExitCode;

/// Measure what users wait for
#[derive(clap::Args, Debug)]
pub struct BenchArgs {
    /// Only this measurement
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub fn run(_args: &BenchArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("nothing is measured yet")
}
