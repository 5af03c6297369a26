//! `landfall drill`

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use api::{Drill, DrillState, DrillStep, DrillStepState, DrillWeight};
use names::{format_duration, parse_duration};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
};
use crate::client::{Client, Refused};

/// How often the drill is looked at.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Prove before it matters that a way back works
#[derive(clap::Args, Debug)]
pub struct DrillArgs {
    #[command(subcommand)]
    command: DrillCommand,
}

#[derive(clap::Subcommand, Debug)]
enum DrillCommand {
    Rollback(RollbackArgs),
}

/// Try a rollback in a copy of the environment
///
/// The copy gets namespaces of its own and runs the older version, then the newer
/// one, then goes back; every field and image is compared. Hooks do not run in it,
/// nothing leads traffic to it, and it is removed whatever happens. What would stand
/// in the way is told: fields that cannot be changed, hooks that cannot be undone,
/// images that are gone, objects that have no copy.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall drill rollback shop\n  landfall drill rollback shop --next\n\nExits with 0 when the way back is proven, with 1 when it is blocked or could not be tried.")]
struct RollbackArgs {
    /// An app, or a project and its environment (`production` if not named)
    #[arg(value_name = "APP|PROJECT[/ENV]")]
    target: String,

    /// Try what Git says and is not deployed yet, back to what is deployed
    #[arg(long)]
    next: bool,

    /// What could not be tried counts as well: exit with 3
    #[arg(long)]
    strict: bool,

    /// Give the drill up after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10m")]
    timeout: Duration,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn drill(args: DrillArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let DrillCommand::Rollback(args) = args.command;
    let client = context.client()?;
    let begun = begin(&client, &args).await?;
    let drill = follow(&client, begun, &args).await?;
    match args.output.output {
        Output::Json => {
            let mut told = json!({"apiVersion": "landfall/v1"});
            if let (Some(told), Value::Object(drill)) = (told.as_object_mut(), serde_json::to_value(&drill)?) {
                told.extend(drill);
            }
            print_json(&told)?;
        }
        Output::Table => show(&drill),
    }
    let is_partial = drill.findings.iter().any(|it| it.weight == DrillWeight::Unproven);
    Ok(ExitCode::from(match drill.state {
        DrillState::Proven if args.strict && is_partial => exit::DIFFERS,
        DrillState::Proven => exit::OK,
        DrillState::Running => exit::TIMEOUT,
        DrillState::Blocked | DrillState::Unproven => exit::FAILED,
    }))
}

/// An app of that name, else an environment.
async fn begin(client: &Client, args: &RollbackArgs) -> anyhow::Result<Drill> {
    let seconds = args.timeout.as_secs().max(1);
    if !args.target.contains('/') {
        let pair = if args.next { "next" } else { "before" };
        let begun = client.post(&format!("apps/{}/drills", args.target), &json!({"pair": pair, "seconds": seconds})).await;
        let is_missing = |error: &anyhow::Error| error.downcast_ref::<Refused>().is_some_and(|it| it.status == StatusCode::NOT_FOUND);
        match begun {
            Err(error) if is_missing(&error) && !args.next => {}
            other => return other,
        }
    }
    anyhow::ensure!(!args.next, "`--next` is for apps: only they know what Git says");
    let (project, environment) = args.target.split_once('/').unwrap_or((&args.target, "production"));
    client.post(&format!("environments/{project}/{environment}/drills"), &json!({"seconds": seconds})).await
}

/// Waits for the end; a person sees each step when it is over.
async fn follow(client: &Client, begun: Drill, args: &RollbackArgs) -> anyhow::Result<Drill> {
    let began = Instant::now();
    let mut told = 0;
    loop {
        let drill: Drill = client.get(&format!("drills/{}", begun.number)).await?;
        if args.output.output == Output::Table {
            let over: Vec<_> = drill.steps.iter().take_while(|it| it.state != DrillStepState::Running).collect();
            over.iter().skip(told).for_each(|step| show_step(step));
            told = over.len();
        }
        // The server removes the copy after its time is over, which takes a while, too.
        let patience = args.timeout + Duration::from_secs(180);
        if drill.state != DrillState::Running || began.elapsed() > patience {
            return Ok(drill);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn show_step(step: &DrillStep) {
    let mark = if step.state == DrillStepState::Done { "✓" } else { "✗" };
    let took = step.finished.map(|end| format_duration(end.since(step.started))).unwrap_or_default();
    let message = if step.message.is_empty() { String::new() } else { format!("  {}", step.message) };
    println!("{mark} {}  {took}{message}", step.name);
}

fn show(drill: &Drill) {
    for finding in &drill.findings {
        let word = match finding.weight {
            DrillWeight::Blocks => "blocks",
            DrillWeight::Unproven => "not tried",
            DrillWeight::Note => "note",
        };
        println!("{word}: {} [{}]", finding.message, finding.code);
        if !finding.help.is_empty() {
            println!("  help: {}", finding.help);
        }
    }
    let from_to = if drill.from.is_empty() { String::new() } else { format!(" from {} to {}", drill.from, drill.to) };
    match drill.state {
        DrillState::Proven => println!("the way back of {}{from_to} is proven", drill.target),
        DrillState::Blocked => println!("the way back of {}{from_to} is blocked", drill.target),
        DrillState::Unproven => println!("the way back of {}{from_to} could not be tried to the end", drill.target),
        DrillState::Running => println!("the drill of {} is still running", drill.target),
    }
}
