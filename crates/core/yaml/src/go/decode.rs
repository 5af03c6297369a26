//! Makes values of the graph: scalars are resolved, aliases written out, merge keys carried out.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of many kinds each place knows a few"
)]

mod resolved;

use std::{borrow::Cow, collections::HashMap};

use self::resolved::{Resolved, resolve};
use super::{
    Build,
    compose::{Children, Content, Document, ROOT},
    error::{GoError, Stage, Unfit},
};
use crate::emit;

const MERGE: &str = "tag:yaml.org,2002:merge";

pub(super) fn decode<B: Build>(
    document: Option<Document<'_>>,
    build: &B,
) -> Result<B::Value, GoError> {
    let Some(document) = document else {
        return Ok(build.null());
    };
    let (value, unfit) = Decoder::new(document).value(ROOT, build)?;
    settled(value, unfit)
}

/// As [`decode`], but of the entries of a root mapping only those are made that are wanted: the
/// others are looked at, and null.
pub(super) fn decode_wanted<B: Build>(
    document: Option<Document<'_>>,
    build: &B,
    wanted: impl Fn(&str) -> bool,
) -> Result<B::Value, GoError> {
    let Some(document) = document else {
        return Ok(build.null());
    };
    let mut decoder = Decoder::new(document);
    let Content::Mapping(children) = *decoder.content(ROOT) else {
        let (value, unfit) = decoder.value(ROOT, build)?;
        return settled(value, unfit);
    };
    decoder.count()?;
    let mut entries = Entries::default();
    decoder.mapping(children, &mut entries, build, &|key| match wanted(key) {
        true => Use::Made,
        false => Use::Checked,
    })?;
    let unfit = entries.first_unfit();
    settled(build.mapping(entries.list), unfit)
}

fn settled<V>(value: V, unfit: Option<Box<Unfit>>) -> Result<V, GoError> {
    match unfit {
        None => Ok(value),
        Some(unfit) => Err(GoError::json(&unfit)),
    }
}

/// A value, and why JSON has no place for it: wrong YAML further on is the worse problem.
type Made<V> = (V, Option<Box<Unfit>>);

/// How often a node is made a value of: only aliases ask for one again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UseOfNodes {
    Once,
    Often,
}

/// What happens to the value of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Made,
    /// Only looked at, in case something is wrong with it.
    Checked,
}

/// Makes nothing.
struct Nothing;

impl Build for Nothing {
    type Value = ();

    fn null(&self) {}
    fn boolean(&self, _: bool) {}
    fn integer(&self, _: i64) {}
    fn unsigned(&self, _: u64) {}
    fn float(&self, _: f64) {}
    fn text(&self, _: Cow<'_, str>) {}
    fn sequence(&self, _: Vec<()>) {}
    fn mapping(&self, _: Vec<(Cow<'_, str>, ())>) {}
}

struct Decoder<'a> {
    document: Document<'a>,
    use_of_nodes: UseOfNodes,
    /// Aliases that are being written out.
    inside: Vec<bool>,
    decoded: usize,
    aliased: usize,
    alias_depth: usize,
}

impl<'a> Decoder<'a> {
    fn new(document: Document<'a>) -> Self {
        let aliases = document.aliases;
        Self {
            inside: vec![false; if aliases { document.nodes.len() } else { 0 }],
            document,
            use_of_nodes: if aliases { UseOfNodes::Often } else { UseOfNodes::Once },
            decoded: 0,
            aliased: 0,
            alias_depth: 0,
        }
    }

    fn content(&self, at: usize) -> &Content<'a> {
        &self.document.nodes[at].content
    }

    /// The text of a scalar; taken out of the node where nobody asks for it again.
    fn text(&mut self, at: usize) -> Cow<'a, str> {
        match (&mut self.document.nodes[at].content, self.use_of_nodes) {
            (Content::Scalar { text, .. }, UseOfNodes::Once) => std::mem::take(text),
            (Content::Scalar { text, .. }, UseOfNodes::Often) => text.clone(),
            _ => Cow::Borrowed(""),
        }
    }

