//! What steps and jobs use: whether it is there, fixed to a commit, and given what it takes.

use workflow::{ActionHome, ActionRef, Manifest, Uses, WorkflowRef, nearest};
use yaml::{Diagnostic, Entry, Node};

use super::{File, inputs, steps};
use crate::{mend::Source, tree};

/// Owners whose tags are not moved by strangers.
const FIRST_PARTY: [&str; 2] = ["actions", "github"];

/// Reports what is wrong in the manifest of an action.
pub(crate) fn check_manifest(path: &str, source: &Source, found: &mut Vec<Diagnostic>) {
    let parsed = Manifest::parse(source.text(), path, &ActionHome::Folder(String::new()));
    found.extend(parsed.diagnostics.into_iter().map(|it| source.place(it)));
}

pub(super) fn check(file: &mut File<'_>) {
    for job in file.root.get("jobs").map(Node::entries).unwrap_or_default() {
        if let Some(uses) = job.value.get("uses") {
            call(file, &job.value, uses);
        }
        for (_, step) in steps(&job.value) {
            if let Some((node, text)) = step.get("uses").and_then(|it| Some((it, it.text()?))) {
                match text.parse() {
                    Ok(Uses::Repository(action)) => repository(file, step, node, &action),
                    Ok(Uses::Local(path)) => local(file, step, node, &path),
                    Ok(Uses::Image(_)) | Err(_) => {}
                }
            }
        }
    }
}

fn repository(file: &mut File<'_>, step: &Node, node: &Node, action: &ActionRef) {
    pinned(file, node, action);
    let Some(known) = inputs::of(&action.name()) else { return };
    let names: Vec<_> = known.iter().map(|it| (*it).to_owned()).collect();
    check_inputs(file, step, &action.name(), &names);
}

fn pinned(file: &mut File<'_>, node: &Node, action: &ActionRef) {
    let name = action.name();
    let owner = name.split('/').next().unwrap_or_default();
    let native = file.native.iter().any(|it| it.eq_ignore_ascii_case(&name));
    if action.is_pinned() || native || FIRST_PARTY.iter().any(|it| it.eq_ignore_ascii_case(owner)) {
        return;
    }
    let message = format!("`{name}` is not fixed to a commit: `{}` can change what it does", action.version);
    file.found.push(
        Diagnostic::error(file.path, node.span, "LF-W0034", message)
            .note()
            .help("write the whole commit behind `@`, and the version in a comment"),
    );
}

fn local(file: &mut File<'_>, step: &Node, node: &Node, path: &str) {
    let Some(folder) = tree::resolve("", path) else { return };
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let manifest = ["action.yml", "action.yaml"].iter().map(|it| format!("{prefix}{it}"));
    let Some(manifest) = manifest.into_iter().find(|it| file.tree.is_file(it)) else {
        let dockerfile = format!("{prefix}Dockerfile");
        // Another step may fetch or make what is not in the repository.
        if !file.tree.is_file(&dockerfile) && file.tree.is_folder("") && !fetches_elsewhere(file) {
            file.warn(node.span, "LF-W0035", format!("`{path}` has no `action.yml` in this repository"));
        }
        return;
    };
    let Some(source) = file.tree.source(&manifest) else { return };
    let parsed = Manifest::parse(source.text(), &manifest, &ActionHome::Folder(String::new()));
    let Some(parsed) = parsed.manifest else { return };
    let names: Vec<_> = parsed.inputs.iter().map(|it| it.name.clone()).collect();
    check_inputs(file, step, path, &names);
    let given = step.get("with").map(Node::entries).unwrap_or_default();
    let missing = parsed.inputs.iter().find(|it| {
        it.required && it.default.is_none() && !given.iter().any(|entry| entry.key.eq_ignore_ascii_case(&it.name))
    });
    if let Some(missing) = missing {
        file.warn(node.span, "LF-W0032", format!("`{path}` requires the input `{}`", missing.name));
    }
}

/// Whether some step checks another repository out into a folder.
fn fetches_elsewhere(file: &File<'_>) -> bool {
    let jobs = file.root.get("jobs").map(Node::entries).unwrap_or_default();
    let mut all = jobs.iter().flat_map(|it| steps(&it.value));
    all.any(|(_, step)| step.get("with").is_some_and(|it| it.get("path").is_some() || it.get("repository").is_some()))
}

fn check_inputs(file: &mut File<'_>, step: &Node, action: &str, names: &[String]) {
    let given = step.get("with").map(Node::entries).unwrap_or_default();
    for entry in given {
        // What is given to the container itself is no input.
        let special = ["entrypoint", "args"].contains(&entry.key.as_str());
        if !special && !names.iter().any(|it| it.eq_ignore_ascii_case(&entry.key)) {
            unknown_input(file, entry, action, names);
        }
    }
}

fn unknown_input(file: &mut File<'_>, entry: &Entry, what: &str, names: &[String]) {
    let near = nearest(&entry.key, names.iter().map(String::as_str)).map(str::to_owned);
    let span = entry.key_span;
    let finding = file.warn(span, "LF-W0031", format!("`{what}` has no input `{}`", entry.key));
    match near {
        Some(near) => {
            finding.help.push(format!("did you mean `{near}`?"));
            finding.fixes.push(yaml::Fix { range: span.start..span.end, replacement: near });
        }
        None if names.is_empty() => finding.help.push("it has no inputs".to_owned()),
        None => finding.help.push(format!("it has {}", names.join(", "))),
    }
}

/// A job that calls a workflow of the same repository.
fn call(file: &mut File<'_>, job: &Node, uses: &Node) {
    let path = match uses.text().map(str::parse) {
        Some(Ok(WorkflowRef::Local(path))) => path,
        Some(Ok(WorkflowRef::Repository(action))) => return pinned(file, uses, &action),
        Some(Err(_)) | None => return,
    };
    let Some(source) = file.tree.source(&path) else {
        file.warn(uses.span, "LF-W0035", format!("`{path}` is not in this repository"));
        return;
    };
    let Some(called) = workflow::parse(source.text(), &path).workflow else { return };
    let Some(interface) = called.triggers.workflow_call else {
        file.warn(uses.span, "LF-W0035", format!("`{path}` cannot be called: it does not listen to `workflow_call`"));
        return;
    };
    let names: Vec<_> = interface.inputs.iter().map(|it| it.name.clone()).collect();
    check_inputs(file, job, &path, &names);
    let has = |key: &str, name: &str| {
        let given = job.get(key).map(Node::entries).unwrap_or_default();
        given.iter().any(|it| it.key.eq_ignore_ascii_case(name))
    };
    for input in interface.inputs.iter().filter(|it| it.required && !has("with", &it.name)) {
        file.warn(uses.span, "LF-W0032", format!("`{path}` requires the input `{}`", input.name));
    }
    if job.get("secrets").and_then(Node::text) == Some("inherit") {
        return;
    }
    for secret in interface.secrets.iter().filter(|it| it.required && !has("secrets", &it.name)) {
        file.warn(uses.span, "LF-W0032", format!("`{path}` requires the secret `{}`", secret.name));
    }
    for given in job.get("secrets").map(Node::entries).unwrap_or_default() {
        if !interface.secrets.iter().any(|it| it.name.eq_ignore_ascii_case(&given.key)) {
            file.warn(given.key_span, "LF-W0031", format!("`{path}` has no secret `{}`", given.key));
        }
    }
}
