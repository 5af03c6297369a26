//! `landfall cancel`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
    run_name::{self, RunName},
};

/// Stop a run
///
/// Its steps get a termination signal and, if they do not end, are killed. Jobs
/// that did not start are cancelled, too; steps with `if: always()` still run.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall cancel shop#3")]
pub struct CancelArgs {
    /// `shop#3`, `shop/3`, or `3` where there is one project
    run: RunName,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn cancel(args: CancelArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = args.run.resolve(&client).await?;
    let told: Value = client.post(&format!("runs/{}/cancel", run_name::path_of(&id)), &json!({})).await?;
    let is_over = told["status"] == "completed";
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "id": id, "status": told["status"]}))?,
        Output::Table if is_over => println!("run {id} was over already"),
        Output::Table => println!("run {id} is being stopped; follow it with `landfall logs {id} --follow`"),
    }
    Ok(ExitCode::from(if is_over { exit::CONFLICT } else { exit::OK }))
}
