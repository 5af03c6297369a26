//! `helm template`: renders a chart and asks no cluster.

use std::{collections::HashSet, fs, io::Write as _};

use helm::{Action, Crds, Hooks, OutputOptions, Release, Rendered};

use super::{Command, failed, input};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("kube-version"),
    value("api-versions").short('a'),
    switch("include-crds"),
    switch("no-hooks"),
    switch("skip-tests"),
    switch("is-upgrade"),
    value("show-only").short('s'),
    value("name-template"),
    switch("generate-name").short('g'),
    value("output-dir"),
    switch("release-name"),
    value("dry-run").or("client").idle(),
    switch("create-namespace").idle(),
    switch("replace").idle(),
    switch("skip-crds").idle(),
    switch("disable-openapi-validation").idle(),
    switch("render-subchart-notes").idle(),
    switch("hide-notes").idle(),
    value("wait").or("watcher").idle(),
    switch("wait-for-jobs").idle(),
    value("timeout").idle(),
    switch("atomic").idle(),
    switch("rollback-on-failure").idle(),
    switch("force").idle(),
    switch("take-ownership").idle(),
    value("description").idle(),
    value("labels").short('l').idle(),
    switch("validate").refused("`helm template … | kubectl apply --dry-run=server -f -` asks the cluster"),
    switch("dependency-update").refused("check the charts in below charts/"),
    switch("enable-dns").refused("templates ask no name servers"),
    value("post-renderer").refused("pipe the output through the program"),
    value("post-renderer-args").refused("pipe the output through the program"),
];

/// Runs `helm template`.
pub async fn template(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    if line.words.is_empty() {
        return Err(failed("\"helm template\" requires at least 1 argument\n\nUsage:  helm template [NAME] [CHART] [flags]"));
    }
    let (name, word) = input::name_and_chart(&line, Some("release-name"))?;
    let chart = input::chart(word, &line, console).await?;
    let mut release = Release::new(name, input::namespace(&line, console));
    if line.is_on("is-upgrade") {
        release.action = Action::Upgrade;
    }
    let options = input::options(release, &line, console)?;
    let rendered = helm::render(&chart, &options).map_err(|error| input::render_failed(&error))?;
    for warning in rendered.warnings.iter().filter(|it| !chart.warnings.contains(it)) {
        console.err(format!("WARNING: {warning}"));
    }
    let output = output(&line);
    if let Some(folder) = line.last("output-dir") {
        return write(&rendered, &output, folder, options.release.name.as_str(), &line, console);
    }
    let text = rendered.text(&output).map_err(failed)?;
    console.write_out(text.as_bytes());
    Ok(())
}

fn output(line: &Parsed) -> OutputOptions {
    OutputOptions {
        crds: if line.is_on("include-crds") { Crds::Included } else { Crds::Left },
        hooks: match (line.is_on("no-hooks"), line.is_on("skip-tests")) {
            (true, _) => Hooks::None,
            (false, true) => Hooks::WithoutTests,
            (false, false) => Hooks::All,
        },
        show_only: line.all("show-only").flat_map(|it| it.split(',')).map(str::to_owned).collect(),
    }
}

/// Writes a file for each template, as `--output-dir` asks for.
fn write(rendered: &Rendered, output: &OutputOptions, folder: &str, release: &str, line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    if !output.show_only.is_empty() {
        return Err(failed("--output-dir together with --show-only is not supported by this helm: use one of them"));
    }
    let folder = if line.is_on("release-name") { format!("{folder}/{release}") } else { folder.to_owned() };
    let crds = rendered.crds.iter().filter(|_| output.crds == Crds::Included).map(|it| (&it.source, &it.content));
    let manifests = rendered.manifests.iter().chain(rendered.hooks_shown(output.hooks).map(|it| &it.manifest));
    let mut written = HashSet::new();
    for (source, content) in crds.chain(manifests.map(|it| (&it.source, &it.content))) {
        let shown = format!("{folder}/{source}");
        let path = console.path(&shown);
        let is_new = written.insert(source.clone());
        let parent = path.parent().unwrap_or(&path);
        let done = fs::create_dir_all(parent).and_then(|()| {
            let mut file = fs::OpenOptions::new().create(true).write(true).truncate(is_new).append(!is_new).open(&path)?;
            writeln!(file, "---\n# Source: {source}\n{content}")
        });
        done.map_err(|error| failed(format!("{shown}: {error}")))?;
        console.out(format!("wrote {shown}"));
    }
    console.out("");
    Ok(())
}
