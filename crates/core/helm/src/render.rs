//! From a chart and the user's values to what would be applied.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use gotemplate::{Limits, Map as Shared, Text, Value};
use serde_json::{Map, Value as Plain};
use sprig::Source;

use crate::{
    Chart, Compat, Detail, Hook, KubeVersion, Manifest,
    chart::ChartFile,
    default_api_versions,
    dependencies,
    engine::{self, EngineError, Lookup, Setting, Strictness},
    explain::{self, Explanation},
    manifest::{self, ManifestError},
    order,
    schema::{self, SchemaCheck, SchemaFinding},
    seed::FixedSource,
    values::{
        coalesce::{Nulls, coalesce_values},
        tree::entries_from_plain,
    },
    version,
    working::{self, WorkingChart},
};

/// The longest name of a release that Helm takes.
const MAX_RELEASE_NAME: usize = 53;
const NOTES: &str = "NOTES.txt";

/// What happens to the release, as `.Release.IsInstall` and `.IsUpgrade` tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    #[default]
    Install,
    Upgrade,
}

/// The release that is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub name: String,
    pub namespace: String,
    pub revision: i64,
    pub action: Action,
}

impl Release {
    /// The first revision of a release.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            namespace: namespace.into(),
            revision: 1,
            action: Action::Install,
        }
    }

    pub(crate) fn is_upgrade(&self) -> bool {
        self.action == Action::Upgrade
    }
}

/// Everything a render depends on beside the chart.
#[derive(Clone)]
pub struct RenderOptions {
    pub compat: Compat,
    pub release: Release,
    /// The user's values, as [`ValueSources::merge`](crate::ValueSources::merge) gives them.
    pub values: Map<String, Plain>,
    pub kube_version: KubeVersion,
    /// Everything that `.Capabilities.APIVersions.Has` knows.
    pub api_versions: Vec<String>,
    /// Whether values.schema.json is checked.
    pub schemas: SchemaCheck,
    /// Time and chance.
    pub source: Rc<dyn Source>,
    /// Who answers `lookup`; without one it finds nothing.
    pub lookup: Option<Rc<dyn Lookup>>,
    pub strictness: Strictness,
    pub limits: Limits,
    /// What is kept of the manifests beside their text.
    pub detail: Detail,
}

impl RenderOptions {
    /// What the original would take without a cluster; time and chance are fixed.
    pub fn new(release: Release, compat: Compat) -> Self {
        Self {
            compat,
            release,
            values: Map::new(),
            kube_version: KubeVersion::default_for(compat),
            api_versions: default_api_versions(compat),
            schemas: SchemaCheck::Checked,
            source: Rc::new(FixedSource::new(0, 1)),
            lookup: None,
            strictness: Strictness::Render,
            limits: Limits::default(),
            detail: Detail::default(),
        }
    }
}

/// A file of crds/.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// The full path, e.g. `web/crds/things.yaml`.
    pub source: String,
    pub content: String,
}

/// What a chart comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// In the order of installation.
    pub manifests: Vec<Manifest>,
    pub hooks: Vec<Hook>,
    /// What crds/ holds, subcharts included. Applied only on the first installation.
    pub crds: Vec<Crd>,
    /// The chart's own NOTES.txt.
    pub notes: Option<String>,
    /// What was dropped or is old-fashioned, for people.
    pub warnings: Vec<String>,
    pub(crate) compat: Compat,
}

/// Why there is nothing to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderError {
    pub kind: RenderErrorKind,
    /// The original's text.
    pub message: String,
    /// Where it is and what led there.
    pub explanation: Explanation,
}

/// At which step the render failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderErrorKind {
    /// The name of the release.
    ReleaseName,
    /// A library chart, or missing subcharts.
    Chart,
    /// Values that do not fit together.
    Values,
    /// Values that values.schema.json does not allow.
    Schema,
    /// The chart is for other versions of Kubernetes.
    KubeVersion,
    /// A template cannot be parsed.
    Parse,
    /// A template failed.
    Template,
    /// What a template wrote is no YAML, or no object.
    Manifest,
    /// The render was stopped by one of [`RenderOptions::limits`].
    Limit,
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RenderError {}

impl RenderError {
    fn plain(kind: RenderErrorKind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            kind,
            message: message.into(),
            explanation: Explanation::default(),
        })
    }
}

/// Renders a chart.
///
/// # Errors
///
/// The first step that fails, in the original's words, with its place.
pub fn render(chart: &Arc<Chart>, options: &RenderOptions) -> Result<Rendered, Box<RenderError>> {
    let compat = options.compat;
    check_chart(chart, compat)?;
    check_release_name(&options.release.name)?;
    let user = Value::map(entries_from_plain(&options.values));
    let mut working = WorkingChart::new(chart);
    dependencies::process(&mut working, &user, compat).map_err(|error| {
        let prefix = match compat {
            Compat::Helm4 => "chart dependencies processing failed: ",
            Compat::Helm3 => "",
        };
        RenderError::plain(RenderErrorKind::Values, format!("{prefix}{error}"))
    })?;
    let values = coalesce_values(&working, &user, Nulls::Delete, compat)
        .map_err(|error| RenderError::plain(RenderErrorKind::Values, error.to_string()))?;
    if options.schemas == SchemaCheck::Checked {
        check_schemas(&working, &values)?;
    }
    check_kube_version(chart, options)?;

    let setting = Setting {
        compat,
        release: &options.release,
        kube_version: &options.kube_version,
        api_versions: &options.api_versions,
        source: &options.source,
        lookup: options.lookup.as_ref(),
        strictness: options.strictness,
        limits: options.limits,
    };
    let output = engine::run(&working, values, &setting)
        .map_err(|error| Box::new(template_error(chart, error)))?;
    collect(chart, &working, output.files, options)
}

