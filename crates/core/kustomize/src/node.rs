//! The tree that transformers work on: YAML that keeps the text of its scalars.
//!
//! A scalar is its text and its tag until the very end, because a replacement
//! may put text into what was a number and the result is read again then.

use std::sync::Arc;

/// A value of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// A scalar as it would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: Arc<str>,
    pub tag: Tag,
    /// A number that scalars of one object share when the original made them one node; zero for none.
    pub share: u32,
}

/// What a scalar is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Decided by the text when it is written.
    Unset,
    Str,
    /// Text that stood without quotes: a transformer that writes it anew may make a number of it.
    Word,
    Int,
    Float,
    Bool,
    Null,
    Timestamp,
    Binary,
}

/// A mapping in the order of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: Arc<str>,
    /// A transformer wrote it, without quotes: should it read as a number, the original fails.
    made: bool,
    value: Node,
}

/// The three shapes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Scalar,
    List,
    Map,
}

impl Node {
    /// Text that stays text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::tagged(text, Tag::Str)
    }

    pub fn tagged(text: impl Into<Arc<str>>, tag: Tag) -> Self {
        Self::Scalar(Scalar {
            text: text.into(),
            tag,
            share: 0,
        })
    }

    /// The value that takes the place of `old`, and its share in what the original made one node.
    #[must_use]
    pub fn in_place_of(self, old: Option<&Self>) -> Self {
        match (self, old) {
            (Self::Scalar(new), Some(Self::Scalar(old))) if old.share != 0 => {
                Self::Scalar(Scalar {
                    share: old.share,
                    ..new
                })
            }
            (new, _) => new,
        }
    }

    pub fn null() -> Self {
        Self::tagged("null", Tag::Null)
    }

    pub fn empty(shape: Shape) -> Self {
        match shape {
            Shape::Scalar => Self::tagged("", Tag::Unset),
            Shape::List => Self::List(Vec::new()),
            Shape::Map => Self::Map(Map::default()),
        }
    }

    pub fn shape(&self) -> Shape {
        match self {
            Self::Scalar(_) => Shape::Scalar,
            Self::List(_) => Shape::List,
            Self::Map(_) => Shape::Map,
        }
    }

    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(it) => Some(it),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The text of a scalar; empty for anything else.
    pub fn as_text(&self) -> &str {
        self.as_scalar().map_or("", |it| &it.text)
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match self {
            Self::List(it) => Some(it),
            Self::Scalar(_) | Self::Map(_) => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(it) => Some(it),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(it) => Some(it),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(it) if it.tag == Tag::Null)
    }

    /// Null, an empty collection, or an empty scalar.
    pub fn is_nil_or_empty(&self) -> bool {
        match self {
            Self::Scalar(it) => it.tag == Tag::Null || it.text.is_empty(),
            Self::List(it) => it.is_empty(),
            Self::Map(it) => it.is_empty(),
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|it| it.get(key))
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut().and_then(|it| it.get_mut(key))
    }

    /// Follows keys of mappings.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The mapping under `key`, made when it is missing or null.
    pub fn child_map(&mut self, key: &str) -> Option<&mut Map> {
        let map = self.as_map_mut()?;
        if map.get(key).is_none_or(Node::is_null) {
            map.set(key, Node::Map(Map::default()));
        }
        map.get_mut(key).and_then(Node::as_map_mut)
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "a scalar",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Scalar {
    pub fn is_string(&self) -> bool {
        matches!(self.tag, Tag::Str | Tag::Word)
    }
}

impl Map {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|it| &*it.key == key)
            .map(|it| &it.value)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries
            .iter_mut()
            .find(|it| &*it.key == key)
            .map(|it| &mut it.value)
    }

    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Replaces the value of a key or adds it at the end, as transformers do.
    pub fn set(&mut self, key: impl Into<Arc<str>> + AsRef<str>, value: Node) {
        match self.get_mut(key.as_ref()) {
            Some(place) => *place = value,
            None => self.entries.push(Entry {
                key: key.into(),
                made: true,
                value,
            }),
        }
    }

    /// As [`Map::set`], with a key that stays text whatever it looks like.
    pub fn put(&mut self, key: impl Into<Arc<str>> + AsRef<str>, value: Node) {
        match self.get_mut(key.as_ref()) {
            Some(place) => *place = value,
            None => self.push(key.into(), value),
        }
    }

    /// Adds a key that is known to be new.
    pub fn push(&mut self, key: Arc<str>, value: Node) {
        self.entries.push(Entry {
            key,
            made: false,
            value,
        });
    }

    /// Adds what another mapping had under a key.
    pub fn push_from(&mut self, other: &Self, key: &Arc<str>, value: Node) {
        let made = other
            .entries
            .iter()
            .find(|it| it.key == *key)
            .is_some_and(|it| it.made);
        self.entries.push(Entry {
            key: Arc::clone(key),
            made,
            value,
        });
    }

    /// The first key that a transformer wrote and that reads as something else than text.
    pub fn misread_key(&self) -> Option<&str> {
        self.entries
            .iter()
            .filter(|it| it.made)
            .map(|it| &*it.key)
            .find(|it| crate::scalar::tag_of(it) != Tag::Word)
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let index = self.entries.iter().position(|it| &*it.key == key)?;
        Some(self.entries.remove(index).value)
    }

    /// Keeps the keys that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.entries.retain(|it| keep(&it.key));
    }

    /// The entries in order.
    pub fn into_entries(self) -> impl Iterator<Item = (Arc<str>, Node)> {
        self.entries.into_iter().map(|it| (it.key, it.value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        self.entries.iter().map(|it| (&it.key, &it.value))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Node)> {
        self.entries.iter_mut().map(|it| (&it.key, &mut it.value))
    }
}

impl FromIterator<(Arc<str>, Node)> for Map {
    /// Keys that stay text whatever they look like.
    fn from_iter<T: IntoIterator<Item = (Arc<str>, Node)>>(iter: T) -> Self {
        let mut map = Self::default();
        for (key, value) in iter {
            map.push(key, value);
        }
        map
    }
}
