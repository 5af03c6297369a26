//! JSON 6902 patches: operations on paths, as the original's library carries them out.

use serde_json::Value;

use crate::{error::BuildError, kustomization::steering_yaml, node::Node, write};

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    kind: Kind,
    path: Vec<String>,
    written: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Add(Node),
    Remove,
    Replace(Node),
    Move(Vec<String>),
    Copy(Vec<String>),
    Test(Node),
}

/// Reads a list of operations, JSON or YAML.
///
/// # Errors
///
/// What is no list of operations.
pub fn parse(text: &str, file: &str) -> Result<Vec<Operation>, BuildError> {
    let value = if text.starts_with('[') {
        serde_json::from_str(text)
            .map_err(|error| BuildError::new(format!("not JSON: {error}")).in_file(file))?
    } else {
        steering_yaml(text, file)?
    };
    let Value::Array(operations) = value else {
        return Err(BuildError::new("expected a list of operations").in_file(file));
    };
    operations
        .iter()
        .map(|it| operation(it).map_err(|error| error.in_file(file)))
        .collect()
}

fn operation(value: &Value) -> Result<Operation, BuildError> {
    let Value::Object(fields) = value else {
        return Err(BuildError::new(
            "expected an operation with `op` and `path`",
        ));
    };
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let written = text("path").to_owned();
    let content = || write::from_json(fields.get("value").unwrap_or(&Value::Null));
    let kind = match text("op") {
        "add" => Kind::Add(content()),
        "remove" => Kind::Remove,
        "replace" => Kind::Replace(content()),
        "move" => Kind::Move(parts(text("from"))),
        "copy" => Kind::Copy(parts(text("from"))),
        "test" => Kind::Test(content()),
        other => {
            return Err(
                BuildError::new(format!("unexpected kind of operation `{other}`"))
                    .hint("known are add, remove, replace, move, copy, test"),
            );
        }
    };
    Ok(Operation {
        kind,
        path: parts(&written),
        written,
    })
}

/// The first part is what stands before the first slash: nothing, when the path is right.
fn parts(path: &str) -> Vec<String> {
    path.split('/')
        .skip(1)
        .map(|it| it.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Carries out the operations in order.
///
/// # Errors
///
/// The first operation that does not apply.
pub fn apply(operations: &[Operation], object: &mut Node) -> Result<(), String> {
    operations.iter().try_for_each(|it| {
        let done = match &it.kind {
            Kind::Add(value) => add(object, &it.path, value.clone()),
            Kind::Remove => remove(object, &it.path).map(drop),
            Kind::Replace(value) => replace(object, &it.path, value.clone()),
            Kind::Move(from) => remove(object, from).and_then(|node| add(object, &it.path, node)),
            Kind::Copy(from) => source(object, from).and_then(|node| add(object, &it.path, node)),
            Kind::Test(value) => test(object, &it.path, value),
        };
        done.map_err(|error| {
            format!(
                "{} operation does not apply: `{}`: {error}",
                it.word(),
                it.written
            )
        })
    })
}

impl Operation {
    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Add(_) => "add",
            Kind::Remove => "remove",
            Kind::Replace(_) => "replace",
            Kind::Move(_) => "move",
            Kind::Copy(_) => "copy",
            Kind::Test(_) => "test",
        }
    }
}

fn child<'n>(node: &'n mut Node, part: &str) -> Option<&'n mut Node> {
    match node {
        Node::Map(map) => map.get_mut(part),
        Node::List(items) => {
            let index = index(part, items.len())?;
            items.get_mut(index)
        }
        Node::Scalar(_) => None,
    }
}

/// A position in a list; negative ones count from its end.
fn index(part: &str, length: usize) -> Option<usize> {
    let number: i64 = part.parse().ok()?;
    if number < 0 {
        return length.checked_sub(usize::try_from(-number).ok()?);
    }
    usize::try_from(number).ok()
}

fn parent<'n, 'p>(
    object: &'n mut Node,
    path: &'p [String],
) -> Result<(&'n mut Node, &'p str), String> {
    let Some((last, above)) = path.split_last() else {
        return Err("missing path".to_owned());
    };
    let mut node = object;
    for (depth, part) in above.iter().enumerate() {
        node = child(node, part).ok_or_else(|| {
            format!(
                "nothing at `/{}`",
                above.get(..=depth).unwrap_or(above).join("/")
            )
        })?;
    }
    Ok((node, last))
}

fn find<'n>(object: &'n Node, path: &[String]) -> Option<&'n Node> {
    path.iter().try_fold(object, |node, part| match node {
        Node::Map(map) => map.get(part),
        Node::List(items) => items.get(index(part, items.len())?),
        Node::Scalar(_) => None,
    })
}

fn add(object: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    let (node, last) = parent(object, path)?;
    match node {
        Node::Map(map) => {
            map.put(last, value);
            Ok(())
        }
        Node::List(items) if last == "-" => {
            items.push(value);
            Ok(())
        }
        Node::List(items) => match index(last, items.len() + 1) {
            Some(at) if at <= items.len() => {
                items.insert(at, value);
                Ok(())
            }
            _ => Err(format!(
                "`{last}` is no position in a list of {}",
                items.len()
            )),
        },
        Node::Scalar(_) => Err(format!("`{last}` would stand in a scalar")),
    }
}

fn remove(object: &mut Node, path: &[String]) -> Result<Node, String> {
    let (node, last) = parent(object, path)?;
    match node {
        Node::Map(map) => map
            .remove(last)
            .ok_or_else(|| format!("there is no key `{last}`")),
        Node::List(items) => match index(last, items.len()) {
            Some(at) if at < items.len() => Ok(items.remove(at)),
            _ => Err(format!(
                "`{last}` is no position in a list of {}",
                items.len()
            )),
        },
        Node::Scalar(_) => Err(format!("`{last}` would stand in a scalar")),
    }
}

fn replace(object: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    let (node, last) = parent(object, path)?;
    if let Node::Map(map) = node {
        // The original's library does not ask whether the key was there.
        map.put(last, value);
        return Ok(());
    }
    match child(node, last) {
        Some(place) => {
            *place = value;
            Ok(())
        }
        None => Err(format!("`{last}` is no position there")),
    }
}

/// What is copied; a key that is not there is null.
fn source(object: &mut Node, path: &[String]) -> Result<Node, String> {
    let (node, last) = parent(object, path)?;
    match node {
        Node::Map(map) => Ok(map.get(last).cloned().unwrap_or_else(Node::null)),
        Node::List(_) | Node::Scalar(_) => child(node, last)
            .cloned()
            .ok_or_else(|| format!("`{last}` is no position there")),
    }
}

fn test(object: &mut Node, path: &[String], value: &Node) -> Result<(), String> {
    let found = match find(object, path) {
        None if value.is_null() => return Ok(()),
        None => return Err("there is nothing to compare with".to_owned()),
        Some(found) => found,
    };
    if write::json(found)? == write::json(value)? {
        return Ok(());
    }
    Err("the value is not the expected one".to_owned())
}
