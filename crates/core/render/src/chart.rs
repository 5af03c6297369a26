//! Charts, through the helm crate.

use std::{rc::Rc, sync::Arc};

use files::Files;
use helm::{Action, Chart, Crds, Detail, Hooks, KubeVersion, OutputOptions, Release, RenderOptions};

use crate::{
    Format, Object, RenderError, Rendered, Request, Wanted,
    chance::Drawn,
    plain::{self, Duplicates},
};

pub(crate) fn render(files: &dyn Files, request: &Request) -> Result<Rendered, RenderError> {
    let wanted = &request.chart;
    let chart = load(files, &request.path, wanted.compat)?;
    let rendered = render_chart(&chart, request)?;
    let hooks = match (wanted.include_hooks, wanted.include_tests) {
        (false, _) => Hooks::None,
        (true, true) => Hooks::All,
        (true, false) => Hooks::WithoutTests,
    };
    let crds = if wanted.include_crds { Crds::Included } else { Crds::Left };
    let output = OutputOptions { crds, hooks, show_only: Vec::new() };
    let text = rendered.text(&output).map_err(|error| RenderError::new(error.to_string()))?;
    let objects = match request.wanted {
        Wanted::Objects => objects(&rendered, &output)?,
        Wanted::Text => Vec::new(),
    };
    Ok(Rendered {
        format: Format::Chart,
        objects,
        text,
        notes: rendered.notes,
        warnings: rendered.warnings,
        reads: files::Reads::default(),
    })
}

fn objects(rendered: &helm::Rendered, output: &OutputOptions) -> Result<Vec<Object>, RenderError> {
    let mut objects = Vec::new();
    if output.crds == Crds::Included {
        for crd in &rendered.crds {
            plain::documents(&crd.content, &crd.source, Duplicates::LastCounts, &mut objects)?;
        }
    }
    let manifests = rendered.manifests.iter().chain(rendered.hooks_shown(output.hooks).map(|it| &it.manifest));
    for manifest in manifests {
        plain::document(manifest, &mut objects)?;
    }
    Ok(objects)
}

fn load(files: &dyn Files, path: &str, compat: helm::Compat) -> Result<Arc<Chart>, RenderError> {
    let loaded = match files.read(path) {
        Ok(Some(bytes)) => Chart::load_archive(&bytes, compat),
        _ => Chart::load_for(files, path, compat),
    };
    loaded.map(Arc::new).map_err(|error| RenderError::new(error.to_string()))
}

fn render_chart(chart: &Arc<Chart>, request: &Request) -> Result<helm::Rendered, RenderError> {
    let wanted = &request.chart;
    let mut release = Release::new(&wanted.release, &wanted.namespace);
    if wanted.upgrade {
        release.action = Action::Upgrade;
    }
    let mut options = RenderOptions::new(release, wanted.compat);
    options.source = Rc::new(Drawn::new(wanted.chance));
    options.values = wanted.values.merge(wanted.compat).map_err(|error| RenderError::new(error.to_string()))?;
    if let Some(version) = &wanted.kube_version {
        options.kube_version = KubeVersion::parse(version, wanted.compat).map_err(|error| RenderError::new(error.to_string()))?;
    }
    if let Some(versions) = &wanted.api_versions {
        options.api_versions.clone_from(versions);
    }
    options.detail = match request.wanted {
        Wanted::Objects => Detail::Values,
        Wanted::Text => Detail::Heads,
    };
    helm::render(chart, &options).map_err(|error| explained(&error))
}

fn explained(error: &helm::RenderError) -> RenderError {
    let told = &error.explanation;
    let mut explained = RenderError::new(shortened(&error.message));
    if let Some(step) = told.steps.last() {
        explained.place = Some(match step.column {
            0 => format!("{}:{}", step.file, step.line),
            column => format!("{}:{}:{column}", step.file, step.line),
        });
        if !step.source.is_empty() {
            explained.details.push(format!("{:>4}  {}", step.line, step.source));
        }
    }
    explained.details.extend(told.values.iter().map(|value| match value.shown.starts_with('`') {
        // It says itself what is missing.
        true => value.shown.clone(),
        false => format!("{} is {}", value.path, value.shown),
    }));
    explained.details.extend(told.rendered.iter().map(|(number, line)| {
        let mark = if told.rendered_line == Some(*number) { ">" } else { " " };
        format!("{mark}{number:>4}  {line}")
    }));
    explained.help.extend(told.hints.iter().cloned());
    explained
}

/// A chain of a thousand templates tells no more than its ends.
fn shortened(message: &str) -> String {
    const START: usize = 600;
    const END: usize = 400;
    let count = message.chars().count();
    if count <= START + END {
        return message.to_owned();
    }
    let start: String = message.chars().take(START).collect();
    let end: String = message.chars().skip(count - END).collect();
    format!("{start} … {end}")
}
