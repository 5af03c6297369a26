//! Renders a case with this crate, with the same arguments as the tool.

use std::sync::Arc;

use files::MemoryFiles;
use helm::{
    Action, Chart, Compat, Crds, Hooks, KubeVersion, OutputOptions, Release, RenderOptions,
    ValueSources, render, set_file_names,
};

use crate::{
    case::Case,
    tool::{Outcome, plain_error},
};

/// The chart of a case.
pub fn load(case: &Case, compat: Compat) -> Result<Arc<Chart>, String> {
    let mut tree = MemoryFiles::new();
    for (path, content) in &case.files {
        if !path.starts_with("../") {
            tree.insert(path.as_str(), content.as_slice()).expect("a clean path");
        }
    }
    let chart = Chart::load_for(&tree, "", compat).map_err(|error| error.to_string())?;
    Ok(Arc::new(chart))
}

/// What `helm template r chart ARGUMENTS` would print or say.
pub fn template(case: &Case, compat: Compat, arguments: &[String]) -> Outcome {
    outcome(case, compat, arguments).map_err(|error| plain_error(&error))
}

fn outcome(case: &Case, compat: Compat, arguments: &[String]) -> Outcome {
    let mut parsed = Arguments::read(case, arguments, compat)?;
    parsed.options.values = parsed.values.merge(compat).map_err(|error| error.to_string())?;
    let chart = load(case, compat)?;
    let rendered = render(&chart, &parsed.options).map_err(|error| error.to_string())?;
    rendered.text(&parsed.output).map_err(|error| error.to_string())
}

struct Arguments {
    options: RenderOptions,
    values: ValueSources,
    output: OutputOptions,
}

impl Arguments {
    fn read(case: &Case, arguments: &[String], compat: Compat) -> Result<Self, String> {
        let release = Release::new("r", "default");
        let mut parsed = Self {
            options: RenderOptions::new(release, compat),
            values: ValueSources::default(),
            output: OutputOptions::default(),
        };
        let mut rest = arguments.iter();
        while let Some(option) = rest.next() {
            let mut value = || rest.next().expect("an option with a value").clone();
            match option.as_str() {
                "-f" => {
                    let path = value();
                    parsed.values.files.push((path.clone(), beside(case, &path)?));
                }
                "--set" => parsed.values.set.push(value()),
                "--set-string" => parsed.values.set_string.push(value()),
                "--set-json" => parsed.values.set_json.push(value()),
                "--set-literal" => parsed.values.set_literal.push(value()),
                "--set-file" => {
                    let argument = value();
                    for path in set_file_names(&argument).map_err(|error| error.to_string())? {
                        if let Ok(content) = beside(case, &path) {
                            parsed.values.file_contents.insert(path, content);
                        }
                    }
                    parsed.values.set_file.push(argument);
                }
                "--kube-version" => {
                    let version = KubeVersion::parse(&value(), compat);
                    parsed.options.kube_version = version.map_err(|error| error.to_string())?;
                }
                "--api-versions" => {
                    let more = value();
                    parsed.options.api_versions.extend(more.split(',').map(str::to_owned));
                }
                "--namespace" => parsed.options.release.namespace = value(),
                "--is-upgrade" => parsed.options.release.action = Action::Upgrade,
                "--include-crds" => parsed.output.crds = Crds::Included,
                "--no-hooks" => parsed.output.hooks = Hooks::None,
                "--skip-tests" => parsed.output.hooks = Hooks::WithoutTests,
                "--show-only" => parsed.output.show_only.push(value()),
                "--skip-schema-validation" => {
                    parsed.options.schemas = helm::SchemaCheck::Skipped;
                }
                other => panic!("`{other}` is not known to this test"),
            }
        }
        Ok(parsed)
    }
}

/// A file that lies beside the chart.
fn beside(case: &Case, path: &str) -> Result<String, String> {
    let found = case.files.iter().find(|(name, _)| name.strip_prefix("../") == Some(path));
    match found {
        Some((_, content)) => Ok(String::from_utf8_lossy(content).into_owned()),
        None => Err(format!("open {path}: no such file or directory")),
    }
}
