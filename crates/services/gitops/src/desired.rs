//! What Git says: all sources of an app, rendered for the cluster.

use std::{collections::BTreeMap, time::Duration};

use api::{App, AppSource, Revision};
use files::{Files as _, MemoryFiles};
use names::{Digest, Timestamp};
use objects::ClusterError;
use render::{Chance, ChartRequest, Compat, Edits, Format, PlainRequest, Request, ValueSources};
use serde_json::{Value, json};

use crate::{GitOps, kept::Objects, source::{Found, Fresh, SourceError, Trees}};

/// The annotation by which an object says which app it belongs to.
pub const OWNER: &str = "landfall.dev/app";

/// Foreign sources are asked once in this time; a little less than the actor waits between looks.
const ASK: Duration = Duration::from_secs(115);

/// Whether somebody waits for what foreign sources say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    Now,
    Seldom,
}

/// Why it is not known what shall be in the cluster.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What the renderer says, all lines.
    #[error("{0}")]
    Render(String),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("images cannot be looked up: {0}")]
    Store(#[from] store::TypedError),
    #[error("the cluster does not serve `{kind}` of `{api_version}`; define it first, or in an earlier wave")]
    NoKind { api_version: String, kind: String },
}

impl DesiredError {
    /// The word that the app's condition has.
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Cluster(error) if error.is_passing() => "ClusterUnreachable",
            Self::Cluster(ClusterError::Refused { .. }) => "ClusterRefuses",
            Self::Cluster(_) => "ClusterUnreachable",
            Self::Source(SourceError::NoRepository(_)) => "RepositoryMissing",
            Self::Source(SourceError::NoRevision { .. } | SourceError::NoTag { .. }) => "RevisionMissing",
            Self::Source(SourceError::Chart(error)) if error.is_missing() => "RevisionMissing",
            Self::Source(SourceError::Archive { .. }) => "RenderError",
            Self::Source(SourceError::Git { .. } | SourceError::Chart(_)) => "SourceUnreachable",
            Self::Render(_) => "RenderError",
            Self::NoKind { .. } => "KindMissing",
            Self::Store(_) => "StoreUnreachable",
        }
    }

    /// What leads on.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Cluster(error) if error.is_passing() => "check that the cluster answers; it is tried again",
            Self::Cluster(ClusterError::Refused { .. }) => "give the account that Landfall uses the rights that the message names",
            Self::Cluster(_) => "check that the cluster answers",
            Self::Store(_) => "it is tried again",
            Self::Source(SourceError::NoRepository(_)) => "push the repository, or mend `repoURL`; what was deployed stays as it is",
            Self::Source(SourceError::NoRevision { .. }) => "push the branch or tag, or mend `targetRevision`",
            Self::Source(SourceError::NoTag { .. }) => "push a tag in the range; pre-releases count only if the range names one",
            Self::Source(SourceError::Chart(error)) if error.is_missing() => "publish that version of the chart, or mend `chart` and `targetRevision`",
            Self::Source(SourceError::Archive { .. }) => "try `landfall chart pull` and `landfall render` on what comes",
            Self::Source(SourceError::Git { .. } | SourceError::Chart(_)) => "check the repository's address and that it can be reached from here",
            Self::Render(_) => "try `landfall render` on the same folder",
            Self::NoKind { .. } => "apply the definition of the kind first",
        }
    }
}

/// What shall be in the cluster.
#[derive(Clone)]
pub struct Desired {
    pub revision: Revision,
    pub objects: Objects,
    pub found: Vec<Found>,
    /// Images that are named by digest, by their names in the manifests.
    pub pinned: BTreeMap<String, String>,
}

/// What was rendered last, and from what.
#[derive(Default)]
pub struct Memory {
    /// When the foreign sources were asked last.
    asked: Option<Timestamp>,
    /// Why one could not be asked then, by the place of the source.
    stale: Vec<Option<String>>,
    last: Option<(String, Desired)>,
}

