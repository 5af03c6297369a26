//! `helm show`, `helm dependency list` and `helm version`.

use helm::Chart;

use super::{Command, VERSION, failed, input};
use crate::{
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const SHOW_FLAGS: &[Flag] = &[
    value("jsonpath").refused("pipe the output through a program that picks the field"),
];

pub const VERSION_FLAGS: &[Flag] = &[
    switch("short"),
    switch("client").short('c').idle(),
    value("template").refused("use --short"),
];

pub const LIST_FLAGS: &[Flag] = &[value("max-col-width").idle(), switch("skip-refresh").idle()];

/// How READMEs are called, small letters or large.
const READMES: [&str; 4] = ["readme.md", "readme.txt", "readme", "readme.rst"];

/// Runs `helm show …`.
pub async fn show(command: Command<'_>, what: &str) -> Result<(), Failure> {
    let Command { line, console } = command;
    let [word] = line.words.as_slice() else {
        return Err(failed(format!("\"helm show {what}\" requires 1 argument\n\nUsage:  helm show {what} [CHART] [flags]")));
    };
    let chart = input::chart(word, &line, console).await?;
    let all = what == "all";
    let mut shown = String::new();
    if all || what == "chart" {
        shown.push_str(&chart_yaml(&chart));
        shown.push('\n');
    }
    if let Some(values) = chart.raw.iter().find(|it| it.name == "values.yaml").filter(|_| all || what == "values") {
        if all {
            shown.push_str("---\n");
        }
        shown.push_str(&String::from_utf8_lossy(&values.data));
        shown.push('\n');
    }
    let readme = chart.files.iter().find(|it| READMES.contains(&it.name.to_lowercase().as_str()));
    if let Some(readme) = readme.filter(|_| all || what == "readme") {
        if all {
            shown.push_str("---\n");
        }
        shown.push_str(&String::from_utf8_lossy(&readme.data));
        shown.push('\n');
    }
    if all || what == "crds" {
        crds(&chart, &mut shown);
    }
    console.write_out(shown.as_bytes());
    Ok(())
}

/// Chart.yaml with sorted keys, as the original writes it.
fn chart_yaml(chart: &Chart) -> String {
    let mut metadata = serde_json::Value::from(&chart.metadata);
    metadata.sort_all_objects();
    yaml::to_string(&metadata)
}

fn crds(chart: &Chart, shown: &mut String) {
    let is_crd = |name: &str| name.starts_with("crds/") && [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
    for file in chart.files.iter().filter(|it| is_crd(&it.name)) {
        let text = String::from_utf8_lossy(&file.data);
        if !text.starts_with("---") {
            shown.push_str("---\n");
        }
        shown.push_str(&text);
        shown.push('\n');
    }
    for child in &chart.dependencies {
        crds(child, shown);
    }
}

/// Runs `helm dependency list`.
pub fn dependencies(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let path = line.words.first().map_or(".", String::as_str);
    let Some((files, inside)) = input::place(path, console) else {
        return Err(failed(format!("stat {path}: no such file or directory")));
    };
    let chart = Chart::load_for(&files, &inside, input::compat(console)).map_err(failed)?;
    let wanted = &chart.metadata.dependencies;
    if wanted.is_empty() {
        console.out(format!("WARNING: no dependencies at {}", std::path::Path::new(path).join("charts").display()));
        return Ok(());
    }
    let mut rows = vec![["NAME", "VERSION", "REPOSITORY", "STATUS"].map(str::to_owned)];
    for it in wanted {
        let folder = files.root().join(&inside).join("charts");
        let status = match chart.dependencies.iter().find(|chart| chart.name() == it.name) {
            None => "missing",
            Some(_) if folder.join(&it.name).is_dir() => "unpacked",
            Some(_) => "ok",
        };
        rows.push([it.name.clone(), it.version.clone(), it.repository.clone(), status.to_owned()]);
    }
    console.write_out(table(&rows).as_bytes());
    console.out("");
    for missing in chart.dependencies.iter().filter(|it| !wanted.iter().any(|wanted| wanted.name == it.name())) {
        console.out(format!("WARNING: \"charts/{}\" is not in Chart.yaml.", missing.name()));
    }
    Ok(())
}

/// Cells padded with blanks, a tab between columns.
pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("\t"))
    };
    rows.iter().map(line).collect()
}

/// Runs `helm version`.
pub fn version(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    if !line.words.is_empty() {
        return Err(failed("\"helm version\" accepts no arguments\n\nUsage:  helm version [flags]"));
    }
    console.out(if line.is_on("short") {
        format!("{VERSION}+landfall")
    } else {
        format!("version.BuildInfo{{Version:\"{VERSION}\", GitCommit:\"landfall\", GitTreeState:\"clean\", GoVersion:\"none\", KubeClientVersion:\"v1.37\"}}")
    });
    Ok(())
}
