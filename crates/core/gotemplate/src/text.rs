//! Go strings: shared, immutable bytes that are UTF-8 nearly always, but need not be.

use std::{borrow::Borrow, borrow::Cow, cmp::Ordering, fmt, hash, rc::Rc, sync::Arc};

/// A Go string; cloning counts a reference.
///
/// Order, equality and hash are those of the bytes, as in Go.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Utf8(Rc<str>),
    /// Part of a template, which threads share.
    Literal(Arc<str>),
    /// Bytes that are not UTF-8; never used for bytes that are.
    Raw(Rc<[u8]>),
}

/// The value of a string literal in a template; unlike a [`Text`] it can go from thread to thread.
#[derive(Debug)]
pub(crate) enum Literal {
    Utf8(Arc<str>),
    Raw(Box<[u8]>),
}

impl Literal {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.into()),
            Err(error) => Self::Raw(error.into_bytes().into()),
        }
    }

    pub(crate) fn text(&self) -> Text {
        match self {
            Self::Utf8(text) if text.is_empty() => Text::EMPTY,
            Self::Utf8(text) => Text(Repr::Literal(text.clone())),
            Self::Raw(bytes) => Text(Repr::Raw((**bytes).into())),
        }
    }
}

impl Text {
    /// The empty string.
    pub const EMPTY: Self = Self(Repr::Static(""));

    /// A string of the program itself: no allocation, no count.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// Any bytes, UTF-8 or not.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self(Repr::Utf8(text.into())),
            Err(_) => Self(Repr::Raw(bytes.into())),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Static(text) => text.as_bytes(),
            Repr::Utf8(text) => text.as_bytes(),
            Repr::Literal(text) => text.as_bytes(),
            Repr::Raw(bytes) => bytes,
        }
    }

    /// The text, if it is UTF-8. Costs nothing.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Static(text) => Some(text),
            Repr::Utf8(text) => Some(text),
            Repr::Literal(text) => Some(text),
            Repr::Raw(_) => None,
        }
    }

    /// The text, each byte that is not UTF-8 replaced by U+FFFD, as `range` over a Go string sees it.
    pub fn to_str(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Static(text) => Cow::Borrowed(text),
            Repr::Utf8(text) => Cow::Borrowed(text),
            Repr::Literal(text) => Cow::Borrowed(text),
            Repr::Raw(bytes) => Cow::Owned(lossy(bytes)),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// Replaces every single bad byte, which is Go's way (Rust's own replaces runs of them).
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            Self::EMPTY
        } else {
            Self(Repr::Utf8(text.into()))
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Utf8(text.into()))
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Literal(text))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Repr::Utf8(text.into()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_bytes(&bytes)
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl hash::Hash for Text {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_str(), f)
    }
}
