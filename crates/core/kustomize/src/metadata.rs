//! `buildMetadata`: notes in the output about where objects came from.

use std::fmt::Write as _;

use crate::{
    kustomization::Kustomization,
    node::Node,
    resource::{Configured, Origin},
    set::ResourceSet,
};

const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The version whose output this is.
const MANAGER: &str = "kustomize-v5.8.1";

/// Which notes the root asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    origins: bool,
    transformations: bool,
    manager: bool,
}

/// A plugin that is built in.
pub fn built_in(kind: &str) -> Configured {
    Configured {
        api_version: "builtin".to_owned(),
        kind: kind.to_owned(),
        ..Configured::default()
    }
}

impl Wanted {
    pub fn of(root: &Kustomization) -> Self {
        let has = |word: &str| root.build_metadata.iter().any(|it| it == word);
        Self {
            origins: has("originAnnotations"),
            transformations: has("transformerAnnotations"),
            manager: has("managedByLabel"),
        }
    }

    /// Keeps in mind that a transformer of a kustomization went over the objects.
    pub fn transformed(self, set: &mut ResourceSet, file: &str, transformer: &str) {
        self.transformed_by(set, file, &built_in(transformer));
    }

    /// As [`Wanted::transformed`], for a transformer that has a file of its own.
    pub fn transformed_by(self, set: &mut ResourceSet, file: &str, by: &Configured) {
        if !self.transformations {
            return;
        }
        for resource in &mut set.items {
            resource.transformations.push(Origin {
                file: file.to_owned(),
                configured_by: Some(by.clone()),
            });
        }
    }

    /// Writes the notes that the root asks for.
    pub fn write(self, set: &mut ResourceSet, root: &str) {
        for resource in &mut set.items {
            let mut notes = Vec::new();
            if self.origins
                && let Some(origin) = &resource.origin
            {
                notes.push((ORIGIN, origin_text(origin, root)));
            }
            if self.transformations && !resource.transformations.is_empty() {
                let text: String = resource
                    .transformations
                    .iter()
                    .map(|it| list_item(&origin_text(it, root)))
                    .collect();
                notes.push((TRANSFORMATIONS, text));
            }
            if let Some(metadata) = resource.body_mut().child_map("metadata") {
                for (key, text) in notes {
                    if metadata.get("annotations").is_none_or(Node::is_null) {
                        metadata.set("annotations", Node::empty(crate::node::Shape::Map));
                    }
                    if let Some(Node::Map(map)) = metadata.get_mut("annotations") {
                        map.set(key, Node::text(text));
                    }
                }
                if self.manager {
                    if metadata.get("labels").is_none_or(Node::is_null) {
                        metadata.set("labels", Node::empty(crate::node::Shape::Map));
                    }
                    if let Some(Node::Map(map)) = metadata.get_mut("labels") {
                        map.set(MANAGED_BY, Node::text(MANAGER));
                    }
                }
            }
        }
    }
}

fn origin_text(origin: &Origin, root: &str) -> String {
    let mut text = String::new();
    let file = relative(root, &origin.file);
    match &origin.configured_by {
        None => {
            let _ = writeln!(text, "path: {file}");
        }
        Some(by) => {
            let _ = writeln!(text, "configuredIn: {file}");
            let _ = writeln!(text, "configuredBy:");
            let fields = [
                ("apiVersion", &by.api_version),
                ("kind", &by.kind),
                ("name", &by.name),
                ("namespace", &by.namespace),
            ];
            for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
                let _ = writeln!(text, "  {name}: {value}");
            }
        }
    }
    text
}

fn list_item(text: &str) -> String {
    text.lines()
        .enumerate()
        .map(|(index, line)| format!("{}{line}\n", if index == 0 { "- " } else { "  " }))
        .collect()
}

/// The way from a folder to a file.
fn relative(folder: &str, file: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    let to: Vec<&str> = file.split('/').collect();
    let common = from
        .iter()
        .zip(&to)
        .take_while(|(left, right)| left == right)
        .count();
    let mut parts = vec![".."; from.len() - common];
    parts.extend(to.get(common..).unwrap_or_default());
    parts.join("/")
}
