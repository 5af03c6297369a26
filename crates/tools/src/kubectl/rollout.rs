//! `kubectl rollout status`, `restart`, `pause` and `resume`.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{
    Command,
    fault::Fault,
    manifests,
    output::{self, Output},
    session::{Ask, Session},
    target::{self, Found},
    text, watch,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("selector").short('l'),
    switch("watch").short('w'),
    value("timeout"),
    value("revision"),
    value("to-revision"),
    value("output").short('o'),
    value("template"),
    value("field-manager").idle(),
    value("dry-run").or("client").refused("look at `kubectl rollout history` first"),
    value("kustomize").short('k').refused("`kubectl kustomize DIR` prints the files; hand them over with -f -"),
];

const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// The objects a rollout command is about.
pub async fn objects(command: &mut Command<'_>) -> Result<(Session, Vec<Found>), Failure> {
    let manifests = manifests::read(&command.line, command.console)?;
    if manifests.is_empty() && command.line.words.is_empty() {
        return Err(Failure::new("error: required resource not specified"));
    }
    let session = command.session().await?;
    let found = target::find(&session, &command.line, manifests).await?;
    if found.is_empty() {
        return Err(Failure::new("error: no objects found"));
    }
    Ok((session, found))
}

/// Runs `kubectl rollout status`.
pub async fn status(mut command: Command<'_>) -> Result<(), Failure> {
    let (session, found) = objects(&mut command).await?;
    let Command { line, console } = command;
    let timeout = line.last("timeout").map(super::duration).transpose()?.filter(|it| !it.is_zero());
    for it in &found {
        if it.resource.kind != "Deployment" {
            return Err(Failure::new(format!("error: no status viewer has been implemented for {}", it.resource.kind)));
        }
        let done = follow(&session, it, &line, console);
        match timeout {
            None => done.await?,
            Some(timeout) => match tokio::time::timeout(timeout, done).await {
                Ok(done) => done?,
                Err(_) => return Err(Failure::new("error: timed out waiting for the condition")),
            },
        }
    }
    Ok(())
}

async fn follow(session: &Session, it: &Found, line: &Parsed, console: &mut Console) -> Result<(), Fault> {
    let once = !line.is_not_off("watch");
    let revision = line.last("revision").unwrap_or("0").to_owned();
    let mut last = String::new();
    let namespace = it.namespace.as_str();
    watch::until(session, &it.resource, namespace, &it.name, |deployment| {
        let Some(deployment) = deployment else {
            return Some(Err(Fault::here("object has been deleted")));
        };
        match progress(deployment, &revision) {
            Progress::Failed(why) => Some(Err(Fault::here(why))),
            Progress::Done(text) => {
                console.out(text);
                Some(Ok(()))
            }
            Progress::Waiting(text) => {
                // Many changes of an object change nothing of its progress.
                if text != last {
                    console.out(&text);
                    console.flush();
                    last = text;
                }
                once.then_some(Ok(()))
            }
        }
    })
    .await?
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Waiting(String),
    Done(String),
    Failed(String),
}

/// How far a rollout is, in kubectl's words.
fn progress(deployment: &Value, revision: &str) -> Progress {
    let name = text(&deployment["metadata"]["name"]);
    let current = text(&deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]);
    if revision != "0" && revision != current {
        return Progress::Failed(format!("desired revision ({revision}) is different from the running revision ({current})"));
    }
    let status = &deployment["status"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    if number(&deployment["metadata"]["generation"]) > number(&status["observedGeneration"]) {
        return Progress::Waiting("Waiting for deployment spec update to be observed...".to_owned());
    }
    let progressing = super::list(&status["conditions"]).iter().find(|it| it["type"] == "Progressing");
    if progressing.is_some_and(|it| it["reason"] == "ProgressDeadlineExceeded") {
        return Progress::Failed(format!("deployment \"{name}\" exceeded its progress deadline"));
    }
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let (all, updated, available) = (number(&status["replicas"]), number(&status["updatedReplicas"]), number(&status["availableReplicas"]));
    let waiting = |what: String| Progress::Waiting(format!("Waiting for deployment \"{name}\" rollout to finish: {what}..."));
    if updated < wanted {
        return waiting(format!("{updated} out of {wanted} new replicas have been updated"));
    }
    if all > updated {
        return waiting(format!("{} old replicas are pending termination", all - updated));
    }
    if available < updated {
        return waiting(format!("{available} of {updated} updated replicas are available"));
    }
    Progress::Done(format!("deployment \"{name}\" successfully rolled out"))
}

/// Runs `kubectl rollout restart`, `pause` and `resume`.
pub async fn change(mut command: Command<'_>, what: &str) -> Result<(), Failure> {
    let output = Output::of(&command.line)?;
    let (session, found) = objects(&mut command).await?;
    for it in &found {
        if !it.object["spec"]["template"].is_object() || (what != "restart" && it.resource.kind != "Deployment") {
            let verb = match what {
                "restart" => "restarting",
                "pause" => "pausing",
                _ => "resuming",
            };
            return Err(Failure::new(format!("error: {} \"{}\" {verb} is not supported", it.resource.plural_name(), it.name)));
        }
        let paused = it.object["spec"]["paused"] == true;
        let (patch, done) = match what {
            "restart" if paused => return Err(Failure::new(format!("error: {} \"{}\" can't restart paused deployment (run rollout resume first)", it.resource.plural_name(), it.name))),
            "restart" => {
                let now = names::Timestamp::from(SystemTime::now()).to_seconds_text();
                let annotations = json!({ "kubectl.kubernetes.io/restartedAt": now });
                (json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }), "restarted")
            }
            "pause" if paused => return Err(already(it, "paused")),
            "pause" => (json!({ "spec": { "paused": true } }), "paused"),
            _ if !paused => return Err(already(it, "not paused").with_code(1)),
            _ => (json!({ "spec": { "paused": null } }), "resumed"),
        };
        let path = format!("{}?fieldManager=kubectl-rollout", it.path());
        let mut answer = session.json(Ask::patch(path, STRATEGIC, &patch)).await?;
        output::told(&output, &it.resource, &mut answer, done, command.console)?;
    }
    Ok(())
}

fn already(it: &Found, state: &str) -> Failure {
    let state = if state == "paused" { "is already paused" } else { "is not paused" };
    Failure::new(format!("error: {} \"{}\" {state}", it.resource.plural_name(), it.name))
}

/// The longest a wait without a given end lasts.
pub const FOREVER: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_the_words_of_kubectl() {
        let waiting = |text: &str| Progress::Waiting(text.to_owned());
        check(2, 1, [0, 0, 0], waiting("Waiting for deployment spec update to be observed..."));
        check(1, 1, [3, 1, 3], waiting("Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated..."));
        check(1, 1, [4, 3, 3], waiting("Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination..."));
        check(1, 1, [3, 3, 2], waiting("Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available..."));
        check(1, 1, [3, 3, 3], Progress::Done("deployment \"web\" successfully rolled out".to_owned()));
    }

    #[track_caller]
    fn check(generation: i64, observed: i64, [all, updated, available]: [i64; 3], expected: Progress) {
        let deployment = json!({
            "metadata": { "name": "web", "generation": generation }, "spec": { "replicas": 3 },
            "status": { "observedGeneration": observed, "replicas": all, "updatedReplicas": updated, "availableReplicas": available },
        });
        assert_eq!(progress(&deployment, "0"), expected);
    }
}
