//! Names in fields that follow the objects they name when those get new names.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    config::Config,
    error::BuildError,
    field::{Create, may_have, walk},
    id::{Gvk, Id},
    node::{Map, Node, Tag},
    resource::Resource,
    set::ResourceSet,
};

/// An object that a field may name, as it was before any field was changed.
struct Candidate {
    id: Arc<Id>,
    original: Id,
    kinds: Vec<(String, String)>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

/// Everything a field may name, and by what names it went.
struct Candidates {
    all: Vec<Candidate>,
    by_name: HashMap<String, Vec<usize>>,
}

/// The object whose fields are looked at.
struct Referrer {
    id: Arc<Id>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    /// The kind that `roleRef` asks for.
    role: Option<Gvk>,
    /// Namespaces of the service accounts that a role binding binds.
    bound: BTreeSet<String>,
}

/// Writes the new names into all fields that name objects by old ones.
///
/// # Errors
///
/// A name that could mean several objects, fields of a wrong shape.
pub fn transform(set: &mut ResourceSet, config: &Config) -> Result<(), BuildError> {
    let candidates = Candidates::of(set);
    if candidates.by_name.is_empty() {
        return Ok(());
    }
    for resource in &mut set.items {
        let original = resource.original_id();
        let mut referrer = None;
        for reference in &config.name_reference {
            for spec in &reference.referrers {
                if !spec.selects(&original.gvk) || !may_have(resource.node(), &spec.path) {
                    continue;
                }
                let referrer = referrer.get_or_insert_with(|| Referrer::of(resource));
                let update = Update {
                    referrer,
                    target: &reference.target,
                    role_path: spec.path.ends_with("roleRef/name"),
                    candidates: &candidates,
                };
                // Only the kind it was first had to fit.
                let id = Arc::clone(resource.id());
                walk(resource.node_mut(), &spec.path, Create::Never, &mut |node| {
                    update.set(node)
                })
                .map_err(|error| error.during(format_args!("updating name reference in {id}")))?;
            }
        }
    }
    Ok(())
}

impl Candidates {
    fn of(set: &ResourceSet) -> Self {
        let mut all = Vec::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for resource in &set.items {
            let previous: Vec<Id> = resource.previous().collect();
            for id in &previous {
                let places = by_name.entry(id.name.clone()).or_default();
                if places.last() != Some(&all.len()) {
                    places.push(all.len());
                }
            }
            all.push(Candidate {
                id: Arc::clone(resource.id()),
                original: resource.original_id(),
                kinds: previous
                    .into_iter()
                    .map(|it| (it.name, it.gvk.kind))
                    .collect(),
                prefixes: resource.prefixes.clone(),
                suffixes: resource.suffixes.clone(),
            });
        }
        Self { all, by_name }
    }
}

impl Referrer {
    fn of(resource: &Resource) -> Self {
        let node = resource.node();
        let role = node.get("roleRef").and_then(|it| {
            Some(Gvk {
                group: it.get("apiGroup")?.as_text().to_owned(),
                version: String::new(),
                kind: it.get("kind")?.as_text().to_owned(),
            })
        });
        let subjects = (resource.kind() == "RoleBinding")
            .then(|| node.get("subjects").and_then(Node::as_list))
            .flatten()
            .unwrap_or_default();
        Self {
            id: Arc::clone(resource.id()),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            role,
            bound: subjects
                .iter()
                .filter(|it| {
                    it.get("kind")
                        .is_some_and(|it| it.as_text() == "ServiceAccount")
                })
                .filter_map(|it| it.get("namespace").map(|it| it.as_text().to_owned()))
                .collect(),
        }
    }

    /// Whether the object could name this one at all.
    fn reaches(&self, candidate: &Candidate) -> bool {
        self.id.is_cluster_scoped()
            || candidate.id.is_cluster_scoped()
            || candidate.id.same_namespace(&self.id)
            || self.bound.contains(&candidate.id.namespace)
    }

    fn shares_namespace(&self, candidate: &Candidate) -> bool {
        self.id.is_cluster_scoped()
            || candidate.id.is_cluster_scoped()
            || candidate.id.gvk.kind == "ServiceAccount"
            || candidate.id.same_namespace(&self.id)
    }

    fn same_affixes(&self, candidate: &Candidate) -> bool {
        same_ending(&self.prefixes, &candidate.prefixes)
            && same_ending(&self.suffixes, &candidate.suffixes)
    }

