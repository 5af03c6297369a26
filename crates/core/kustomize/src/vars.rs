//! `vars`: values of fields that stand in for `$(NAME)` elsewhere.

use std::collections::BTreeMap;

use crate::{
    error::BuildError,
    expand::{Piece, pieces},
    field::{Create, apply},
    id::{Gvk, Id, split_api_version},
    kustomization::Var,
    node::{Node, Scalar, Tag},
    replacement,
    target::Accumulated,
};

/// Takes in the vars of a folder and marks the objects that they read.
///
/// # Errors
///
/// A name that is taken, an object that is not the only one of its name.
pub fn merge(state: &mut Accumulated, vars: &[Var]) -> Result<(), BuildError> {
    for var in vars {
        let id = target(var);
        let by_namespace = !id.namespace.is_empty() || id.is_cluster_scoped();
        let found: Vec<usize> = state
            .set
            .items
            .iter()
            .enumerate()
            .filter(|(_, it)| {
                let original = it.original_id();
                if by_namespace {
                    original.same(&id)
                } else {
                    original.gvk == id.gvk && original.name == id.name
                }
            })
            .map(|(index, _)| index)
            .collect();
        if found.len() > 1 {
            return Err(BuildError::new(format!(
                "found {} resId matches for var `{}` (unable to disambiguate)",
                found.len(),
                var.name
            )));
        }
        for index in found {
            if let Some(resource) = state.set.items.get_mut(index) {
                resource.ref_vars.push(var.name.clone());
            }
        }
        if state.vars.iter().any(|it| it.name == var.name) {
            return Err(BuildError::new(format!(
                "var `{}` already encountered",
                var.name
            )));
        }
        state.vars.push(normalized(var));
    }
    Ok(())
}

/// Takes in the vars of a base; the same var by two ways is one.
///
/// # Errors
///
/// Two vars of one name.
pub fn merge_set(into: &mut Vec<Var>, more: Vec<Var>) -> Result<(), BuildError> {
    for var in more {
        match into.iter().find(|it| it.name == var.name) {
            None => into.push(var),
            Some(_) => {
                return Err(BuildError::new(format!(
                    "var `{}` already encountered",
                    var.name
                )));
            }
        }
    }
    Ok(())
}

fn target(var: &Var) -> Id {
    let object = &var.object;
    let mut gvk = Gvk {
        group: object.group.clone(),
        version: object.version.clone(),
        kind: object.kind.clone(),
    };
    if !object.api_version.is_empty() {
        let (group, version) = split_api_version(&object.api_version);
        if !group.is_empty() {
            group.clone_into(&mut gvk.group);
        }
        version.clone_into(&mut gvk.version);
    }
    Id {
        gvk,
        name: object.name.clone(),
        namespace: object.namespace.clone(),
    }
}

fn normalized(var: &Var) -> Var {
    let mut var = var.clone();
    if var.field.field_path.is_empty() {
        "metadata.name".clone_into(&mut var.field.field_path);
    }
    var
}

/// Writes the values into all fields where vars may stand.
///
/// # Errors
///
/// A var whose field is not there.
pub fn resolve(state: &mut Accumulated) -> Result<(), BuildError> {
    if state.vars.is_empty() {
        return Ok(());
    }
    let mut values: BTreeMap<&str, Scalar> = BTreeMap::new();
    for var in &state.vars {
        values.insert(&var.name, value(state, var)?);
    }
    let config = std::sync::Arc::clone(&state.config);
    for resource in &mut state.set.items {
        let gvk = resource.gvk();
        for spec in config.var_reference.iter().filter(|it| it.selects(&gvk)) {
            apply(
                resource.node_mut(),
                &gvk,
                spec,
                Create::Never,
                &mut |node| expand(node, &values),
            )?;
        }
    }
    Ok(())
}

fn value(state: &Accumulated, var: &Var) -> Result<Scalar, BuildError> {
    let resource = state
        .set
        .items
        .iter()
        .find(|it| it.ref_vars.contains(&var.name));
    let Some(resource) = resource else {
        return Err(BuildError::new(format!(
            "var `{}` cannot be mapped to a field in the set of known resources",
            var.name
        )));
    };
    let path = &var.field.field_path;
    match replacement::field(resource.node(), path) {
        Some(Node::Scalar(it)) => Ok(it.clone()),
        _ => Err(BuildError::new(format!(
            "field `{path}` specified in var `{}` not found in {}",
            var.name,
            resource.id()
        ))),
    }
}

fn expand(node: &mut Node, values: &BTreeMap<&str, Scalar>) -> Result<(), String> {
    match node {
        Node::Scalar(scalar) => {
            if scalar.is_string() {
                *scalar = expanded(scalar, values);
            }
            Ok(())
        }
        Node::Map(map) => {
            for (_, value) in map.iter_mut() {
                if let Node::Scalar(scalar) = value
                    && scalar.is_string()
                {
                    *scalar = expanded(scalar, values);
                }
            }
            Ok(())
        }
        Node::List(items) => items.iter_mut().try_for_each(|item| match item {
            Node::Scalar(scalar) if scalar.is_string() => {
                *scalar = expanded(scalar, values);
                Ok(())
            }
            _ => Err("invalid value type, expected text".to_owned()),
        }),
    }
}

/// A text that is nothing but one reference takes the type of the value.
fn expanded(scalar: &Scalar, values: &BTreeMap<&str, Scalar>) -> Scalar {
    let pieces = pieces(&scalar.text);
    if let [Piece::Name(name)] = pieces.as_slice()
        && let Some(value) = values.get(name)
    {
        return Scalar {
            share: scalar.share,
            ..value.clone()
        };
    }
    let mut text = String::with_capacity(scalar.text.len());
    for piece in pieces {
        match piece {
            Piece::Text(it) => text.push_str(it),
            Piece::Name(name) => match values.get(name) {
                Some(value) => text.push_str(&value.text),
                None => {
                    text.push_str("$(");
                    text.push_str(name);
                    text.push(')');
                }
            },
        }
    }
    Scalar {
        text: text.into(),
        tag: Tag::Str,
        share: scalar.share,
    }
}
