//! `helm lint` and `helm package`.

use std::fs;

use helm::{Chart, LintSeverity, Release};

use super::{Command, failed, input};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const LINT_FLAGS: &[Flag] = &[
    value("kube-version"),
    switch("strict"),
    switch("quiet"),
    switch("with-subcharts").refused("name the folders of the subcharts"),
];

pub const PACKAGE_FLAGS: &[Flag] = &[
    value("destination").short('d'),
    value("version"),
    value("app-version"),
    value("keyring").idle(),
    switch("dependency-update").short('u').refused("check the charts in below charts/"),
    switch("sign").refused("charts are signed as artifacts of the registry, not with PGP"),
    value("key").refused("charts are signed as artifacts of the registry, not with PGP"),
    value("passphrase-file").refused("charts are signed as artifacts of the registry, not with PGP"),
];

/// Runs `helm lint`.
pub fn lint(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let paths = if line.words.is_empty() { vec![".".to_owned()] } else { line.words.clone() };
    let namespace = input::namespace(&line, console);
    let options = input::options(Release::new("test-release", namespace), &line, console)?;
    let worst = if line.is_on("strict") { LintSeverity::Warning } else { LintSeverity::Error };
    let mut failed_charts = 0;
    for path in &paths {
        let least = if line.is_on("quiet") { LintSeverity::Warning } else { LintSeverity::Info };
        let (lines, severity) = one(path, &options, least, console);
        let bad = severity.is_some_and(|it| it >= worst);
        failed_charts += usize::from(bad);
        let quiet = line.is_on("quiet") && severity.is_none_or(|it| it < LintSeverity::Warning);
        if quiet {
            continue;
        }
        console.out(format!("==> Linting {path}"));
        lines.iter().for_each(|it| console.out(it));
        console.out("");
    }
    let summary = format!("{} chart(s) linted, {failed_charts} chart(s) failed", paths.len());
    if failed_charts > 0 {
        return Err(failed(summary));
    }
    if !line.is_on("quiet") {
        console.out(summary);
    }
    Ok(())
}

/// What is found in one chart, and how bad the worst of it is.
fn one(path: &str, options: &helm::RenderOptions, least: LintSeverity, console: &Console) -> (Vec<String>, Option<LintSeverity>) {
    let missing = || {
        let line = format!("Error unable to check Chart.yaml file in chart: stat {path}/Chart.yaml: no such file or directory");
        (vec![line], Some(LintSeverity::Error))
    };
    let Some((files, inside)) = input::place(path, console) else { return missing() };
    let whole = files.root().join(&inside);
    if whole.is_dir() && !whole.join("Chart.yaml").is_file() {
        return missing();
    }
    let mut found = helm::lint(&files, &inside, options);
    for finding in found.iter_mut().filter(|it| it.path.is_empty()) {
        finding.path = whole.display().to_string();
    }
    let severity = found.iter().map(|it| it.severity).max();
    (found.iter().filter(|it| it.severity >= least).map(ToString::to_string).collect(), severity)
}

/// Runs `helm package`.
pub fn package(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    if line.words.is_empty() {
        return Err(failed("need at least one argument, the path to the chart"));
    }
    for path in &line.words {
        let chart = packable(path, &line, console)?;
        let bytes = chart.package().map_err(failed)?;
        let destination = line.last("destination").filter(|it| *it != ".");
        let folder = destination.map_or_else(|| console.folder().to_owned(), |it| console.path(it));
        let shown = match destination {
            Some(folder) => std::path::Path::new(folder).join(chart.archive_name()),
            None => folder.join(chart.archive_name()),
        };
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(chart.archive_name()), &bytes));
        written.map_err(|error| failed(format!("failed to save: {error}")))?;
        console.out(format!("Successfully packaged chart and saved it to: {}", shown.display()));
    }
    Ok(())
}

/// Loads a chart and checks that an archive of it would be whole.
fn packable(path: &str, line: &Parsed, console: &Console) -> Result<Chart, Failure> {
    let Some((files, inside)) = input::place(path, console) else {
        return Err(failed(format!("stat {path}: no such file or directory")));
    };
    let mut chart = Chart::load_for(&files, &inside, input::compat(console)).map_err(failed)?;
    if let Some(version) = line.last("version") {
        chart.metadata.version = version.to_owned();
    }
    if let Some(version) = line.last("app-version") {
        chart.metadata.app_version = version.to_owned();
    }
    let there = |name: &str| chart.dependencies.iter().any(|it| it.name() == name);
    let missing: Vec<&str> = chart.metadata.dependencies.iter().map(|it| it.name.as_str()).filter(|it| !there(it)).collect();
    if !missing.is_empty() {
        return Err(failed(format!("found in Chart.yaml, but missing in charts/ directory: {}", missing.join(", "))));
    }
    Ok(chart)
}