impl GitOps {
    /// Resolves and renders all sources; what did not change is not rendered again.
    pub async fn desired(&self, app: &App, revision: Option<&str>, memory: &mut Memory, asking: Asking, now: Timestamp) -> Result<Desired, DesiredError> {
        // Events come all the time, and a foreign host is to be asked seldom; a person wants to know it now.
        let is_due = asking == Asking::Now || memory.asked.is_none_or(|last| now.since(last) >= ASK);
        let fresh = if is_due { Fresh::Ask } else { Fresh::Known };
        if is_due {
            memory.asked = Some(now);
        }
        let mut found = Vec::new();
        for source in &app.spec.sources {
            let mut source = source.clone();
            if let Some(revision) = revision {
                revision.clone_into(&mut source.revision);
            }
            found.push(self.find_source(&source, fresh).await?);
        }
        match fresh {
            Fresh::Ask => memory.stale = found.iter().map(|it| it.stale.clone()).collect(),
            Fresh::Known => found.iter_mut().zip(&memory.stale).for_each(|(it, stale)| it.stale.clone_from(stale)),
        }
        let commits: Vec<_> = found.iter().map(|it| it.commit).collect();
        let spec = serde_json::to_string(&app.spec).unwrap_or_default();
        let key = format!("{commits:?} {spec}");
        if let Some((known, desired)) = &memory.last
            && *known == key
        {
            return Ok(Desired { found, ..desired.clone() });
        }
        let mut objects = self.render_all(app, &found, &self.trees).await?;
        let rendered = Digest::of(&serde_json::to_vec(&objects).unwrap_or_default());
        let pinned = self.pin(rendered, &mut objects).await?;
        let desired = Desired { revision: Revision { commits, rendered }, objects, found, pinned };
        memory.last = Some((key, desired.clone()));
        Ok(desired)
    }

    /// The same for every render of a commit, and not to be guessed.
    fn chance(&self, app: &App, at: &Found) -> Chance {
        let mut input = self.config.render_key.to_vec();
        input.extend(app.name.as_bytes());
        Chance { now: i128::from(at.time) * 1_000_000_000, key: *Digest::of(&input).as_bytes() }
    }

    async fn render_all(&self, app: &App, found: &[Found], trees: &Trees) -> Result<Objects, DesiredError> {
        let mut values = Vec::new();
        let (versions, kube_version) = (self.discovery.api_versions().await?, self.discovery.kube_version().await?);
        for (source, at) in app.spec.sources.iter().zip(found) {
            // A source that only lends its files to others renders nothing.
            if source.reference.is_some() && source.path.is_empty() && source.chart.is_none() {
                continue;
            }
            let tree = trees.of(source, at).await?;
            let mut request = request(app, source, &versions, &kube_version, self.chance(app, at));
            self.add_value_files(app, source, &tree, found, trees, &mut request).await?;
            let rendered = tokio::task::spawn_blocking(move || render::render(&*tree, &request).map_err(|error| error.lines().join("\n")));
            let rendered = rendered.await.map_err(|error| DesiredError::Render(error.to_string()))?.map_err(DesiredError::Render)?;
            values.extend(rendered.objects.into_iter().map(|it| it.value));
        }
        let mut objects = Objects::new();
        for mut value in values {
            mark(&mut value, &app.name);
            let object = match self.discovery.locate(&value, &app.spec.namespace).await? {
                Some(object) => object,
                None => undefined(&value, &objects, &app.spec.namespace)?,
            };
            if let Some(namespace) = &object.namespace {
                value["metadata"]["namespace"] = Value::from(namespace.clone());
            }
            // Of an object that several sources have, the last one counts.
            objects.retain(|(it, _)| *it != object);
            objects.push((object, value));
        }
        if let Some((object, value)) = managed_namespace(app)
            && objects.iter().all(|(it, _)| *it != object)
        {
            objects.push((object, value));
        }
        Ok(objects)
    }

    /// Reads the value files of a chart, those of other sources by `$name/…`.
    async fn add_value_files(
        &self,
        app: &App,
        source: &AppSource,
        tree: &MemoryFiles,
        found: &[Found],
        trees: &Trees,
        request: &mut Request,
    ) -> Result<(), DesiredError> {
        for name in &source.helm.value_files {
            let bytes = match name.strip_prefix('$').and_then(|rest| rest.split_once('/')) {
                Some((reference, path)) => {
                    let place = app.spec.sources.iter().position(|it| it.reference.as_deref() == Some(reference));
                    let Some(place) = place else {
                        return Err(DesiredError::Render(format!("`{name}`: no source has `ref: {reference}`")));
                    };
                    let other = trees.of(&app.spec.sources[place], &found[place]).await?;
                    let path = files::join("", path).map_err(|error| DesiredError::Render(error.to_string()))?;
                    other.read(&path)
                }
                None => {
                    let (base, relative) = name.strip_prefix('/').map_or((source.path.as_str(), name.as_str()), |rest| ("", rest));
                    let path = files::join(base, relative).map_err(|error| DesiredError::Render(error.to_string()))?;
                    tree.read(&path)
                }
            };
            match bytes.map_err(|error| DesiredError::Render(error.to_string()))? {
                Some(bytes) => request.chart.values.files.push((name.clone(), String::from_utf8_lossy(&bytes).into_owned())),
                None if source.helm.ignore_missing_value_files => {}
                None => return Err(DesiredError::Render(format!("the value file `{name}` is not there"))),
            }
        }
        if let Some(values) = &source.helm.values {
            request.chart.values.files.push(("values".to_owned(), values.clone()));
        }
        if let Some(values) = &source.helm.values_object {
            request.chart.values.files.push(("valuesObject".to_owned(), values.to_string()));
        }
        Ok(())
    }
}