    /// The children of a collection.
    fn children(&self, children: Children) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let mut all = Vec::with_capacity(children.count);
        let mut next = children.first;
        while next != ROOT {
            all.push(next);
            next = self.document.nodes[next].next;
        }
        all.into_iter()
    }

    /// Small texts blow up to huge ones by aliases of aliases; the original has this bound.
    fn count(&mut self) -> Result<(), GoError> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        if self.aliased <= 100 || self.decoded <= 1_000 {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let (decoded, aliased) = (self.decoded as f64, self.aliased as f64);
        let allowed = 0.99 - 0.89 * ((decoded - 400_000.0) / 3_600_000.0).clamp(0.0, 1.0);
        if aliased / decoded > allowed {
            return Err(GoError::yaml("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn value<B: Build>(&mut self, at: usize, build: &B) -> Result<Made<B::Value>, GoError> {
        self.count()?;
        match self.content(at) {
            Content::Scalar {
                text,
                tag,
                implicit,
            } => {
                let resolved = resolve(text, tag, *implicit)?;
                if matches!(resolved, Resolved::Text) {
                    return Ok((build.text(self.text(at)), None));
                }
                Ok(scalar(resolved, build))
            }
            Content::Sequence(children) => {
                let mut items = Vec::with_capacity(children.count);
                let mut unfit = None;
                let mut child = children.first;
                while child != ROOT {
                    let next = self.document.nodes[child].next;
                    let (item, problem) = self.deeper(child, build)?;
                    items.push(item);
                    if let Some(problem) = problem {
                        prefer(&mut unfit, problem);
                    }
                    child = next;
                }
                Ok((build.sequence(items), unfit))
            }
            Content::Mapping(children) => {
                let children = *children;
                let mut entries = Entries::default();
                self.mapping(children, &mut entries, build, &|_| Use::Made)?;
                let unfit = entries.first_unfit();
                Ok((build.mapping(entries.list), unfit))
            }
            Content::Alias { target, .. } => {
                let target = *target;
                self.enter(at)?;
                let value = self.deeper(target, build)?;
                self.leave(at);
                Ok(value)
            }
        }
    }

    fn deeper<B: Build>(&mut self, at: usize, build: &B) -> Result<Made<B::Value>, GoError> {
        if let Content::Scalar { .. } = self.content(at) {
            return self.value(at, build);
        }
        stacker::maybe_grow(64 << 10, 1 << 20, || self.value(at, build))
    }

    fn enter(&mut self, at: usize) -> Result<(), GoError> {
        if self.inside[at]
            && let Content::Alias { name, .. } = self.content(at)
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

    /// Adds the entries of a mapping; later ones replace earlier ones, merged ones like any others.
    fn mapping<B: Build>(
        &mut self,
        children: Children,
        entries: &mut Entries<'a, B::Value>,
        build: &B,
        use_of: &dyn Fn(&str) -> Use,
    ) -> Result<(), GoError> {
        entries.list.reserve(children.count / 2);
        let mut key = children.first;
        while key != ROOT {
            let value = self.document.nodes[key].next;
            if value == ROOT {
                break;
            }
            let next = self.document.nodes[value].next;
            if self.is_merge(key) {
                self.merge(value, entries, build, use_of)?;
            } else {
                let key = self.key(key, value)?;
                let wanted = key.as_ref().map_or(Use::Made, |key| use_of(key));
                let (value, unfit) = match wanted {
                    Use::Made => self.deeper(value, build)?,
                    Use::Checked => {
                        let ((), unfit) = self.deeper(value, &Nothing)?;
                        (build.null(), unfit)
                    }
                };
                match key {
                    Ok(key) => entries.set(key, value, unfit),
                    Err(unfit) => entries.unfit_key = Some(unfit),
                }
            }
            key = next;
        }
        Ok(())
    }

    fn is_merge(&self, at: usize) -> bool {
        match self.content(at) {
            Content::Scalar {
                text,
                tag,
                implicit,
            } => text == "<<" && (*implicit || &**tag == MERGE),
            _ => false,
        }
    }

    fn merge<B: Build>(
        &mut self,
        at: usize,
        entries: &mut Entries<'a, B::Value>,
        build: &B,
        use_of: &dyn Fn(&str) -> Use,
    ) -> Result<(), GoError> {
        match *self.content(at) {
            Content::Sequence(children) => {
                // The first of them wins, so it comes last.
                for child in self.children(children).rev() {
                    self.merge_one(child, entries, build, use_of)?;
                }
                Ok(())
            }
            _ => self.merge_one(at, entries, build, use_of),
        }
    }

    fn merge_one<B: Build>(
        &mut self,
        at: usize,
        entries: &mut Entries<'a, B::Value>,
        build: &B,
        use_of: &dyn Fn(&str) -> Use,
    ) -> Result<(), GoError> {
        self.count()?;
        match *self.content(at) {
            Content::Mapping(children) => return self.mapping(children, entries, build, use_of),
            Content::Alias { target, .. } => {
                if let Content::Mapping(children) = *self.content(target) {
                    self.enter(at)?;
                    self.count()?;
                    self.mapping(children, entries, build, use_of)?;
                    self.leave(at);
                    return Ok(());
                }
            }
            _ => {}
        }
        Err(GoError::yaml(
            "map merge requires map or sequence of maps as the value",
        ))
    }

    /// A key as text; the step to JSON has none for null and for collections.
    fn key(
        &mut self,
        at: usize,
        value: usize,
    ) -> Result<Result<Cow<'a, str>, Box<Unfit>>, GoError> {
        self.count()?;
        let mut target = at;
        while let Content::Alias { target: next, .. } = self.content(target) {
            target = *next;
        }
        let Content::Scalar {
            text,
            tag,
            implicit,
        } = self.content(target)
        else {
            return Err(GoError::yaml(format_args!(
                "invalid map key: {}",
                self.go_syntax(target)
            )));
        };
        Ok(Ok(match resolve(text, tag, *implicit)? {
            Resolved::Text => self.text(target),
            Resolved::Other(text) => Cow::Owned(text),
            Resolved::Boolean(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            Resolved::Integer(number) => Cow::Owned(number.to_string()),
            Resolved::Float(number) => Cow::Owned(emit::float_key(number)),
            Resolved::Unsigned(number) => {
                let shown = self.go_syntax(value);
                let message = format!(
                    "unsupported map key of type: uint64, key: {number:#x}, value: {shown}"
                );
                return Ok(Err(Unfit::boxed(Stage::Keys, message)));
            }
            Resolved::Null => {
                let shown = self.go_syntax(value);
                let message =
                    format!("unsupported map key of type: %!s(<nil>), key: <nil>, value: {shown}");
                return Ok(Err(Unfit::boxed(Stage::Keys, message)));
            }
        }))
    }

    /// As Go's `%#v` shows it.
    fn go_syntax(&self, at: usize) -> String {
        match self.content(at) {
            Content::Alias { target, .. } => self.go_syntax(*target),
            Content::Scalar {
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
            Content::Sequence(children) => {
                let items: Vec<String> = self.children(*children).map(|it| self.go_syntax(it)).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            Content::Mapping(children) => {
                let mut children = self.children(*children);
                let mut pairs = Vec::new();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    pairs.push(format!("{}:{}", self.go_syntax(key), self.go_syntax(value)));
                }
                format!("map[interface {{}}]interface {{}}{{{}}}", pairs.join(", "))
            }
        }
    }
}

fn scalar<B: Build>(resolved: Resolved, build: &B) -> Made<B::Value> {
    let value = match resolved {
        Resolved::Null => build.null(),
        Resolved::Boolean(flag) => build.boolean(flag),
        Resolved::Integer(number) => build.integer(number),
        Resolved::Unsigned(number) => build.unsigned(number),
        Resolved::Float(number) if number.is_finite() => build.float(number),
        Resolved::Float(number) => {
            let shown = match (number.is_nan(), number > 0.0) {
                (true, _) => "NaN",
                (false, true) => "+Inf",
                (false, false) => "-Inf",
            };
            let message = format!("json: unsupported value: {shown}");
            return (build.null(), Some(Unfit::boxed(Stage::Values, message)));
        }
        Resolved::Text => build.text(Cow::Borrowed("")),
        Resolved::Other(text) => build.text(Cow::Owned(text)),
    };
    (value, None)
}

/// Keeps the problem that the original meets first.
fn prefer(known: &mut Option<Box<Unfit>>, found: Box<Unfit>) {
    if known.as_ref().is_none_or(|it| found.stage < it.stage) {
        *known = Some(found);
    }
}

/// Entries in the order of their keys' last setting, each key once.
struct Entries<'a, V> {
    list: Vec<(Cow<'a, str>, V)>,
    /// A key that JSON has no place for.
    unfit_key: Option<Box<Unfit>>,
    /// Values that JSON has no place for, by their place in the list.
    unfit: Vec<(usize, Box<Unfit>)>,
    /// Used from a certain size on.
    places: HashMap<Cow<'a, str>, usize>,
}

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            unfit_key: None,
            unfit: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<'a, V> Entries<'a, V> {
    const SEARCHED_MAX: usize = 32;

    fn set(&mut self, key: Cow<'a, str>, value: V, unfit: Option<Box<Unfit>>) {
        let known = if self.list.len() <= Self::SEARCHED_MAX {
            self.list.iter().position(|it| it.0 == key)
        } else {
            if self.places.is_empty() {
                let named = self.list.iter().enumerate();
                self.places = named.map(|(at, entry)| (entry.0.clone(), at)).collect();
            }
            self.places.get(&key).copied()
        };
        let at = known.unwrap_or(self.list.len());
        if !self.unfit.is_empty() {
            self.unfit.retain(|it| it.0 != at);
        }
        self.unfit.extend(unfit.map(|it| (at, it)));
        match self.list.get_mut(at) {
            Some(entry) => entry.1 = value,
            None => {
                if !self.places.is_empty() {
                    self.places.insert(key.clone(), at);
                }
                self.list.push((key, value));
            }
        }
    }

    /// The problem that the original meets first.
    fn first_unfit(&mut self) -> Option<Box<Unfit>> {
        let mut first = self.unfit_key.take();
        self.unfit.sort_by_key(|it| it.0);
        for (_, unfit) in self.unfit.drain(..) {
            prefer(&mut first, unfit);
        }
        first
    }
}
