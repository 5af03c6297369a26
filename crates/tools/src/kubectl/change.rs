//! `kubectl scale`, `patch`, `label` and `annotate`.

use serde_json::{Map, Value, json};

use super::{
    Command,
    apply::DryRun,
    manifests,
    output::{self, Output},
    session::{Ask, Session},
    target::{self, Found},
    text,
};
use crate::{
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("selector").short('l'),
    value("field-selector"),
    switch("all"),
    switch("all-namespaces").short('A'),
    value("output").short('o'),
    value("template"),
    value("dry-run").or("client"),
    value("replicas"),
    value("current-replicas"),
    value("resource-version"),
    value("timeout").idle(),
    value("patch").short('p'),
    value("patch-file"),
    value("type"),
    value("subresource"),
    switch("overwrite"),
    switch("record").idle(),
    value("field-manager").idle(),
    switch("list").refused("use `kubectl get --show-labels`"),
    switch("local").refused("it changes the server's objects"),
];

const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

async fn objects(command: &mut Command<'_>) -> Result<(Session, Vec<Found>), Failure> {
    let manifests = manifests::read(&command.line, command.console)?;
    let session = command.session().await?;
    let found = target::find(&session, &command.line, manifests).await?;
    if found.is_empty() && command.line.words.is_empty() {
        return Err(Failure::new("error: one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    Ok((session, found))
}

/// Runs `kubectl scale`.
pub async fn scale(mut command: Command<'_>) -> Result<(), Failure> {
    let (output, dry_run) = (Output::of(&command.line)?, DryRun::of(&command.line)?);
    let count = |flag: &str| -> Result<Option<i64>, Failure> {
        let Some(given) = command.line.last(flag) else { return Ok(None) };
        let number = given.parse::<i64>();
        number.map(Some).map_err(|_| Failure::new(format!("error: invalid argument \"{given}\" for \"--{flag}\" flag: expected a number")))
    };
    let (wanted, current) = (count("replicas")?, count("current-replicas")?.filter(|it| *it >= 0));
    let Some(wanted) = wanted.filter(|it| *it >= 0) else {
        return Err(Failure::new("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"));
    };
    let (session, found) = objects(&mut command).await.map_err(|failure| match failure.message.strip_prefix("Error from server (NotFound): ") {
        Some(missing) => Failure::new(format!("error: no objects passed to scale {missing}")),
        None => failure,
    })?;
    for it in &found {
        let mut answer = it.object.clone();
        let now = it.object["spec"]["replicas"].as_i64().unwrap_or(1);
        if let Some(current) = current.filter(|current| *current != now) {
            return Err(Failure::new(format!("error: Expected replicas to be {current}, was {now}")));
        }
        if dry_run != DryRun::Client {
            let path = format!("{}/scale?{}", it.path(), dry_run.query().trim_start_matches('&'));
            let patch = json!({ "spec": { "replicas": wanted } });
            answer = session.json(Ask::patch(path.trim_end_matches('?'), MERGE, &patch)).await?;
        }
        output::told(&output, &it.resource, &mut answer, &format!("scaled{}", dry_run.note()), command.console)?;
    }
    Ok(())
}

/// Runs `kubectl patch`.
pub async fn patch(mut command: Command<'_>) -> Result<(), Failure> {
    let (output, dry_run) = (Output::of(&command.line)?, DryRun::of(&command.line)?);
    let text_of_patch = match (command.line.last("patch"), command.line.last("patch-file")) {
        (Some(text), None) => text.to_owned(),
        (None, Some(file)) => std::fs::read_to_string(command.console.path(file)).map_err(|error| Failure::new(format!("error: unable to read patch file: {file}: {error}")))?,
        _ => return Err(Failure::new("error: must specify exactly one of --patch or --patch-file containing the contents of the patch")),
    };
    let parsed = yaml::parse(&text_of_patch, "patch", yaml::Flavor::Go11);
    let parsed = parsed.map_err(|problems| Failure::new(format!("error: unable to parse \"{text_of_patch}\": {}", problems.first().map_or("", |it| &it.message))))?;
    let patch = parsed.first().map_or(Value::Null, |it| it.root.to_json());
    let content_type = match command.line.last("type") {
        None | Some("strategic") => STRATEGIC,
        Some("merge") => MERGE,
        Some("json") => "application/json-patch+json",
        Some(other) => return Err(Failure::new(format!("error: --type must be one of [json merge strategic], not \"{other}\""))),
    };
    let sub = command.line.last("subresource").map(|it| format!("/{it}")).unwrap_or_default();
    let (session, found) = objects(&mut command).await?;
    for it in &found {
        let path = format!("{}{sub}?fieldManager=kubectl-patch{}", it.path(), dry_run.query());
        let mut answer = it.object.clone();
        if dry_run != DryRun::Client {
            answer = session.json(Ask::patch(path, content_type, &patch)).await?;
        }
        let revision = |object: &Value| text(&object["metadata"]["resourceVersion"]).to_owned();
        let same = dry_run == DryRun::No && revision(&answer) == revision(&it.object);
        let done = if same { "patched (no change)".to_owned() } else { format!("patched{}", dry_run.note()) };
        output::told(&output, &it.resource, &mut answer, &done, command.console)?;
    }
    Ok(())
}

/// What is put on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Label,
    Annotation,
}

/// Runs `kubectl label` and `kubectl annotate`: `NAME=VALUE` sets, `NAME-` takes away.
pub async fn mark(mut command: Command<'_>, mark: Mark) -> Result<(), Failure> {
    let (field, word) = match mark {
        Mark::Label => ("labels", "label"),
        Mark::Annotation => ("annotations", "annotation"),
    };
    let (output, dry_run) = (Output::of(&command.line)?, DryRun::of(&command.line)?);
    let overwrite = command.line.is_on("overwrite");
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let (changes, words): (Vec<String>, Vec<String>) = std::mem::take(&mut command.line.words).into_iter().partition(is_change);
    if changes.is_empty() {
        return Err(Failure::new(format!("error: at least one {word} update is required")));
    }
    command.line.words_before_dashes = words.len();
    command.line.words = words;
    let (session, found) = objects(&mut command).await?;
    for it in &found {
        let there = &it.object["metadata"][field];
        let mut patch = Map::new();
        let (mut set, mut taken) = (false, false);
        for change in &changes {
            match change.split_once('=') {
                Some((name, value)) => {
                    match there[name].as_str() {
                        Some(old) if old == value => continue,
                        Some(old) if !overwrite => {
                            return Err(Failure::new(format!("error: '{name}' already has a value ({old}), and --overwrite is false")));
                        }
                        _ => {}
                    }
                    set = true;
                    patch.insert(name.to_owned(), value.into());
                }
                None => {
                    let name = change.trim_end_matches('-');
                    if there[name].is_null() {
                        command.console.out(format!("{word} \"{name}\" not found."));
                        continue;
                    }
                    taken = true;
                    patch.insert(name.to_owned(), Value::Null);
                }
            }
        }
        let mut answer = it.object.clone();
        if !patch.is_empty() && dry_run != DryRun::Client {
            let path = format!("{}?fieldManager=kubectl-{}{}", it.path(), if mark == Mark::Label { "label" } else { "annotate" }, dry_run.query());
            answer = session.json(Ask::patch(path, MERGE, &json!({ "metadata": { field: patch } }))).await?;
        }
        let done = match (mark, set, taken) {
            (Mark::Annotation, ..) => "annotated",
            (Mark::Label, true, _) => "labeled",
            (Mark::Label, false, true) => "unlabeled",
            (Mark::Label, false, false) => "not labeled",
        };
        output::told(&output, &it.resource, &mut answer, &format!("{done}{}", dry_run.note()), command.console)?;
    }
    Ok(())
}
