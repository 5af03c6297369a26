//! Turns parser events into trees, within limits.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle as Style, Tag};
use serde_json::Value;

use crate::{
    Diagnostic, Document, Entry, Flavor, Lines, Node, NodeValue, ScalarStyle, Severity, Span,
    characters, resolve, resolve_go,
};

/// The longest source that is read.
pub const MAX_BYTES: usize = 8 << 20;
/// How deep collections may nest; GitHub's limit is the same.
pub const MAX_DEPTH: usize = 50;
/// How many nodes a source may have once its aliases are written out (GitHub: 50,000 for workflows).
pub const MAX_NODES: usize = 50_000;
/// Manifests of whole applications are longer than workflows.
const MAX_NODES_GO: usize = 2_000_000;

/// The code of a key that stands twice: an error where the first one counts, a warning where the last one does.
pub const DUPLICATE: &str = "LF-Y0004";

/// Reads every document of `source`; `file` is only named in diagnostics.
///
/// # Errors
///
/// Everything that is wrong, in the order of the file. Warnings travel with the
/// documents when there is no error, and among the errors when there is one.
pub fn parse(source: &str, file: &str, flavor: Flavor) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let documents = parse_despite_duplicates(source, file, flavor)?;
    let problems = documents.iter().flat_map(|it| &it.warnings);
    if problems.clone().any(|it| it.severity == Severity::Error) {
        return Err(problems.cloned().collect());
    }
    Ok(documents)
}

/// Like [`parse`], but keys that stand twice are errors among the warnings of the
/// first document, so that its reader can report what else is wrong; the first counts.
///
/// # Errors
///
/// Everything else that is wrong, in the order of the file.
pub fn parse_despite_duplicates(
    source: &str,
    file: &str,
    flavor: Flavor,
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let lines = Lines::new(source);
    if source.len() > MAX_BYTES {
        let message = format!(
            "file has {} bytes, expected at most {MAX_BYTES}",
            source.len()
        );
        return Err(vec![Diagnostic::error(
            file,
            lines.span(0, 0),
            "LF-Y0002",
            message,
        )]);
    }
    let mut found = characters::impostors(file, source, &lines);
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut loader = Loader {
        file,
        flavor,
        lines: &lines,
        shift: source.len() - text.len(),
        anchors: HashMap::new(),
        nodes: 0,
        problems: Vec::new(),
        duplicates: Vec::new(),
    };
    let loaded = loader.load(text);
    let mut problems = std::mem::take(&mut loader.problems);
    let duplicates = std::mem::take(&mut loader.duplicates);
    let spoiled = found.iter().any(|it| it.severity == Severity::Error);
    let roots = match loaded {
        Ok(roots) => roots,
        Err(_) if spoiled => Vec::new(),
        Err(problem) => {
            problems.push(characters::tab(file, &lines).unwrap_or(*problem));
            Vec::new()
        }
    };
    if spoiled {
        // What follows from a wrong space is noise beside it.
        return Err(found);
    }
    if !problems.is_empty() {
        problems.extend(found);
        problems.extend(duplicates);
        problems.sort_by_key(|it| it.span.start);
        return Err(problems);
    }
    found.extend(duplicates);
    found.sort_by_key(|it| it.span.start);
    let mut warnings = Some(found);
    Ok(roots
        .into_iter()
        .map(|root| Document {
            root,
            warnings: warnings.take().unwrap_or_default(),
        })
        .collect())
}

struct Loader<'a> {
    file: &'a str,
    flavor: Flavor,
    lines: &'a Lines<'a>,
    /// Bytes of a leading byte order mark, which the parser does not see.
    shift: usize,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Diagnostic>,
    duplicates: Vec<Diagnostic>,
}

/// A collection that is still open.
struct Open {
    span: Span,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        merges: Vec<Entry>,
        key: Option<Node>,
    },
}

type Fatal = Box<Diagnostic>;

/// Up to this many keys are compared with one another.
const SHORT: usize = 16;

/// Whether no two keys are equal without regard to case; false where it takes more than ASCII to tell.
fn are_distinct(entries: &[Entry]) -> bool {
    entries.iter().enumerate().all(|(at, entry)| {
        let earlier = entries.iter().take(at);
        entry.key.is_ascii() && earlier.into_iter().all(|it| !it.key.eq_ignore_ascii_case(&entry.key))
    })
}

/// Go lets the last one count and says nothing.
fn again(file: &str, earlier: &Entry, entry: &Entry) -> Diagnostic {
    let message = format!("`{}` is already defined", entry.key);
    let line = earlier.key_span.line;
    Diagnostic::error(file, entry.key_span, DUPLICATE, message)
        .warning()
        .help(format!("it stands first in line {line}; keep one of them"))
}

