//! `helm install`, `upgrade`, `rollback` and `uninstall`.

use std::{rc::Rc, sync::Arc, time::Duration};

use helm::{Action, Chart, HookEvent, KubeVersion, Lookup, Release, ReleaseRecord, RenderOptions, SchemaCheck, Status, ValueSources};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::{
    Command,
    chance::Machine,
    cluster::{self, Home},
    deploy::{self, Manner},
    failed, history, input,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
    kubectl::session::{Ask, Session},
};

/// How the cluster is changed.
pub const DEPLOY_FLAGS: &[Flag] = &[
    value("wait").or("watcher"),
    switch("wait-for-jobs"),
    value("timeout"),
    switch("atomic"),
    switch("rollback-on-failure"),
    switch("no-hooks"),
    switch("force-conflicts"),
    switch("take-ownership"),
    value("history-max"),
    value("description"),
    value("dry-run").or("client"),
    value("output").short('o'),
    switch("hide-notes"),
    switch("skip-crds"),
    switch("create-namespace"),
    value("labels").short('l'),
    value("server-side").or("true").idle(),
    switch("disable-openapi-validation").idle(),
    switch("render-subchart-notes").idle(),
    switch("hide-secret").idle(),
    switch("cleanup-on-fail").idle(),
    switch("reset-values"),
    switch("reset-then-reuse-values"),
    switch("reuse-values").refused("use --reset-then-reuse-values"),
    switch("force").refused("delete the object that cannot be changed"),
    switch("force-replace").refused("delete the object that cannot be changed"),
    switch("replace").refused("uninstall the release, or upgrade it with --install"),
    switch("recreate-pods").refused("`kubectl rollout restart` does it"),
    switch("dependency-update").refused("check the charts in below charts/"),
    switch("enable-dns").refused("templates ask no name servers"),
    value("post-renderer").refused("use `helm template`, the program and `kubectl apply`"),
    value("post-renderer-args").refused("use `helm template`, the program and `kubectl apply`"),
];

pub const INSTALL_FLAGS: &[Flag] = &[value("name-template"), switch("generate-name").short('g')];
pub const UPGRADE_FLAGS: &[Flag] = &[switch("install").short('i')];

pub const UNINSTALL_FLAGS: &[Flag] = &[
    switch("keep-history"),
    switch("ignore-not-found"),
    switch("no-hooks"),
    switch("dry-run"),
    value("timeout"),
    value("wait").or("watcher"),
    value("cascade").idle(),
    value("description").idle(),
];

const TIMEOUT: Duration = Duration::from_secs(300);
const HISTORY_MAX: usize = 10;

fn manner(line: &Parsed) -> Result<Manner, Failure> {
    let timeout = match line.last("timeout") {
        None => TIMEOUT,
        Some(text) => names::parse_duration(text).map_err(|_| failed(format!("invalid argument \"{text}\" for \"--timeout\" flag: time: invalid duration \"{text}\"")))?,
    };
    let history_max = match line.last("history-max") {
        None => HISTORY_MAX,
        Some(text) => text.parse().map_err(|_| failed(format!("invalid argument \"{text}\" for \"--history-max\" flag")))?,
    };
    let atomic = is_atomic(line);
    Ok(Manner {
        hooks: !line.is_on("no-hooks"),
        wait: atomic || line.is_on("wait-for-jobs") || !matches!(line.last("wait"), None | Some("false" | "hookOnly")),
        wait_for_jobs: line.is_on("wait-for-jobs"),
        timeout,
        force: line.is_on("force-conflicts"),
        take_ownership: line.is_on("take-ownership"),
        history_max,
    })
}

fn is_atomic(line: &Parsed) -> bool {
    line.is_on("atomic") || line.is_on("rollback-on-failure")
}

/// Runs `helm install`.
pub async fn install(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let (name, chart) = input::name_and_chart(&line, None)?;
    let home = Home::open(&line, input::namespace(&line, console), console).await?;
    let records = home.records(Some(&name)).await?;
    if records.last().is_some_and(|it| it.status != Status::Uninstalled) {
        return Err(failed("INSTALLATION FAILED: release name check failed: cannot reuse a name that is still in use"));
    }
    deploy(&home, &name, chart, &records, None, &line, console).await
}

