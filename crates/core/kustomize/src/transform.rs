//! The transformers that write fields: namespace, names, labels, annotations, images, replicas.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;

use crate::{
    error::BuildError,
    field::{Create, apply},
    id::Gvk,
    kustomization::{FieldSpec, Image, Replica},
    node::{Node, Scalar, Shape, Tag},
    resource::Resource,
    set::ResourceSet,
};

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    AllServiceAccounts,
    None,
}

/// What the namespace transformer does.
#[derive(Clone, Debug, Default)]
pub struct Namespace<'a> {
    pub namespace: &'a str,
    pub specs: &'a [FieldSpec],
    /// Leave namespaces that are set.
    pub unset_only: bool,
    pub subjects: Subjects,
}

impl Namespace<'_> {
    /// Moves every object into the namespace.
    ///
    /// # Errors
    ///
    /// Two objects that become one, fields of a wrong shape.
    pub fn transform(&self, set: &mut ResourceSet) -> Result<(), BuildError> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        for index in 0..set.items.len() {
            let found = set.items.get_mut(index);
            let Some(resource) = found.filter(|it| !it.is_empty() && !it.from_chart) else {
                continue;
            };
            resource.remember();
            self.one(resource)?;
            let id = Arc::clone(resource.id());
            if set.items.iter().filter(|it| it.id().same(&id)).count() != 1 {
                return Err(BuildError::new(format!(
                    "namespace transformation produces ID conflict: {id}"
                )));
            }
        }
        Ok(())
    }

    fn one(&self, resource: &mut Resource) -> Result<(), BuildError> {
        let gvk = resource.gvk();
        let mut set = |node: &mut Node| {
            if self.unset_only && !node.as_text().is_empty() {
                return Ok(());
            }
            set_scalar(node, self.namespace, Tag::Str)
        };
        let create = Create::As(Shape::Scalar);
        if !gvk.is_cluster_scoped() {
            let spec = FieldSpec::new("metadata/namespace", true);
            apply(resource.node_mut(), &gvk, &spec, create, &mut set)?;
        }
        let binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding && self.subjects != Subjects::None {
            let subjects = resource.node_mut().get_mut("subjects");
            if let Some(Node::List(items)) = subjects {
                for subject in items {
                    if subject.as_map().is_none() && !subject.is_null() {
                        return Err(BuildError::new(format!(
                            "expected a subject of a role binding, found {}",
                            subject.kind()
                        )));
                    }
                    let matches = match self.subjects {
                        Subjects::DefaultOnly => subject
                            .get("name")
                            .is_some_and(|it| it.as_text() == "default"),
                        Subjects::AllServiceAccounts => subject
                            .get("kind")
                            .is_some_and(|it| it.as_text() == "ServiceAccount"),
                        Subjects::None => false,
                    };
                    if let Some(map) = subject.as_map_mut().filter(|_| matches) {
                        if !map.contains("namespace") {
                            map.set("namespace", Node::empty(Shape::Scalar));
                        }
                        if let Some(place) = map.get_mut("namespace") {
                            set(place).map_err(BuildError::new)?;
                        }
                    }
                }
            }
        }
        for spec in self.specs {
            let hard_coded = spec.path == "metadata/namespace"
                || (binding
                    && spec.path == "subjects"
                    && matches!(spec.kind.as_str(), "RoleBinding" | "ClusterRoleBinding"));
            if !hard_coded {
                apply(resource.node_mut(), &gvk, spec, create, &mut set)?;
            }
        }
        Ok(())
    }
}

/// Writes text into a scalar; what was text stays text.
fn set_scalar(node: &mut Node, text: &str, made: Tag) -> Result<(), String> {
    let tag = match node {
        Node::Scalar(Scalar { tag: Tag::Str, .. }) => Tag::Str,
        Node::Scalar(_) => made,
        Node::List(_) | Node::Map(_) => {
            return Err(format!("expected a scalar, found {}", node.kind()));
        }
    };
    *node = Node::tagged(text, tag).in_place_of(Some(node));
    Ok(())
}

/// Which end of a name grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affix {
    Prefix,
    Suffix,
}

/// Puts a prefix or a suffix to the names.
///
/// # Errors
///
/// Fields of a wrong shape.
pub fn affix(
    set: &mut ResourceSet,
    affix: Affix,
    text: &str,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    if text.is_empty() {
        return Ok(());
    }
    for resource in &mut set.items {
        let id = resource.original_id();
        let keeps_its_name = matches!(
            id.gvk.kind.as_str(),
            "CustomResourceDefinition" | "Namespace"
        ) || (id.gvk.kind == "APIService"
            && id.gvk.group == "apiregistration.k8s.io");
        if keeps_its_name {
            continue;
        }
        for spec in specs.iter().filter(|it| it.selects(&id.gvk)) {
            if spec.path == "metadata/name" {
                match affix {
                    Affix::Prefix => resource.prefixes.push(text.to_owned()),
                    Affix::Suffix => resource.suffixes.push(text.to_owned()),
                }
                resource.remember();
            }
            let gvk = resource.gvk();
            apply(
                resource.node_mut(),
                &gvk,
                spec,
                Create::As(Shape::Scalar),
                &mut |node| {
                    let old = node.as_text();
                    let new = match affix {
                        Affix::Prefix => format!("{text}{old}"),
                        Affix::Suffix => format!("{old}{text}"),
                    };
                    set_scalar(node, &new, Tag::Unset)
                },
            )?;
        }
    }
    Ok(())
}

