//! JSON and YAML that stand as text in a field, changed in place.

use serde_json::Value;

use crate::{error::BuildError, node::Node, read, write};

/// Changes the document that `text` holds; `None` when it holds none or `change` found nothing.
///
/// # Errors
///
/// YAML whose own style would get lost: the original keeps comments and quotes.
pub fn write(
    text: &str,
    change: impl FnOnce(&mut Node) -> bool,
) -> Result<Option<String>, BuildError> {
    let Ok(mut documents) = read::documents(text, "") else {
        return Ok(None);
    };
    let (Some(mut node), true) = (documents.pop(), documents.is_empty()) else {
        return Ok(None);
    };
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        if !change(&mut node) {
            return Ok(None);
        }
        let value = write::json(&node).map_err(BuildError::new)?;
        let pretty = text.contains('\n') && text.contains("  ");
        return Ok(Some(if pretty {
            indented(&value, 0)
        } else {
            write::go_json(&value)
        }));
    }
    if matches!(node, Node::Scalar(_)) {
        return Ok(None);
    }
    let before = plain_yaml(&node, 0);
    if !change(&mut node) {
        return Ok(None);
    }
    if before.as_deref().map(str::trim) != Some(text.trim()) {
        return Err(BuildError::new(
            "a replacement into YAML text with comments, quotes or a layout of its own is not supported",
        ));
    }
    Ok(plain_yaml(&node, 0).map(|it| it.trim().to_owned()))
}

/// YAML in order, as long as every scalar can stand plain; `None` otherwise.
fn plain_yaml(node: &Node, indent: usize) -> Option<String> {
    let pad = " ".repeat(indent);
    let mut out = String::new();
    match node {
        Node::Scalar(it) => {
            let plain = !it.text.is_empty()
                && !it
                    .text
                    .contains([':', '#', '\n', '"', '\'', '{', '[', '&', '*', '!', '|', '>'])
                && it.text.trim() == &*it.text;
            return plain.then(|| it.text.to_string());
        }
        Node::Map(map) if !map.is_empty() => {
            for (key, value) in map.iter() {
                let inner = plain_yaml(value, indent + 2)?;
                match value {
                    Node::Scalar(_) => out.push_str(&format!("{pad}{key}: {inner}\n")),
                    Node::List(_) => {
                        let inner = plain_yaml(value, indent)?;
                        out.push_str(&format!("{pad}{key}:\n{inner}"));
                    }
                    Node::Map(_) => out.push_str(&format!("{pad}{key}:\n{inner}")),
                }
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                let inner = plain_yaml(item, indent + 2)?;
                out.push_str(&format!("{pad}- {}", inner.trim_start()));
                if matches!(item, Node::Scalar(_)) {
                    out.push('\n');
                }
            }
        }
        Node::Map(_) | Node::List(_) => return None,
    }
    Some(out)
}

/// JSON with an indent of two, as Go writes it.
fn indented(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<String> = items
                .iter()
                .map(|it| format!("{pad}{}", indented(it, depth + 1)))
                .collect();
            format!("[\n{}\n{end}]", items.join(",\n"))
        }
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| {
                    let key = write::go_json(&Value::from(key.as_str()));
                    format!("{pad}{key}: {}", indented(value, depth + 1))
                })
                .collect();
            format!("{{\n{}\n{end}}}", entries.join(",\n"))
        }
        other => write::go_json(other),
    }
}
