//! Patches of both kinds, applied to the objects they mean.

use std::sync::Arc;

use crate::{
    error::BuildError,
    operations::{self, Operation},
    kustomization::Patch,
    load::Folder,
    merge,
    node::Node,
    read,
    resource::Resource,
    schema::Schemas,
    selector::Matcher,
    set::ResourceSet,
};

/// What a strategic merge patch may change besides content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub name: bool,
    pub kind: bool,
}

/// A patch that was read.
#[derive(Debug)]
pub enum Body {
    Merge(Vec<Arc<Node>>),
    Json(Vec<Operation>),
}

/// Reads the text of a patch, which tells by its form what it is.
///
/// # Errors
///
/// Text that is neither kind of patch, or both.
pub fn body(text: &str, file: &str) -> Result<Body, BuildError> {
    let merge = read::objects(text, file);
    let looks_like_list = text.trim_start().starts_with(['-', '[']);
    match (merge, operations::parse(text, file)) {
        (_, Ok(operations)) => Ok(Body::Json(operations)),
        (Ok(objects), Err(_)) => Ok(Body::Merge(objects.into_iter().map(Arc::new).collect())),
        (Err(_), Err(error)) if looks_like_list => {
            Err(error.during("unable to parse a strategic merge or JSON patch"))
        }
        (Err(error), Err(_)) => {
            Err(error.during("unable to parse a strategic merge or JSON patch"))
        }
    }
}

/// Applies one entry of `patches`.
///
/// # Errors
///
/// A patch that cannot be read, means nothing, or does not apply.
pub fn transform(
    patch: &Patch,
    folder: &Folder<'_>,
    schemas: &Schemas,
    set: &mut ResourceSet,
) -> Result<(), BuildError> {
    let inline = patch.patch.trim();
    let (text, file) = match (inline.is_empty(), patch.path.is_empty()) {
        (true, true) => {
            return Err(BuildError::new(
                "a patch must specify one of patch and path",
            ));
        }
        (false, false) => {
            return Err(BuildError::new(
                "patch and path can't be set at the same time",
            ));
        }
        (false, true) => (inline.to_owned(), String::new()),
        (true, false) => (
            folder.load_text(&patch.path)?.to_owned(),
            folder.path_of(&patch.path),
        ),
    };
    let named = |error: BuildError| {
        if file.is_empty() {
            error
        } else {
            error.in_file(&file)
        }
    };
    let body = match body(&text, &file) {
        Ok(it) => it,
        Err(error) => return Err(named(error)),
    };
    let allowed = Allowed {
        name: patch.options.get("allowNameChange") == Some(&true),
        kind: patch.options.get("allowKindChange") == Some(&true),
    };
    let body = match body {
        Body::Merge(patches) if allowed.name || allowed.kind => {
            Body::Merge(patches.iter().map(noted).collect())
        }
        body => body,
    };
    let target = patch.target.as_ref().map(Matcher::new).transpose()?;
    let done = match (body, target) {
        (Body::Json(_), None) => Err(BuildError::new(
            "a JSON patch must have a target that selects objects",
        )),
        (Body::Json(operations), Some(target)) => json(&operations, &target, set),
        (Body::Merge(patches), None) => patches
            .iter()
            .try_for_each(|it| merge_by_id(it, allowed, schemas, set)),
        (Body::Merge(patches), Some(_)) if patches.len() > 1 => Err(BuildError::new(
            "several strategic merge patches in one `patches` entry may not set `target`",
        )),
        (Body::Merge(patches), Some(target)) => match patches.first() {
            Some(patch) => merge_by_target(patch, &target, allowed, schemas, set),
            None => Ok(()),
        },
    };
    done.map_err(named)
}

