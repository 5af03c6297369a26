//! `kubectl get`: tables made by the server, or the objects themselves.

use serde_json::{Value, json};

use super::{
    Command,
    discovery::Resource,
    fault::Fault,
    list, manifests,
    output::{self, Output},
    session::{Ask, JSON, Session, TABLE},
    table::{self, Style},
    target::{self, Target, complete},
    text,
    watch::Watch,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("output").short('o'),
    value("template"),
    switch("all-namespaces").short('A'),
    value("selector").short('l'),
    value("field-selector"),
    value("filename").short('f'),
    switch("recursive").short('R'),
    switch("watch").short('w'),
    switch("watch-only"),
    switch("output-watch-events").refused("the type of an event is not shown"),
    switch("no-headers"),
    switch("show-labels"),
    switch("show-kind"),
    value("label-columns").short('L'),
    value("sort-by").refused("sort the lines, or use -o json"),
    value("subresource").refused("use -o yaml"),
    value("raw"),
    switch("ignore-not-found"),
    switch("show-managed-fields"),
    switch("server-print").idle(),
    value("chunk-size").idle(),
    value("kustomize").short('k'),
    switch("allow-missing-template-keys").idle(),
];

/// Runs `kubectl get`.
pub async fn get(mut command: Command<'_>) -> Result<(), Failure> {
    let output = Output::of(&command.line)?;
    let manifests = manifests::read(&command.line, command.console)?;
    let session = command.session().await?;
    let Command { line, console } = &mut command;
    if let Some(path) = line.last("raw") {
        let bytes = session.bytes(Ask::get(path)).await?;
        console.write_out(&bytes);
        return Ok(());
    }
    let mut targets = target::parse(session.discovery().await?, &line.words)?;
    for manifest in manifests {
        let placed = manifests::place(&session, manifest).await?;
        targets.push(Target { resource: placed.resource, name: Some(placed.name) });
    }
    if targets.is_empty() {
        return Err(Failure::new(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples",
        ));
    }
    if line.is_on("all-namespaces") && targets.iter().any(|it| it.name.is_some()) {
        return Err(Failure::new("error: a resource cannot be retrieved by name across all namespaces"));
    }
    if line.is_on("watch") || line.is_on("watch-only") {
        return watch(&session, &targets, &output, line, console).await;
    }
    if output.wants_objects() {
        return objects(&session, &targets, &output, line, console).await;
    }
    tables(&session, &targets, &output, line, console).await
}

fn namespace<'a>(session: &'a Session, line: &Parsed) -> Option<&'a str> {
    (!line.is_on("all-namespaces")).then_some(session.namespace.as_str())
}

fn path(session: &Session, target: &Target, line: &Parsed) -> String {
    match &target.name {
        Some(name) => target.resource.object_path(&session.namespace, name),
        None => {
            let query = target::query(line);
            let path = target.resource.path(namespace(session, line));
            if query.is_empty() { path } else { format!("{path}?{query}") }
        }
    }
}

fn style(output: &Output, target: &Target, line: &Parsed, several_kinds: bool) -> Style {
    Style {
        wide: matches!(output, Output::Wide),
        namespaces: line.is_on("all-namespaces") && target.resource.namespaced,
        labels: line.is_on("show-labels"),
        label_columns: line.all("label-columns").flat_map(|it| it.split(',')).map(str::to_owned).collect(),
        prefix: (several_kinds || line.is_on("show-kind")).then(|| target.resource.singular_name()),
    }
}

/// Fetches all targets. What is not there is told after the rest was shown.
async fn fetched(session: &Session, targets: &[Target], line: &Parsed, accept: &'static str) -> Result<(Vec<(Target, Value)>, Vec<Failure>), Failure> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for target in targets {
        let answer = match &target.name {
            Some(name) => session.object(&target.resource, &session.namespace, name, accept).await,
            None => session.json(Ask::get(path(session, target, line)).accepting(accept)).await,
        };
        match answer {
            Ok(answer) => found.push((target.clone(), answer)),
            Err(fault) if fault.is_missing() && target.name.is_some() => {
                if !line.is_on("ignore-not-found") {
                    missing.push(fault.into());
                }
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok((found, missing))
}

fn told(missing: Vec<Failure>) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(missing.into_iter().map(|it| it.message).collect::<Vec<_>>().join("\n")))
}