/// Runs `helm upgrade`.
pub async fn upgrade(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let [name, chart] = line.words.as_slice() else {
        return Err(failed("\"helm upgrade\" requires 2 arguments\n\nUsage:  helm upgrade [RELEASE] [CHART] [flags]"));
    };
    let home = Home::open(&line, input::namespace(&line, console), console).await?;
    let records = home.records(Some(name)).await?;
    if records.last().is_none_or(|it| it.status == Status::Uninstalled) {
        if !line.is_on("install") {
            return Err(failed(format!("UPGRADE FAILED: \"{name}\" has no deployed releases")));
        }
        if line.last("output").is_none() {
            console.out(format!("Release \"{name}\" does not exist. Installing it now."));
        }
        return deploy(&home, name, chart, &records, None, &line, console).await;
    }
    let last = records.last();
    if last.is_some_and(|it| matches!(it.status, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)) {
        return Err(failed("UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"));
    }
    let deployed = records.iter().rev().find(|it| it.status == Status::Deployed);
    let Some(current) = deployed.or(last) else { return Err(failed("UPGRADE FAILED: no release")) };
    deploy(&home, name, chart, &records, Some(current), &line, console).await
}

/// Renders the chart and carries it out.
async fn deploy(home: &Home, name: &str, word: &str, records: &[ReleaseRecord], current: Option<&ReleaseRecord>, line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    let verb = if current.is_some() { "UPGRADE" } else { "INSTALLATION" };
    let stopped = |error: String| Failure::new(format!("Error: {verb} FAILED: {error}"));
    let chart = input::chart(word, line, console).await?;
    let compat = input::compat(console);
    let sources = input::values(line, console)?;
    let mut values = sources.merge(compat).map_err(failed)?;
    if let Some(current) = current {
        let keeps = line.is_on("reset-then-reuse-values") || !line.is_on("reset-values") && sources == ValueSources::default();
        if keeps {
            values = laid(current.config.clone(), values);
        }
    }
    let mut release = Release::new(name, &home.namespace);
    release.revision = records.last().map_or(1, |it| it.revision + 1);
    if current.is_some() {
        release.action = Action::Upgrade;
    }
    let skip = line.is_on("skip-schema-validation");
    let (rendered, record) = render(home, chart.clone(), release, values, skip, compat).await.map_err(|failure| {
        let text = failure.message.strip_prefix("Error: ").unwrap_or(&failure.message).to_owned();
        stopped(text)
    })?;
    let mut record = record;
    for pair in line.all("labels").flat_map(|it| it.split(',')) {
        let Some((key, value)) = pair.split_once('=') else { return Err(failed(format!("{pair} must be formatted as key=value"))) };
        record.labels.insert(key.to_owned(), value.to_owned());
    }
    let done = if current.is_some() { "Upgrade complete" } else { "Install complete" };
    record.description = line.last("description").unwrap_or(done).to_owned();
    if let Some(current) = current {
        record.status = Status::PendingUpgrade;
        record.first_deployed.clone_from(&current.first_deployed);
    }
    if line.last("dry-run").is_some_and(|it| !matches!(it, "none" | "false" | "unset")) {
        record.description = "Dry run complete".to_owned();
        history::show(&record, line, console);
        console.out(format!("HOOKS:\nMANIFEST:\n{}", record.manifest));
        return Ok(());
    }
    if line.is_on("create-namespace") {
        create_namespace(home).await.map_err(stopped)?;
    }
    if current.is_none() && !line.is_on("skip-crds") {
        for crd in &rendered {
            for placed in home.objects(crd).await.map_err(stopped)? {
                if home.live(&placed).await.map_err(stopped)?.is_none() {
                    home.apply(&placed, false).await.map_err(stopped)?;
                }
            }
        }
    }
    let manner = manner(line)?;
    let events = match current {
        Some(_) => [HookEvent::PreUpgrade, HookEvent::PostUpgrade],
        None => [HookEvent::PreInstall, HookEvent::PostInstall],
    };
    match deploy::carry_out(home, record, current, events, &manner).await {
        Ok(record) => {
            if current.is_some() && line.last("output").is_none() {
                console.out(format!("Release \"{name}\" has been upgraded. Happy Helming!"));
            }
            history::show(&record, line, console);
            Ok(())
        }
        Err((record, error)) if is_atomic(line) && record.status == Status::Failed => {
            let undone = match current {
                Some(current) => back_to(home, current, &record, &manner).await.map(drop),
                None => remove(home, std::slice::from_ref(&record), &manner, false).await,
            };
            let how = if current.is_some() { "rolled back" } else { "uninstalled" };
            Err(match undone {
                Ok(()) => stopped(format!("release {name} failed, and has been {how} due to rollback-on-failure being set: {error}")),
                Err(again) => stopped(format!("{error}; and it could not be {how}: {again}")),
            })
        }
        Err((_, error)) => Err(stopped(error)),
    }
}