fn request(app: &App, source: &AppSource, versions: &[String], kube_version: &str, chance: Chance) -> Request {
    let (helm, kustomize) = (&source.helm, &source.kustomize);
    let mut values = ValueSources::default();
    for parameter in &helm.parameters {
        let text = format!("{}={}", parameter.name, parameter.value);
        if parameter.force_string { values.set_string.push(text) } else { values.set.push(text) }
    }
    let mut request = Request::of(&source.path, chance);
    request.format = None::<Format>;
    request.chart = ChartRequest {
        release: helm.release_name.clone().unwrap_or_else(|| app.name.clone()),
        namespace: helm.namespace.clone().unwrap_or_else(|| app.spec.namespace.clone()),
        values,
        compat: if helm.version == Some(3) { Compat::Helm3 } else { Compat::default() },
        kube_version: Some(helm.kube_version.clone().unwrap_or_else(|| kube_version.to_owned())),
        api_versions: Some(if helm.api_versions.is_empty() { versions.to_vec() } else { helm.api_versions.clone() }),
        include_crds: !helm.skip_crds,
        include_hooks: true,
        include_tests: false,
        upgrade: false,
        chance,
    };
    request.edits = Edits {
        images: kustomize.images.clone(),
        name_prefix: kustomize.name_prefix.clone(),
        name_suffix: kustomize.name_suffix.clone(),
        namespace: kustomize.namespace.clone(),
        common_labels: kustomize.common_labels.clone(),
        common_annotations: kustomize.common_annotations.clone(),
        replicas: kustomize.replicas.clone(),
        components: kustomize.components.clone(),
        patches: kustomize.patches.clone(),
    };
    request.plain = PlainRequest {
        recurse: source.directory.recurse,
        include: source.directory.include.clone(),
        exclude: source.directory.exclude.clone(),
    };
    request
}

/// The namespace that the app makes for itself, if it marks it; nobody deletes it with the app.
fn managed_namespace(app: &App) -> Option<(api::ObjectRef, Value)> {
    let marks = &app.spec.namespace_marks;
    if !app.spec.options.create_namespace || *marks == api::NamespaceMarks::default() {
        return None;
    }
    let object = api::ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        plural: "namespaces".to_owned(),
        namespace: None,
        name: app.spec.namespace.clone(),
    };
    let mut annotations = marks.annotations.clone();
    annotations.insert("argocd.argoproj.io/sync-options".to_owned(), "Prune=false,Delete=false".to_owned());
    annotations.insert(OWNER.to_owned(), app.name.clone());
    let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.spec.namespace, "labels": marks.labels, "annotations": annotations}});
    Some((object, value))
}

/// Says in the object which app it belongs to.
fn mark(value: &mut Value, app: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if annotations.is_null() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(OWNER.to_owned(), Value::from(app));
    }
}

/// The name of an object whose kind the same app defines.
fn undefined(value: &Value, others: &Objects, namespace: &str) -> Result<api::ObjectRef, DesiredError> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let definition = others.iter().map(|(_, value)| value).find(|it| {
        let part = |pointer: &str| it.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        it["kind"] == "CustomResourceDefinition" && part("/spec/names/kind") == kind && part("/spec/group") == group
    });
    let Some(definition) = definition else { return Err(DesiredError::NoKind { api_version, kind }) };
    let plural = definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = text("/metadata/namespace");
    let within = if own.is_empty() { namespace.to_owned() } else { own };
    let namespace = (definition.pointer("/spec/scope").and_then(Value::as_str) == Some("Namespaced")).then_some(within);
    Ok(api::ObjectRef { api_version, kind, plural, namespace, name: text("/metadata/name") })
}