/// Applies operations to everything that is selected.
///
/// # Errors
///
/// Operations that do not apply.
pub fn json(
    operations: &[Operation],
    target: &Matcher,
    set: &mut ResourceSet,
) -> Result<(), BuildError> {
    for resource in set.items.iter_mut().filter(|it| target.selects(it)) {
        resource.remember();
        let id = Arc::clone(resource.id());
        operations::apply(operations, resource.node_mut())
            .map_err(|error| BuildError::new(format!("{id}: {error}")))?;
        resource.forget_shares();
        // The original puts its notes back, whatever the patch made of the annotations.
        if resource
            .metadata("annotations")
            .is_some_and(|it| it.as_map().is_none())
        {
            let texts = resource.texts("annotations");
            resource.set_texts("annotations", texts);
        }
    }
    Ok(())
}

/// Applies a strategic merge patch to the object that it names.
///
/// # Errors
///
/// No such object, or shapes that do not fit.
pub fn merge_by_id(
    patch: &Arc<Node>,
    allowed: Allowed,
    schemas: &Schemas,
    set: &mut ResourceSet,
) -> Result<(), BuildError> {
    let id = crate::id::Id::of(patch);
    let names: Vec<String> = set.items.iter().map(|it| it.id().to_string()).collect();
    let resource = set.one_that_was(&id).map_err(|error| {
        let near = crate::error::nearest(&id.to_string(), names.iter().map(String::as_str));
        let error = error.during(format_args!(
            "no resource matches strategic merge patch {id}"
        ));
        match near {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error,
        }
    })?;
    merge_into(resource, (**patch).clone(), allowed, schemas)
}

fn merge_by_target(
    patch: &Arc<Node>,
    target: &Matcher,
    allowed: Allowed,
    schemas: &Schemas,
    set: &mut ResourceSet,
) -> Result<(), BuildError> {
    let selected: Vec<usize> = set
        .items
        .iter()
        .enumerate()
        .filter(|(_, it)| target.selects(it))
        .map(|(index, _)| index)
        .collect();
    for index in selected {
        let Some(resource) = set.items.get_mut(index) else {
            continue;
        };
        let copy = copied(patch, &resource.gvk().api_version());
        merge_into(resource, copy, allowed, schemas)?;
    }
    set.drop_empty();
    Ok(())
}

/// Applies a patch of the older field to the object that it names.
///
/// # Errors
///
/// As [`merge_by_id`].
pub fn merge_copy_by_id(
    patch: &Arc<Node>,
    schemas: &Schemas,
    set: &mut ResourceSet,
) -> Result<(), BuildError> {
    let version = crate::id::Gvk::of(patch).api_version();
    let copy = Arc::new(copied(patch, &version));
    merge_by_id(&copy, Allowed::default(), schemas, set)
}

/// A patch as the original notes on it what it may change: its annotations become text, and no null deletes.
fn noted(patch: &Arc<Node>) -> Arc<Node> {
    let mut copy = Resource::new(Arc::clone(patch));
    if copy.metadata("annotations").is_some() {
        let texts = copy.texts("annotations");
        copy.set_texts("annotations", texts);
    }
    Arc::new(copy.take_node())
}

/// A patch as the original copies it: labels and annotations are written anew, and so become text.
fn copied(patch: &Arc<Node>, api_version: &str) -> Node {
    let mut copy = Resource::new(Arc::clone(patch));
    for field in ["labels", "annotations"] {
        let texts = copy.texts(field);
        copy.set_texts(field, texts);
    }
    if let Some(map) = copy.node_mut().as_map_mut() {
        map.set("apiVersion", Node::text(api_version));
    }
    copy.take_node()
}

fn merge_into(
    resource: &mut Resource,
    patch: Node,
    allowed: Allowed,
    schemas: &Schemas,
) -> Result<(), BuildError> {
    let id = Arc::clone(resource.id());
    if allowed.name || allowed.kind {
        resource.remember();
    }
    let node = resource.take_node();
    let merged = merge::merge(schemas, node, patch)
        .map_err(|error| BuildError::new(format!("patching {id}: {error}")))?;
    resource.set_node(merged.unwrap_or_else(Node::null));
    resource.settle_shares();
    if resource.is_empty() {
        return Ok(());
    }
    if !allowed.kind {
        resource.set_kind(&id.gvk.kind);
    }
    if !allowed.name {
        resource.set_name(&id.name);
    }
    resource.set_meta("namespace", &id.namespace);
    Ok(())
}
