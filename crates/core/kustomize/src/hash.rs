//! The suffix that a generated name gets from its content.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{node::Node, resource::Resource, write};

/// How much of the digest stands in the name.
const LENGTH: usize = 10;

/// The suffix of an object.
///
/// # Errors
///
/// A value that has no place in JSON.
pub fn suffix(resource: &Resource) -> Result<String, String> {
    let node = resource.node();
    let value = match resource.kind() {
        "ConfigMap" => {
            let mut value = json!({"kind": "ConfigMap", "name": "", "data": field(node, "data")?});
            add_map(&mut value, node, "binaryData")?;
            value
        }
        "Secret" => {
            let mut value = json!({
                "kind": "Secret",
                "name": "",
                "type": field(node, "type")?,
                "data": field(node, "data")?,
            });
            add_map(&mut value, node, "stringData")?;
            value
        }
        _ => write::json(node)?,
    };
    Ok(encode(write::go_json(&value).as_bytes()))
}

fn field(node: &Node, name: &str) -> Result<Value, String> {
    match node.get(name) {
        None => Ok(Value::from("")),
        Some(Node::Scalar(it)) => Ok(Value::from(&*it.text)),
        Some(it) => write::json(it),
    }
}

fn add_map(value: &mut Value, node: &Node, name: &str) -> Result<(), String> {
    let found = field(node, name)?;
    if let (Value::Object(map), Value::Object(_)) = (value, &found) {
        Map::insert(map, name.to_owned(), found);
    }
    Ok(())
}

/// Hexadecimal without what could read as a word or be mistaken for a letter.
fn encode(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(LENGTH)
        .map(|digit| match digit {
            0 => 'g',
            1 => 'h',
            3 => 'k',
            10 => 'm',
            14 => 't',
            digit => char::from_digit(u32::from(digit), 16).unwrap_or('g'),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::read;

    #[test]
    fn suffixes_are_those_of_the_original() {
        check(
            "kind: ConfigMap\nmetadata: {name: a}\ndata: {k: v, h: \"<a>&é\\u2028\", n: \"1\"}",
            "462hdbf7k5",
        );
        check(
            "kind: Secret\ntype: Opaque\nmetadata: {name: a}\ndata: {k: dg==}",
            "ftgtgc4t9f",
        );
        check(
            "kind: Secret\ntype: Opaque\nmetadata: {name: a}\ndata: {}",
            "46f8b28mk5",
        );
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let node = read::objects(text, "a.yaml").expect("object").remove(0);
        let resource = Resource::new(Arc::new(node));
        assert_eq!(suffix(&resource).as_deref(), Ok(expected));
    }
}
