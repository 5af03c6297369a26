//! Carries out one revision of a release: hooks, objects, what is gone, the records.

use std::time::Duration;

use helm::{HookEvent, ReleaseRecord, Status};
use serde_json::{Value, json};

use super::cluster::{Home, Placed, is_ready};

/// How a revision is carried out.
#[derive(Clone, Debug)]
pub struct Manner {
    pub hooks: bool,
    /// Until objects work.
    pub wait: bool,
    /// With [`wait`](Self::wait): until jobs are done.
    pub wait_for_jobs: bool,
    pub timeout: Duration,
    /// Fields that others own are taken.
    pub force: bool,
    /// Objects that belong to nobody are taken.
    pub take_ownership: bool,
    /// How many revisions are kept; all for 0.
    pub history_max: usize,
}

/// Carries out `record` after `before`, whose revision is deployed now; gives the record as it ends.
///
/// The record is written first as pending, then as deployed or failed.
pub async fn carry_out(
    home: &Home,
    mut record: ReleaseRecord,
    before: Option<&ReleaseRecord>,
    events: [HookEvent; 2],
    manner: &Manner,
) -> Result<ReleaseRecord, (Box<ReleaseRecord>, String)> {
    let done_text = std::mem::take(&mut record.description);
    record.rest.insert("apply_method".to_owned(), "ssa".into());
    if let Err(error) = check(home, &record, before, manner).await {
        return Err((Box::new(record), error));
    }
    if let Err(error) = home.create_record(&record).await {
        return Err((Box::new(record), error));
    }
    if let Err(error) = objects(home, &record, before, events, manner).await {
        record.status = Status::Failed;
        record.description = format!("Release \"{}\" failed: {error}", record.name);
        let _ = home.update_record(&record).await;
        return Err((Box::new(record), error));
    }
    record.status = Status::Deployed;
    record.description = done_text;
    let written = async {
        if let Some(before) = before.filter(|it| it.status == Status::Deployed) {
            let mut superseded = before.clone();
            superseded.status = Status::Superseded;
            home.update_record(&superseded).await?;
        }
        home.update_record(&record).await?;
        prune(home, &record, manner.history_max).await
    };
    match written.await {
        Ok(()) => Ok(record),
        Err(error) => Err((Box::new(record), error)),
    }
}

