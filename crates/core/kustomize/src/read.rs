//! Manifests in, trees out: several documents, anchors written out, lists taken apart.

use std::{collections::HashMap, sync::Arc};

use yaml::Event;

use crate::{
    error::BuildError,
    node::{Map, Node, Tag},
    scalar,
};

/// How deep collections may nest; manifests of CRDs stay below forty.
const DEPTH_MAX: usize = 200;
/// How many values one file may have once its aliases are written out: a guard against alias bombs.
const NODES_MAX: usize = 4_000_000;
/// The largest file that is read.
pub const BYTES_MAX: usize = 64 << 20;

/// Every document of `text` that is not empty.
///
/// # Errors
///
/// Syntax, keys that stand twice, keys that are no text, and the limits above.
pub fn documents(text: &str, file: &str) -> Result<Vec<Node>, BuildError> {
    if text.len() > BYTES_MAX {
        return Err(BuildError::new(format!("more than {BYTES_MAX} bytes")).in_file(file));
    }
    let mut reader = Reader::default();
    let unix = text.contains("\r\n").then(|| text.replace("\r\n", "\n"));
    let text = unix.as_deref().unwrap_or(text);
    yaml::events(text, |event, line| reader.take(event, line))
        .map_err(|error| error.0.in_file(file))?;
    Ok(reader.documents)
}

/// The reader's own error, so that the parser's becomes one by `?`.
struct Refused(BuildError);

impl From<yaml::SyntaxError> for Refused {
    fn from(error: yaml::SyntaxError) -> Self {
        Self(BuildError::new(format!("not YAML: {}", error.reason)).at_line(error.line))
    }
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// Manifests repeat their keys, so each is kept once.
    words: HashMap<Box<str>, Arc<str>>,
    nodes: usize,
}

struct Open {
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        map: Map,
        lines: Vec<usize>,
        merges: Vec<Node>,
        key: Option<Key>,
    },
}

enum Key {
    Named(Arc<str>, usize),
    Merge,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Refused> {
        let refuse = |message: String| Refused(BuildError::new(message).at_line(line));
        match event {
            Event::DocumentStart => self.anchors.clear(),
            Event::DocumentEnd => {}
            Event::Scalar {
                text,
                plain,
                tag,
                anchor,
            } => {
                let tag = match tag.as_deref() {
                    None if plain => scalar::tag_of(&text),
                    None => Tag::Str,
                    Some(name) => named_tag(name).unwrap_or(Tag::Str),
                };
                if let Some(Open {
                    kind:
                        Kind::Map {
                            map,
                            lines,
                            key: key @ None,
                            ..
                        },
                    ..
                }) = self.open.last_mut()
                {
                    if plain && text == "<<" {
                        *key = Some(Key::Merge);
                        return Ok(());
                    }
                    if let Some(index) = map.iter().position(|(it, _)| **it == *text) {
                        let first = lines.get(index).copied().unwrap_or_default();
                        return Err(refuse(format!(
                            "mapping key `{text}` is already defined at line {first}"
                        )));
                    }
                    if !matches!(tag, Tag::Str | Tag::Word) {
                        return Err(refuse(format!("key `{text}` is no text; put it in quotes")));
                    }
                    let word = match self.words.get(&*text) {
                        Some(word) => Arc::clone(word),
                        None => {
                            let word: Arc<str> = Arc::from(&*text);
                            self.words.insert(text.into(), Arc::clone(&word));
                            word
                        }
                    };
                    *key = Some(Key::Named(word, line));
                    return Ok(());
                }
                let node = Node::tagged(&*text, tag);
                if anchor != 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                self.add(node, line)?;
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(refuse("alias stands inside what it refers to".to_owned()));
                };
                let node = node.clone();
                self.nodes += size(&node);
                self.add(node, line)?;
            }
            Event::SequenceStart { anchor } => {
                self.open(anchor, Kind::List(Vec::new()), line)?;
            }
            Event::MappingStart { anchor } => {
                let kind = Kind::Map {
                    map: Map::new(),
                    lines: Vec::new(),
                    merges: Vec::new(),
                    key: None,
                };
                self.open(anchor, kind, line)?;
            }
            Event::End => {
                let Some(Open { anchor, kind }) = self.open.pop() else {
                    return Ok(());
                };
                let node = match kind {
                    Kind::List(items) => Node::List(items),
                    Kind::Map { map, merges, .. } => {
                        Node::Map(merge(map, &merges).map_err(refuse)?)
                    }
                };
                if anchor != 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                self.add(node, line)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, anchor: usize, kind: Kind, line: usize) -> Result<(), Refused> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(Refused(BuildError::new(message).at_line(line)));
        }
        if let Some(Open {
            kind: Kind::Map { key: None, .. },
            ..
        }) = self.open.last()
        {
            let message = "expected a key, found a collection";
            return Err(Refused(BuildError::new(message).at_line(line)));
        }
        self.open.push(Open { anchor, kind });
        Ok(())
    }

    fn add(&mut self, node: Node, line: usize) -> Result<(), Refused> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values once aliases are written out");
            return Err(Refused(BuildError::new(message).at_line(line)));
        }
        match self.open.last_mut().map(|it| &mut it.kind) {
            None if node.is_nil_or_empty() => {}
            None => self.documents.push(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map {
                map,
                lines,
                merges,
                key,
            }) => match key.take() {
                Some(Key::Named(name, line)) => {
                    map.push(name, node);
                    lines.push(line);
                }
                Some(Key::Merge) => merges.push(node),
                None => {
                    let message = "an alias as a key is not supported";
                    return Err(Refused(BuildError::new(message).at_line(line)));
                }
            },
        }
        Ok(())
    }
}

