//! Makes values of the graph: scalars are resolved, aliases written out, merge keys carried out.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of many kinds each place knows a few"
)]

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Build,
    compose::{Document, Node},
    error::{GoError, Stage, Unfit},
};
use crate::{emit, resolve_go};

const STR: &str = "tag:yaml.org,2002:str";
const BINARY: &str = "tag:yaml.org,2002:binary";
const MERGE: &str = "tag:yaml.org,2002:merge";

pub(super) fn decode<B: Build>(
    document: Option<&Document>,
    build: &B,
) -> Result<B::Value, GoError> {
    let Some(document) = document else {
        return Ok(build.null());
    };
    let mut decoder = Decoder {
        document,
        build,
        inside: vec![false; document.nodes.len()],
        decoded: 0,
        aliased: 0,
        alias_depth: 0,
    };
    decoder
        .value(document.root)?
        .map_err(|it| GoError::json(&it))
}

/// A value, or why JSON has no place for it: wrong YAML further on is the worse problem.
type Made<V> = Result<V, Unfit>;

struct Decoder<'a, B: Build> {
    document: &'a Document,
    build: &'a B,
    /// Aliases that are being written out.
    inside: Vec<bool>,
    decoded: usize,
    aliased: usize,
    alias_depth: usize,
}

/// What a scalar is.
enum Resolved {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text,
    Other(String),
}

