//! `kubectl rollout history` and `undo`: the ReplicaSets are the memory of a Deployment.

use serde_json::{Value, json};

use super::{
    Command,
    discovery::encoded,
    fault::Fault,
    list,
    output::{self, Output},
    rollout,
    session::{Ask, Session},
    table,
    target::Found,
    text,
};
use crate::failure::Failure;

const REVISION: &str = "deployment.kubernetes.io/revision";
const CAUSE: &str = "kubernetes.io/change-cause";
const HASH: &str = "pod-template-hash";

/// A ReplicaSet by its revision.
type Revision = (i64, Value);

/// The revisions of a Deployment, the oldest first.
async fn revisions(session: &Session, it: &Found) -> Result<Vec<Revision>, Fault> {
    if it.resource.kind != "Deployment" {
        return Err(Fault::here(format!("no history viewer has been implemented for {}", it.resource.kind)));
    }
    let labels = it.object["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
    let selector = encoded(&labels.collect::<Vec<_>>().join(","));
    let path = format!("/apis/apps/v1/namespaces/{}/replicasets?labelSelector={selector}", encoded(&it.namespace));
    let listed = session.json(Ask::get(path)).await?;
    let owned = list(&listed["items"]).iter().filter(|set| {
        list(&set["metadata"]["ownerReferences"]).iter().any(|owner| owner["uid"] == it.object["metadata"]["uid"])
    });
    let mut revisions: Vec<Revision> = owned
        .filter_map(|set| Some((text(&set["metadata"]["annotations"][REVISION]).parse().ok()?, set.clone())))
        .collect();
    revisions.sort_by_key(|(number, _)| *number);
    Ok(revisions)
}

fn number(command: &Command<'_>, flag: &str) -> Result<i64, Failure> {
    let given = command.line.last(flag).unwrap_or("0");
    let number = given.parse::<i64>().ok().filter(|it| *it >= 0);
    number.ok_or_else(|| Failure::new(format!("error: revision must be a positive integer: {given}")))
}

/// Runs `kubectl rollout history`.
pub async fn history(mut command: Command<'_>) -> Result<(), Failure> {
    let wanted = number(&command, "revision")?;
    let output = Output::of(&command.line)?;
    let (session, found) = rollout::objects(&mut command).await?;
    for it in &found {
        let revisions = revisions(&session, it).await?;
        if wanted > 0 {
            let revision = revisions.iter().find(|(number, _)| *number == wanted);
            let (_, set) = revision.ok_or_else(|| Failure::new("error: unable to find the specified revision"))?;
            if output.wants_objects() {
                output.show(set, command.console)?;
                continue;
            }
            command.console.out(format!("{} with revision #{wanted}", it.shown()));
            command.console.out(super::describe::template(&set["spec"]["template"]));
            continue;
        }
        let mut lines = vec![vec!["REVISION".to_owned(), "CHANGE-CAUSE".to_owned()]];
        for (number, set) in &revisions {
            let cause = set["metadata"]["annotations"][CAUSE].as_str().filter(|it| !it.is_empty()).unwrap_or("<none>");
            lines.push(vec![number.to_string(), cause.to_owned()]);
        }
        command.console.out(format!("{} ", it.shown()));
        for line in table::aligned_with(&lines, 2, 0) {
            command.console.out(line);
        }
        command.console.out("");
    }
    Ok(())
}

/// Runs `kubectl rollout undo`.
pub async fn undo(mut command: Command<'_>) -> Result<(), Failure> {
    let wanted = number(&command, "to-revision")?;
    let output = Output::of(&command.line)?;
    let (session, found) = rollout::objects(&mut command).await?;
    for it in &found {
        if it.object["spec"]["paused"] == true {
            let name = it.shown();
            return Err(Failure::new(format!("error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume {name}' and try again")));
        }
        let revisions = revisions(&session, it).await?;
        let (number, set) = chosen(&revisions, wanted, it)?;
        let mut template = set["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.shift_remove(HASH);
        }
        if template == it.object["spec"]["template"] {
            let skipped = format!("skipped rollback (current template already matches revision {number})");
            command.console.out(format!("{} {skipped}", it.shown()));
            continue;
        }
        let patch = json!([
            { "op": "replace", "path": "/spec/template", "value": template },
            { "op": "replace", "path": "/metadata/annotations", "value": annotations(it, set) },
        ]);
        let path = format!("{}?fieldManager=kubectl-rollout", it.path());
        let mut answer = session.json(Ask::patch(path, "application/json-patch+json", &patch)).await?;
        output::told(&output, &it.resource, &mut answer, "rolled back", command.console)?;
    }
    Ok(())
}

/// The revision to go back to: the given one, or the last but one.
fn chosen<'a>(revisions: &'a [Revision], wanted: i64, it: &Found) -> Result<&'a Revision, Failure> {
    if wanted > 0 {
        let found = revisions.iter().find(|(number, _)| *number == wanted);
        return found.ok_or_else(|| Failure::new(format!("error: unable to find specified revision {wanted} in history")));
    }
    let before = revisions.len().checked_sub(2).and_then(|at| revisions.get(at));
    before.ok_or_else(|| Failure::new(format!("error: no rollout history found for deployment \"{}\"", it.name)))
}

/// The annotations of the old revision; those that belong to the Deployment itself stay as they are.
fn annotations(it: &Found, set: &Value) -> Value {
    const OWN: [&str; 5] = [
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
    ];
    let is_own = |name: &str| OWN.contains(&name) || name == "deprecated.deployment.rollback.to";
    let all = |value: &Value| value["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    let mut annotations = serde_json::Map::new();
    annotations.extend(all(&it.object).into_iter().filter(|(name, _)| is_own(name)));
    annotations.extend(all(set).into_iter().filter(|(name, _)| !is_own(name)));
    Value::Object(annotations)
}
