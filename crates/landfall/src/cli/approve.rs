//! `landfall approve`

use std::process::ExitCode;

use names::EnvironmentName;
use serde_json::{Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
    run_name::{self, RunName},
};

/// Let the jobs of a run use an environment, or refuse it
///
/// For jobs that wait because the rules of their environment ask for an approval.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall approve shop#3 production --comment 'seen and tried'")]
pub struct ApproveArgs {
    /// `shop#3`, `shop/3`, or `3` where there is one project
    run: RunName,

    /// The environment; all that wait when it is missing
    #[arg(value_parser = environment)]
    environment: Option<EnvironmentName>,

    /// Refuse it: the jobs fail
    #[arg(long)]
    reject: bool,

    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    #[command(flatten)]
    output: OutputArgs,
}

fn environment(text: &str) -> Result<EnvironmentName, String> {
    text.parse().map_err(|error: names::ParseNameError| error.to_string())
}

pub async fn approve(args: ApproveArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = args.run.resolve(&client).await?;
    let state = if args.reject { "rejected" } else { "approved" };
    let environment = args.environment.map(|it| it.to_string());
    let body = json!({"environment": environment, "state": state, "comment": args.comment});
    let told: Value = client.post(&format!("runs/{}/approvals", run_name::path_of(&id)), &body).await?;
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "id": id, "items": told["items"]}))?,
        Output::Table => {
            for item in told["items"].as_array().into_iter().flatten() {
                let text = |key: &str| item[key].as_str().unwrap_or_default();
                println!("{} of run {id}: `{}` {state}", text("job"), text("environment"));
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}