impl Loader<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum is open")]
    fn load(&mut self, text: &str) -> Result<Vec<Node>, Fatal> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        let mut roots = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let span = self.span(&span);
            let node = match event {
                Event::DocumentStart(..) => {
                    self.anchors.clear();
                    if self.flavor == Flavor::Core12 && !roots.is_empty() {
                        self.report(span, "LF-Y0007", "expected one document, found another");
                    }
                    continue;
                }
                Event::DocumentEnd => {
                    roots.extend(root.take());
                    continue;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let node = self.scalar(text.into_owned(), style, tag.as_deref(), span);
                    self.keep(anchor, &node);
                    node
                }
                Event::Alias(anchor) => self.alias(anchor, span)?,
                Event::SequenceStart(_, anchor, _) => {
                    self.check_depth(open.len(), span)?;
                    open.push(Open {
                        span,
                        anchor,
                        kind: Kind::Sequence(Vec::new()),
                    });
                    continue;
                }
                Event::MappingStart(_, anchor, _) => {
                    self.check_depth(open.len(), span)?;
                    let kind = Kind::Mapping {
                        entries: Vec::new(),
                        merges: Vec::new(),
                        key: None,
                    };
                    open.push(Open { span, anchor, kind });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(closed) = open.pop() else { continue };
                    self.close(closed, span)
                }
                // The parser may learn events that we did not ask for.
                _ => continue,
            };
            self.count(1, span)?;
            match open.last_mut() {
                Some(parent) => self.add(parent, node),
                None => root = Some(node),
            }
        }
        Ok(roots)
    }

    fn add(&mut self, parent: &mut Open, node: Node) {
        match &mut parent.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping {
                entries,
                merges,
                key,
            } => match key.take() {
                None => *key = Some(node),
                Some(named) => self.entry(entries, merges, &named, node),
            },
        }
    }

    fn entry(
        &mut self,
        entries: &mut Vec<Entry>,
        merges: &mut Vec<Entry>,
        named: &Node,
        value: Node,
    ) {
        let key_span = named.span;
        let NodeValue::Scalar {
            text,
            style,
            value: meaning,
        } = &named.value
        else {
            self.report(
                key_span,
                "LF-Y0005",
                format!("expected a key, found {}", named.kind()),
            );
            return;
        };
        if self.flavor == Flavor::Go11 && text == "<<" && *style == ScalarStyle::Plain {
            self.merge(merges, value);
            return;
        }
        let key = match self.flavor {
            Flavor::Core12 => text.clone(),
            Flavor::Go11 => resolve_go::key(meaning).unwrap_or_else(|| {
                self.report(
                    key_span,
                    "LF-Y0005",
                    format!("expected a key, found {}", named.kind()),
                );
                String::new()
            }),
        };
        let entry = Entry {
            key,
            key_span,
            value,
        };
        match self.flavor {
            Flavor::Core12 => entries.push(entry),
            Flavor::Go11 => match entries.iter_mut().find(|it| it.key == entry.key) {
                Some(earlier) => {
                    self.duplicates.push(again(self.file, earlier, &entry));
                    *earlier = entry;
                }
                None => entries.push(entry),
            },
        }
    }

    fn merge(&mut self, merges: &mut Vec<Entry>, value: Node) {
        let span = value.span;
        match value.value {
            NodeValue::Mapping(entries) => {
                for entry in entries {
                    if !merges.iter().any(|it| it.key == entry.key) {
                        merges.push(entry);
                    }
                }
            }
            NodeValue::Sequence(items) => {
                items.into_iter().for_each(|item| self.merge(merges, item))
            }
            NodeValue::Scalar { .. } => {
                self.report(
                    span,
                    "LF-Y0006",
                    "expected a mapping to merge, found a scalar",
                );
            }
        }
    }

    fn close(&mut self, closed: Open, end: Span) -> Node {
        let mut span = closed.span;
        span.end = end.start.max(span.end);
        let value = match closed.kind {
            Kind::Sequence(items) => NodeValue::Sequence(items),
            Kind::Mapping {
                mut entries,
                merges,
                ..
            } => {
                for merged in merges {
                    if !entries.iter().any(|it| it.key == merged.key) {
                        entries.push(merged);
                    }
                }
                if self.flavor == Flavor::Core12 {
                    self.drop_duplicates(&mut entries);
                }
                NodeValue::Mapping(entries)
            }
        };
        let node = Node { span, value };
        self.keep(closed.anchor, &node);
        node
    }

    /// GitHub compares all keys without regard to case; the first counts.
    fn drop_duplicates(&mut self, entries: &mut Vec<Entry>) {
        // Most mappings are short, and comparing costs less than folding and hashing.
        if entries.len() <= SHORT && are_distinct(entries) {
            return;
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        let (file, duplicates) = (self.file, &mut self.duplicates);
        entries.retain(|entry| {
            let Some(line) = seen.insert(entry.key.to_uppercase(), entry.key_span.line) else {
                return true;
            };
            seen.insert(entry.key.to_uppercase(), line);
            let inner = entry.value.span;
            duplicates.retain(|it| !(inner.start..inner.end).contains(&it.span.start));
            let message = format!("`{}` is already defined", entry.key);
            duplicates.push(
                Diagnostic::error(file, entry.key_span, DUPLICATE, message)
                    .help(format!("it stands first in line {line}; keep one of them")),
            );
            false
        });
    }

    fn scalar(&mut self, text: String, style: Style, tag: Option<&Tag>, span: Span) -> Node {
        let style = match style {
            Style::Plain => ScalarStyle::Plain,
            Style::SingleQuoted => ScalarStyle::SingleQuoted,
            Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
            Style::Literal => ScalarStyle::Literal,
            Style::Folded => ScalarStyle::Folded,
        };
        let value = self.resolve(&text, style, tag, span);
        Node {
            span,
            value: NodeValue::Scalar { text, style, value },
        }
    }

    fn resolve(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        let string = || Value::String(text.to_owned());
        let plain = |flavor| match flavor {
            Flavor::Core12 => Ok(resolve::plain(text)),
            Flavor::Go11 => resolve_go::plain(text),
        };
        let resolved = match tag.map(|it| it.core_suffix()) {
            None if style == ScalarStyle::Plain => plain(self.flavor),
            None => Ok(string()),
            Some(Some("str")) => Ok(string()),
            // As GitHub reads it; others resolve what stands in quotes, too.
            Some(Some(wanted)) if style != ScalarStyle::Plain && self.flavor == Flavor::Core12 => {
                Err(format!("`!!{wanted}` cannot stand before quoted text"))
            }
            Some(Some(wanted)) => plain(self.flavor).and_then(|value| {
                let fits = matches!(
                    (wanted, &value),
                    ("bool", Value::Bool(_))
                        | ("null", Value::Null)
                        | ("int" | "float", Value::Number(_))
                );
                if fits {
                    Ok(value)
                } else {
                    Err(format!("`{text}` is no {wanted}"))
                }
            }),
            Some(None) if self.flavor == Flavor::Go11 => Ok(string()),
            Some(None) => Err("unknown tag".to_owned()),
        };
        resolved.unwrap_or_else(|message| {
            self.report(span, "LF-Y0008", message);
            Value::Null
        })
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Fatal> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.fatal(
                span,
                "LF-Y0003",
                "alias stands inside the node it refers to",
            ));
        };
        let node = node.clone();
        self.count(node.size(), span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Fatal> {
        let most = match self.flavor {
            Flavor::Core12 => MAX_NODES,
            Flavor::Go11 => MAX_NODES_GO,
        };
        self.nodes += nodes;
        if self.nodes > most {
            let message = format!("more than {most} values once aliases are written out");
            return Err(self.fatal(span, "LF-Y0003", message));
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, span: Span) -> Result<(), Fatal> {
        let most = if self.flavor == Flavor::Core12 {
            MAX_DEPTH
        } else {
            4 * MAX_DEPTH
        };
        if depth >= most {
            return Err(self.fatal(
                span,
                "LF-Y0003",
                format!("nested deeper than {most} levels"),
            ));
        }
        Ok(())
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Fatal {
        let marker = error.marker();
        let at = marker
            .byte_offset()
            .map_or_else(|| self.lines.start(marker.line()), |it| it + self.shift);
        let span = self.lines.span(at, at);
        let mut info = error.info().trim().to_owned();
        if let Some(cut) = info.find(" at char ").or_else(|| info.find(" at byte ")) {
            info.truncate(cut);
        }
        Box::new(Diagnostic::error(
            self.file,
            span,
            "LF-Y0001",
            format!("not YAML: {info}"),
        ))
    }

    fn fatal(&self, span: Span, code: &'static str, message: impl Into<String>) -> Fatal {
        Box::new(Diagnostic::error(self.file, span, code, message))
    }

    fn report(&mut self, span: Span, code: &'static str, message: impl Into<String>) {
        self.problems
            .push(Diagnostic::error(self.file, span, code, message));
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let byte = |marker: &granit_parser::Marker| {
            marker.byte_offset().unwrap_or(marker.index()) + self.shift
        };
        self.lines.span(byte(&span.start), byte(&span.end))
    }
}
