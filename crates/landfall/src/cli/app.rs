//! `landfall app` and `landfall diff`

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use api::{App, AppRequest, Deployment, DeploymentState, Health, SyncState};
use names::parse_duration;
use serde_json::{Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json, print_table},
};
use crate::client::Client;

/// How often an app is looked at while waiting.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Make the cluster follow a path of a Git repository
///
/// An app is an Argo CD `Application`. Its objects are rendered (plain manifests,
/// a kustomization, a chart), compared, synced and healed. A bad deployment goes
/// back by itself and is held back until Git changes.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall app apply -f app.yaml\n  landfall app get shop\n  landfall app rollback shop 3")]
pub struct AppArgs {
    #[command(subcommand)]
    command: AppCommand,
}

#[derive(clap::Subcommand, Debug)]
enum AppCommand {
    /// Make or change apps from `Application` documents
    Apply {
        /// The file; `-` reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Show all apps
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one app: its objects, what differs and who wrote it, what is held and why
    Get {
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Bring what Git says to the cluster now
    Sync {
        name: String,
        /// This branch, tag or commit instead of the app's own
        #[arg(long)]
        revision: Option<String>,
        /// Delete objects that left Git
        #[arg(long)]
        prune: bool,
        /// Delete them even if that is most or all of them
        #[arg(long, requires = "prune")]
        confirm: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show past deployments
    History {
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Go back to an earlier deployment and stay there until Git changes
    Rollback {
        name: String,
        /// A number of `landfall app history`; the healthy one before by default
        deployment: Option<u64>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Go on with a roll-out that pauses
    Promote {
        name: String,
        /// Past all steps that are left
        #[arg(long)]
        full: bool,
    },
    /// Stop a roll-out: requests go back to the version before, and it stays
    Abort {
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Take the last change back: stop its roll-out, or go back to the healthy deployment before
    Undo {
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Lift the quarantine: what was held back may be tried again
    Release { name: String },
    /// Keep what somebody changed in the cluster: write the live values to Git as a commit
    Adopt {
        name: String,
        /// Only this object, as `KIND/NAME`
        #[arg(long, value_name = "KIND/NAME")]
        object: Option<String>,
    },
    /// Ask the app's sources now whether they changed
    Refresh { name: String },
    /// Show what a Git host elsewhere needs to tell of pushes: an address and a secret
    Webhook {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Stop following; what is in the cluster stays
    Delete {
        name: String,
        /// Delete the app's objects as well
        #[arg(long)]
        cascade: bool,
    },
}

#[derive(clap::Args, Debug)]
struct Wait {
    /// Return at once; `landfall app get` shows how far it is
    #[arg(long)]
    no_wait: bool,

    /// Stop waiting after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    timeout: Duration,
}

/// Show what a sync of an app would change, field by field, and who wrote what differs
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall diff shop\n\nExits with 1 when something differs.")]
pub struct DiffArgs {
    /// The app
    name: String,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn app(args: AppArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    match args.command {
        AppCommand::Apply { file } => apply(&client, file).await,
        AppCommand::List { output } => list(&client, output.output).await,
        AppCommand::Get { name, output } => get(&client, &name, output.output).await,
        AppCommand::Sync { name, revision, prune, confirm, wait } => {
            let request = AppRequest::Sync { revision, prune, confirmed: confirm };
            ask(&client, &name, &request, &wait).await
        }
        AppCommand::History { name, output } => history(&client, &name, output.output).await,
        AppCommand::Rollback { name, deployment, wait } => {
            let deployment = match deployment {
                Some(deployment) => deployment,
                None => before(&find(&client, &name).await?)?,
            };
            ask(&client, &name, &AppRequest::Rollback { deployment }, &wait).await
        }
        AppCommand::Promote { name, full } => {
            let _: App = client.post(&format!("apps/{name}/request"), &AppRequest::Promote { full }).await?;
            println!("{name} goes on; `landfall app get {name}` shows how far it is");
            Ok(ExitCode::from(exit::OK))
        }
        AppCommand::Abort { name, wait } => ask(&client, &name, &AppRequest::Abort, &wait).await,
        AppCommand::Undo { name, wait } => {
            let app = find(&client, &name).await?;
            let request = match app.status.rollout.as_ref().filter(|it| it.passed.is_none()) {
                Some(_) => AppRequest::Abort,
                None => AppRequest::Rollback { deployment: before(&app)? },
            };
            ask(&client, &name, &request, &wait).await
        }
        AppCommand::Release { name } => {
            let _: App = client.post(&format!("apps/{name}/request"), &AppRequest::Release).await?;
            println!("the quarantine of {name} is lifted");
            Ok(ExitCode::from(exit::OK))
        }
        AppCommand::Adopt { name, object } => {
            let told: Value = client.post(&format!("apps/{name}/adoptions"), &json!({"object": object})).await?;
            let objects: Vec<_> = told["objects"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let commit = told["commit"].as_str().unwrap_or_default();
            println!("Git says of {} what the cluster holds: commit {commit}", objects.join(", "));
            Ok(ExitCode::from(exit::OK))
        }
        AppCommand::Refresh { name } => {
            let _: App = client.post(&format!("apps/{name}/request"), &AppRequest::Refresh).await?;
            println!("the sources of {name} are asked");
            Ok(ExitCode::from(exit::OK))
        }
        AppCommand::Webhook { output } => webhook(&client, output.output).await,
        AppCommand::Delete { name, cascade } => delete(&client, &name, cascade).await,
    }
}

pub async fn diff(args: DiffArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let app = find(&context.client()?, &args.name).await?;
    let differing: Vec<_> = app.status.resources.iter().filter(|it| it.sync != SyncState::Synced).collect();
    if args.output.output == Output::Json {
        print_json(&json!({"apiVersion": "landfall/v1", "app": app.name, "items": differing, "conditions": app.status.conditions}))?;
    } else {
        for resource in &differing {
            let what = match (&resource.health, resource.requires_pruning) {
                (_, true) => "left Git; a sync with pruning deletes it".to_owned(),
                (Some(Health::Missing), _) => "is missing; a sync makes it".to_owned(),
                _ if resource.drift.is_empty() => resource.message.clone(),
                _ => "differs".to_owned(),
            };
            println!("{} {what}", resource.object);
            for field in &resource.drift {
                let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "(not set)".to_owned(), Value::to_string);
                let by = field.writer.as_ref().map(|writer| format!("   written by {writer}")).unwrap_or_default();
                println!("  {}{by}\n    - {}\n    + {}", field.path, show(&field.live), show(&field.wanted));
            }
        }
        for condition in &app.status.conditions {
            println!("{}: {}", condition.kind, condition.message);
        }
        if differing.is_empty() && app.status.conditions.is_empty() {
            println!("{} is as Git says", app.name);
        }
    }
    let same = differing.is_empty() && app.status.sync != SyncState::Unknown;
    Ok(ExitCode::from(if same { exit::OK } else { exit::FAILED }))
}

async fn find(client: &Client, name: &str) -> anyhow::Result<App> {
    client.get(&format!("apps/{name}")).await
}

async fn apply(client: &Client, file: PathBuf) -> anyhow::Result<ExitCode> {
    let shown = file.display().to_string();
    let text = if shown == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(&file).with_context(|| format!("`{shown}` cannot be read"))?
    };
    let told: Value = client.post("apps", &json!({"file": shown, "text": text})).await?;
    for name in told["apps"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        println!("{name} is followed; `landfall app get {name}` shows how it does");
    }
    Ok(ExitCode::from(exit::OK))
}

async fn webhook(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut told: Value = client.get("webhook").await?;
    let url = format!("{}{}", client.running.url, told["path"].as_str().unwrap_or_default());
    told["url"] = json!(url);
    match output {
        Output::Json => print_json(&told)?,
        Output::Table => {
            println!("url     {url}");
            println!("secret  {}", told["secret"].as_str().unwrap_or_default());
            eprintln!("enter both at GitHub, GitLab, Gitea, Forgejo or Bitbucket, for pushes, with the content type application/json;");
            eprintln!("the server listens on this machine only, so a host elsewhere needs a tunnel or a proxy to it");
        }
    }
    Ok(ExitCode::from(exit::OK))
}

async fn list(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let told: Value = client.get("apps").await?;
    match output {
        Output::Json => print_json(&told)?,
        Output::Table => {
            let apps: Vec<App> = serde_json::from_value(told["items"].clone())?;
            let rows: Vec<_> = apps.iter().map(row).collect();
            print_table(&["APP", "NAMESPACE", "SYNC", "HEALTH", "REVISION", "DEPLOYMENT", "REPOSITORY", "PATH"], &rows);
            if rows.is_empty() {
                eprintln!("no app is followed yet; `landfall app apply -f FILE` makes one");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn row(app: &App) -> Vec<String> {
    let source = app.spec.sources.first();
    let revision = app.status.seen.as_ref().and_then(|it| it.commits.first()).map_or_else(|| "-".to_owned(), |it| it.short());
    vec![
        app.name.clone(),
        app.spec.namespace.clone(),
        delivery::gitops::sync_words(app),
        app.status.health.to_string(),
        revision,
        app.status.deployed.map_or_else(|| "-".to_owned(), |it| it.to_string()),
        source.map(|it| it.repository.clone()).unwrap_or_default(),
        source.map(|it| place(it).to_owned()).unwrap_or_default(),
    ]
}

/// The folder, or the chart, that a source names.
fn place(source: &api::AppSource) -> &str {
    source.chart.as_deref().unwrap_or(if source.path.is_empty() { "." } else { &source.path })
}

async fn get(client: &Client, name: &str, output: Output) -> anyhow::Result<ExitCode> {
    let app = find(client, name).await?;
    if output == Output::Json {
        print_json(&serde_json::to_value(&app)?)?;
        return Ok(ExitCode::from(exit::OK));
    }
    println!("app        {}", app.name);
    for source in &app.spec.sources {
        let path = place(source);
        println!("source     {} {path} at {}", source.repository, source.revision);
    }
    println!("namespace  {}", app.spec.namespace);
    println!("sync       {}", delivery::gitops::sync_words(&app));
    println!("health     {}", app.status.health);
    if let Some(operation) = &app.status.operation {
        println!("operation  deployment {}: {} {}", operation.deployment, operation.phase, operation.message);
    }
    for line in super::app_rollout::lines(&app) {
        println!("{line}");
    }
    for condition in &app.status.conditions {
        println!("condition  {}: {}", condition.kind, condition.message);
        if !condition.help.is_empty() {
            println!("           help: {}", condition.help);
        }
    }
    for bad in &app.status.quarantined {
        print_cause(&format!("quarantine deployment {}", bad.deployment), &app, &bad.cause);
        match (&bad.reverted_by, &bad.revert_pending) {
            (Some(commit), _) => println!("           taken back in Git by {}", commit.short()),
            (None, Some(why)) => println!("           not taken back in Git yet: {why}"),
            (None, None) => {}
        }
    }
    let last = app.status.history.last().filter(|it| !app.status.quarantined.iter().any(|bad| bad.deployment == it.id));
    if let Some((last, cause)) = last.and_then(|it| Some((it, it.cause.as_ref()?))) {
        print_cause(&format!("failed     deployment {}", last.id), &app, cause);
    }
    let rows: Vec<_> = app.status.resources.iter().map(resource_row).collect();
    println!();
    print_table(&["KIND", "NAME", "SYNC", "HEALTH", "MESSAGE"], &rows);
    Ok(ExitCode::from(exit::OK))
}

/// Why something failed, and what leads on.
fn print_cause(what: &str, app: &App, cause: &api::Cause) {
    println!("{what} [{}] {}", cause.code, cause.summary);
    for line in &cause.evidence {
        println!("           {line}");
    }
    // Who reads this has asked for it already.
    let own = format!("landfall app get {}", app.name);
    for line in cause.help.iter().filter(|it| **it != own) {
        println!("           help: {line}");
    }
}

fn resource_row(it: &api::AppResource) -> Vec<String> {
    let drift: Vec<_> = it.drift.iter().map(|field| field.path.clone()).collect();
    let message = if drift.is_empty() { it.message.clone() } else { format!("differs in {}", drift.join(", ")) };
    vec![
        it.object.kind.clone(),
        it.object.name.clone(),
        it.sync.to_string(),
        it.health.map_or_else(|| "-".to_owned(), |health| health.to_string()),
        message,
    ]
}

async fn history(client: &Client, name: &str, output: Output) -> anyhow::Result<ExitCode> {
    let app = find(client, name).await?;
    if output == Output::Json {
        print_json(&json!({"apiVersion": "landfall/v1", "app": app.name, "items": app.status.history}))?;
        return Ok(ExitCode::from(exit::OK));
    }
    let row = |it: &Deployment| {
        let back = it.back_to.map(|to| format!(" (back to {to})")).unwrap_or_default();
        let cause = it.cause.as_ref().map(|cause| cause.summary.clone()).unwrap_or_default();
        vec![
            it.id.to_string(),
            it.revision.commits.first().map_or_else(|| "-".to_owned(), |it| it.short()),
            format!("{}{back}", state_word(it.state)),
            it.by.clone(),
            it.started.to_string(),
            if cause.is_empty() { it.subject.clone() } else { cause },
        ]
    };
    let rows: Vec<_> = app.status.history.iter().map(row).collect();
    print_table(&["DEPLOYMENT", "COMMIT", "STATE", "BY", "STARTED", "ABOUT"], &rows);
    Ok(ExitCode::from(exit::OK))
}

fn state_word(state: DeploymentState) -> &'static str {
    match state {
        DeploymentState::Syncing => "syncing",
        DeploymentState::Waiting => "waiting",
        DeploymentState::Healthy => "healthy",
        DeploymentState::Failed => "failed",
        DeploymentState::RolledBack => "rolled back",
        DeploymentState::Superseded => "superseded",
    }
}

/// The healthy deployment before the one that is served.
fn before(app: &App) -> anyhow::Result<u64> {
    let deployed = app.status.deployed.unwrap_or_default();
    let older = app.status.history.iter().rev().find(|it| it.id < deployed && it.state == DeploymentState::Healthy && it.back_to.is_none());
    older.map(|it| it.id).with_context(|| format!("`{}` has no healthy deployment before {deployed}", app.name))
}

async fn ask(client: &Client, name: &str, request: &AppRequest, wait: &Wait) -> anyhow::Result<ExitCode> {
    let asked: App = client.post(&format!("apps/{name}/request"), request).await?;
    if wait.no_wait {
        println!("{name} is told; `landfall app get {name}` shows how far it is");
        return Ok(ExitCode::from(exit::OK));
    }
    let began = Instant::now();
    loop {
        let app = find(client, name).await?;
        let taken_up = app.status.observed >= asked.generation && app.request.is_none();
        let open = |it: &Deployment| matches!(it.state, DeploymentState::Syncing | DeploymentState::Waiting);
        if taken_up && app.status.operation.is_none() && !app.status.history.iter().any(open) {
            return Ok(ended(&app));
        }
        if began.elapsed() > wait.timeout {
            eprintln!("error: {name} is still under way after {}", names::format_duration(wait.timeout));
            eprintln!("help: `landfall app get {name}` shows how far it is");
            return Ok(ExitCode::from(exit::TIMEOUT));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn ended(app: &App) -> ExitCode {
    println!("{}  {}  {}", app.name, delivery::gitops::sync_words(app), app.status.health);
    for condition in &app.status.conditions {
        println!("  {}: {}", condition.kind, condition.message);
    }
    let last = app.status.history.last();
    if let Some(cause) = last.and_then(|it| it.cause.as_ref()) {
        println!("  {}", cause.summary);
    }
    // Being held is what was asked for, and an old copy of a repository is still followed.
    let hinders = |kind: &str| kind != "Held" && (kind != "SourceUnreachable" || app.status.sync == SyncState::Unknown);
    let hindered = app.status.conditions.iter().any(|it| hinders(&it.kind));
    let good = last.is_some_and(|it| it.state == DeploymentState::Healthy) && app.status.health == Health::Healthy && !hindered;
    ExitCode::from(if good { exit::OK } else { exit::FAILED })
}

async fn delete(client: &Client, name: &str, cascade: bool) -> anyhow::Result<ExitCode> {
    let told: Value = client.delete(&format!("apps/{name}?cascade={cascade}")).await?;
    if let Some(cluster) = told["asked"].as_str() {
        println!("the agent in {cluster} deletes what {name} brought; the app is gone when that is done");
        return Ok(ExitCode::from(exit::OK));
    }
    println!("{name} is not followed any more{}", if cascade { "; its objects are deleted" } else { "; its objects stay" });
    let left: Vec<_> = told["left"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for line in &left {
        println!("  left {line}");
    }
    Ok(ExitCode::from(if left.is_empty() { exit::OK } else { exit::FAILED }))
}
