//! `landfall agent`

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use gitops::Breadth;
use names::ProjectName;
use serde_json::{Value, json};

use super::{
    Context, dispatch, exit,
    output::{Output, OutputArgs, print_json, print_table},
    up::init_tracing,
};
use crate::agent::{self, Choice};

/// Follow Git in a cluster elsewhere, from inside it
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall agent token --project shop --cluster east > token\n  landfall agent run --server https://landfall.example.org --token-file token")]
pub struct AgentArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Run(RunArgs),
    /// Make the token for an agent of a project in a cluster
    Token {
        /// The project whose apps and repository the agent may reach
        #[arg(long, value_name = "NAME", value_parser = dispatch::project)]
        project: ProjectName,

        /// The name by which `destination:` chooses the cluster
        #[arg(long, value_name = "NAME")]
        cluster: String,

        /// End the tokens that were made for this agent before
        #[arg(long)]
        replace: bool,
    },
    /// End all tokens of an agent, and forget its cluster
    ///
    /// What the agent brought to its cluster stays. It goes on healing that until
    /// it is stopped there; from here it learns nothing more.
    Revoke {
        /// The project of the agent
        #[arg(long, value_name = "NAME", value_parser = dispatch::project)]
        project: ProjectName,

        /// The cluster that it runs in
        #[arg(long, value_name = "NAME")]
        cluster: String,
    },
    /// List the clusters that agents may come from
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Work as the agent of the cluster that this process runs in
///
/// The rights that it has there are those of its service account; the server
/// learns none of them. Stopped with Ctrl-C; started again, it goes on.
#[derive(clap::Args, Debug)]
struct RunArgs {
    /// Where the server is
    #[arg(long, value_name = "URL", env = "LANDFALL_AGENT_SERVER")]
    server: reqwest::Url,

    /// The file with the token; else the variable `LANDFALL_AGENT_TOKEN` holds it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The certificate of the server's authority, if it is not a public one
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,

    /// A cluster other than the one that this process runs in
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig; its current one by default
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,

    /// Watch the whole cluster rather than each namespace for itself; needs the right to
    #[arg(long)]
    cluster_wide: bool,
}

pub async fn agent(args: AgentArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run(args) => run(args, context).await,
        Command::Token { project, cluster, replace } => {
            let wanted = json!({"project": project, "cluster": cluster, "replace": replace});
            let answer: Value = context.client()?.post("agents", &wanted).await?;
            println!("{}", answer["token"].as_str().context("the server's answer holds no token")?);
            Ok(ExitCode::from(exit::OK))
        }
        Command::Revoke { project, cluster } => {
            let answer: Value = context.client()?.delete(&format!("agents/{project}/{cluster}")).await?;
            println!("The tokens of the agent of {project} in {cluster} have ended.");
            let apps: Vec<_> = answer["apps"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if !apps.is_empty() {
                println!("Nobody reports on {} any more; `landfall app delete NAME` forgets an app.", apps.join(", "));
            }
            Ok(ExitCode::from(exit::OK))
        }
        Command::List { output } => {
            let answer: Value = context.client()?.get("agents").await?;
            if output.output == Output::Json {
                print_json(&answer)?;
                return Ok(ExitCode::from(exit::OK));
            }
            let text = |it: &Value| it.as_str().unwrap_or("-").to_owned();
            let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows = items.iter().map(|it| vec![text(&it["project"]), text(&it["cluster"]), text(&it["asked"])]).collect::<Vec<_>>();
            print_table(&["PROJECT", "CLUSTER", "ASKED LAST"], &rows);
            Ok(ExitCode::from(exit::OK))
        }
    }
}

async fn run(args: RunArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let token = match &args.token_file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("the token `{}` cannot be read", file.display()))?,
        None => match std::env::var("LANDFALL_AGENT_TOKEN") {
            Ok(token) => token,
            Err(_) => bail!("no token: pass --token-file FILE or set LANDFALL_AGENT_TOKEN; `landfall agent token` makes one"),
        },
    };
    let breadth = if args.cluster_wide { Breadth::Cluster } else { Breadth::Namespaces };
    context.data.create()?;
    init_tracing();
    let choice = Choice {
        server: args.server,
        token: token.trim().to_owned(),
        authority: args.authority,
        kubeconfig: args.kubeconfig,
        context: args.context,
        breadth,
    };
    agent::run(&context.data, choice).await?;
    Ok(ExitCode::from(exit::OK))
}
