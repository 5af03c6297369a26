//! `kubectl set image` and `kubectl set env`.

use serde_json::{Value, json};

use super::{
    Command,
    apply::DryRun,
    list, manifests,
    output::{self, Output},
    session::Ask,
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
    switch("all"),
    value("output").short('o'),
    value("template"),
    value("dry-run").or("client"),
    value("containers").short('c'),
    switch("record").idle(),
    value("field-manager").idle(),
    switch("overwrite").idle(),
    switch("local").refused("it changes the server's objects"),
    value("from").refused("write the source into the manifest"),
    switch("list").refused("use `kubectl get -o yaml`"),
];

/// Runs `kubectl set image` and `kubectl set env`.
pub async fn set(mut command: Command<'_>, what: &str) -> Result<(), Failure> {
    let output = Output::of(&command.line)?;
    let dry_run = DryRun::of(&command.line)?;
    let manifests = manifests::read(&command.line, command.console)?;
    // Words with `=`, or with `-` at the end, say what to set; the others name the objects.
    let (mut settings, mut words) = (Vec::new(), Vec::new());
    for word in std::mem::take(&mut command.line.words) {
        let is_setting = word.contains('=') || (what == "env" && word.ends_with('-'));
        if is_setting { settings.push(word) } else { words.push(word) }
    }
    if settings.is_empty() {
        let needed = if what == "image" { "at least one image update is required" } else { "at least one environment variable must be provided" };
        return Err(Failure::new(format!("error: {needed}")));
    }
    command.line.words_before_dashes = words.len();
    command.line.words = words;
    let session = command.session().await?;
    let found = target::find(&session, &command.line, manifests).await?;
    let mut failures = Vec::new();
    for it in &found {
        let pod = if it.resource.kind == "Pod" { &it.object["spec"] } else { &it.object["spec"]["template"]["spec"] };
        if !pod["containers"].is_array() {
            failures.push(format!("error: {} \"{}\" does not have a pod template", it.resource.plural_name(), it.name));
            continue;
        }
        let changes = if what == "image" { images(pod, &settings) } else { Ok(variables(pod, &settings, command.line.last("containers"))) };
        let changes = match changes {
            Ok(changes) => changes,
            Err(wrong) => {
                failures.push(wrong);
                continue;
            }
        };
        // Nothing to change is nothing to say.
        if changes.as_object().is_some_and(|it| it.is_empty()) {
            continue;
        }
        let patch = if it.resource.kind == "Pod" { json!({ "spec": changes }) } else { json!({ "spec": { "template": { "spec": changes } } }) };
        let done = format!("{what} updated{}", dry_run.note());
        patched(&session, it, &patch, dry_run, &output, &done, command.console).await?;
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

async fn patched(
    session: &super::Session,
    it: &Found,
    patch: &Value,
    dry_run: DryRun,
    output: &Output,
    done: &str,
    console: &mut crate::Console,
) -> Result<(), Failure> {
    let mut answer = it.object.clone();
    if dry_run != DryRun::Client {
        let path = format!("{}?fieldManager=kubectl-set{}", it.path(), dry_run.query());
        answer = session.json(Ask::patch(path, "application/strategic-merge-patch+json", patch)).await?;
    }
    output::told(output, &it.resource, &mut answer, done, console)
}

/// The containers whose image changes.
fn images(pod: &Value, settings: &[String]) -> Result<Value, String> {
    let mut changes = serde_json::Map::new();
    for setting in settings {
        let (name, image) = setting.split_once('=').unwrap_or((setting, ""));
        if name.is_empty() || image.is_empty() {
            return Err(format!("error: invalid argument \"{setting}\": expected CONTAINER=IMAGE"));
        }
        let mut known = false;
        for field in ["containers", "initContainers"] {
            for container in list(&pod[field]).iter().filter(|it| name == "*" || it["name"] == name) {
                known = true;
                if container["image"] != image {
                    let all = changes.entry(field).or_insert_with(|| json!([]));
                    if let Some(all) = all.as_array_mut() {
                        all.push(json!({ "name": container["name"], "image": image }));
                    }
                }
            }
        }
        if !known {
            return Err(format!("error: unable to find container named \"{name}\""));
        }
    }
    Ok(Value::Object(changes))
}

/// The containers whose variables change: `NAME=VALUE` sets, `NAME-` takes away.
fn variables(pod: &Value, settings: &[String], only: Option<&str>) -> Value {
    let chosen = list(&pod["containers"]).iter().filter(|it| only.is_none_or(|only| only == "*" || it["name"] == only));
    let changes = chosen.map(|container| {
        let env = settings.iter().map(|setting| match setting.split_once('=') {
            Some((name, value)) => json!({ "name": name, "value": value }),
            None => json!({ "name": setting.trim_end_matches('-'), "$patch": "delete" }),
        });
        json!({ "name": text(&container["name"]), "env": env.collect::<Vec<_>>() })
    });
    json!({ "containers": changes.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_that_differ_change() {
        let pod = json!({ "containers": [{ "name": "web", "image": "a:1" }, { "name": "log", "image": "b:1" }] });
        let set = |setting: &str| images(&pod, &[setting.to_owned()]);
        assert_eq!(set("web=a:2"), Ok(json!({ "containers": [{ "name": "web", "image": "a:2" }] })));
        assert_eq!(set("web=a:1"), Ok(json!({})));
        assert_eq!(set("*=b:1"), Ok(json!({ "containers": [{ "name": "web", "image": "b:1" }] })));
        assert_eq!(set("db=a:1"), Err("error: unable to find container named \"db\"".to_owned()));
    }
}