impl<B: Build> Decoder<'_, B> {
    fn node(&self, at: usize) -> &Node {
        &self.document.nodes[at]
    }

    /// Small texts blow up to huge ones by aliases of aliases; the original has this bound.
    fn count(&mut self) -> Result<(), GoError> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let (decoded, aliased) = (self.decoded as f64, self.aliased as f64);
        let allowed = 0.99 - 0.89 * ((decoded - 400_000.0) / 3_600_000.0).clamp(0.0, 1.0);
        if self.aliased > 100 && self.decoded > 1_000 && aliased / decoded > allowed {
            return Err(GoError::yaml("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn value(&mut self, at: usize) -> Result<Made<B::Value>, GoError> {
        self.count()?;
        match self.node(at) {
            Node::Scalar {
                text,
                tag,
                implicit,
            } => {
                let resolved = resolve(text, tag, *implicit)?;
                Ok(self.scalar(text, resolved))
            }
            Node::Sequence(children) => {
                let children: Vec<usize> = children.clone();
                let items: Result<Vec<_>, _> =
                    children.into_iter().map(|it| self.deeper(it)).collect();
                Ok(all(items?).map(|it| self.build.sequence(it)))
            }
            Node::Mapping(_) => {
                let mut entries = Entries::default();
                self.mapping(at, &mut entries)?;
                let named = entries
                    .list
                    .into_iter()
                    .map(|(key, value)| value.map(|it| (key, it)));
                let unfit = entries.unfit.map(Err);
                Ok(all(unfit.into_iter().chain(named)).map(|it| self.build.mapping(it)))
            }
            Node::Alias { target, .. } => {
                let target = *target;
                self.enter(at)?;
                let value = self.deeper(target)?;
                self.leave(at);
                Ok(value)
            }
        }
    }

    fn deeper(&mut self, at: usize) -> Result<Made<B::Value>, GoError> {
        stacker::maybe_grow(64 << 10, 1 << 20, || self.value(at))
    }

    fn enter(&mut self, at: usize) -> Result<(), GoError> {
        if self.inside[at]
            && let Node::Alias { name, .. } = self.node(at)
        {
            return Err(GoError::yaml(format_args!(
                "anchor '{name}' value contains itself"
            )));
        }
        self.inside[at] = true;
        self.alias_depth += 1;
        Ok(())
    }

    fn leave(&mut self, at: usize) {
        self.inside[at] = false;
        self.alias_depth -= 1;
    }

    fn scalar(&self, text: &str, resolved: Resolved) -> Made<B::Value> {
        Ok(match resolved {
            Resolved::Null => self.build.null(),
            Resolved::Boolean(flag) => self.build.boolean(flag),
            Resolved::Integer(number) => self.build.integer(number),
            Resolved::Unsigned(number) => self.build.unsigned(number),
            Resolved::Float(number) if number.is_finite() => self.build.float(number),
            Resolved::Float(number) => {
                let shown = match (number.is_nan(), number > 0.0) {
                    (true, _) => "NaN",
                    (false, true) => "+Inf",
                    (false, false) => "-Inf",
                };
                let message = format!("json: unsupported value: {shown}");
                return Err(Unfit {
                    stage: Stage::Values,
                    message,
                });
            }
            Resolved::Text => self.build.text(text.to_owned()),
            Resolved::Other(text) => self.build.text(text),
        })
    }

    /// Adds the entries of a mapping; later ones replace earlier ones, merged ones like any others.
    fn mapping(&mut self, at: usize, entries: &mut Entries<B::Value>) -> Result<(), GoError> {
        let Node::Mapping(children) = self.node(at) else {
            return Ok(());
        };
        let children: Vec<usize> = children.clone();
        for pair in children.chunks(2) {
            let &[key, value] = pair else { continue };
            if self.is_merge(key) {
                self.merge(value, entries)?;
                continue;
            }
            let key = self.key(key, value)?;
            let value = self.deeper(value)?;
            match key {
                Ok(key) => entries.set(key, value),
                Err(unfit) => entries.unfit = Some(unfit),
            }
        }
        Ok(())
    }

    fn is_merge(&self, at: usize) -> bool {
        match self.node(at) {
            Node::Scalar {
                text,
                tag,
                implicit,
            } => text == "<<" && (*implicit || tag == MERGE),
            _ => false,
        }
    }

    fn merge(&mut self, at: usize, entries: &mut Entries<B::Value>) -> Result<(), GoError> {
        match self.node(at) {
            Node::Sequence(children) => {
                // The first of them wins, so it comes last.
                for child in children.clone().into_iter().rev() {
                    self.merge_one(child, entries)?;
                }
                Ok(())
            }
            _ => self.merge_one(at, entries),
        }
    }

    fn merge_one(&mut self, at: usize, entries: &mut Entries<B::Value>) -> Result<(), GoError> {
        self.count()?;
        match self.node(at) {
            Node::Mapping(_) => self.mapping(at, entries),
            Node::Alias { target, .. } if matches!(self.node(*target), Node::Mapping(_)) => {
                let target = *target;
                self.enter(at)?;
                self.count()?;
                self.mapping(target, entries)?;
                self.leave(at);
                Ok(())
            }
            _ => Err(GoError::yaml(
                "map merge requires map or sequence of maps as the value",
            )),
        }
    }

    /// A key as text; the step to JSON has none for null and for collections.
    fn key(&mut self, at: usize, value: usize) -> Result<Made<String>, GoError> {
        self.count()?;
        let mut target = at;
        while let Node::Alias { target: next, .. } = self.node(target) {
            target = *next;
        }
        let Node::Scalar {
            text,
            tag,
            implicit,
        } = self.node(target)
        else {
            return Err(GoError::yaml(format_args!(
                "invalid map key: {}",
                self.go_syntax(target)
            )));
        };
        Ok(Ok(match resolve(text, tag, *implicit)? {
            Resolved::Text => text.clone(),
            Resolved::Other(text) => text,
            Resolved::Boolean(flag) => flag.to_string(),
            Resolved::Integer(number) => number.to_string(),
            Resolved::Float(number) => emit::float_key(number),
            Resolved::Unsigned(number) => {
                let shown = self.go_syntax(value);
                let message = format!(
                    "unsupported map key of type: uint64, key: {number:#x}, value: {shown}"
                );
                return Ok(Err(Unfit {
                    stage: Stage::Keys,
                    message,
                }));
            }
            Resolved::Null => {
                let shown = self.go_syntax(value);
                let message =
                    format!("unsupported map key of type: %!s(<nil>), key: <nil>, value: {shown}");
                return Ok(Err(Unfit {
                    stage: Stage::Keys,
                    message,
                }));
            }
        }))
    }

    /// As Go's `%#v` shows it.
    fn go_syntax(&self, at: usize) -> String {
        match self.node(at) {
            Node::Alias { target, .. } => self.go_syntax(*target),
            Node::Scalar {
                text,
                tag,
                implicit,
            } => match resolve(text, tag, *implicit) {
                Ok(Resolved::Null) => "interface {}(nil)".to_owned(),
                Ok(Resolved::Boolean(flag)) => flag.to_string(),
                Ok(Resolved::Integer(number)) => number.to_string(),
                Ok(Resolved::Float(number)) => emit::float(number),
                _ => format!("{text:?}"),
            },
            Node::Sequence(children) => {
                let items: Vec<String> = children.iter().map(|it| self.go_syntax(*it)).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            Node::Mapping(children) => {
                let pairs: Vec<String> = children
                    .chunks(2)
                    .filter_map(|pair| {
                        Some(format!(
                            "{}:{}",
                            self.go_syntax(*pair.first()?),
                            self.go_syntax(*pair.get(1)?)
                        ))
                    })
                    .collect();
                format!("map[interface {{}}]interface {{}}{{{}}}", pairs.join(", "))
            }
        }
    }
}

/// Entries in the order of their keys' last setting, each key once.
struct Entries<V> {
    list: Vec<(String, Made<V>)>,
    /// A key that JSON has no place for.
    unfit: Option<Unfit>,
    /// Used from a certain size on.
    places: HashMap<String, usize>,
}

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            unfit: None,
            places: HashMap::new(),
        }
    }
}

