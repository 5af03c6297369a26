//! Kustomizations, through the kustomize crate, and edits made to one before it is built.

use std::collections::BTreeMap;

use files::{Files, MemoryFiles};
use kustomize::{ChartEngine, Options};
use serde_json::{Map, Value, json};

use crate::{ChartRequest, Format, Object, RenderError, Rendered, Request, Wanted};

/// Edits as `kustomize edit` makes them, before the build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// `name=newname:tag`, `name:tag`, `name@digest`.
    pub images: Vec<String>,
    pub name_prefix: Option<String>,
    pub name_suffix: Option<String>,
    pub namespace: Option<String>,
    pub common_labels: BTreeMap<String, String>,
    pub common_annotations: BTreeMap<String, String>,
    pub replicas: Vec<(String, u32)>,
    pub components: Vec<String>,
    pub patches: Vec<Value>,
}

pub(crate) fn render(files: &dyn Files, request: &Request) -> Result<Rendered, RenderError> {
    let charts = Charts { files, request: &request.chart };
    let options = Options { charts: Some(&charts), ..Options::default() };
    let built = if request.edits == Edits::default() {
        kustomize::build(files, &request.path, &options)
    } else {
        let edited = edited(files, request)?;
        kustomize::build(&edited, &request.path, &options)
    };
    let built = built.map_err(|error| RenderError::new(error.to_string()))?;
    let objects = match request.wanted {
        Wanted::Objects => built.resources.iter().map(|it| Object { value: it.json(), source: it.origin.file.clone() }).collect(),
        Wanted::Text => Vec::new(),
    };
    Ok(Rendered {
        format: Format::Kustomization,
        objects,
        text: built.text(),
        notes: None,
        warnings: Vec::new(),
        reads: files::Reads::default(),
    })
}

/// The tree with the kustomization file as the edits make it.
fn edited<'a>(files: &'a dyn Files, request: &Request) -> Result<Overlaid<'a>, RenderError> {
    let place = |name: &&str| if request.path.is_empty() { (*name).to_owned() } else { format!("{}/{name}", request.path) };
    for path in kustomize::FILE_NAMES.iter().map(|name| place(name)) {
        let Some(bytes) = files.read(&path)? else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let documents = yaml::parse(&text, &path, yaml::Flavor::Go11).map_err(|found| {
            RenderError::new(found.first().map_or_else(|| format!("`{path}` cannot be read"), |it| it.message.clone()))
        })?;
        let mut value = documents.first().map(|it| it.root.to_json()).unwrap_or_default();
        if value.is_null() {
            value = Value::Object(Map::new());
        }
        if let Some(fields) = value.as_object_mut() {
            request.edits.apply(fields);
        }
        let mut top = MemoryFiles::new();
        top.insert(path, yaml::to_string(&value).into_bytes())?;
        return Ok(Overlaid { top, below: files });
    }
    Err(RenderError::missing(&request.path))
}

impl Edits {
    fn apply(&self, fields: &mut Map<String, Value>) {
        let texts = [("namePrefix", &self.name_prefix), ("nameSuffix", &self.name_suffix), ("namespace", &self.namespace)];
        for (key, value) in texts {
            if let Some(value) = value {
                fields.insert(key.to_owned(), json!(value));
            }
        }
        for (key, pairs) in [("commonLabels", &self.common_labels), ("commonAnnotations", &self.common_annotations)] {
            if pairs.is_empty() {
                continue;
            }
            let own = fields.entry(key.to_owned()).or_insert_with(|| json!({}));
            if let Some(own) = own.as_object_mut() {
                own.extend(pairs.iter().map(|(name, value)| (name.clone(), json!(value))));
            }
        }
        let mut add = |key: &str, entries: Vec<Value>| {
            let list = fields.entry(key.to_owned()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                for entry in entries {
                    // An entry for the same name takes the place of the one that is there.
                    if let Some(name) = entry.get("name").cloned() {
                        list.retain(|it| it.get("name") != Some(&name));
                    }
                    list.push(entry);
                }
            }
        };
        if !self.images.is_empty() {
            add("images", self.images.iter().map(|text| image(text)).collect());
        }
        if !self.replicas.is_empty() {
            add("replicas", self.replicas.iter().map(|(name, count)| json!({"name": name, "count": count})).collect());
        }
        if !self.components.is_empty() {
            add("components", self.components.iter().map(|it| json!(it)).collect());
        }
        if !self.patches.is_empty() {
            add("patches", self.patches.clone());
        }
    }
}

