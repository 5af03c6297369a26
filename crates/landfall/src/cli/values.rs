//! `landfall secret` and `landfall variable`: values that a project keeps for its jobs.

use std::{
    io::{self, IsTerminal as _, Read as _},
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

/// Keep values that jobs may use and nobody can read back
///
/// They are masked in logs, and kept from the code of foreign forks.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall secret set shop NPM_TOKEN < token.txt")]
pub struct SecretArgs {
    #[command(subcommand)]
    command: Command,
}

/// Keep values that jobs read from the `vars` context
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  echo eu-west | landfall variable set shop REGION")]
pub struct VariableArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Set one; its value comes from standard input
    Set(Named),
    /// List them; values of secrets are never shown
    List {
        /// The project
        #[arg(value_parser = dispatch::project)]
        project: ProjectName,

        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete one
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

/// Keeps, lists and deletes secrets.
pub async fn secret(args: SecretArgs, context: &Context) -> anyhow::Result<ExitCode> {
    Shelf { client: context.client()?, kind: Kind::Secret }.run(args.command).await
}

/// Keeps, lists and deletes variables.
pub async fn variable(args: VariableArgs, context: &Context) -> anyhow::Result<ExitCode> {
    Shelf { client: context.client()?, kind: Kind::Variable }.run(args.command).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Secret,
    Variable,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Variable => "variable",
        }
    }

    /// The columns of a list: what heads them, and where their texts stand.
    fn columns(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::Secret => [("NAME", "name"), ("ENVIRONMENT", "environment"), ("UPDATED", "updated")],
            Self::Variable => [("NAME", "name"), ("VALUE", "value"), ("ENVIRONMENT", "environment")],
        }
    }
}

/// The values of one kind on the server.
struct Shelf {
    client: Client,
    kind: Kind,
}

impl Shelf {
    async fn run(&self, command: Command) -> anyhow::Result<ExitCode> {
        let word = self.kind.word();
        match command {
            Command::Set(named) => {
                let value = json!({"value": read_value()?});
                self.client.put(&self.path(&named)?, &value).await?;
                println!("{word} {} of {} is set", named.name.to_uppercase(), named.project);
            }
            Command::Delete(named) => {
                let path = self.path(&named)?;
                if !self.has(&named).await? {
                    eprintln!("error: {} has no {word} `{}`", named.project, named.name);
                    return Ok(ExitCode::from(exit::NOT_FOUND));
                }
                self.client.remove(&path).await?;
                println!("{word} {} of {} is deleted", named.name.to_uppercase(), named.project);
            }
            Command::List { project, output } => self.list(&project, output.output).await?,
        }
        Ok(ExitCode::from(exit::OK))
    }

    fn folder(&self, project: &ProjectName) -> String {
        format!("projects/{project}/{}s", self.kind.word())
    }

    fn path(&self, named: &Named) -> anyhow::Result<String> {
        let mut path = format!("{}/{}", self.folder(&named.project), escape(&named.name));
        if let Some(environment) = &named.environment {
            let environment: EnvironmentName = environment.parse()?;
            path.push_str(&format!("?environment={environment}"));
        }
        Ok(path)
    }

    async fn has(&self, named: &Named) -> anyhow::Result<bool> {
        let told: Value = self.client.get(&self.folder(&named.project)).await?;
        let mut items = told["items"].as_array().into_iter().flatten();
        let name = named.name.to_uppercase();
        Ok(items.any(|it| it["name"] == name && it["environment"].as_str() == named.environment.as_deref()))
    }

    async fn list(&self, project: &ProjectName, output: Output) -> anyhow::Result<()> {
        let told: Value = self.client.get(&self.folder(project)).await?;
        if output == Output::Json {
            return print_json(&json!({"apiVersion": "landfall/v1", "items": told["items"]}));
        }
        let columns = self.kind.columns();
        let cell = |item: &Value, key: &str| match item[key].as_str() {
            None | Some("") if key == "environment" => "-".to_owned(),
            text => text.unwrap_or_default().to_owned(),
        };
        let items = told["items"].as_array().into_iter().flatten();
        let rows: Vec<_> = items.map(|item| columns.iter().map(|(_, key)| cell(item, key)).collect()).collect();
        print_table(&columns.map(|(head, _)| head), &rows);
        Ok(())
    }
}

/// All of standard input but the end of its last line.
fn read_value() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        eprintln!("type or paste the value, then press Ctrl-D");
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("expected the value as UTF-8 on standard input")?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}