/// Maps merge, everything else is replaced.
fn laid(mut base: Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => *below = laid(std::mem::take(below), above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

/// Renders with what the cluster can and has; gives the texts of crds/ and the record.
async fn render(home: &Home, chart: Arc<Chart>, release: Release, values: Map<String, Value>, skip: bool, compat: helm::Compat) -> Result<(Vec<String>, ReleaseRecord), Failure> {
    let version = home.session.json(Ask::get("/version")).await.map_err(|fault| failed(cluster::told(fault)))?;
    let version = version["gitVersion"].as_str().unwrap_or("v1.34.0").to_owned();
    let discovery = home.session.discovery().await.map_err(|fault| failed(cluster::told(fault)))?;
    let mut versions: Vec<String> = Vec::new();
    for resource in &discovery.resources {
        let version = resource.api_version();
        let kind = format!("{version}/{}", resource.kind);
        versions.extend([version, kind]);
    }
    versions.sort();
    versions.dedup();
    let lookup = Live { session: home.session.clone(), handle: Handle::current() };
    let rendering = tokio::task::spawn_blocking(move || {
        let mut options = RenderOptions::new(release, compat);
        options.values = values;
        options.source = Rc::new(Machine);
        options.kube_version = KubeVersion::parse(&version, compat).map_err(failed)?;
        options.api_versions = versions;
        options.lookup = Some(Rc::new(lookup));
        if skip {
            options.schemas = SchemaCheck::Skipped;
        }
        let rendered = helm::render(&chart, &options).map_err(|error| input::render_failed(&error))?;
        let record = ReleaseRecord::new(&options.release, &chart, &options.values, &rendered, &cluster::now());
        Ok((rendered.crds.into_iter().map(|it| it.content).collect(), record))
    });
    rendering.await.map_err(|error| failed(format!("the render ended: {error}")))?
}

/// `lookup` asks the cluster; called on a thread that may block.
struct Live {
    session: Arc<Session>,
    handle: Handle,
}

impl Lookup for Live {
    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>, String> {
        self.handle.block_on(async {
            let discovery = self.session.discovery().await.map_err(cluster::told)?;
            let Some(resource) = discovery.of_kind(api_version, kind) else { return Ok(None) };
            let path = match (name, namespace) {
                ("", "") => resource.path(None),
                ("", namespace) => resource.path(Some(namespace)),
                (name, namespace) => resource.object_path(namespace, name),
            };
            match self.session.json(Ask::get(path)).await {
                Ok(found) => Ok(Some(found)),
                Err(fault) if fault.is_missing() => Ok(None),
                Err(fault) => Err(cluster::told(fault)),
            }
        })
    }
}

async fn create_namespace(home: &Home) -> Result<(), String> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home.namespace, "labels": {"name": home.namespace}}});
    match home.session.json(Ask::post("/api/v1/namespaces", &object)).await {
        Err(crate::kubectl::fault::Fault::Status { code: 409, .. }) | Ok(_) => Ok(()),
        Err(fault) => Err(cluster::told(fault)),
    }
}