/// An entry of `images` from its short form.
fn image(text: &str) -> Value {
    let (name, new) = text.split_once('=').map_or((None, text), |(name, new)| (Some(name), new));
    let (new, digest) = new.split_once('@').map_or((new, None), |(new, digest)| (new, Some(digest)));
    let colon = new.rfind(':').filter(|at| !new[*at..].contains('/'));
    let (new, tag) = colon.map_or((new, None), |at| (&new[..at], Some(&new[at + 1..])));
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(name.unwrap_or(new)));
    if name.is_some_and(|name| name != new) {
        entry.insert("newName".to_owned(), json!(new));
    }
    entry.extend(tag.map(|tag| ("newTag".to_owned(), json!(tag))));
    entry.extend(digest.map(|digest| ("digest".to_owned(), json!(digest))));
    Value::Object(entry)
}

/// A tree with some files in place of those below.
struct Overlaid<'a> {
    top: MemoryFiles,
    below: &'a dyn Files,
}

impl Files for Overlaid<'_> {
    fn read(&self, path: &str) -> Result<Option<std::sync::Arc<[u8]>>, files::FilesError> {
        match self.top.read(path)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.below.read(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<files::FileEntry>>, files::FilesError> {
        // Only files that are there are edited, so the folders stay as they are.
        self.below.list(folder)
    }
}

/// Charts of `helmCharts` that lie in the tree.
struct Charts<'a> {
    files: &'a dyn Files,
    request: &'a ChartRequest,
}

impl ChartEngine for Charts<'_> {
    fn render(&self, wanted: &kustomize::ChartRequest<'_>) -> Result<String, String> {
        let request = self.request;
        let namespace = if wanted.chart.namespace.is_empty() { &request.namespace } else { &wanted.chart.namespace };
        let mut values = helm::ValueSources::default();
        for (index, value) in wanted.values.iter().enumerate() {
            values.files.push((format!("values {index}"), value.to_string()));
        }
        let mut inner = Request::of(&wanted.folder, request.chance);
        inner.wanted = Wanted::Text;
        let said = |text: &String| (!text.is_empty()).then(|| text.clone());
        let api_versions = (!wanted.chart.api_versions.is_empty()).then(|| {
            let mut all = request.api_versions.clone().unwrap_or_else(|| helm::default_api_versions(request.compat));
            all.extend(wanted.chart.api_versions.iter().cloned());
            all
        });
        inner.chart = ChartRequest {
            release: wanted.release_name.to_owned(),
            namespace: namespace.clone(),
            values,
            kube_version: said(&wanted.chart.kube_version).or_else(|| request.kube_version.clone()),
            api_versions: api_versions.or_else(|| request.api_versions.clone()),
            include_crds: wanted.chart.include_crds,
            include_hooks: !wanted.chart.skip_hooks,
            include_tests: !wanted.chart.skip_tests,
            ..request.clone()
        };
        if !wanted.chart.name_template.is_empty() {
            return Err("`nameTemplate` is not supported: say the name in `releaseName`".to_owned());
        }
        if self.files.list(&wanted.folder).map_err(|error| error.to_string())?.is_none() {
            let (name, folder) = (&wanted.chart.name, &wanted.folder);
            return Err(format!("the chart `{name}` is not at `{folder}`; charts are not fetched from `repo` while rendering: put it there"));
        }
        crate::chart::render(self.files, &inner).map(|it| it.text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_of_images_are_taken_apart() {
        for (text, expected) in [
            ("web:2", json!({"name": "web", "newTag": "2"})),
            ("web=shop/web:2", json!({"name": "web", "newName": "shop/web", "newTag": "2"})),
            ("host:5000/web", json!({"name": "host:5000/web"})),
            ("web@sha256:1", json!({"name": "web", "digest": "sha256:1"})),
        ] {
            assert_eq!(image(text), expected, "{text}");
        }
    }
}
