//! The flaky tests of a project, with what proves it.

use std::process::ExitCode;

use anyhow::bail;
use api::FlakyTest;
use names::ProjectName;
use serde_json::{Value, json};

use crate::{
    cli::{
        Context,
        ago::ago,
        exit,
        output::{Output, print_json},
    },
    client::Client,
};

pub async fn show(project: Option<ProjectName>, output: Output, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let project = match project {
        Some(project) => project,
        None => only_project(&client).await?,
    };
    let told: Value = client.get(&format!("projects/{project}/tests/flaky")).await?;
    if output == Output::Json {
        print_json(&json!({"apiVersion": "landfall/v1", "project": project, "items": told["items"]}))?;
        return Ok(ExitCode::from(exit::OK));
    }
    let tests: Vec<FlakyTest> = serde_json::from_value(told["items"].clone())?;
    if tests.is_empty() {
        println!("no test of {project} is known to have passed and failed with the same commit");
    }
    for test in &tests {
        println!("{}", lines(test).join("\n"));
    }
    Ok(ExitCode::from(exit::OK))
}

async fn only_project(client: &Client) -> anyhow::Result<ProjectName> {
    let projects: Value = client.get("projects").await?;
    let names: Vec<_> = projects["items"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
    match names[..] {
        [only] => Ok(only.parse()?),
        _ => bail!("there are {} projects; name one with `--project`", names.len()),
    }
}

fn lines(test: &FlakyTest) -> Vec<String> {
    let place = match (&test.file, test.line) {
        (Some(file), Some(line)) => format!("  {file}:{line}"),
        (Some(file), None) => format!("  {file}"),
        (None, _) => String::new(),
    };
    let commits = if test.commits == 1 { "1 commit".to_owned() } else { format!("{} commits", test.commits) };
    let mut lines = vec![format!("{}{place}", test.id), format!("  {}: {commits}, last seen {}", test.variant, ago(test.last))];
    for it in &test.evidence {
        lines.push(format!("  commit {}: failed in {}, passed in {}", it.commit.short(), it.failed, it.passed));
        lines.extend(it.message.lines().take(2).map(|line| format!("    {line}")));
    }
    lines
}
