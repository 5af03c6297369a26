//! `kubectl delete`: by name, by labels, by file; waits until they are gone.

use serde_json::{Value, json};

use super::{
    Command,
    apply::DryRun,
    list, manifests,
    rollout::FOREVER,
    session::Ask,
    target::{self, Found, complete},
    text, watch,
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
    switch("ignore-not-found"),
    switch("wait"),
    value("timeout"),
    value("grace-period"),
    switch("now"),
    switch("force"),
    value("cascade").or("background"),
    value("dry-run").or("client"),
    value("output").short('o'),
    switch("interactive").short('i').refused("a job has nobody to ask"),
    value("raw").refused("name the object"),
    value("kustomize").short('k'),
];

/// Runs `kubectl delete`.
pub async fn delete(mut command: Command<'_>) -> Result<(), Failure> {
    let manifests = manifests::read(&command.line, command.console)?;
    let session = command.session().await?;
    let Command { line, console } = &mut command;
    let dry_run = DryRun::of(line)?;
    let by_file = !manifests.is_empty();
    if !by_file && line.words.is_empty() {
        return Err(Failure::new("error: You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"));
    }
    let mut objects: Vec<Found> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for manifest in manifests {
        let placed = manifests::place(&session, manifest).await?;
        objects.push(Found { resource: placed.resource, namespace: placed.namespace, name: placed.name, object: placed.object });
    }
    let chosen = line.last("selector").is_some() || line.last("field-selector").is_some() || line.is_on("all");
    for target in target::parse(session.discovery().await?, &line.words)? {
        match target.name {
            Some(_) if chosen => return Err(Failure::new("error: name cannot be provided when a selector is specified")),
            Some(name) => {
                let namespace = if target.resource.namespaced { session.namespace.clone() } else { String::new() };
                objects.push(Found { resource: target.resource, namespace, name, object: Value::Null });
            }
            None if !chosen => return Err(Failure::new("error: resource(s) were provided, but no name was specified")),
            None => {
                let namespace = (!line.is_on("all-namespaces")).then_some(session.namespace.as_str());
                let path = format!("{}?{}", target.resource.path(namespace), target::query(line));
                let listed = session.json(Ask::get(path.trim_end_matches('?'))).await?;
                for object in list(&listed["items"]) {
                    let mut object = object.clone();
                    complete(&mut object, &target.resource);
                    let (namespace, name) = (text(&object["metadata"]["namespace"]).to_owned(), text(&object["metadata"]["name"]).to_owned());
                    objects.push(Found { resource: target.resource.clone(), namespace, name, object });
                }
            }
        }
    }
    if objects.is_empty() {
        console.out("No resources found");
        return Ok(());
    }
    let options = options(line)?;
    let forced = line.is_on("force") && options["gracePeriodSeconds"] == 0;
    if forced {
        console.err("Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.");
    }
    let mut going = Vec::new();
    for it in &objects {
        let path = format!("{}?{}", it.path(), dry_run.query().trim_start_matches('&'));
        if dry_run != DryRun::Client {
            match session.json(Ask::delete(path.trim_end_matches('?'), &options)).await {
                Ok(answer) => {
                    let uid = [&answer["details"]["uid"], &answer["metadata"]["uid"]].into_iter().find_map(Value::as_str);
                    going.push((it, uid.unwrap_or_default().to_owned()));
                }
                Err(fault) if fault.is_missing() && (line.is_on("ignore-not-found") || chosen) => continue,
                Err(fault) => {
                    let fault = if by_file { fault.while_doing("error when deleting") } else { fault };
                    failures.push(Failure::from(fault).message.replace("error when deleting: ", &format!("error when deleting \"{}\": ", line.last("filename").unwrap_or_default())));
                    continue;
                }
            }
        }
        let done = if forced { "force deleted" } else { "deleted" };
        if line.last("output") == Some("name") {
            console.out(it.shown());
        } else {
            console.out(format!("{} \"{}\" {done}{}", it.resource.singular_name(), it.name, dry_run.note()));
        }
        console.flush();
    }
    if dry_run == DryRun::No && line.is_not_off("wait") && !forced {
        let timeout = line.last("timeout").map(super::duration).transpose()?.filter(|it| !it.is_zero()).unwrap_or(FOREVER);
        let deadline = tokio::time::Instant::now() + timeout;
        for (it, uid) in going {
            let gone = |object: Option<&Value>| object.is_none_or(|it| !uid.is_empty() && it["metadata"]["uid"] != uid.as_str()).then_some(());
            match tokio::time::timeout_at(deadline, watch::until(&session, &it.resource, &it.namespace, &it.name, gone)).await {
                // In a namespace that is gone itself nobody may look any more.
                Ok(Err(super::fault::Fault::Status { code: 403 | 404, .. })) => {}
                Ok(done) => done?,
                Err(_) => failures.push(format!("error: timed out waiting for the condition on {}/{}", it.resource.plural, it.name)),
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

fn options(line: &crate::flags::Parsed) -> Result<Value, Failure> {
    let policy = match line.last("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => return Err(Failure::new(format!("error: invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""))),
    };
    let mut options = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy });
    let grace = line.last("grace-period").filter(|it| *it != "-1");
    if let Some(grace) = grace {
        let grace: i64 = grace.parse().map_err(|_| Failure::new(format!("error: invalid argument \"{grace}\" for \"--grace-period\" flag")))?;
        // Zero without --force still waits a moment, as for the original.
        options["gracePeriodSeconds"] = if grace == 0 && !line.is_on("force") { 1 } else { grace }.into();
    } else if line.is_on("now") {
        options["gracePeriodSeconds"] = 1.into();
    } else if line.is_on("force") {
        options["gracePeriodSeconds"] = 0.into();
    }
    Ok(options)
}
