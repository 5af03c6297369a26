//! `landfall variable`

use std::{
    io::{self, Read as _},
    process::ExitCode,
};

use anyhow::Context as _;
use names::{EnvironmentName, ProjectName};
use serde_json::{Value, json};

use super::{
    Context, dispatch, exit,
    output::{Output, OutputArgs, print_json, print_table},
    thread_answer::escape,
};
use crate::client::Client;

/// Keep values that jobs read from the `vars` context
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  echo eu-west | landfall variable set shop REGION")]
pub struct VariableArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Set a variable; its value comes from standard input
    Set(Named),
    /// List the names and values
    List {
        /// The project
        #[arg(value_parser = dispatch::project)]
        project: ProjectName,

        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a variable
    Delete(Named),
}

#[derive(clap::Args, Debug)]
struct Named {
    /// The project
    #[arg(value_parser = dispatch::project)]
    project: ProjectName,

    /// Letters, digits and `_`
    name: String,

    /// Only for jobs of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

impl Named {
    fn path(&self) -> anyhow::Result<String> {
        let mut path = format!("projects/{}/variables/{}", self.project, escape(&self.name));
        if let Some(environment) = &self.environment {
            let environment: EnvironmentName = environment.parse()?;
            path.push_str(&format!("?environment={environment}"));
        }
        Ok(path)
    }
}

pub async fn variable(args: VariableArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    match args.command {
        Command::Set(named) => {
            client.put(&named.path()?, &json!({"value": read_value()?})).await?;
            println!("variable {} of {} is set", named.name.to_uppercase(), named.project);
        }
        Command::Delete(named) => {
            if !is_there(&client, &named).await? {
                eprintln!("error: {} has no variable `{}`", named.project, named.name);
                return Ok(ExitCode::from(exit::NOT_FOUND));
            }
            client.remove(&named.path()?).await?;
            println!("variable {} of {} is deleted", named.name.to_uppercase(), named.project);
        }
        Command::List { project, output } => list(&client, &project, output.output).await?,
    }
    Ok(ExitCode::from(exit::OK))
}

/// All of standard input but the end of its last line.
fn read_value() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("expected the value as UTF-8 on standard input")?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}

async fn is_there(client: &Client, named: &Named) -> anyhow::Result<bool> {
    let told: Value = client.get(&format!("projects/{}/variables", named.project)).await?;
    let mut items = told["items"].as_array().into_iter().flatten();
    let name = named.name.to_uppercase();
    Ok(items.any(|it| it["name"] == name && it["environment"].as_str() == named.environment.as_deref()))
}

async fn list(client: &Client, project: &ProjectName, output: Output) -> anyhow::Result<()> {
    let told: Value = client.get(&format!("projects/{project}/variables")).await?;
    if output == Output::Json {
        return print_json(&json!({"apiVersion": "landfall/v1", "items": told["items"]}));
    }
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let row = |item: &Value| {
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        vec![text("name"), text("value"), dash(text("environment"))]
    };
    let rows: Vec<_> = told["items"].as_array().into_iter().flatten().map(row).collect();
    print_table(&["NAME", "VALUE", "ENVIRONMENT"], &rows);
    Ok(())
}
