//! The transformer that writes one value into fields, or into a part of a path in them.

use crate::{
    decode::records,
    error::BuildError,
    field::{Create, apply},
    kustomization::{FieldSpec, Selector},
    node::{Node, Shape, Tag},
    selector::Matcher,
    set::ResourceSet,
};

records! {
    /// Where the value goes.
    Target {
        selector: Option<Selector> = "selector",
        not_selector: Option<Selector> = "notSelector",
        field_path: String = "fieldPath",
        position: i64 = "filePathPosition",
    }
}

/// Writes `value` into the fields of `targets`.
///
/// # Errors
///
/// Selectors or fields that are wrong.
pub fn transform(set: &mut ResourceSet, value: &str, targets: &[Target]) -> Result<(), BuildError> {
    for target in targets {
        let selector = target.selector.as_ref().map(Matcher::new).transpose()?;
        let spec = FieldSpec::new(&target.field_path, true);
        for resource in &mut set.items {
            if selector.as_ref().is_some_and(|it| !it.selects(resource)) {
                continue;
            }
            let gvk = resource.gvk();
            apply(
                resource.node_mut(),
                &gvk,
                &spec,
                Create::As(Shape::Scalar),
                &mut |node| {
                    let Node::Scalar(old) = &*node else {
                        return Err(format!("expected a scalar, found {}", node.kind()));
                    };
                    let text = match usize::try_from(target.position) {
                        Ok(position) if position > 0 => at(&old.text, value, position),
                        _ => value.to_owned(),
                    };
                    let tag = if old.tag == Tag::Str {
                        Tag::Str
                    } else {
                        Tag::Unset
                    };
                    *node = Node::tagged(text, tag);
                    Ok(())
                },
            )?;
        }
    }
    Ok(())
}

/// The path with `value` as its part number `position`, counted from one.
fn at(path: &str, value: &str, position: usize) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if position <= parts.len() {
        parts.insert(position - 1, value);
    } else {
        parts.push(value);
    }
    parts.join("/")
}