fn named_tag(name: &str) -> Option<Tag> {
    match name {
        "int" => Some(Tag::Int),
        "float" => Some(Tag::Float),
        "bool" => Some(Tag::Bool),
        "null" => Some(Tag::Null),
        _ if name.ends_with("timestamp") => Some(Tag::Timestamp),
        _ if name.ends_with("binary") => Some(Tag::Binary),
        _ => None,
    }
}

fn size(node: &Node) -> usize {
    match node {
        Node::Scalar(_) => 1,
        Node::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Node::Map(map) => 1 + map.iter().map(|(_, value)| size(value)).sum::<usize>(),
    }
}

/// Keys that stand in the mapping itself win over merged ones, earlier merges over later ones.
fn merge(mut map: Map, merges: &[Node]) -> Result<Map, String> {
    for merged in merges {
        match merged {
            Node::Map(from) => add_missing(&mut map, from),
            Node::List(items) => {
                for item in items {
                    match item {
                        Node::Map(from) => add_missing(&mut map, from),
                        Node::Scalar(_) | Node::List(_) => {
                            return Err(format!(
                                "expected a mapping to merge, found {}",
                                item.kind()
                            ));
                        }
                    }
                }
            }
            Node::Scalar(_) => {
                return Err("expected a mapping to merge, found a scalar".to_owned());
            }
        }
    }
    Ok(map)
}

fn add_missing(map: &mut Map, from: &Map) {
    for (key, value) in from.iter() {
        if !map.contains(key) {
            map.push(Arc::clone(key), value.clone());
        }
    }
}

/// The objects of a file: documents that are objects, with lists taken apart.
///
/// # Errors
///
/// A document without kind or name, an empty item in a list.
pub fn objects(text: &str, file: &str) -> Result<Vec<Node>, BuildError> {
    from_documents(documents(text, file)?).map_err(|error| error.in_file(file))
}

/// As [`objects`], from documents that are read already.
///
/// # Errors
///
/// As [`objects`].
pub fn from_documents(documents: Vec<Node>) -> Result<Vec<Node>, BuildError> {
    let mut waiting: std::collections::VecDeque<Node> = documents.into();
    let mut found = Vec::with_capacity(waiting.len());
    for node in &waiting {
        validate(node)?;
    }
    while let Some(mut node) = waiting.pop_front() {
        let kind = node.get("kind").map(Node::as_text).unwrap_or_default();
        if !kind.ends_with("List") {
            found.push(node);
            continue;
        }
        let kind = kind.to_owned();
        match node.as_map_mut().and_then(|it| it.remove("items")) {
            None => found.push(node),
            Some(Node::List(items)) => {
                for item in items {
                    if !item.is_nil_or_empty() {
                        validate(&item)?;
                        waiting.push_back(item);
                    }
                }
            }
            Some(other) if other.is_null() => {}
            Some(other) => {
                return Err(BuildError::new(format!(
                    "expected a list in `items` of {kind}, found {}",
                    other.kind()
                )));
            }
        }
    }
    Ok(found)
}

fn validate(node: &Node) -> Result<(), BuildError> {
    let text = |path: &[&str]| node.find(path).map(Node::as_text).unwrap_or_default();
    if node.as_map().is_none() {
        return Err(BuildError::new(format!(
            "expected an object with kind and metadata, found {}",
            node.kind()
        )));
    }
    let kind = text(&["kind"]);
    if kind.is_empty() {
        return Err(BuildError::new("missing `kind` in an object"));
    }
    if !kind.ends_with("List") && text(&["metadata", "name"]).is_empty() {
        return Err(BuildError::new(format!(
            "missing `metadata.name` in an object of kind {kind}"
        )));
    }
    Ok(())
}
