//! What a command renders: the chart that is named, the values, the options.

use std::{collections::BTreeMap, fs, io::Read as _, path::PathBuf, rc::Rc, sync::Arc};

use helm::{Chart, Compat, KubeVersion, Release, RenderErrorKind, RenderOptions, SchemaCheck, ValueSources};

use super::{chance::Machine, failed, registry};
use crate::{
    Console, Disk,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

/// How a chart is found.
pub const CHART_FLAGS: &[Flag] = &[
    value("version"),
    switch("plain-http").idle(),
    switch("insecure-skip-tls-verify").idle(),
    switch("devel").idle(),
    switch("pass-credentials").idle(),
    value("repo").refused("chart repositories are not used; name a folder, an archive or `oci://…`"),
    value("username").refused("`docker login` keeps the credentials that are used"),
    value("password").refused("`docker login` keeps the credentials that are used"),
    value("ca-file").refused("registries are reached with the certificates of the machine"),
    value("cert-file").refused("registries are reached with the certificates of the machine"),
    value("key-file").refused("registries are reached with the certificates of the machine"),
    switch("verify").refused("charts with provenance files are not checked here"),
    value("keyring").idle(),
];

/// Where values come from.
pub const VALUE_FLAGS: &[Flag] = &[
    value("values").short('f'),
    value("set"),
    value("set-string"),
    value("set-json"),
    value("set-file"),
    value("set-literal"),
    switch("skip-schema-validation"),
];

/// Whose rules count: `LANDFALL_HELM_COMPAT=3` stands for Helm 3.
pub fn compat(console: &Console) -> Compat {
    match console.env("LANDFALL_HELM_COMPAT") {
        Some("3") => Compat::Helm3,
        _ => Compat::Helm4,
    }
}

/// The folder or archive at a path, as a tree and the path in it.
pub fn place(path: &str, console: &Console) -> Option<(Disk, String)> {
    let path = console.path(path).canonicalize().ok()?;
    Some(Disk::around(&path))
}

/// Loads the chart that a word names.
pub async fn chart(word: &str, line: &Parsed, console: &mut Console) -> Result<Arc<Chart>, Failure> {
    let compat = compat(console);
    let loaded = if word.starts_with("oci://") {
        let fetched = registry::fetch(word, line, console).await?;
        Chart::load_archive(&fetched.archive, compat)
    } else if let Some((files, path)) = place(word, console) {
        Chart::load_for(&files, &path, compat)
    } else if word.starts_with("http://") || word.starts_with("https://") {
        return Err(failed(format!("`{word}` is not fetched: name a folder, an archive or `oci://…`")));
    } else {
        return Err(failed(format!(
            "path \"{word}\" not found; chart repositories are not used: name a folder, an archive or `oci://…`"
        )));
    };
    let chart = loaded.map_err(failed)?;
    for warning in &chart.warnings {
        console.err(format!("WARNING: {warning}"));
    }
    Ok(Arc::new(chart))
}

/// Reads all values of the command line.
pub fn values(line: &Parsed, console: &mut Console) -> Result<ValueSources, Failure> {
    let texts = |flag: &str| line.all(flag).map(str::to_owned).collect::<Vec<_>>();
    let mut sources = ValueSources {
        set: texts("set"),
        set_string: texts("set-string"),
        set_json: texts("set-json"),
        set_file: texts("set-file"),
        set_literal: texts("set-literal"),
        ..ValueSources::default()
    };
    for name in line.all("values").flat_map(|it| it.split(',')) {
        let text = read(name, console)?;
        sources.files.push((name.to_owned(), text));
    }
    let mut contents = BTreeMap::new();
    for argument in &sources.set_file {
        for name in helm::set_file_names(argument).map_err(failed)? {
            let text = read(&name, console)?;
            contents.insert(name, text);
        }
    }
    sources.file_contents = contents;
    Ok(sources)
}

fn read(name: &str, console: &mut Console) -> Result<String, Failure> {
    let mut text = String::new();
    if name == "-" {
        console.input().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    if name.contains("://") {
        return Err(failed(format!("`{name}` is not fetched: check the values in or fetch them in a step of their own")));
    }
    let path: PathBuf = console.path(name);
    fs::read_to_string(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return failed(format!("open {name}: no such file or directory"));
        }
        failed(format!("open {name}: {error}"))
    })
}

