//! `helm list`, `history`, `status` and `get`.

use std::collections::BTreeMap;

use helm::{ReleaseRecord, Status};
use serde_json::{Value, json};

use super::{Command, cluster::Home, describe::table, failed, input};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const LIST_FLAGS: &[Flag] = &[
    switch("all-namespaces").short('A'),
    switch("all").short('a'),
    switch("short").short('q'),
    value("filter").short('f').refused("pipe the output through grep"),
    value("output").short('o'),
    value("max").short('m').idle(),
    switch("deployed").idle(),
];
pub const STATUS_FLAGS: &[Flag] = &[value("output").short('o'), value("revision"), value("max").idle(), switch("all").short('a')];

fn chart_text(record: &ReleaseRecord, key: &str) -> String {
    record.chart["metadata"][key].as_str().unwrap_or_default().to_owned()
}

fn chart_name(record: &ReleaseRecord) -> String {
    format!("{}-{}", chart_text(record, "name"), chart_text(record, "version"))
}

/// Prints JSON or YAML if it is asked for.
fn structured(value: &Value, line: &Parsed, console: &mut Console) -> Result<bool, Failure> {
    match line.last("output") {
        None | Some("table") => return Ok(false),
        Some("json") => console.out(value.to_string()),
        Some("yaml") => console.write_out(yaml::to_string(value).as_bytes()),
        Some(other) => return Err(failed(format!("invalid format type: `{other}`; use table, json or yaml"))),
    }
    Ok(true)
}

/// Tells of a release as `install`, `upgrade` and `status` do.
pub fn show(record: &ReleaseRecord, line: &Parsed, console: &mut Console) {
    let value = json!({
        "name": record.name,
        "info": {
            "first_deployed": record.first_deployed, "last_deployed": record.last_deployed, "deleted": record.deleted,
            "description": record.description, "status": record.status.as_str(), "notes": record.notes,
        },
        "config": record.config, "manifest": record.manifest, "version": record.revision, "namespace": record.namespace,
    });
    if structured(&value, line, console).unwrap_or(false) {
        return;
    }
    console.out(format!("NAME: {}", record.name));
    console.out(format!("LAST DEPLOYED: {}", record.last_deployed));
    console.out(format!("NAMESPACE: {}", record.namespace));
    console.out(format!("STATUS: {}", record.status.as_str()));
    console.out(format!("REVISION: {}", record.revision));
    console.out(format!("DESCRIPTION: {}", record.description));
    if !record.notes.trim().is_empty() && !line.is_on("hide-notes") {
        console.out(format!("NOTES:\n{}", record.notes.trim()));
    }
}

/// Runs `helm list`.
pub async fn list(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let namespace = if line.is_on("all-namespaces") { String::new() } else { input::namespace(&line, console) };
    let home = Home::open(&line, namespace, console).await?;
    // The newest revision of each.
    let mut newest: BTreeMap<(String, String), ReleaseRecord> = BTreeMap::new();
    for record in home.records(None).await? {
        newest.insert((record.name.clone(), record.namespace.clone()), record);
    }
    let shown: Vec<_> = newest.into_values().filter(|it| it.status != Status::Uninstalled || line.is_on("all")).collect();
    if line.is_on("short") {
        shown.iter().for_each(|it| console.out(&it.name));
        return Ok(());
    }
    let items: Vec<Value> = shown
        .iter()
        .map(|it| {
            json!({
                "name": it.name, "namespace": it.namespace, "revision": it.revision.to_string(), "updated": it.last_deployed,
                "status": it.status.as_str(), "chart": chart_name(it), "app_version": chart_text(it, "appVersion"),
            })
        })
        .collect();
    if structured(&Value::Array(items), &line, console)? {
        return Ok(());
    }
    let mut rows = vec![["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"].map(str::to_owned)];
    for it in &shown {
        let status = it.status.as_str().to_owned();
        rows.push([it.name.clone(), it.namespace.clone(), it.revision.to_string(), it.last_deployed.clone(), status, chart_name(it), chart_text(it, "appVersion")]);
    }
    console.write_out(table(&rows).as_bytes());
    Ok(())
}

/// The records of the release that a command line names, and the one that is meant.
async fn named(line: &Parsed, console: &Console) -> Result<(Vec<ReleaseRecord>, ReleaseRecord), Failure> {
    let [name] = line.words.as_slice() else { return Err(failed("the command requires 1 argument: the name of a release")) };
    let home = Home::open(line, input::namespace(line, console), console).await?;
    let records = home.records(Some(name)).await?;
    let wanted = line.last("revision").filter(|it| *it != "0");
    let found = match wanted {
        None => records.last(),
        Some(revision) => records.iter().find(|it| it.revision.to_string() == revision),
    };
    let found = found.cloned().ok_or_else(|| failed("release: not found"))?;
    Ok((records, found))
}

/// Runs `helm history`.
pub async fn history(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let (records, _) = named(&line, console).await?;
    let items: Vec<Value> = records
        .iter()
        .map(|it| {
            json!({
                "revision": it.revision, "updated": it.last_deployed, "status": it.status.as_str(), "chart": chart_name(it),
                "app_version": chart_text(it, "appVersion"), "description": it.description,
            })
        })
        .collect();
    if structured(&Value::Array(items), &line, console)? {
        return Ok(());
    }
    let mut rows = vec![["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"].map(str::to_owned)];
    for it in &records {
        let status = it.status.as_str().to_owned();
        rows.push([it.revision.to_string(), it.last_deployed.clone(), status, chart_name(it), chart_text(it, "appVersion"), it.description.clone()]);
    }
    console.write_out(table(&rows).as_bytes());
    Ok(())
}

/// Runs `helm status`.
pub async fn status(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let (_, record) = named(&line, console).await?;
    show(&record, &line, console);
    Ok(())
}

/// Runs `helm get values|manifest|notes|hooks`.
pub async fn get(command: Command<'_>, what: &str) -> Result<(), Failure> {
    let Command { line, console } = command;
    if what == "values" && line.is_on("all") {
        return Err(failed("`helm get values --all` is not supported by this helm: `helm show values` shows the chart's own"));
    }
    let (_, record) = named(&line, console).await?;
    match what {
        "values" => {
            let config = Value::Object(record.config.clone());
            if structured(&config, &line, console)? {
                return Ok(());
            }
            console.out("USER-SUPPLIED VALUES:");
            console.write_out(if record.config.is_empty() { "null\n".to_owned() } else { yaml::to_string(&config) }.as_bytes());
        }
        "notes" => console.out(format!("NOTES:\n{}", record.notes)),
        "hooks" => record.hooks.iter().for_each(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            console.out(format!("---\n# Source: {}\n{}", text("path"), text("manifest")));
        }),
        _ => console.out(&record.manifest),
    }
    Ok(())
}
