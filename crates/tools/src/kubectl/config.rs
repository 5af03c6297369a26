//! `kubectl config`: what the kubeconfig says, and the namespace of its context.

use serde_json::Value;

use super::{Command, output::Output, session, table};
use crate::{
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const FLAGS: &[Flag] = &[
    switch("current"),
    switch("minify"),
    switch("raw"),
    switch("flatten").idle(),
    value("output").short('o'),
    value("template"),
    switch("no-headers"),
];

/// Runs `kubectl config`.
pub fn config(command: Command<'_>, sub: &str) -> Result<(), Failure> {
    let Command { line, console } = command;
    let kubeconfig = session::kubeconfig(line.last("kubeconfig"), console)?;
    let current = kubeconfig.current_context.clone().unwrap_or_default();
    match sub {
        "current-context" if current.is_empty() => Err(Failure::new("error: current-context is not set")),
        "current-context" => {
            console.out(current);
            Ok(())
        }
        "view" => {
            let mut kubeconfig = kubeconfig;
            if line.is_on("minify") {
                kubeconfig.contexts.retain(|it| it.name == current);
                let names = kubeconfig.contexts.first().and_then(|it| it.context.clone());
                let (cluster, user) = names.map_or_else(Default::default, |it| (it.cluster, it.user));
                kubeconfig.clusters.retain(|it| it.name == cluster);
                kubeconfig.auth_infos.retain(|it| Some(&it.name) == user.as_ref());
            }
            let mut document = serde_json::to_value(&kubeconfig).map_err(|error| Failure::new(format!("error: {error}")))?;
            if !line.is_on("raw") {
                hidden(&mut document);
            }
            document["apiVersion"] = "v1".into();
            document["kind"] = "Config".into();
            let output = match Output::of(&line)? {
                Output::Words | Output::Wide => Output::Yaml,
                output => output,
            };
            output.show(&document, console)
        }
        "get-contexts" => {
            let titles = ["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"].map(str::to_owned).to_vec();
            let mut lines = if line.is_on("no-headers") { Vec::new() } else { vec![titles] };
            for it in &kubeconfig.contexts {
                if line.last("output") == Some("name") {
                    console.out(&it.name);
                    continue;
                }
                let context = it.context.clone().unwrap_or_default();
                let mark = if it.name == current { "*" } else { "" };
                lines.push(vec![mark.to_owned(), it.name.clone(), context.cluster, context.user.unwrap_or_default(), context.namespace.unwrap_or_default()]);
            }
            if line.last("output") != Some("name") {
                for line in table::aligned(&lines) {
                    console.out(line);
                }
            }
            Ok(())
        }
        "use-context" => {
            let Some(wanted) = line.words.first() else { return Err(Failure::new("error: expected the name of a context")) };
            if !kubeconfig.contexts.iter().any(|it| it.name == *wanted) {
                return Err(Failure::new(format!("error: no context exists with the name: \"{wanted}\"")));
            }
            edit(&line, console, |document| document["current-context"] = wanted.clone().into())?;
            console.out(format!("Switched to context \"{wanted}\"."));
            Ok(())
        }
        "set-context" => {
            let name = match (line.is_on("current"), line.words.first()) {
                (true, None) if current.is_empty() => return Err(Failure::new("error: no current context is set")),
                (true, None) => current,
                (false, Some(name)) => name.clone(),
                _ => return Err(Failure::new("error: expected either the name of a context or --current")),
            };
            if !kubeconfig.contexts.iter().any(|it| it.name == name) {
                return Err(Failure::new(format!("error: no context exists with the name: \"{name}\"; Landfall's kubectl makes no new ones")));
            }
            edit(&line, console, |document| {
                let contexts = document["contexts"].as_array_mut().into_iter().flatten();
                for context in contexts.filter(|it| it["name"] == name.as_str()) {
                    for field in ["namespace", "cluster", "user"] {
                        if let Some(value) = line.last(field) {
                            context["context"][field] = value.into();
                        }
                    }
                }
            })?;
            console.out(format!("Context \"{name}\" modified."));
            Ok(())
        }
        _ => Err(Failure::new("error: expected a sub-command of `kubectl config`")),
    }
}

/// Secrets are not shown.
fn hidden(document: &mut Value) {
    for user in document["users"].as_array_mut().into_iter().flatten() {
        for field in ["token", "password"] {
            if user["user"][field].is_string() {
                user["user"][field] = "REDACTED".into();
            }
        }
        for field in ["client-certificate-data", "client-key-data"] {
            if user["user"][field].is_string() {
                user["user"][field] = "DATA+OMITTED".into();
            }
        }
    }
    for cluster in document["clusters"].as_array_mut().into_iter().flatten() {
        if cluster["cluster"]["certificate-authority-data"].is_string() {
            cluster["cluster"]["certificate-authority-data"] = "DATA+OMITTED".into();
        }
    }
}

/// Changes the first file of the kubeconfig, as it is written, so that nothing of it gets lost.
fn edit(line: &crate::flags::Parsed, console: &crate::Console, change: impl FnOnce(&mut Value)) -> Result<(), Failure> {
    let file = match (line.last("kubeconfig"), console.env("KUBECONFIG"), console.env("HOME")) {
        (Some(file), _, _) => console.path(file),
        (None, Some(files), _) => console.path(files.split(':').next().unwrap_or(files)),
        (None, None, home) => console.path(home.unwrap_or_default()).join(".kube/config"),
    };
    let shown = file.display().to_string();
    let wrong = |why: &dyn std::fmt::Display| Failure::new(format!("error: {shown}: {why}"));
    let source = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
    let documents = yaml::parse(&source, &shown, yaml::Flavor::Go11).map_err(|_| wrong(&"it is no YAML"))?;
    let mut document = documents.first().map_or(Value::Null, |it| it.root.to_json());
    change(&mut document);
    // It holds a token: the new file must not be readable by others either.
    let beside = file.with_extension(format!("{}", std::process::id()));
    let mode = std::fs::metadata(&file).map_err(|error| wrong(&error))?.permissions();
    std::fs::write(&beside, "").map_err(|error| wrong(&error))?;
    std::fs::set_permissions(&beside, mode).map_err(|error| wrong(&error))?;
    std::fs::write(&beside, yaml::to_string(&document)).map_err(|error| wrong(&error))?;
    std::fs::rename(&beside, &file).map_err(|error| wrong(&error))
}