    fn same_affixes_or_none(&self, candidate: &Candidate) -> bool {
        let fits = |left: &[String], right: &[String]| {
            left.is_empty() || right.is_empty() || same_ending(left, right)
        };
        fits(&self.prefixes, &candidate.prefixes) && fits(&self.suffixes, &candidate.suffixes)
    }
}

fn same_ending(left: &[String], right: &[String]) -> bool {
    let (short, long) = if left.len() <= right.len() {
        (left, right)
    } else {
        (right, left)
    };
    if short.is_empty() {
        return long.is_empty();
    }
    long.ends_with(short)
}

/// One field of one object that may name objects of one kind.
struct Update<'a> {
    referrer: &'a Referrer,
    target: &'a Gvk,
    role_path: bool,
    candidates: &'a Candidates,
}

/// What two candidates have to share to count as one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    Name,
    NameAndNamespace,
}

impl Update<'_> {
    fn set(&self, node: &mut Node) -> Result<(), String> {
        match node {
            it if it.is_null() => Ok(()),
            Node::Scalar(_) => self.set_scalar(node),
            Node::Map(map) => self.set_map(map),
            Node::List(items) => items.iter_mut().try_for_each(|item| match item {
                it if it.is_null() => Ok(()),
                Node::Scalar(_) => self.set_scalar(item),
                Node::Map(map) => self.set_map(map),
                Node::List(_) => Err("expected a name or a mapping, found a list".to_owned()),
            }),
        }
    }

    fn set_scalar(&self, node: &mut Node) -> Result<(), String> {
        let found = self.select(node.as_text(), |_| true, Same::Name)?;
        if let Some(found) = found
            && found.id.name != node.as_text()
        {
            let tag = match node.as_scalar().map(|it| it.tag) {
                Some(Tag::Str) => Tag::Str,
                _ => Tag::Unset,
            };
            *node = Node::tagged(found.id.name.as_str(), tag);
        }
        Ok(())
    }

    fn set_map(&self, map: &mut Map) -> Result<(), String> {
        let Some(name) = map.get("name") else {
            return Err("path config error; no `name` field in node".to_owned());
        };
        let name = name.as_text().to_owned();
        let found = match map.get("namespace").map(Node::as_text) {
            None => self.select(&name, |_| true, Same::NameAndNamespace)?,
            Some(namespace) => {
                let originally = |it: &Candidate| {
                    !it.original.is_cluster_scoped()
                        && it.original.effective_namespace() == namespace
                };
                let any = self
                    .candidates
                    .all
                    .iter()
                    .any(|it| self.referrer.reaches(it) && originally(it));
                if any {
                    self.select(&name, originally, Same::NameAndNamespace)?
                } else {
                    self.select(
                        &name,
                        |it| !it.id.is_cluster_scoped() && it.id.effective_namespace() == namespace,
                        Same::NameAndNamespace,
                    )?
                }
            }
        };
        let Some(found) = found else { return Ok(()) };
        if found.id.name == name && found.id.namespace.is_empty() {
            return Ok(());
        }
        map.set("name", Node::text(found.id.name.as_str()));
        if !found.id.namespace.is_empty() {
            map.set("namespace", Node::text(found.id.namespace.as_str()));
        }
        Ok(())
    }

    /// The object that `name` meant, when there is exactly one.
    fn select(
        &self,
        name: &str,
        filter: impl Fn(&Candidate) -> bool,
        same: Same,
    ) -> Result<Option<&Candidate>, String> {
        let places = self
            .candidates
            .by_name
            .get(name)
            .map_or(&[][..], Vec::as_slice);
        let mut found: Vec<&Candidate> = places
            .iter()
            .filter_map(|it| self.candidates.all.get(*it))
            .filter(|it| self.referrer.reaches(it) && filter(it))
            .filter(|it| was_selected(it, self.target))
            .filter(|it| match &self.referrer.role {
                Some(role) if self.role_path => was_selected(it, role),
                _ => true,
            })
            .filter(|it| self.referrer.shares_namespace(it))
            .collect();
        if let [one] = found.as_slice() {
            return Ok(Some(one));
        }
        found.retain(|it| self.referrer.same_affixes_or_none(it));
        if let [one] = found.as_slice() {
            return Ok(Some(one));
        }
        found.retain(|it| self.referrer.same_affixes(it));
        let Some((first, rest)) = found.split_first() else {
            return Ok(None);
        };
        let equal = rest.iter().all(|it| {
            it.id.name == first.id.name
                && (same == Same::Name || it.id.namespace == first.id.namespace)
        });
        if equal {
            return Ok(Some(first));
        }
        let ids: Vec<String> = found.iter().map(|it| it.id.to_string()).collect();
        Err(format!(
            "found multiple possible referrals: {}",
            ids.join(", ")
        ))
    }
}

fn was_selected(candidate: &Candidate, pattern: &Gvk) -> bool {
    let now = &candidate.id.gvk;
    (pattern.group.is_empty() || pattern.group == now.group)
        && (pattern.version.is_empty() || pattern.version == now.version)
        && candidate
            .kinds
            .iter()
            .any(|(_, kind)| pattern.kind.is_empty() || pattern.kind == *kind)
}
