//! From a folder of manifests, a kustomization or a chart to the objects that would be applied.
//!
//! A pure function: a tree of files and some options in, a list of objects out, and
//! what was read on the way, so that a change elsewhere renders nothing again.

mod chance;
mod chart;
mod diff;
mod error;
mod glob;
mod kustomization;
mod plain;

use files::{FileKind, Files, FilesError, Reads, Recorded};
use names::Digest;
use serde_json::Value;

pub use chance::Chance;
pub use diff::{Difference, diff};
pub use error::RenderError;
pub use helm::{Compat, ValueSources};
pub use kustomization::Edits;

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Chart,
    Kustomization,
    /// YAML and JSON files.
    Plain,
}

/// What to render.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder, or one file, of the tree; empty for its top.
    pub path: String,
    /// `None` looks what it is.
    pub format: Option<Format>,
    pub chart: ChartRequest,
    pub edits: Edits,
    pub plain: PlainRequest,
    pub wanted: Wanted,
}

/// What of a render is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Objects and text; every document must be an object.
    #[default]
    Objects,
    /// Only the text, as the original prints it; [`Rendered::objects`] stays empty.
    Text,
}

/// How a chart is rendered.
#[derive(Clone, Debug)]
pub struct ChartRequest {
    pub release: String,
    pub namespace: String,
    pub values: ValueSources,
    pub compat: Compat,
    /// The cluster's version, e.g. `v1.34.2`; the original's default without.
    pub kube_version: Option<String>,
    /// What the cluster serves; the original's default without.
    pub api_versions: Option<Vec<String>>,
    pub include_crds: bool,
    /// Hooks are told apart by their annotations; without them they are left out.
    pub include_hooks: bool,
    /// Tests are hooks as well.
    pub include_tests: bool,
    pub upgrade: bool,
    pub chance: Chance,
}

impl ChartRequest {
    /// The original's defaults.
    pub fn new(chance: Chance) -> Self {
        Self {
            release: "release-name".to_owned(),
            namespace: "default".to_owned(),
            values: ValueSources::default(),
            compat: Compat::default(),
            kube_version: None,
            api_versions: None,
            include_crds: false,
            include_hooks: true,
            include_tests: true,
            upgrade: false,
            chance,
        }
    }
}

/// Which files of a folder of plain manifests count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainRequest {
    pub recurse: bool,
    /// Globs with `{a,b}`; a file must fit this one if there is one.
    pub include: Option<String>,
    /// A file that fits this one does not count.
    pub exclude: Option<String>,
}

impl Request {
    /// The folder with the original's defaults.
    pub fn of(path: impl Into<String>, chance: Chance) -> Self {
        Self {
            path: path.into(),
            format: None,
            chart: ChartRequest::new(chance),
            edits: Edits::default(),
            plain: PlainRequest::default(),
            wanted: Wanted::default(),
        }
    }
}

/// One object and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub value: Value,
    /// The file or template.
    pub source: String,
}

impl Object {
    /// `apps/v1 Deployment shop/web`; what two renders are compared by.
    pub fn key(&self) -> String {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = text("/metadata/namespace");
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{} {} {namespace}{slash}{}", text("/apiVersion"), text("/kind"), text("/metadata/name"))
    }
}

/// What a folder comes to.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub format: Format,
    /// Empty when only the text is [`wanted`](Request::wanted).
    pub objects: Vec<Object>,
    /// The text that the original tool prints.
    pub text: String,
    /// A chart's NOTES.txt.
    pub notes: Option<String>,
    pub warnings: Vec<String>,
    /// Every file and folder that mattered.
    pub reads: Reads,
}

impl Rendered {
    /// Equal for equal objects in equal order.
    pub fn digest(&self) -> Digest {
        let values: Vec<&Value> = self.objects.iter().map(|it| &it.value).collect();
        Digest::of(&serde_json::to_vec(&values).unwrap_or_default())
    }
}

/// What the folder or file at `path` is.
///
/// # Errors
///
/// When the tree cannot be read.
pub fn detect(files: &dyn Files, path: &str) -> Result<Option<Format>, FilesError> {
    let Some(entries) = files.list(path)? else {
        return Ok(files.read(path)?.map(|_| if is_archive(path) { Format::Chart } else { Format::Plain }));
    };
    let has = |name: &str| entries.iter().any(|it| it.kind == FileKind::File && it.name == name);
    Ok(Some(if has("Chart.yaml") {
        Format::Chart
    } else if kustomize::FILE_NAMES.iter().any(|name| has(name)) {
        Format::Kustomization
    } else {
        Format::Plain
    }))
}

fn is_archive(path: &str) -> bool {
    path.ends_with(".tgz") || path.ends_with(".tar.gz")
}

/// Renders what lies at the request's path.
///
/// # Errors
///
/// What is wrong, where, and what leads on.
pub fn render(files: &dyn Files, request: &Request) -> Result<Rendered, RenderError> {
    let recorded = Recorded::new(files);
    let found = detect(&recorded, &request.path)?;
    let format = match request.format.or(found) {
        Some(format) => format,
        None => return Err(RenderError::missing(&request.path)),
    };
    let mut rendered = match format {
        Format::Chart => chart::render(&recorded, request)?,
        Format::Kustomization => kustomization::render(&recorded, request)?,
        Format::Plain => plain::render(&recorded, request)?,
    };
    rendered.reads = recorded.into_reads();
    Ok(rendered)
}
