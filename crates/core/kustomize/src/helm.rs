//! `helmCharts`: what the original hands to a program goes to the engine of the caller.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    error::BuildError,
    kustomization::{HelmChart, HelmGlobals, steering_yaml},
    load::Folder,
};

/// Renders charts, as `helm template` does.
pub trait ChartEngine {
    /// The manifests of a chart, one text with `---` between them.
    ///
    /// # Errors
    ///
    /// Why the chart cannot be found or rendered.
    fn render(&self, request: &ChartRequest<'_>) -> Result<String, String>;
}

/// What to render.
#[derive(Clone, Debug)]
pub struct ChartRequest<'a> {
    /// The folder of the chart from the root of the tree, where it is when it is there at all.
    pub folder: String,
    /// The entry of `helmCharts`.
    pub chart: &'a HelmChart,
    /// Values, later ones over earlier ones.
    pub values: Vec<Value>,
    /// The name of the release, `release-name` when none is said.
    pub release_name: &'a str,
}

/// How `valuesInline` and `valuesFile` go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValuesMerge {
    /// Inline values win.
    Override,
    /// Values of the file win.
    Merge,
    /// Only inline values count.
    Replace,
}

/// The charts of one folder.
pub struct Charts<'a, 'f> {
    pub(crate) folder: &'a Folder<'f>,
    pub(crate) engine: Option<&'a dyn ChartEngine>,
}

const DEFAULT_HOME: &str = "charts";
const DEFAULT_RELEASE: &str = "release-name";

impl Charts<'_, '_> {
    /// The manifests of one entry.
    ///
    /// # Errors
    ///
    /// No engine, values that cannot be read, or what the engine says.
    pub(crate) fn inflate(
        &self,
        chart: &HelmChart,
        globals: &HelmGlobals,
    ) -> Result<String, BuildError> {
        if chart.name.is_empty() {
            return Err(BuildError::new("chart name cannot be empty"));
        }
        let Some(engine) = self.engine else {
            return Err(BuildError::new(format!(
                "chart `{}` is not rendered: charts are not enabled",
                chart.name
            ))
            .hint("the original needs --enable-helm as well"));
        };
        let home = if globals.chart_home.is_empty() {
            DEFAULT_HOME
        } else {
            &globals.chart_home
        };
        let versioned = (!chart.version.is_empty() && !chart.repo.is_empty())
            .then(|| format!("{home}/{}-{}/{}", chart.name, chart.version, chart.name));
        let plain = format!("{home}/{}", chart.name);
        let place = match versioned {
            Some(it) if self.folder.is_folder(&it)? => it,
            _ => plain,
        };
        let request = ChartRequest {
            folder: self.folder.path_of(&place),
            chart,
            values: self.values(chart, &place)?,
            release_name: if chart.release_name.is_empty() {
                DEFAULT_RELEASE
            } else {
                &chart.release_name
            },
        };
        engine
            .render(&request)
            .map_err(|error| BuildError::new(format!("chart `{}`: {error}", chart.name)))
    }

    fn values(&self, chart: &HelmChart, place: &str) -> Result<Vec<Value>, BuildError> {
        let merge = match chart.values_merge.as_str() {
            "" | "override" => ValuesMerge::Override,
            "merge" => ValuesMerge::Merge,
            "replace" => ValuesMerge::Replace,
            other => {
                return Err(BuildError::new(format!(
                    "valuesMerge must be one of merge, override, replace; found `{other}`"
                )));
            }
        };
        let read = |path: &str| -> Result<Value, BuildError> {
            steering_yaml(&self.folder.load_text(path)?, &self.folder.path_of(path))
        };
        let mut values = Vec::new();
        let inline = chart.values_inline.clone();
        let file = if !chart.values_file.is_empty() {
            Some(read(&chart.values_file)?)
        } else if inline.is_some() && merge != ValuesMerge::Replace {
            Some(read(&format!("{place}/values.yaml")).unwrap_or(Value::Null))
        } else {
            None
        };
        match (file, inline, merge) {
            (file, None, _) => values.extend(file),
            (_, Some(inline), ValuesMerge::Replace) | (None, Some(inline), _) => {
                values.push(inline)
            }
            (Some(file), Some(inline), ValuesMerge::Override) => values.extend([file, inline]),
            (Some(file), Some(inline), ValuesMerge::Merge) => values.extend([inline, file]),
        }
        for path in &chart.additional_values_files {
            values.push(read(path)?);
        }
        Ok(values)
    }
}

/// An engine may be shared.
impl<E: ChartEngine + ?Sized> ChartEngine for Arc<E> {
    fn render(&self, request: &ChartRequest<'_>) -> Result<String, String> {
        (**self).render(request)
    }
}
