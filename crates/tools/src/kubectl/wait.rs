//! `kubectl wait`: until a condition holds, a field has a value, or an object is gone.

use std::time::Duration;

use serde_json::Value;

use super::{
    Command, fault::Fault,
    json_path::JsonPath,
    list, manifests,
    rollout::FOREVER,
    session::{Ask, Session},
    target::{self, Found, Target},
    text, watch,
};
use crate::{
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("for"),
    value("timeout"),
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("selector").short('l'),
    value("field-selector"),
    switch("all"),
    switch("all-namespaces").short('A'),
    value("output").short('o').idle(),
    switch("local").refused("it waits for the server's objects"),
];

/// As long as the original waits when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is waited for.
enum For {
    Condition { name: String, status: String },
    Field { path: JsonPath, value: Option<String> },
    Created,
    Deleted,
}

impl For {
    fn of(text: &str) -> Result<Self, Failure> {
        let lower = text.to_lowercase();
        if lower == "delete" {
            return Ok(Self::Deleted);
        }
        if lower == "create" {
            return Ok(Self::Created);
        }
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, status) = condition.split_once('=').unwrap_or((condition, "True"));
            return Ok(Self::Condition { name: name.to_owned(), status: status.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            let rest = rest.trim_matches(['\'', '"']);
            let (path, value) = match rest.rsplit_once("}=") {
                Some((path, value)) => (format!("{path}}}"), Some(value.trim_matches(['\'', '"']).to_owned())),
                None => match rest.split_once('=').filter(|_| !rest.starts_with('{')) {
                    Some((path, value)) => (path.to_owned(), Some(value.trim_matches(['\'', '"']).to_owned())),
                    None => (rest.to_owned(), None),
                },
            };
            let path = JsonPath::relaxed(&path).map_err(|it| Failure::new(format!("error: error parsing jsonpath: {it}")))?;
            return Ok(Self::Field { path, value });
        }
        Err(Failure::new(format!("error: unrecognized condition: \"{text}\"")))
    }

    fn holds(&self, object: Option<&Value>) -> bool {
        match (self, object) {
            (Self::Deleted, object) => object.is_none(),
            (Self::Created, object) => object.is_some(),
            (_, None) => false,
            (Self::Condition { name, status }, Some(object)) => {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
                list(&object["status"]["conditions"]).iter().any(|it| {
                    // What was said about an older form of the object does not count.
                    let seen = it["observedGeneration"].as_i64().or(object["status"]["observedGeneration"].as_i64());
                    text(&it["type"]).eq_ignore_ascii_case(name)
                        && text(&it["status"]).eq_ignore_ascii_case(status)
                        && seen.is_none_or(|it| it >= generation)
                })
            }
            (Self::Field { path, value }, Some(object)) => match (path.values(object).first(), value) {
                (Some(found), Some(wanted)) => super::json_path::shown(found) == *wanted,
                (found, None) => found.is_some(),
                (None, Some(_)) => false,
            },
        }
    }
}

/// Runs `kubectl wait`.
pub async fn wait(mut command: Command<'_>) -> Result<(), Failure> {
    let wanted = For::of(command.line.last("for").unwrap_or_default())?;
    let timeout = match command.line.last("timeout") {
        None => TIMEOUT,
        Some(text) if text.starts_with('-') => FOREVER,
        Some(text) => super::duration(text)?,
    };
    let manifests = manifests::read(&command.line, command.console)?;
    let session = command.session().await?;
    let Command { line, console } = &mut command;
    let deadline = tokio::time::Instant::now() + timeout;
    let found = match &wanted {
        For::Created => named(&session, line).await?,
        For::Deleted => there(&session, line, manifests).await?,
        _ => target::find(&session, line, manifests).await?,
    };
    if found.is_empty() {
        // What is to be gone and is not there is gone.
        return if matches!(wanted, For::Deleted) { Ok(()) } else { Err(Failure::new("error: no matching resources found")) };
    }
    let mut late = Vec::new();
    for it in &found {
        let uid = text(&it.object["metadata"]["uid"]).to_owned();
        let holds = |object: Option<&Value>| {
            // Another object of the same name is not the one that was to be deleted.
            let same = object.filter(|it| uid.is_empty() || it["metadata"]["uid"] == uid.as_str() || !matches!(wanted, For::Deleted));
            wanted.holds(same).then_some(())
        };
        match tokio::time::timeout_at(deadline, watch::until(&session, &it.resource, &it.namespace, &it.name, holds)).await {
            Ok(done) => {
                done?;
                console.out(format!("{} condition met", it.shown()));
                console.flush();
            }
            Err(_) => late.push(format!("error: timed out waiting for the condition on {}/{}", it.resource.plural_name(), it.name)),
        }
    }
    if late.is_empty() { Ok(()) } else { Err(Failure::new(late.join("\n"))) }
}

/// The objects by name, whether they are there or not.
async fn named(session: &Session, line: &Parsed) -> Result<Vec<Found>, Fault> {
    let targets = target::parse(session.discovery().await?, &line.words)?;
    let found = targets.into_iter().filter_map(|Target { resource, name }| {
        Some(Found { resource, namespace: session.namespace.clone(), name: name?, object: Value::Null })
    });
    Ok(found.collect())
}

/// The objects that are there yet.
async fn there(session: &Session, line: &Parsed, manifests: Vec<manifests::Manifest>) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for manifest in manifests {
        let placed = manifests::place(session, manifest).await?;
        match session.json(Ask::get(placed.resource.object_path(&placed.namespace, &placed.name))).await {
            Ok(object) => found.push(Found { resource: placed.resource, namespace: placed.namespace, name: placed.name, object }),
            Err(fault) if fault.is_missing() => {}
            Err(fault) => return Err(fault),
        }
    }
    match target::find(session, line, Vec::new()).await {
        Ok(more) => found.extend(more),
        Err(fault) if fault.is_missing() => {}
        Err(fault) => return Err(fault),
    }
    Ok(found)
}