/// Makes an earlier revision the newest again.
async fn back_to(home: &Home, target: &ReleaseRecord, last: &ReleaseRecord, manner: &Manner) -> Result<ReleaseRecord, String> {
    let mut record = target.clone();
    record.revision = last.revision + 1;
    record.status = Status::PendingRollback;
    record.last_deployed = cluster::now();
    record.description = format!("Rollback to {}", target.revision);
    let mut manner = manner.clone();
    manner.take_ownership = true;
    let events = [HookEvent::PreRollback, HookEvent::PostRollback];
    let done = deploy::carry_out(home, record, Some(last), events, &manner).await.map_err(|(_, error)| error)?;
    // After a failed upgrade the revision before it is still marked as deployed.
    for mut old in home.records(Some(&done.name)).await.map_err(|failure| failure.message)? {
        if old.status == Status::Deployed && old.revision != done.revision {
            old.status = Status::Superseded;
            home.update_record(&old).await?;
        }
    }
    Ok(done)
}

/// Runs `helm rollback`.
pub async fn rollback(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let (name, revision) = match line.words.as_slice() {
        [name] => (name, 0),
        [name, revision] => (name, revision.parse().map_err(|_| failed(format!("could not convert revision to a number: {revision}")))?),
        _ => return Err(failed("\"helm rollback\" requires at least 1 argument\n\nUsage:  helm rollback <RELEASE> [REVISION] [flags]")),
    };
    let home = Home::open(&line, input::namespace(&line, console), console).await?;
    let records = home.records(Some(name)).await?;
    let Some(last) = records.last() else { return Err(failed("release: not found")) };
    let wanted = if revision == 0 { last.revision - 1 } else { revision };
    let target = records.iter().find(|it| it.revision == wanted);
    let target = target.ok_or_else(|| failed(format!("release has no {wanted} version")))?;
    back_to(&home, target, last, &manner(&line)?).await.map_err(failed)?;
    console.out("Rollback was a success! Happy Helming!");
    Ok(())
}

/// Takes away all objects of the last revision, and the records.
async fn remove(home: &Home, records: &[ReleaseRecord], manner: &Manner, keep_history: bool) -> Result<(), String> {
    let Some(last) = records.last() else { return Ok(()) };
    if manner.hooks {
        deploy::hooks(home, last, HookEvent::PreDelete, manner.timeout).await?;
    }
    let objects = home.objects(&last.manifest).await?;
    let gone: Vec<_> = objects.iter().rev().filter(|it| !it.annotation("helm.sh/resource-policy").trim().eq_ignore_ascii_case("keep")).collect();
    for placed in &gone {
        home.delete(placed).await?;
    }
    if manner.wait {
        for placed in &gone {
            home.until(placed, manner.timeout, "It is not deleted", |it| it.is_none().then_some(())).await?;
        }
    }
    if manner.hooks {
        deploy::hooks(home, last, HookEvent::PostDelete, manner.timeout).await?;
    }
    for record in records {
        if keep_history && record.revision == last.revision {
            let mut record = record.clone();
            record.status = Status::Uninstalled;
            record.deleted = cluster::now();
            record.description = "Uninstallation complete".to_owned();
            home.update_record(&record).await?;
        } else if !keep_history {
            home.delete_record(record).await?;
        }
    }
    Ok(())
}

/// Runs `helm uninstall`.
pub async fn uninstall(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    if line.words.is_empty() {
        return Err(failed("\"helm uninstall\" requires at least 1 argument\n\nUsage:  helm uninstall RELEASE_NAME [...] [flags]"));
    }
    let home = Home::open(&line, input::namespace(&line, console), console).await?;
    for name in &line.words {
        let records = home.records(Some(name)).await?;
        if records.is_empty() {
            if line.is_on("ignore-not-found") {
                continue;
            }
            return Err(failed(format!("uninstall: Release not loaded: {name}: release: not found")));
        }
        if !line.is_on("dry-run") {
            remove(&home, &records, &manner(&line)?, line.is_on("keep-history")).await.map_err(failed)?;
        }
        console.out(format!("release \"{name}\" uninstalled"));
    }
    Ok(())
}