/// The options of a render that asks no cluster.
pub fn options(release: Release, line: &Parsed, console: &mut Console) -> Result<RenderOptions, Failure> {
    let compat = compat(console);
    let mut options = RenderOptions::new(release, compat);
    options.values = values(line, console)?.merge(compat).map_err(failed)?;
    options.source = Rc::new(Machine);
    if line.is_on("skip-schema-validation") {
        options.schemas = SchemaCheck::Skipped;
    }
    if let Some(version) = line.last("kube-version") {
        options.kube_version = KubeVersion::parse(version, compat).map_err(failed)?;
    }
    options.api_versions.extend(line.all("api-versions").flat_map(|it| it.split(',')).map(str::to_owned));
    Ok(options)
}

/// The namespace that the flags or the environment name; `default` without.
pub fn namespace(line: &Parsed, console: &Console) -> String {
    let given = line.last("namespace").or(console.env("HELM_NAMESPACE"));
    if let Some(given) = given.filter(|it| !it.is_empty()) {
        return given.to_owned();
    }
    let kubeconfig = crate::kubectl::session::kubeconfig(line.last("kubeconfig"), console).unwrap_or_default();
    let context = line.last("kube-context").map(str::to_owned).or(kubeconfig.current_context);
    let found = kubeconfig.contexts.into_iter().find(|it| Some(&it.name) == context.as_ref());
    found.and_then(|it| it.context).and_then(|it| it.namespace).unwrap_or_else(|| "default".to_owned())
}

/// The name and the chart of a command line; the name may be left out or be made up.
pub fn name_and_chart<'a>(line: &'a Parsed, default: Option<&str>) -> Result<(String, &'a str), Failure> {
    let (name, chart) = match line.words.as_slice() {
        [chart] => (None, chart),
        [name, chart] => (Some(name.clone()), chart),
        [] => return Err(failed("requires at least 1 argument: the chart")),
        [_, _, more @ ..] => {
            return Err(failed(format!("expected at most two arguments, unexpected arguments: {}", more.join(", "))));
        }
    };
    let template = line.last("name-template");
    let made = match (template, line.is_on("generate-name")) {
        (Some(text), _) if text.contains("{{") => {
            return Err(failed("--name-template with `{{` is not supported by this helm: give the name itself"));
        }
        (Some(text), _) => Some(text.to_owned()),
        (None, true) => Some(generated(chart)),
        (None, false) => None,
    };
    match (name, made) {
        (Some(_), Some(_)) => Err(failed("cannot set --generate-name and also specify a name")),
        (Some(name), None) | (None, Some(name)) => Ok((name, chart)),
        (None, None) => match default {
            Some(name) => Ok((name.to_owned(), chart)),
            None => Err(failed("must either provide a name or specify --generate-name")),
        },
    }
}

/// The chart's name and the second: `web-1790000000`.
fn generated(chart: &str) -> String {
    let base = chart.trim_end_matches('/').rsplit('/').next().unwrap_or(chart);
    let base = base.trim_end_matches(".tgz");
    let base = if base.is_empty() || base == "." || base == ".." { "chart" } else { base };
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", base.to_lowercase().replace('_', "-"), since.as_secs())
}

/// A failed render: the original's text, then where and why.
pub fn render_failed(error: &helm::RenderError) -> Failure {
    let step = if error.kind == RenderErrorKind::ReleaseName { "release name check failed: " } else { "" };
    let mut lines = vec![format!("Error: {step}{}", error.message)];
    let told = &error.explanation;
    if let Some(step) = told.steps.last() {
        let column = if step.column == 0 { String::new() } else { format!(":{}", step.column) };
        lines.push(format!("  --> {}:{}{column}", step.file, step.line));
        if !step.source.is_empty() {
            lines.push(format!("{:>4} | {}", step.line, step.source));
        }
    }
    lines.extend(told.values.iter().map(|value| format!("     {} is {}", value.path, value.shown)));
    lines.extend(told.rendered.iter().map(|(number, line)| {
        let mark = if told.rendered_line == Some(*number) { '>' } else { ' ' };
        format!("{mark}{number:>3} | {line}")
    }));
    lines.extend(told.hints.iter().map(|hint| format!("help: {hint}")));
    Failure::new(lines.join("\n"))
}
