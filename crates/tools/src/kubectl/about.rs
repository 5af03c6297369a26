//! `kubectl version`, `cluster-info`, `auth`, `api-resources` and `api-versions`.

use serde_json::{Value, json};

use super::{
    Command, VERSION, list,
    output::Output,
    session::Ask,
    table, text,
};
use crate::{
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const FLAGS: &[Flag] = &[
    switch("client"),
    value("output").short('o'),
    value("template"),
    switch("short").idle(),
    switch("quiet").short('q'),
    switch("list"),
    switch("all-namespaces").short('A'),
    value("subresource"),
    value("namespaced"),
    value("api-group"),
    value("verbs"),
    switch("no-headers"),
    switch("cached").idle(),
];

/// Runs `kubectl version`.
pub async fn version(command: Command<'_>) -> Result<(), Failure> {
    let client = json!({ "major": "1", "minor": "34", "gitVersion": VERSION, "platform": format!("linux/{}", std::env::consts::ARCH) });
    let mut all = json!({ "clientVersion": client, "kustomizeVersion": "v5.7.1" });
    let mut failure = None;
    if !command.line.is_on("client") {
        let session = command.session().await?;
        match session.json(Ask::get("/version")).await {
            Ok(server) => all["serverVersion"] = server,
            Err(fault) => failure = Some(fault),
        }
    }
    let Command { line, console } = command;
    let output = Output::of(&line)?;
    if output.wants_objects() {
        output.show(&all, console)?;
    } else {
        console.out(format!("Client Version: {VERSION}\nKustomize Version: v5.7.1"));
        if let Some(version) = all["serverVersion"]["gitVersion"].as_str() {
            console.out(format!("Server Version: {version}"));
        }
    }
    failure.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Runs `kubectl cluster-info`.
pub async fn cluster_info(command: Command<'_>) -> Result<(), Failure> {
    let session = command.session().await?;
    session.json(Ask::get("/version")).await?;
    let services = "/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue";
    // A job may not look there; the cluster runs all the same.
    let services = session.json(Ask::get(services)).await.unwrap_or_default();
    command.console.out(format!("Kubernetes control plane is running at {}", session.server));
    for service in list(&services["items"]) {
        let (metadata, port) = (&service["metadata"], text(&service["spec"]["ports"][0]["name"]));
        let name = text(&metadata["name"]);
        let shown = metadata["labels"]["kubernetes.io/name"].as_str().unwrap_or(name);
        let port = if port.is_empty() { String::new() } else { format!(":{port}") };
        command.console.out(format!("{shown} is running at {}/api/v1/namespaces/kube-system/services/{name}{port}/proxy", session.server));
    }
    command.console.out("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
    Ok(())
}

/// Runs `kubectl auth can-i` and `kubectl auth whoami`.
pub async fn auth(command: Command<'_>, sub: &str) -> Result<(), Failure> {
    let session = command.session().await?;
    let Command { line, console } = command;
    if sub == "whoami" {
        let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {} });
        let answer = session.json(Ask::post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review)).await?;
        let output = Output::of(&line)?;
        if output.wants_objects() {
            return output.show(&answer, console);
        }
        let user = &answer["status"]["userInfo"];
        let mut lines = vec![vec!["ATTRIBUTE".to_owned(), "VALUE".to_owned()]];
        lines.push(vec!["Username".to_owned(), text(&user["username"]).to_owned()]);
        let groups: Vec<&str> = list(&user["groups"]).iter().map(text).collect();
        if !groups.is_empty() {
            lines.push(vec!["Groups".to_owned(), format!("[{}]", groups.join(" "))]);
        }
        for line in table::aligned(&lines) {
            console.out(line);
        }
        return Ok(());
    }
    if line.is_on("list") {
        return Err(Failure::new("error: `kubectl auth can-i --list` is not supported by Landfall's kubectl: ask for one verb and resource"));
    }
    let (verb, what, name) = match line.words.as_slice() {
        [verb, what] => (verb, what.as_str(), None),
        [verb, what, name] => (verb, what.as_str(), Some(name.as_str())),
        _ => return Err(Failure::new("error: you must specify two arguments: verb resource or verb resource/resourceName.")),
    };
    let namespace = if line.is_on("all-namespaces") { "" } else { session.namespace.as_str() };
    let spec = if what.starts_with('/') {
        json!({ "nonResourceAttributes": { "verb": verb, "path": what } })
    } else {
        let (kind, named) = what.split_once('/').map_or((what, name), |(kind, name)| (kind, Some(name)));
        let discovery = session.discovery().await?;
        let (group, plural) = discovery.find(kind).map_or((String::new(), kind.to_owned()), |it| (it.group.clone(), it.plural.clone()));
        let mut attributes = json!({ "namespace": namespace, "verb": verb, "group": group, "resource": plural });
        if let Some(name) = named {
            attributes["name"] = name.into();
        }
        if let Some(sub) = line.last("subresource") {
            attributes["subresource"] = sub.into();
        }
        json!({ "resourceAttributes": attributes })
    };
    let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": spec });
    let answer = session.json(Ask::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)).await?;
    let allowed = answer["status"]["allowed"] == true;
    if !line.is_on("quiet") {
        let reason = text(&answer["status"]["reason"]);
        let reason = if reason.is_empty() { String::new() } else { format!(" - {reason}") };
        console.out(format!("{}{reason}", if allowed { "yes" } else { "no" }));
    }
    if allowed { Ok(()) } else { Err(Failure::silent()) }
}

/// Runs `kubectl api-resources`.
pub async fn api_resources(command: Command<'_>) -> Result<(), Failure> {
    let session = command.session().await?;
    let Command { line, console } = command;
    let wanted = |it: &&super::discovery::Resource| {
        let namespaced = line.last("namespaced").is_none_or(|wanted| (wanted == "true") == it.namespaced);
        let group = line.last("api-group").is_none_or(|wanted| wanted == it.group);
        let verbs = line.last("verbs").is_none_or(|wanted| wanted.split(',').all(|verb| it.verbs.iter().any(|it| it == verb)));
        namespaced && group && verbs && !it.verbs.is_empty()
    };
    let mut resources: Vec<_> = session.discovery().await?.resources.iter().filter(wanted).collect();
    resources.sort_by_key(|it| (it.group.clone(), it.plural.clone()));
    if line.last("output") == Some("name") {
        for it in resources {
            console.out(it.plural_name());
        }
        return Ok(());
    }
    let titles = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"].map(str::to_owned).to_vec();
    let mut lines = if line.is_on("no-headers") { Vec::new() } else { vec![titles] };
    for it in resources {
        lines.push(vec![it.plural.clone(), it.short.join(","), it.api_version(), it.namespaced.to_string(), it.kind.clone()]);
    }
    for line in table::aligned(&lines) {
        console.out(line);
    }
    Ok(())
}

/// Runs `kubectl api-versions`.
pub async fn api_versions(command: Command<'_>) -> Result<(), Failure> {
    let session = command.session().await?;
    let mut versions: Vec<Value> = session.discovery().await?.resources.iter().map(|it| it.api_version().into()).collect();
    versions.sort_by_key(|it| text(it).to_owned());
    versions.dedup();
    for version in &versions {
        command.console.out(text(version));
    }
    Ok(())
}