/// Objects that are there and belong to somebody else stop the release before anything is done.
async fn check(home: &Home, record: &ReleaseRecord, before: Option<&ReleaseRecord>, manner: &Manner) -> Result<(), String> {
    let known = match before {
        Some(before) => home.objects(&before.manifest).await.unwrap_or_default(),
        None => Vec::new(),
    };
    for placed in home.objects(&record.manifest).await? {
        if manner.take_ownership || known.iter().any(|it| it.is(&placed)) {
            continue;
        }
        let Some(live) = home.live(&placed).await? else { continue };
        let annotation = |key: &str| live["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned();
        let label = live["metadata"]["labels"]["app.kubernetes.io/managed-by"].as_str().unwrap_or_default();
        let mut wrong = Vec::new();
        for (what, key, has, wanted) in [
            ("label", "app.kubernetes.io/managed-by", label.to_owned(), "Helm"),
            ("annotation", "meta.helm.sh/release-name", annotation("meta.helm.sh/release-name"), record.name.as_str()),
            ("annotation", "meta.helm.sh/release-namespace", annotation("meta.helm.sh/release-namespace"), record.namespace.as_str()),
        ] {
            if has.is_empty() {
                wrong.push(format!("missing key \"{key}\": must be set to \"{wanted}\""));
            } else if has != wanted {
                wrong.push(format!("key \"{key}\" must equal \"{wanted}\": current value is \"{has}\""));
            }
            if let Some(last) = wrong.last_mut().filter(|it| it.contains(key) && !it.contains("validation error")) {
                *last = format!("{what} validation error: {last}");
            }
        }
        if !wrong.is_empty() {
            return Err(format!(
                "unable to continue with install: {} \"{}\" in namespace \"{}\" exists and cannot be imported into the current release: invalid ownership metadata; {}",
                placed.resource.kind, placed.name, placed.namespace, wrong.join("; ")
            ));
        }
    }
    Ok(())
}

async fn objects(home: &Home, record: &ReleaseRecord, before: Option<&ReleaseRecord>, events: [HookEvent; 2], manner: &Manner) -> Result<(), String> {
    if manner.hooks {
        hooks(home, record, events[0], manner.timeout).await?;
    }
    let wanted = home.objects(&record.manifest).await?;
    // What client-side tools own is taken over once.
    let is_first = before.is_some_and(|it| it.rest.get("apply_method").and_then(Value::as_str) != Some("ssa"));
    for placed in &wanted {
        home.apply(&marked(placed, record), manner.force || is_first).await?;
    }
    if let Some(before) = before {
        for placed in home.objects(&before.manifest).await.unwrap_or_default() {
            let keeps = placed.annotation("helm.sh/resource-policy").trim().eq_ignore_ascii_case("keep");
            if !keeps && !wanted.iter().any(|it| it.is(&placed)) {
                home.delete(&placed).await?;
            }
        }
    }
    if manner.wait {
        for placed in &wanted {
            let ready = |object: Option<&Value>| object.filter(|it| is_ready(&with_kind(it, placed), manner.wait_for_jobs)).map(drop);
            home.until(placed, manner.timeout, "It does not become ready", ready).await?;
        }
    }
    if manner.hooks {
        hooks(home, record, events[1], manner.timeout).await?;
    }
    Ok(())
}

/// Items of lists and watches may leave out their kind.
fn with_kind(object: &Value, placed: &Placed) -> Value {
    let mut object = object.clone();
    object["kind"] = placed.resource.kind.clone().into();
    object
}

/// The object with the marks of its release.
fn marked(placed: &Placed, record: &ReleaseRecord) -> Placed {
    let mut placed = placed.clone();
    let metadata = &mut placed.object["metadata"];
    for (place, key, value) in [
        ("labels", "app.kubernetes.io/managed-by", "Helm"),
        ("annotations", "meta.helm.sh/release-name", &record.name),
        ("annotations", "meta.helm.sh/release-namespace", &record.namespace),
    ] {
        if !metadata[place].is_object() {
            metadata[place] = json!({});
        }
        metadata[place][key] = value.into();
    }
    placed
}

/// Runs the hooks of an event, by weight and name, each to its end.
pub async fn hooks(home: &Home, record: &ReleaseRecord, event: HookEvent, timeout: Duration) -> Result<(), String> {
    let mut all: Vec<&Value> = record.hooks.iter().filter(|it| has(&it["events"], event.as_str())).collect();
    all.sort_by_key(|it| (it["weight"].as_i64().unwrap_or(0), it["name"].as_str().unwrap_or_default().to_owned()));
    let mut succeeded = Vec::new();
    for hook in all {
        let policies = &hook["delete_policies"];
        let path = hook["path"].as_str().unwrap_or_default();
        for placed in home.objects(hook["manifest"].as_str().unwrap_or_default()).await? {
            if has(policies, "before-hook-creation") || policies.as_array().is_none_or(Vec::is_empty) {
                home.delete(&placed).await?;
                home.until(&placed, timeout, "It is not deleted", |it| it.is_none().then_some(())).await?;
            }
            home.apply(&placed, true).await.map_err(|error| format!("hook {path} failed: {error}"))?;
            let ended = home.until(&placed, timeout, "The hook does not end", |it| outcome(&placed.resource.kind, it)).await;
            let ended = ended.and_then(|done| done.map_err(|why| format!("{} {} failed: {why}", placed.resource.kind, placed.name)));
            if let Err(error) = ended {
                if has(policies, "hook-failed") {
                    home.delete(&placed).await?;
                }
                return Err(format!("{} hooks failed: {error}", event.as_str()));
            }
            if has(policies, "hook-succeeded") {
                succeeded.push(placed);
            }
        }
    }
    for placed in succeeded {
        home.delete(&placed).await?;
    }
    Ok(())
}

fn has(list: &Value, word: &str) -> bool {
    list.as_array().is_some_and(|it| it.iter().any(|it| it == word))
}

/// How a hook ended, once it has.
fn outcome(kind: &str, object: Option<&Value>) -> Option<Result<(), String>> {
    let object = match (kind, object) {
        ("Job" | "Pod", Some(object)) => object,
        ("Job" | "Pod", None) => return None,
        _ => return Some(Ok(())),
    };
    if kind == "Pod" {
        return match object["status"]["phase"].as_str() {
            Some("Succeeded") => Some(Ok(())),
            Some("Failed") => Some(Err("the pod failed".to_owned())),
            _ => None,
        };
    }
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let holds = |name: &str| conditions.iter().find(|it| it["type"] == name && it["status"] == "True");
    if holds("Complete").is_some() {
        return Some(Ok(()));
    }
    holds("Failed").map(|it| Err(it["reason"].as_str().unwrap_or("the job failed").to_owned()))
}

/// Forgets the oldest revisions beyond `most`, never the deployed one.
async fn prune(home: &Home, record: &ReleaseRecord, most: usize) -> Result<(), String> {
    if most == 0 {
        return Ok(());
    }
    let records = home.records(Some(&record.name)).await.map_err(|failure| failure.message)?;
    let surplus = records.len().saturating_sub(most);
    for old in records.iter().filter(|it| it.status != Status::Deployed).take(surplus) {
        home.delete_record(old).await?;
    }
    Ok(())
}