async fn objects(session: &Session, targets: &[Target], output: &Output, line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    let (found, missing) = fetched(session, targets, line, JSON).await?;
    let single = targets.len() == 1 && targets[0].name.is_some();
    let mut items = Vec::new();
    for (target, mut answer) in found {
        if target.name.is_some() {
            items.push(answer);
        } else if let Some(list) = answer["items"].as_array_mut() {
            for mut item in list.drain(..) {
                complete(&mut item, &target.resource);
                items.push(item);
            }
        }
    }
    if !line.is_on("show-managed-fields") {
        items.iter_mut().for_each(output::without_managed_fields);
    }
    if single {
        if let Some(object) = items.first() {
            output.show(object, console)?;
        }
    } else if !(items.is_empty() && line.is_on("ignore-not-found")) {
        let all = json!({ "apiVersion": "v1", "items": items, "kind": "List", "metadata": { "resourceVersion": "" } });
        if !(items.is_empty() && !missing.is_empty()) {
            output.show(&all, console)?;
        }
    }
    told(missing)
}

async fn tables(session: &Session, targets: &[Target], output: &Output, line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    let (found, missing) = fetched(session, targets, line, TABLE).await?;
    let several = targets.iter().any(|it| it.resource != targets[0].resource);
    let mut shown = false;
    // Objects of one kind that were asked for by name stand in one table.
    let mut groups: Vec<(Target, Vec<Value>)> = Vec::new();
    for (target, answer) in found {
        match groups.last_mut() {
            Some((last, tables)) if last.resource == target.resource => tables.push(answer),
            _ => groups.push((target, vec![answer])),
        }
    }
    for (target, tables) in &groups {
        let style = style(output, target, line, several);
        let rows: Vec<Vec<String>> = tables.iter().flat_map(|it| style.rows(&tables[0], it)).collect();
        if rows.is_empty() {
            continue;
        }
        if shown {
            console.out("");
        }
        shown = true;
        let mut lines = if line.is_on("no-headers") { Vec::new() } else { vec![style.titles(&tables[0])] };
        lines.extend(rows);
        for line in table::aligned(&lines) {
            console.out(line);
        }
    }
    if !shown && missing.is_empty() && !line.is_on("ignore-not-found") {
        let namespaced = targets.iter().any(|it| it.resource.namespaced);
        console.err(match namespace(session, line).filter(|_| namespaced) {
            Some(namespace) => format!("No resources found in {namespace} namespace."),
            None => "No resources found".to_owned(),
        });
    }
    told(missing)
}

async fn watch(session: &Session, targets: &[Target], output: &Output, line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    let [target] = targets else {
        return Err(Failure::new("error: you may only specify a single resource type"));
    };
    let style = style(output, target, line, false);
    let accept = if output.wants_objects() { JSON } else { TABLE };
    // A watch is one of the list, also for a single object.
    let list_path = target.resource.path(namespace(session, line));
    let query = match &target.name {
        Some(name) => format!("fieldSelector={}", super::discovery::encoded(&format!("metadata.name={name}"))),
        None => target::query(line),
    };
    let first = session.json(Ask::get(format!("{list_path}?{query}")).accepting(accept)).await?;
    if target.name.is_some() && list(&first["items"]).is_empty() && list(&first["rows"]).is_empty() {
        // Asked for by name, so that the server says what is missing.
        session.json(Ask::get(path(session, target, line))).await?;
    }
    let mut head_is_shown = line.is_on("no-headers");
    if !line.is_on("watch-only") {
        head_is_shown |= show(&style, output, &target.resource, &first, &first, head_is_shown, console)?;
    }
    let mut head = first.clone();
    let mut revision = text(&first["metadata"]["resourceVersion"]).to_owned();
    loop {
        let mut watch = Watch::start(session, &list_path, &query, &revision, accept).await?;
        while let Some(event) = watch.next().await? {
            match event.kind.as_str() {
                "ADDED" | "MODIFIED" | "DELETED" => {
                    let object = if accept == TABLE { &event.object["rows"][0]["object"] } else { &event.object };
                    revision = text(&object["metadata"]["resourceVersion"]).to_owned();
                    if !list(&event.object["columnDefinitions"]).is_empty() {
                        head = event.object.clone();
                    }
                    head_is_shown |= show(&style, output, &target.resource, &head, &event.object, head_is_shown, console)?;
                }
                "BOOKMARK" => {}
                _ => return Err(Fault::Status { code: 410, status: event.object }.into()),
            }
        }
    }
}

/// Shows rows or objects as they come; tells whether anything was shown.
fn show(
    style: &Style,
    output: &Output,
    resource: &Resource,
    head: &Value,
    answer: &Value,
    head_is_shown: bool,
    console: &mut Console,
) -> Result<bool, Failure> {
    if output.wants_objects() {
        let objects = answer["items"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        for mut object in objects {
            complete(&mut object, resource);
            output::without_managed_fields(&mut object);
            output.show(&object, console)?;
        }
    } else {
        let rows = style.rows(head, answer);
        if rows.is_empty() {
            return Ok(false);
        }
        let mut lines = if head_is_shown { Vec::new() } else { vec![style.titles(head)] };
        lines.extend(rows);
        for line in table::aligned(&lines) {
            console.out(line);
        }
    }
    console.flush();
    Ok(true)
}
