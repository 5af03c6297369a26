//! `helmCharts`: what the original hands to a program goes to the engine of the caller.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    error::BuildError,
    kustomization::{HelmChart, HelmGlobals, steering_yaml},
    load::Folder,
    merge,
    node::{Node, Shape},
    read,
    schema::Schemas,
    write,
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
            // The engine knows better what to say of a chart that is not there.
            values: if self.folder.is_folder(&place)? {
                self.values(chart, &place)?
            } else {
                Vec::new()
            },
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

    /// What the original hands over as files of values: the chart's own among them, so that a
    /// null in it deletes what the chart says.
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
        let file = if chart.values_file.is_empty() {
            format!("{place}/values.yaml")
        } else {
            chart.values_file.clone()
        };
        let inline = chart
            .values_inline
            .as_ref()
            .filter(|it| it.as_object().is_some_and(|it| !it.is_empty()));
        let mut values = vec![match (inline, merge) {
            (None, _) => self.read(&file)?,
            (Some(inline), ValuesMerge::Replace) => inline.clone(),
            (Some(inline), merge) => self.merged(&file, inline, merge)?,
        }];
        for path in &chart.additional_values_files {
            values.push(self.read(path)?);
        }
        Ok(values)
    }

    fn read(&self, path: &str) -> Result<Value, BuildError> {
        steering_yaml(&self.folder.load_text(path)?, &self.folder.path_of(path))
    }

    /// Inline values and those of a file, merged as patches are: null takes a key away, lists are replaced.
    fn merged(&self, file: &str, inline: &Value, merge: ValuesMerge) -> Result<Value, BuildError> {
        let path = self.folder.path_of(file);
        let documents = read::documents(&self.folder.load_text(file)?, &path)?;
        let of_file = documents.into_iter().next();
        let of_file = of_file.unwrap_or_else(|| Node::empty(Shape::Map));
        let inline = write::from_json(inline);
        let (below, above) = match merge {
            ValuesMerge::Merge => (inline, of_file),
            ValuesMerge::Override | ValuesMerge::Replace => (of_file, inline),
        };
        let wrong = |error: String| BuildError::new(format!("values cannot be merged: {error}")).in_file(&path);
        let merged = merge::merge(Schemas::built_in(), below, above).map_err(wrong)?;
        let merged = merged.unwrap_or_else(|| Node::empty(Shape::Map));
        write::json(&merged).map_err(wrong)
    }
}

/// An engine may be shared.
impl<E: ChartEngine + ?Sized> ChartEngine for Arc<E> {
    fn render(&self, request: &ChartRequest<'_>) -> Result<String, String> {
        (**self).render(request)
    }
}
