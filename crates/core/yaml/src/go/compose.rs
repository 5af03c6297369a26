//! Puts the events of the first document together to a graph: nodes in a row, children by number.

use std::collections::HashMap;

use super::{
    error::GoError,
    parser::{Event, Parser},
};

/// A document; nodes name each other by their place in `nodes`.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub nodes: Vec<Node>,
    pub root: usize,
}

#[derive(Debug)]
pub(super) enum Node {
    Scalar {
        text: String,
        tag: String,
        implicit: bool,
    },
    Sequence(Vec<usize>),
    /// Keys and values in turn.
    Mapping(Vec<usize>),
    Alias {
        name: String,
        target: usize,
    },
}

/// The first document; `None` for a text without one.
pub(super) fn compose(text: &str) -> Result<Option<Document>, GoError> {
    // The original reads a line break where there is nothing.
    let mut parser = Parser::new(if text.is_empty() { "\n" } else { text });
    if parser.next()? == Event::StreamEnd {
        return Ok(None);
    }
    let mut document = Document::default();
    let mut anchors: HashMap<String, usize> = HashMap::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let at = document.nodes.len();
        let (node, anchor, opens) = match parser.next()? {
            Event::Scalar(scalar) => {
                let node = Node::Scalar {
                    text: scalar.text,
                    tag: scalar.properties.tag,
                    implicit: scalar.implicit,
                };
                (node, scalar.properties.anchor, false)
            }
            Event::Alias(name) => {
                let Some(target) = anchors.get(&name).copied() else {
                    return Err(GoError::yaml(format_args!(
                        "unknown anchor '{name}' referenced"
                    )));
                };
                (Node::Alias { name, target }, None, false)
            }
            Event::SequenceStart(it) => (Node::Sequence(Vec::new()), it.anchor, true),
            Event::MappingStart(it) => (Node::Mapping(Vec::new()), it.anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                if open.is_empty() {
                    break;
                }
                continue;
            }
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => break,
        };
        document.nodes.push(node);
        if let Some(name) = anchor {
            anchors.insert(name, at);
        }
        if let Some(Node::Sequence(children) | Node::Mapping(children)) =
            open.last().and_then(|it| document.nodes.get_mut(*it))
        {
            children.push(at);
        }
        if opens {
            open.push(at);
        } else if open.is_empty() {
            break;
        }
    }
    // What follows the root must be the end of the document.
    parser.next()?;
    Ok(Some(document))
}
