//! An object on its way through a build, with what it was called before.

use std::{cell::OnceCell, sync::Arc};

use crate::{
    id::{Gvk, Id},
    node::{Map, Node},
};

/// What a generator does with an object that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub fn parse(word: &str) -> Self {
        match word {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }
}

/// Where an object came from, for diagnostics and `buildMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file that holds it, or the kustomization that generated it, from the root of the tree.
    pub file: String,
    /// The generator or transformer that made it, when one did.
    pub configured_by: Option<Configured>,
}

/// A plugin that made or changed an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

/// An object on its way through a build.
#[derive(Clone, Debug)]
pub struct Resource {
    node: Arc<Node>,
    id: OnceCell<Arc<Id>>,
    /// Who it was before each change of name, namespace or kind, oldest first.
    previous: Vec<Previous>,
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
    pub behavior: Behavior,
    pub needs_hash: bool,
    /// A chart's object: the namespace of the kustomization is handed to the chart and not set here.
    pub from_chart: bool,
    pub ref_vars: Vec<String>,
    pub origin: Option<Origin>,
    pub transformations: Vec<Origin>,
    /// What the scalars of one share have as text; the share is the position, counted from one.
    shares: Vec<Option<Arc<str>>>,
}

#[derive(Clone, Debug)]
struct Previous {
    name: String,
    namespace: String,
    kind: String,
}

impl Resource {
    pub fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            id: OnceCell::new(),
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: Behavior::default(),
            needs_hash: false,
            from_chart: false,
            ref_vars: Vec::new(),
            origin: None,
            transformations: Vec::new(),
            shares: Vec::new(),
        }
    }

    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The object, to be changed; who it is gets looked up anew afterwards.
    pub fn node_mut(&mut self) -> &mut Node {
        self.id.take();
        Arc::make_mut(&mut self.node)
    }

    /// The object, to be changed where that does not change who it is.
    pub fn body_mut(&mut self) -> &mut Node {
        Arc::make_mut(&mut self.node)
    }

    pub fn set_node(&mut self, node: Node) {
        self.id.take();
        self.node = Arc::new(node);
    }

    /// Takes the object out, for whoever builds it anew.
    pub fn take_node(&mut self) -> Node {
        self.id.take();
        Arc::unwrap_or_clone(std::mem::replace(&mut self.node, Arc::new(Node::null())))
    }

    pub fn is_empty(&self) -> bool {
        self.node.is_nil_or_empty()
    }

    pub fn id(&self) -> &Arc<Id> {
        self.id.get_or_init(|| Arc::new(Id::of(&self.node)))
    }

    pub fn gvk(&self) -> Gvk {
        self.id().gvk.clone()
    }

    pub fn name(&self) -> &str {
        &self.id().name
    }

    pub fn namespace(&self) -> &str {
        &self.id().namespace
    }

    pub fn kind(&self) -> &str {
        &self.id().gvk.kind
    }

    /// Keeps in mind who the object is before it becomes someone else.
    pub fn remember(&mut self) {
        let id = Arc::clone(self.id());
        self.previous.push(Previous {
            name: id.name.clone(),
            namespace: id.effective_namespace().to_owned(),
            kind: id.gvk.kind.clone(),
        });
    }

    /// Everyone it was, oldest first, in the group and version it has now.
    pub fn previous(&self) -> impl Iterator<Item = Id> + '_ {
        let now = self.id();
        self.previous.iter().map(move |it| Id {
            gvk: Gvk {
                kind: it.kind.clone(),
                ..now.gvk.clone()
            },
            name: it.name.clone(),
            namespace: it.namespace.clone(),
        })
    }

    /// Who it was first.
    pub fn original_id(&self) -> Id {
        self.previous()
            .next()
            .unwrap_or_else(|| (**self.id()).clone())
    }

    /// Whether it is or was `id`.
    pub fn is_or_was(&self, id: &Id) -> bool {
        self.id().same(id) || self.previous().any(|it| it.same(id))
    }

    pub fn metadata(&self, field: &str) -> Option<&Node> {
        self.node.find(&["metadata", field])
    }

    /// Labels or annotations as text.
    pub fn texts(&self, field: &str) -> Vec<(Arc<str>, Arc<str>)> {
        texts(self.metadata(field))
    }

    pub fn set_name(&mut self, name: &str) {
        self.set_meta("name", name);
    }

    pub fn set_meta(&mut self, field: &str, text: &str) {
        if let Some(metadata) = self.node_mut().child_map("metadata") {
            if text.is_empty() {
                metadata.remove(field);
            } else {
                metadata.set(field, Node::text(text));
            }
        }
    }

    pub fn set_kind(&mut self, kind: &str) {
        if let Some(map) = self.node_mut().as_map_mut() {
            map.set("kind", Node::text(kind));
        }
    }

    /// Writes labels or annotations anew, sorted and as text; none when there are none.
    pub fn set_texts(&mut self, field: &str, mut texts: Vec<(Arc<str>, Arc<str>)>) {
        texts.sort();
        if let Some(metadata) = self.body_mut().child_map("metadata") {
            if texts.is_empty() {
                metadata.remove(field);
            } else {
                let mut map = match metadata.remove(field) {
                    Some(Node::Map(mut map)) => {
                        map.retain(|key| texts.iter().any(|(it, _)| **it == *key));
                        map
                    }
                    _ => Map::new(),
                };
                for (key, value) in texts {
                    map.set(key, Node::text(value));
                }
                metadata.set(field, Node::Map(map));
            }
        }
    }

    /// Annotations become text, and none when there are none: the original writes all of them anew.
    pub fn settle_annotations(&mut self) {
        if self.node.get("metadata").is_none() {
            self.body_mut().child_map("metadata");
        }
        let settled = match self.metadata("annotations") {
            None => true,
            Some(Node::Map(map)) if !map.is_empty() => map
                .iter()
                .all(|(_, value)| value.as_scalar().is_some_and(|it| it.is_string())),
            Some(_) => false,
        };
        if !settled {
            let texts = self.texts("annotations");
            self.set_texts("annotations", texts);
        }
    }
}