impl<V> Entries<V> {
    const SEARCHED_MAX: usize = 16;

    fn set(&mut self, key: String, value: Made<V>) {
        let place = if self.list.len() <= Self::SEARCHED_MAX {
            self.list.iter().position(|it| it.0 == key)
        } else {
            if self.places.is_empty() {
                let named = self.list.iter().enumerate();
                self.places = named.map(|(at, entry)| (entry.0.clone(), at)).collect();
            }
            self.places.get(&key).copied()
        };
        match place.and_then(|it| self.list.get_mut(it)) {
            Some(entry) => entry.1 = value,
            None => {
                if !self.places.is_empty() {
                    self.places.insert(key.clone(), self.list.len());
                }
                self.list.push((key, value));
            }
        }
    }
}

/// All values, or the problem that the original meets first.
fn all<V>(made: impl IntoIterator<Item = Made<V>>) -> Made<Vec<V>> {
    let mut values = Vec::new();
    let mut first: Option<Unfit> = None;
    for one in made {
        match one {
            Ok(value) => values.push(value),
            Err(unfit) if first.as_ref().is_none_or(|it| unfit.stage < it.stage) => {
                first = Some(unfit)
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(values), Err)
}

fn resolve(text: &str, tag: &str, implicit: bool) -> Result<Resolved, GoError> {
    if tag.is_empty() && !implicit {
        return Ok(Resolved::Text);
    }
    let wanted = tag.strip_prefix("tag:yaml.org,2002:");
    match (tag, wanted) {
        (STR, _) => return Ok(Resolved::Text),
        (BINARY, _) => return binary(text),
        ("", _) | (_, Some("bool" | "int" | "float" | "null" | "timestamp")) => {}
        _ => return Ok(Resolved::Text),
    }
    let found = plain(text);
    let name = match &found {
        Resolved::Null => "null",
        Resolved::Boolean(_) => "bool",
        Resolved::Integer(_) | Resolved::Unsigned(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Text | Resolved::Other(_) if emit::is_timestamp(text) => "timestamp",
        Resolved::Text | Resolved::Other(_) => "str",
    };
    match wanted {
        None => Ok(found),
        Some(wanted) if wanted == name => Ok(found),
        #[expect(clippy::cast_precision_loss, reason = "Go rounds too")]
        Some("float") if name == "int" => Ok(match found {
            Resolved::Integer(number) => Resolved::Float(number as f64),
            other => other,
        }),
        Some(wanted) => Err(GoError::yaml(format_args!(
            "cannot decode !!{name} `{text}` as a !!{wanted}"
        ))),
    }
}

fn plain(text: &str) -> Resolved {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    if emit::is_timestamp(text) {
        return Resolved::Text;
    }
    match resolve_go::plain(text) {
        Ok(Value::Null) => Resolved::Null,
        Ok(Value::Bool(flag)) => Resolved::Boolean(flag),
        Ok(Value::Number(number)) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Resolved::Integer(number),
            (None, Some(number)) => Resolved::Unsigned(number),
            (None, None) => Resolved::Float(number.as_f64().unwrap_or(0.0)),
        },
        Ok(Value::String(_) | Value::Array(_) | Value::Object(_)) | Err(_) => Resolved::Text,
    }
}

fn binary(text: &str) -> Result<Resolved, GoError> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let wrong = || GoError::yaml("!!binary value contains invalid base64 data");
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|it| !matches!(it, b'\n' | b'\r'))
        .collect();
    if !symbols.len().is_multiple_of(4) {
        return Err(wrong());
    }
    let mut bytes = Vec::new();
    let groups = symbols.chunks(4);
    let last = groups.len();
    for (at, group) in groups.enumerate() {
        let padding = group.iter().rev().take_while(|it| **it == b'=').count();
        if padding > 2 || (padding > 0 && at + 1 != last) {
            return Err(wrong());
        }
        let mut bits = 0_u32;
        for symbol in group.iter().take(4 - padding) {
            bits = bits << 6 | u32::from(digit(*symbol).ok_or_else(wrong)?);
        }
        bits <<= 6 * padding;
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend(decoded.iter().take(3 - padding));
    }
    Ok(Resolved::Other(
        String::from_utf8_lossy(&bytes).into_owned(),
    ))
}
