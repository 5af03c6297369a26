//! `landfall rollback`

use std::{
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};

use api::{Release, ReleaseState};
use names::{EnvironmentName, ProjectName, parse_duration};
use serde_json::json;

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
};
use crate::client::Client;

/// How often the release is looked at.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Go back to the healthy release before
///
/// Every object that the release changed becomes again what it was, ConfigMaps
/// included, and what it added is deleted. Waits until the release before is
/// served again.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall rollback shop/production")]
pub struct RollbackArgs {
    /// The project, or the project and its environment (`production` if not named)
    #[arg(value_name = "PROJECT[/ENV]")]
    target: Target,

    /// Return at once; `landfall ps` shows how far it is
    #[arg(long)]
    no_wait: bool,

    /// Stop waiting after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    timeout: Duration,

    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Debug)]
struct Target {
    project: ProjectName,
    environment: EnvironmentName,
}

impl FromStr for Target {
    type Err = names::ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (project, environment) = text.split_once('/').unwrap_or((text, "production"));
        Ok(Self { project: project.parse()?, environment: environment.parse()? })
    }
}

pub async fn rollback(args: RollbackArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let asked = json!({"project": args.target.project, "environment": args.target.environment});
    let release: Release = client.post("rollbacks", &asked).await?;
    if args.no_wait {
        show(&release, args.output.output)?;
        return Ok(ExitCode::from(exit::OK));
    }
    let Some(release) = over(&client, &release, args.timeout).await? else {
        eprintln!("error: {} is still rolling back after {}", release.id, names::format_duration(args.timeout));
        eprintln!("help: `landfall trace {}` shows how far it is", release.id);
        return Ok(ExitCode::from(exit::TIMEOUT));
    };
    show(&release, args.output.output)?;
    let back = release.state == ReleaseState::RolledBack && release.leftovers.is_empty();
    Ok(ExitCode::from(if back { exit::OK } else { exit::FAILED }))
}

/// The release once its rollback is over; it is over when the old objects serve.
async fn over(client: &Client, release: &Release, patience: Duration) -> anyhow::Result<Option<Release>> {
    let began = Instant::now();
    let id = &release.id;
    loop {
        let now: Release = client.get(&format!("releases/{}/{}/{}", id.project, id.environment, id.number)).await?;
        if now.state.is_final() {
            return Ok(Some(now));
        }
        if began.elapsed() > patience {
            return Ok(None);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn show(release: &Release, output: Output) -> anyhow::Result<()> {
    if output == Output::Json {
        let mut told = json!({"apiVersion": "landfall/v1"});
        if let (Some(told), serde_json::Value::Object(release)) = (told.as_object_mut(), serde_json::to_value(release)?) {
            told.extend(release);
        }
        return print_json(&told);
    }
    match (&release.state, &release.rolled_back_to) {
        (ReleaseState::RolledBack, Some(to)) => println!("{} is served again; {} is rolled back", to, release.id),
        (state, _) => println!("{} {state}", release.id),
    }
    for change in &release.changes {
        match (&change.before, &change.after) {
            (Some(_), Some(_)) => println!("  restored  {}", change.object),
            (Some(_), None) => println!("  put back  {}", change.object),
            (None, _) => println!("  deleted   {}", change.object),
        }
    }
    for left in &release.leftovers {
        println!("  left      {left}");
    }
    Ok(())
}
