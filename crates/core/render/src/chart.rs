//! Charts, through the helm crate.

use std::{rc::Rc, sync::Arc};

use files::Files;
use helm::{Action, Chart, Crds, Hooks, KubeVersion, OutputOptions, Release, RenderOptions};

use crate::{ChartRequest, chance::Drawn, Format, RenderError, Rendered, Request, plain};

pub(crate) fn render(files: &dyn Files, request: &Request) -> Result<Rendered, RenderError> {
    let wanted = &request.chart;
    let chart = load(files, &request.path, wanted.compat)?;
    let rendered = render_chart(&chart, wanted)?;
    let hooks = match (wanted.include_hooks, wanted.include_tests) {
        (false, _) => Hooks::None,
        (true, true) => Hooks::All,
        (true, false) => Hooks::WithoutTests,
    };
    let crds = if wanted.include_crds { Crds::Included } else { Crds::Left };
    let mut objects = Vec::new();
    if wanted.include_crds {
        for crd in &rendered.crds {
            plain::documents(&crd.content, &crd.source, &mut objects)?;
        }
    }
    for manifest in &rendered.manifests {
        plain::documents(&manifest.content, &manifest.source, &mut objects)?;
    }
    for hook in rendered.hooks_shown(hooks) {
        plain::documents(&hook.manifest.content, &hook.manifest.source, &mut objects)?;
    }
    let output = OutputOptions { crds, hooks, show_only: Vec::new() };
    let text = rendered.text(&output).map_err(|error| RenderError::new(error.to_string()))?;
    Ok(Rendered {
        format: Format::Chart,
        objects,
        text,
        notes: rendered.notes.clone(),
        warnings: rendered.warnings.clone(),
        reads: files::Reads::default(),
    })
}

fn load(files: &dyn Files, path: &str, compat: helm::Compat) -> Result<Arc<Chart>, RenderError> {
    let loaded = match files.read(path) {
        Ok(Some(bytes)) => Chart::load_archive(&bytes, compat),
        _ => Chart::load_for(files, path, compat),
    };
    loaded.map(Arc::new).map_err(|error| RenderError::new(error.to_string()))
}

fn render_chart(chart: &Arc<Chart>, wanted: &ChartRequest) -> Result<helm::Rendered, RenderError> {
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
    helm::render(chart, &options).map_err(|error| explained(&error))
}

fn explained(error: &helm::RenderError) -> RenderError {
    let told = &error.explanation;
    let mut explained = RenderError::new(error.message.clone());
    if let Some(step) = told.steps.last() {
        explained.place = Some(match step.column {
            0 => format!("{}:{}", step.file, step.line),
            column => format!("{}:{}:{column}", step.file, step.line),
        });
        if !step.source.is_empty() {
            explained.details.push(format!("{:>4}  {}", step.line, step.source));
        }
    }
    explained.details.extend(told.values.iter().map(|value| format!("{} is {}", value.path, value.shown)));
    explained.details.extend(told.rendered.iter().map(|(number, line)| {
        let mark = if told.rendered_line == Some(*number) { ">" } else { " " };
        format!("{mark}{number:>4}  {line}")
    }));
    explained.help.extend(told.hints.iter().cloned());
    explained
}
