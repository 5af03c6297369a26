//! Plain manifests: every document of every YAML and JSON file of a folder.

use files::{FileKind, Files};
use serde_json::Value;

use crate::{Format, Object, PlainRequest, RenderError, Rendered, Request, glob::Glob};

/// Deeper folders are no tree of manifests.
const DEPTH_MAX: usize = 32;

pub(crate) fn render(files: &dyn Files, request: &Request) -> Result<Rendered, RenderError> {
    let mut paths = Vec::new();
    match files.list(&request.path)? {
        Some(_) => Wanted::of(request).collect(files, &request.path, 0, &mut paths)?,
        None => paths.push(request.path.clone()),
    }
    let mut objects = Vec::new();
    for path in paths {
        let bytes = files.read(&path)?.unwrap_or_default();
        let text = std::str::from_utf8(&bytes).map_err(|_| RenderError::new(format!("`{path}` is not UTF-8 text")))?;
        documents(text, &path, Duplicates::Refused, &mut objects)?;
    }
    let texts: Vec<_> = objects.iter().map(|it| yaml::to_string(&it.value)).collect();
    Ok(Rendered {
        format: Format::Plain,
        objects,
        text: texts.join("---\n"),
        notes: None,
        warnings: Vec::new(),
        reads: files::Reads::default(),
    })
}

/// Which files of a folder count.
struct Wanted<'a> {
    root: &'a str,
    recurse: bool,
    include: Option<Glob>,
    exclude: Option<Glob>,
}

impl<'a> Wanted<'a> {
    fn of(request: &'a Request) -> Self {
        let glob = |pattern: &Option<String>| pattern.as_deref().map(Glob::new);
        let PlainRequest { recurse, include, exclude } = &request.plain;
        Self { root: &request.path, recurse: *recurse, include: glob(include), exclude: glob(exclude) }
    }

    fn collect(&self, files: &dyn Files, folder: &str, depth: usize, paths: &mut Vec<String>) -> Result<(), RenderError> {
        if depth > DEPTH_MAX {
            return Err(RenderError::new(format!("`{folder}` lies more than {DEPTH_MAX} folders deep")));
        }
        for entry in files.list(folder)?.unwrap_or_default() {
            let path = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
            match entry.kind {
                FileKind::Folder if self.recurse => self.collect(files, &path, depth + 1, paths)?,
                FileKind::Folder => {}
                FileKind::File if self.has(&path) => paths.push(path),
                FileKind::File => {}
            }
        }
        Ok(())
    }

    fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.root).unwrap_or(path).trim_start_matches('/');
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
        is_manifest
            && self.include.as_ref().is_none_or(|it| it.fits(below))
            && !self.exclude.as_ref().is_some_and(|it| it.fits(below))
    }
}

/// What a key is that stands twice in one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplicates {
    /// An error, as to `kubectl kustomize`: one of the two was meant for another place.
    Refused,
    /// As Helm reads its own output.
    LastCounts,
}

/// Reads all documents of a text; lists are taken apart.
pub(crate) fn documents(text: &str, source: &str, duplicates: Duplicates, objects: &mut Vec<Object>) -> Result<(), RenderError> {
    let documents = yaml::parse(text, source, yaml::Flavor::Go11).map_err(|found| {
        let first = found.iter().find(|it| it.severity == yaml::Severity::Error).or(found.first());
        first.map_or_else(|| RenderError::new(format!("`{source}` cannot be read")), |first| at(first, text, source))
    })?;
    let mut warnings = documents.iter().flat_map(|it| &it.warnings);
    if duplicates == Duplicates::Refused
        && let Some(again) = warnings.find(|it| it.code == yaml::DUPLICATE)
    {
        return Err(at(again, text, source));
    }
    for document in documents {
        let value = document.root.to_json();
        if value.is_null() {
            continue;
        }
        let line = document.root.span.line;
        take(value, source, line, objects)?;
    }
    Ok(())
}

fn at(found: &yaml::Diagnostic, text: &str, source: &str) -> RenderError {
    let mut error = RenderError::new(found.message.clone());
    error.place = Some(format!("{source}:{}:{}", found.span.line, found.span.column));
    error.details = text.lines().nth(found.span.line.saturating_sub(1)).map(str::to_owned).into_iter().collect();
    error.help.clone_from(&found.help);
    error
}

/// Takes a document that a chart gave; only what is wrong with it is looked for anew.
pub(crate) fn document(manifest: &helm::Manifest, objects: &mut Vec<Object>) -> Result<(), RenderError> {
    let helm::Manifest { content, source, .. } = manifest;
    let known = objects.len();
    let is_one = !content.starts_with("---") && !["\n---", "\n..."].iter().any(|mark| content.contains(mark));
    if let Some(value) = manifest.value.as_ref().filter(|_| is_one) {
        if value.is_null() || take(value.clone(), source, 0, objects).is_ok() {
            return Ok(());
        }
    }
    objects.truncate(known);
    documents(content, source, Duplicates::LastCounts, objects)
}

fn take(value: Value, source: &str, line: usize, objects: &mut Vec<Object>) -> Result<(), RenderError> {
    let wrong = |what: &str| {
        let mut error = RenderError::new(what.to_owned()).help("every document needs `apiVersion`, `kind` and `metadata.name`");
        error.place = Some(format!("{source}:{line}"));
        error
    };
    let Some(fields) = value.as_object() else { return Err(wrong("a document is no object")) };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("apiVersion").is_empty() {
        return Err(wrong("`apiVersion` is missing"));
    }
    if text("kind").is_empty() {
        return Err(wrong("`kind` is missing"));
    }
    if text("kind").ends_with("List")
        && let Some(Value::Array(items)) = fields.get("items")
    {
        return items.iter().try_for_each(|item| take(item.clone(), source, line, objects));
    }
    let metadata = fields.get("metadata");
    let named = |name: &str| metadata.and_then(|it| it.get(name)).and_then(Value::as_str).is_some_and(|it| !it.is_empty());
    if !named("name") && !named("generateName") {
        return Err(wrong(&format!("the {} has no name", text("kind"))));
    }
    objects.push(Object { value, source: source.to_owned() });
    Ok(())
}