/// Writes labels or annotations into the fields of `specs`.
///
/// # Errors
///
/// Fields of a wrong shape.
pub fn texts(
    set: &mut ResourceSet,
    texts: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    if texts.is_empty() {
        return Ok(());
    }
    for resource in &mut set.items {
        let gvk = resource.gvk();
        let first = resource.new_shares(texts.values());
        for spec in specs.iter().filter(|it| it.selects(&gvk)) {
            apply(
                resource.body_mut(),
                &gvk,
                spec,
                Create::As(Shape::Map),
                &mut |node| match node {
                    Node::Map(map) => {
                        for (share, (key, value)) in (first..).zip(texts) {
                            let new = match map.get(key) {
                                Some(old) => Node::text(value.as_str()).in_place_of(Some(old)),
                                // What is made in one go is one node.
                                None => Node::Scalar(Scalar {
                                    text: value.as_str().into(),
                                    tag: Tag::Str,
                                    share,
                                }),
                            };
                            map.set(key.as_str(), new);
                        }
                        Ok(())
                    }
                    Node::Scalar(_) | Node::List(_) => {
                        Err(format!("expected a mapping, found {}", node.kind()))
                    }
                },
            )?;
        }
        resource.settle_shares();
    }
    Ok(())
}

/// Changes the images whose name matches.
///
/// # Errors
///
/// A name that is no regular expression, fields of a wrong shape.
pub fn images(set: &mut ResourceSet, image: &Image, specs: &[FieldSpec]) -> Result<(), BuildError> {
    let change = ImageChange::new(image)?;
    for resource in &mut set.items {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        if change.occurs(resource.node()) {
            anywhere(resource.body_mut(), &change).map_err(BuildError::new)?;
        }
        let gvk = resource.gvk();
        for spec in specs.iter().filter(|it| it.selects(&gvk)) {
            apply(
                resource.body_mut(),
                &gvk,
                spec,
                Create::Never,
                &mut |node| change.set(node),
            )?;
        }
    }
    Ok(())
}

struct ImageChange<'a> {
    image: &'a Image,
    pattern: ImagePattern<'a>,
}

/// Which images are meant: a name, which the original takes for a regular expression.
enum ImagePattern<'a> {
    /// Letters, digits and the like, and points, which stand for any character.
    Plain(&'a str),
    Regex(Regex),
}

impl<'a> ImagePattern<'a> {
    fn new(name: &'a str) -> Result<Self, BuildError> {
        if name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_/:.".contains(&it)) {
            return Ok(Self::Plain(name));
        }
        let pattern = format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$");
        Regex::new(&pattern).map(Self::Regex).map_err(|error| {
            BuildError::new(format!("image name `{name}` is no regular expression: {error}"))
        })
    }

    fn is_match(&self, text: &str) -> bool {
        let name = match self {
            Self::Plain(name) => *name,
            Self::Regex(pattern) => return pattern.is_match(text),
        };
        let mut rest = text.chars();
        let fits = |wanted: u8| match wanted {
            b'.' => rest.next().is_some_and(|it| it != '\n'),
            _ => rest.next() == Some(char::from(wanted)),
        };
        name.bytes().all(fits) && is_version(rest.as_str())
    }
}

/// Whether a tag, a digest, both or nothing follows the name of an image.
fn is_version(rest: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_.{}-".contains(it);
    let rest = rest.strip_prefix(':').map_or(rest, |tag| tag.trim_start_matches(is_part));
    match rest.strip_prefix("@sha256:") {
        Some(digest) => digest.chars().all(is_part),
        None => rest.is_empty(),
    }
}

impl<'a> ImageChange<'a> {
    fn new(image: &'a Image) -> Result<Self, BuildError> {
        Ok(Self {
            image,
            pattern: ImagePattern::new(&image.name)?,
        })
    }

    /// Whether any text of the object could be meant: most objects hold no such image.
    fn occurs(&self, node: &Node) -> bool {
        match node {
            Node::Scalar(it) => self.pattern.is_match(&it.text),
            Node::List(items) => items.iter().any(|it| self.occurs(it)),
            Node::Map(map) => map.iter().any(|(key, it)| {
                self.occurs(it)
                    || (is_containers(key)
                        && it.as_list().is_some_and(|items| items.iter().any(unfit)))
            }),
        }
    }