/// The entries of a mapping of texts.
pub fn texts(node: Option<&Node>) -> Vec<(Arc<str>, Arc<str>)> {
    if let Some(Node::List(items)) = node {
        // The original takes a list for keys and values in turn.
        return items
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [key, value] => Some((Arc::from(key.as_text()), Arc::from(value.as_text()))),
                _ => None,
            })
            .collect();
    }
    node.and_then(Node::as_map)
        .map(|map| {
            map.iter()
                .map(|(key, value)| {
                    let text = value
                        .as_scalar()
                        .map_or_else(|| Arc::from(""), |it| Arc::clone(&it.text));
                    (Arc::clone(key), text)
                })
                .collect()
        })
        .unwrap_or_default()
}

impl Resource {
    /// Takes the history of the object whose place this one takes.
    pub fn inherit(&mut self, old: &Self) {
        self.previous.clone_from(&old.previous);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.ref_vars.clone_from(&old.ref_vars);
        self.needs_hash &= old.needs_hash;
        self.from_chart |= old.from_chart;
        self.transformations.clone_from(&old.transformations);
    }
}

impl Resource {
    /// The object itself.
    pub fn into_node(self) -> Arc<Node> {
        self.node
    }
}

/// The original writes one node into several fields; whoever changes one of them later changes all.
impl Resource {
    /// Shares for values that a transformer writes; the number of the first one.
    pub fn new_shares<'t>(&mut self, values: impl Iterator<Item = &'t String>) -> u32 {
        let first = u32::try_from(self.shares.len() + 1).unwrap_or(u32::MAX);
        self.shares
            .extend(values.map(|it| Some(Arc::from(it.as_str()))));
        first
    }

    /// A change by way of JSON makes all nodes anew.
    pub fn forget_shares(&mut self) {
        self.shares.iter_mut().for_each(|it| *it = None);
    }

    /// Gives all scalars of a share the value that one of them was given.
    pub fn settle_shares(&mut self) {
        if self.shares.iter().all(Option::is_none) {
            return;
        }
        let mut changed: Vec<(u32, Node)> = Vec::new();
        changes(&self.node, &self.shares, &mut changed);
        if changed.is_empty() {
            return;
        }
        for (share, value) in &changed {
            let index = usize::try_from(*share).unwrap_or_default();
            if let Some(place) = index.checked_sub(1).and_then(|it| self.shares.get_mut(it)) {
                *place = value.as_scalar().map(|it| Arc::clone(&it.text));
            }
        }
        spread(self.body_mut(), &changed);
    }
}

fn changes(node: &Node, shares: &[Option<Arc<str>>], changed: &mut Vec<(u32, Node)>) {
    match node {
        Node::Scalar(it) if it.share != 0 => {
            let index = usize::try_from(it.share).unwrap_or_default();
            let known = index.checked_sub(1).and_then(|it| shares.get(it));
            if let Some(Some(text)) = known
                && *text != it.text
            {
                changed.retain(|(share, _)| *share != it.share);
                changed.push((it.share, node.clone()));
            }
        }
        Node::Scalar(_) => {}
        Node::List(items) => items.iter().for_each(|it| changes(it, shares, changed)),
        Node::Map(map) => map.iter().for_each(|(_, it)| changes(it, shares, changed)),
    }
}

fn spread(node: &mut Node, changed: &[(u32, Node)]) {
    match node {
        Node::Scalar(it) if it.share != 0 => {
            if let Some((_, value)) = changed.iter().find(|(share, _)| *share == it.share) {
                *node = value.clone();
            }
        }
        Node::Scalar(_) => {}
        Node::List(items) => items.iter_mut().for_each(|it| spread(it, changed)),
        Node::Map(map) => map.iter_mut().for_each(|(_, it)| spread(it, changed)),
    }
}
