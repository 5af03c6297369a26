//! Kustomizations: a folder of files in, the objects it stands for out.
//!
//! [`build`] is a pure function of a tree of files. It reads, makes and changes
//! what `kubectl kustomize` does, in the same order, and its text is the same
//! byte for byte. What needs a network or programs is refused by name; charts
//! go through [`ChartEngine`].

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the shapes of JSON and YAML do not grow"
)]

mod config;
mod crd;
mod decode;
mod error;
mod expand;
mod field;
mod generate;
mod hash;
mod helm;
mod id;
mod operations;
mod kustomization;
mod load;
mod merge;
mod metadata;
mod name_reference;
mod node;
mod patch;
mod plugin;
mod read;
mod replacement;
mod resource;
mod scalar;
mod schema;
mod selector;
mod set;
mod sort;
mod structured;
mod target;
mod transform;
mod value_add;
mod vars;
mod write;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashSet},
};

use files::Files;

pub use error::BuildError;
pub use helm::{ChartEngine, ChartRequest, Charts, ValuesMerge};
pub use id::{Gvk, Id};
pub use kustomization::{FILE_NAMES, HelmChart, HelmGlobals, Kustomization};
pub use node::{Map, Node, Scalar, Shape, Tag};
pub use resource::{Configured, Origin};

use crate::{
    load::{Folder, Parsed},
    resource::Resource,
    set::ResourceSet,
    target::{Accumulated, Shared, Target},
};

/// What a build may use besides its files.
#[derive(Default)]
pub struct Options<'a> {
    /// Renders `helmCharts`; they are refused without.
    pub charts: Option<&'a dyn ChartEngine>,
    /// Where in the tree the caller has put what lies on the network: address as it is written → path.
    pub remotes: BTreeMap<String, String>,
    pub limits: Limits,
}

/// How much a build may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects read and made, counted each time a folder is a base.
    pub resources: usize,
    /// Bytes of the text of all objects.
    pub text_bytes: usize,
}

impl Default for Limits {
    /// Ten times what the largest public kustomization needs.
    fn default() -> Self {
        Self {
            resources: 100_000,
            text_bytes: 256 << 20,
        }
    }
}

/// What a build came to.
#[derive(Clone, Debug)]
pub struct Built {
    /// The objects in the order of the output.
    pub resources: Vec<BuiltResource>,
}

/// One object of a build.
#[derive(Clone, Debug)]
pub struct BuiltResource {
    pub id: Id,
    /// Where it came from.
    pub origin: Origin,
    /// Its YAML, one document without separator.
    pub text: String,
    node: std::sync::Arc<Node>,
}

impl BuiltResource {
    /// The object as JSON.
    pub fn json(&self) -> serde_json::Value {
        // The text was written from the same tree, so it cannot fail now.
        write::json(&self.node).unwrap_or_default()
    }

    /// The object as a tree.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl Built {
    /// The text that `kubectl kustomize` prints.
    pub fn text(&self) -> String {
        let length: usize = self.resources.iter().map(|it| it.text.len() + 4).sum();
        let mut out = String::with_capacity(length);
        for resource in &self.resources {
            if !out.is_empty() {
                out.push_str("---\n");
            }
            out.push_str(&resource.text);
        }
        out
    }
}

/// Builds the kustomization in the folder `path` of `files`.
///
/// # Errors
///
/// The first thing that is wrong, with its file and the folders that led there.
pub fn build(files: &dyn Files, path: &str, options: &Options<'_>) -> Result<Built, BuildError> {
    Builder::new().build(files, path, options)
}

/// Builds several kustomizations and parses each file only once, as long as its bytes stay the same.
#[derive(Debug, Default)]
pub struct Builder {
    parsed: Parsed,
}

impl Builder {
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`build`].
    ///
    /// # Errors
    ///
    /// As [`build`].
    pub fn build(
        &self,
        files: &dyn Files,
        path: &str,
        options: &Options<'_>,
    ) -> Result<Built, BuildError> {
        let folder = Folder::open(files, &self.parsed, &options.remotes, path)?;
        let mut shared = Shared {
            options,
            schemas: OnceCell::new(),
            metadata: metadata::Wanted::default(),
            count: 0.into(),
        };
        let (root, _) = folder.kustomization()?;
        shared.metadata = metadata::Wanted::of(&root);
        let target = Target::open(folder, &shared)?;
        let mut state = target.accumulate(Accumulated::default())?;

        add_hashes(&mut state.set)?;
        name_reference::transform(&mut state.set, &state.config)?;
        vars::resolve(&mut state)?;
        state.set.items.retain(|it| !is_local(it));
        check_unique(&state.set)?;
        sort::sort(&mut state.set, target.kustomization.sort_options.as_ref())?;
        shared.metadata.write(&mut state.set, &target.folder.path);
        write_all(state.set, options.limits.text_bytes)
    }
}

fn add_hashes(set: &mut ResourceSet) -> Result<(), BuildError> {
    for resource in set.items.iter_mut().filter(|it| it.needs_hash) {
        let suffix = hash::suffix(resource)
            .map_err(|error| BuildError::new(format!("{}: {error}", resource.id())))?;
        resource.remember();
        let name = format!("{}-{suffix}", resource.name());
        resource.set_name(&name);
    }
    Ok(())
}

/// Transformers may have given two objects one name.
fn check_unique(set: &ResourceSet) -> Result<(), BuildError> {
    let mut seen = HashSet::new();
    for resource in &set.items {
        let id = resource.id();
        if !seen.insert((&id.gvk, &id.name, id.effective_namespace())) {
            return Err(BuildError::new(format!(
                "two objects have come to one id: {id}"
            )));
        }
    }
    Ok(())
}

/// Objects that are only input for other tools are no output.
fn is_local(resource: &Resource) -> bool {
    resource
        .metadata("annotations")
        .and_then(|it| it.get("config.kubernetes.io/local-config"))
        .is_some_and(|it| it.as_text() != "false")
}

fn write_all(set: ResourceSet, most: usize) -> Result<Built, BuildError> {
    let mut length = 0;
    let mut resources = Vec::with_capacity(set.items.len());
    for mut resource in set.items {
        resource.settle_annotations();
        let id = (**resource.id()).clone();
        let text = write::text(resource.node())
            .map_err(|error| BuildError::new(format!("{id}: {error}")))?;
        length += text.len();
        if length > most {
            return Err(BuildError::new(format!(
                "the output has more than {most} bytes"
            )));
        }
        resources.push(BuiltResource {
            id,
            origin: resource.origin.clone().unwrap_or_default(),
            text,
            node: resource.into_node(),
        });
    }
    Ok(Built { resources })
}
