//! `landfall dispatch`

use std::process::ExitCode;

use names::{ProjectName, RunId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
    run::values,
    thread_answer::escape,
};

/// Start a workflow by hand
///
/// The workflow must listen to `workflow_dispatch`; its file is read at the ref.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall dispatch shop release.yml --input version=1.2")]
pub struct DispatchArgs {
    /// The project
    #[arg(value_parser = project)]
    project: ProjectName,

    /// The workflow file, e.g. `release.yml`
    workflow: String,

    /// A branch or tag; the default branch when it is missing
    #[arg(long = "ref", value_name = "REF")]
    git_ref: Option<String>,

    /// An input
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::assignment)]
    input: Vec<(String, String)>,

    /// Run also the jobs whose inputs (LANDFALL_INPUTS) did not change
    #[arg(long)]
    no_reuse: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// The name of a project, with the reason if it is none.
pub fn project(text: &str) -> Result<ProjectName, String> {
    text.parse().map_err(|error: names::ParseNameError| error.to_string())
}

#[derive(Deserialize)]
struct Answer {
    id: RunId,
}

pub async fn dispatch(args: DispatchArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let inputs: Map<_, _> = args.input.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    let mut body = json!({"inputs": inputs});
    if let Some(git_ref) = args.git_ref {
        body["ref"] = json!(git_ref);
    }
    if args.no_reuse {
        body["no_reuse"] = json!(true);
    }
    let file = args.workflow.rsplit('/').next().unwrap_or_default();
    let path = format!("projects/{}/workflows/{}/dispatches", args.project, escape(file));
    let Answer { id } = client.post(&path, &body).await?;
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "id": id}))?,
        Output::Table => println!("run {id} started; follow it with `landfall logs {id} --follow`"),
    }
    Ok(ExitCode::from(exit::OK))
}