    fn set(&self, node: &mut Node) -> Result<(), String> {
        let Node::Scalar(scalar) = node else {
            return Err(format!("expected an image, found {}", node.kind()));
        };
        if !self.pattern.is_match(&scalar.text) {
            return Ok(());
        }
        let (mut name, mut tag, mut digest) = split_image(&scalar.text);
        let image = self.image;
        if !image.new_name.is_empty() {
            name.clone_from(&image.new_name);
        }
        match (image.new_tag.is_empty(), image.digest.is_empty()) {
            (false, false) => {
                tag.clone_from(&image.new_tag);
                digest.clone_from(&image.digest);
            }
            (false, true) => {
                tag.clone_from(&image.new_tag);
                digest.clear();
            }
            (true, false) => {
                tag.clear();
                digest.clone_from(&image.digest);
            }
            (true, true) if !image.tag_suffix.is_empty() => {
                tag.push_str(&image.tag_suffix);
                digest.clear();
            }
            (true, true) => {}
        }
        if !tag.is_empty() {
            name.push(':');
            name.push_str(&tag);
        }
        if !digest.is_empty() {
            name.push('@');
            name.push_str(&digest);
        }
        set_scalar(node, &name, Tag::Unset)
    }
}

/// Name, tag and digest; a colon in front of the first slash is a port.
fn split_image(text: &str) -> (String, String, String) {
    let start = text.find('/').filter(|it| *it > 0).unwrap_or(0);
    let rest = text.get(start..).unwrap_or_default();
    let at = rest.find('@').map(|it| it + start);
    let colon = rest.find(':').map(|it| it + start);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    match (colon, at) {
        (None, None) => (text.to_owned(), String::new(), String::new()),
        (colon, Some(at)) if colon.is_none_or(|it| at < it) => {
            (part(0, at), String::new(), part(at + 1, text.len()))
        }
        (Some(colon), Some(at)) => (
            part(0, colon),
            part(colon + 1, at),
            part(at + 1, text.len()),
        ),
        (Some(colon), None) => (part(0, colon), part(colon + 1, text.len()), String::new()),
        (None, Some(at)) => (part(0, at), String::new(), part(at + 1, text.len())),
    }
}

/// Whether something stands in a list of containers that the original refuses there.
fn unfit(item: &Node) -> bool {
    item.as_map()
        .is_none_or(|map| map.get("image").is_some_and(|it| it.as_scalar().is_none()))
}

fn is_containers(key: &str) -> bool {
    matches!(key, "containers" | "initContainers")
}

/// Older custom resources hold containers at any depth.
fn anywhere(node: &mut Node, change: &ImageChange<'_>) -> Result<(), String> {
    match node {
        Node::Scalar(_) => Ok(()),
        Node::List(items) => items.iter_mut().try_for_each(|it| anywhere(it, change)),
        Node::Map(map) => map.iter_mut().try_for_each(|(key, value)| {
            anywhere(value, change)?;
            let (true, Node::List(items)) = (is_containers(key), value) else {
                return Ok(());
            };
            items.iter_mut().try_for_each(|item| match item {
                Node::Map(map) => match map.get_mut("image") {
                    Some(image) => change.set(image),
                    None => Ok(()),
                },
                other if other.is_null() => Ok(()),
                other => Err(format!(
                    "expected a container in `{key}`, found {}",
                    other.kind()
                )),
            })
        }),
    }
}

/// Sets the number of replicas of the objects of a name.
///
/// # Errors
///
/// When no such object is there.
pub fn replicas(
    set: &mut ResourceSet,
    replica: &Replica,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    let mut found = false;
    for spec in specs {
        let wanted = spec.gvk();
        for resource in &mut set.items {
            let matches = |gvk: &Gvk, name: &str| name == replica.name && gvk.is_selected(&wanted);
            let id = Arc::clone(resource.id());
            if !matches(&id.gvk, &id.name)
                && !resource.previous().any(|it| matches(&it.gvk, &it.name))
            {
                continue;
            }
            found = true;
            let count = replica.count.to_string();
            apply(
                resource.body_mut(),
                &id.gvk,
                spec,
                Create::As(Shape::Scalar),
                &mut |node| set_scalar(node, &count, Tag::Int),
            )?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|it| it.gvk().to_string()).collect();
    Err(BuildError::new(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        replica.name,
        kinds.join(" ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_split_as_the_original_does() {
        let check = |text: &str, expected: [&str; 3]| {
            let (name, tag, digest) = split_image(text);
            assert_eq!(
                [name.as_str(), tag.as_str(), digest.as_str()],
                expected,
                "{text}"
            );
        };
        check("nginx", ["nginx", "", ""]);
        check("nginx:1.2", ["nginx", "1.2", ""]);
        check("host:80/a/b:1@sha256:ab", ["host:80/a/b", "1", "sha256:ab"]);
        check("a@sha256:ab", ["a", "", "sha256:ab"]);
        check("host:80/a", ["host:80/a", "", ""]);
    }
}