fn check_chart(chart: &Chart, compat: Compat) -> Result<(), Box<RenderError>> {
    if chart.metadata.is_library() {
        let message = "library charts are not installable";
        return Err(RenderError::plain(RenderErrorKind::Chart, message));
    }
    working::check_present(chart).map_err(|missing| {
        let missing = missing.join(", ");
        let advice = match compat {
            Compat::Helm4 => {
                "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies"
            }
            Compat::Helm3 => {
                "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies"
            }
        };
        let message =
            format!("{advice}: found in Chart.yaml, but missing in charts/ directory: {missing}");
        RenderError::plain(RenderErrorKind::Chart, message)
    })
}

fn check_release_name(name: &str) -> Result<(), Box<RenderError>> {
    let part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty()
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let problem = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_RELEASE_NAME || !name.split('.').all(part) {
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    let message = format!("release name {name:?}: {problem}");
    Err(RenderError::plain(RenderErrorKind::ReleaseName, message))
}

fn check_schemas(chart: &WorkingChart, values: &Rc<Shared>) -> Result<(), Box<RenderError>> {
    let mut findings = Vec::new();
    let text = schema::check_tree(chart, values, &mut findings);
    if text.is_empty() {
        return Ok(());
    }
    let mut error = RenderError::plain(
        RenderErrorKind::Schema,
        format!("values don't meet the specifications of the schema(s) in the following chart(s):\n{text}"),
    );
    error.explanation = Explanation {
        hints: findings.iter().map(SchemaFinding::to_string).collect(),
        ..Explanation::default()
    };
    Err(error)
}

fn check_kube_version(chart: &Chart, options: &RenderOptions) -> Result<(), Box<RenderError>> {
    let wanted = &chart.metadata.kube_version;
    let have = &options.kube_version.normalized;
    if wanted.is_empty() || version::in_range(wanted, have) {
        return Ok(());
    }
    let shown = &options.kube_version.version;
    let message = format!(
        "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {shown}"
    );
    Err(RenderError::plain(RenderErrorKind::KubeVersion, message))
}

fn template_error(chart: &Arc<Chart>, error: EngineError) -> RenderError {
    let kind = match () {
        () if error.limit => RenderErrorKind::Limit,
        () if error.message.starts_with("parse error") => RenderErrorKind::Parse,
        () => RenderErrorKind::Template,
    };
    RenderError {
        kind,
        explanation: explain::template(chart, &error),
        message: error.message,
    }
}

fn collect(
    chart: &Arc<Chart>,
    working: &WorkingChart,
    mut files: BTreeMap<String, Text>,
    options: &RenderOptions,
) -> Result<Rendered, Box<RenderError>> {
    let compat = options.compat;
    let notes = files.remove(&format!("{}/templates/{NOTES}", chart.name()));
    files.retain(|path, _| !path.ends_with(NOTES));
    let sorted = manifest::read_all(&files, compat, options.detail)
        .map_err(|error| Box::new(manifest_error(chart, *error)))?;
    let mut manifests = sorted.manifests;
    manifests.sort_by(|a, b| order::by_kind(&a.kind, &b.kind, compat));
    let mut hooks = sorted.hooks;
    hooks.sort_by(|a, b| order::by_kind(&a.manifest.kind, &b.manifest.kind, compat));
    let mut crds = Vec::new();
    collect_crds(working, working.name(), &mut crds);
    let mut warnings = chart.warnings.clone();
    if chart.metadata.deprecated {
        warnings.push("this chart is deprecated".to_owned());
    }
    warnings.extend(sorted.dropped);
    Ok(Rendered {
        manifests,
        hooks,
        crds,
        notes: notes.map(|it| it.to_string()),
        warnings,
        compat,
    })
}

fn manifest_error(chart: &Arc<Chart>, error: ManifestError) -> RenderError {
    RenderError {
        kind: RenderErrorKind::Manifest,
        message: format!("YAML parse error on {}: {}", error.source, error.text),
        explanation: explain::manifest(chart, &error),
    }
}

fn collect_crds(chart: &WorkingChart, path: &str, found: &mut Vec<Crd>) {
    let is_crd = |file: &&ChartFile| {
        file.name.starts_with("crds/")
            && [".yaml", ".yml", ".json"].iter().any(|end| file.name.ends_with(end))
    };
    for file in chart.source.files.iter().filter(is_crd) {
        found.push(Crd {
            source: format!("{path}/{}", file.name),
            content: String::from_utf8_lossy(&file.data).into_owned(),
        });
    }
    let children: Vec<Rc<RefCell<WorkingChart>>> = chart.dependencies.clone();
    for child in children {
        let child = child.borrow();
        collect_crds(&child, &format!("{path}/charts/{}", child.name()), found);
    }
}
