//! Puts the events of the first document together to a graph: nodes in a row, which name each other
//! by their places.

use std::{borrow::Cow, collections::HashMap};

use super::{
    error::GoError,
    parser::{Event, Parser},
};

/// A document; the root comes first.
#[derive(Debug, Default)]
pub(super) struct Document<'a> {
    pub nodes: Vec<Node<'a>>,
    pub aliases: bool,
}

/// The place of the root, which is nobody's child: as a child or sibling it stands for none.
pub(super) const ROOT: usize = 0;

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub content: Content<'a>,
    /// The next child of its parent.
    pub next: usize,
}

#[derive(Debug)]
pub(super) enum Content<'a> {
    Scalar {
        text: Cow<'a, str>,
        /// Empty for none.
        tag: Box<str>,
        implicit: bool,
    },
    Sequence(Children),
    /// Keys and values in turn.
    Mapping(Children),
    Alias {
        name: &'a str,
        target: usize,
    },
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Children {
    pub first: usize,
    pub count: usize,
}

/// A collection that is still open, and its last child.
struct Open {
    at: usize,
    last: usize,
}

/// The first document; `None` for a text without one.
pub(super) fn compose(text: &str) -> Result<Option<Document<'_>>, GoError> {
    // The original reads a line break where there is nothing.
    let mut parser = Parser::new(if text.is_empty() { "\n" } else { text });
    if parser.next()? == Event::StreamEnd {
        return Ok(None);
    }
    let mut document = Document::default();
    let mut anchors: HashMap<&str, usize> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    loop {
        let at = document.nodes.len();
        let (content, anchor) = match parser.next()? {
            Event::Scalar(scalar) => {
                let content = Content::Scalar {
                    text: scalar.text,
                    tag: scalar.properties.tag.into_boxed_str(),
                    implicit: scalar.implicit,
                };
                (content, scalar.properties.anchor)
            }
            Event::Alias(name) => {
                let Some(target) = anchors.get(name).copied() else {
                    return Err(GoError::yaml(format_args!(
                        "unknown anchor '{name}' referenced"
                    )));
                };
                document.aliases = true;
                (Content::Alias { name, target }, None)
            }
            Event::SequenceStart(it) => (Content::Sequence(Children::default()), it.anchor),
            Event::MappingStart(it) => (Content::Mapping(Children::default()), it.anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                if open.is_empty() {
                    break;
                }
                continue;
            }
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => break,
        };
        let opens = matches!(content, Content::Sequence(_) | Content::Mapping(_));
        let next = ROOT;
        document.nodes.push(Node { content, next });
        if let Some(name) = anchor {
            anchors.insert(name, at);
        }
        if let Some(parent) = open.last_mut() {
            document.add(parent, at);
        }
        if opens {
            open.push(Open { at, last: ROOT });
        } else if open.is_empty() {
            break;
        }
    }
    // What follows the root must be the end of the document.
    parser.next()?;
    Ok(Some(document))
}

impl Document<'_> {
    fn add(&mut self, parent: &mut Open, at: usize) {
        if parent.last != ROOT {
            self.nodes[parent.last].next = at;
        }
        if let Content::Sequence(children) | Content::Mapping(children) =
            &mut self.nodes[parent.at].content
        {
            if children.count == 0 {
                children.first = at;
            }
            children.count += 1;
        }
        parent.last = at;
    }
}
