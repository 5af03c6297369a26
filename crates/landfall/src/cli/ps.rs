//! `landfall ps`

use std::process::ExitCode;

use api::{App, ReleaseState, ServiceAddress, SyncState, WorkloadStatus};
use names::{CommitId, ReleaseId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json, print_table},
};

/// Show which commit runs where, and at which address
///
/// One row an environment: the release that is served, how many of its pods are
/// ready at this moment, and where its Services answer. What the cluster could
/// not be asked about is `not seen`. Below it, one row an app that follows Git.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall ps --output json")]
pub struct PsArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Deserialize)]
struct Environment {
    project: String,
    environment: String,
    release: Option<ReleaseId>,
    commit: Option<CommitId>,
    newest: ReleaseId,
    newest_state: ReleaseState,
    workloads: Option<Vec<WorkloadStatus>>,
    addresses: Vec<ServiceAddress>,
}

pub async fn ps(args: PsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let mut told: Value = client.get("environments").await?;
    let apps: Value = client.get("apps").await?;
    match args.output.output {
        Output::Json => {
            told["apps"] = apps["items"].clone();
            print_json(&told)?;
        }
        Output::Table => {
            let environments: Vec<Environment> = serde_json::from_value(told["items"].clone())?;
            let apps: Vec<App> = serde_json::from_value(apps["items"].clone())?;
            let rows: Vec<_> = environments.iter().map(row).collect();
            if !rows.is_empty() || apps.is_empty() {
                print_table(&["PROJECT", "ENVIRONMENT", "COMMIT", "RELEASE", "STATE", "READY", "ADDRESS"], &rows);
            }
            if !rows.is_empty() && !apps.is_empty() {
                println!();
            }
            if !apps.is_empty() {
                print_table(&["APP", "NAMESPACE", "DEPLOYED", "GIT SAYS", "SYNC", "HEALTH", "DIFFERS"], &apps.iter().map(app_row).collect::<Vec<_>>());
            }
            if rows.is_empty() && apps.is_empty() {
                eprintln!("nothing is deployed yet; `landfall status` shows where to push");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn row(it: &Environment) -> Vec<String> {
    let addresses: Vec<_> = it.addresses.iter().map(|it| it.url.clone()).collect();
    vec![
        it.project.clone(),
        it.environment.clone(),
        it.commit.map_or_else(|| "-".to_owned(), |it| it.short()),
        it.release.as_ref().map_or_else(|| "-".to_owned(), |it| format!("@{}", it.number)),
        state(it),
        ready(it),
        if addresses.is_empty() { "-".to_owned() } else { addresses.join(" ") },
    ]
}

fn app_row(app: &App) -> Vec<String> {
    let short = |commits: &[CommitId]| commits.first().map_or_else(|| "-".to_owned(), |it| it.short());
    let status = &app.status;
    let deployed = status.deployed.and_then(|id| status.history.iter().find(|it| it.id == id));
    let differing = status.resources.iter().filter(|it| it.sync == SyncState::OutOfSync).count();
    vec![
        app.name.clone(),
        app.spec.namespace.clone(),
        deployed.map_or_else(|| "-".to_owned(), |it| short(&it.revision.commits)),
        status.seen.as_ref().map_or_else(|| "-".to_owned(), |it| short(&it.commits)),
        delivery::gitops::sync_words(app),
        status.health.to_string(),
        if differing == 0 { "-".to_owned() } else { format!("{differing} of {}", status.resources.len()) },
    ]
}

fn state(it: &Environment) -> String {
    let served = it.release.as_ref().filter(|it| it.number > 0);
    match served {
        Some(served) if *served != it.newest => {
            let now = now(it, "serving");
            format!("{now} @{}; @{} {}", served.number, it.newest.number, it.newest_state)
        }
        Some(_) if it.newest_state == ReleaseState::Healthy => now(it, "healthy"),
        Some(_) => it.newest_state.to_string(),
        None => format!("@{} {}", it.newest.number, it.newest_state),
    }
}

/// The good word only if all pods are seen to be ready.
fn now(it: &Environment, good: &str) -> String {
    match &it.workloads {
        None => "not seen".to_owned(),
        Some(all) if all.iter().all(|it| it.ready >= it.desired) => good.to_owned(),
        Some(_) => "degraded".to_owned(),
    }
}

fn ready(it: &Environment) -> String {
    let Some(workloads) = &it.workloads else { return "not seen".to_owned() };
    let (ready, desired) = workloads.iter().fold((0, 0), |(ready, desired), it| (ready + it.ready, desired + it.desired));
    format!("{ready}/{desired}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_seen_is_never_healthy() {
        let pods = |ready: u32| json!([{"object": {"api_version": "apps/v1", "kind": "Deployment", "plural": "deployments", "name": "web"}, "desired": 3, "updated": 3, "ready": ready, "message": ""}]);
        check(Some(1), 1, "healthy", pods(3), "healthy | 3/3");
        check(Some(1), 1, "healthy", pods(1), "degraded | 1/3");
        check(Some(1), 1, "healthy", Value::Null, "not seen | not seen");
        check(Some(1), 2, "rolled_back", pods(3), "serving @1; @2 rolled back | 3/3");
        check(Some(1), 2, "deploying", pods(3), "serving @1; @2 deploying | 3/3");
        check(None, 1, "failed", pods(0), "@1 failed | 0/3");
    }

    #[track_caller]
    fn check(served: Option<u64>, newest: u64, state_now: &str, workloads: Value, expected: &str) {
        let told = json!({
            "project": "shop", "environment": "production",
            "release": served.map(|it| format!("shop/production@{it}")), "commit": null,
            "newest": format!("shop/production@{newest}"), "newest_state": state_now,
            "workloads": workloads, "addresses": [],
        });
        let it: Environment = serde_json::from_value(told).expect("an environment");
        assert_eq!(format!("{} | {}", state(&it), ready(&it)), expected);
    }
}
