//! Cuts a Dockerfile into directives and instructions: continuation lines joined, here-documents attached.

use std::ops::Range;

use crate::problem::{Problem, nearest};

/// Longer lines are refused, as Docker refuses them.
const LINE_BYTES_MAX: usize = 65_535;

/// A here-document of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    pub name: String,
    /// The lines up to the terminator, with tabs stripped for `<<-`.
    pub content: String,
    /// False when the name was quoted.
    pub expand: bool,
    /// The file descriptor before `<<`, empty for none.
    pub descriptor: String,
    /// The lines as written, terminator included.
    pub(crate) raw: String,
}

/// One instruction: all its lines joined, knowing where each byte came from.
#[derive(Clone, Debug)]
pub(crate) struct Logical {
    pub text: String,
    /// (offset in `text`, offset in the source), ascending.
    segments: Vec<(usize, usize)>,
    pub span: Range<usize>,
    pub heredocs: Vec<Heredoc>,
}

impl Logical {
    /// Where a byte of `text` stands in the source.
    pub fn source_offset(&self, offset: usize) -> usize {
        let segment = self.segments.iter().rev().find(|(start, _)| *start <= offset);
        segment.map_or(self.span.start, |(start, source)| source + (offset - start))
    }

    pub fn source_span(&self, range: Range<usize>) -> Range<usize> {
        let end = if range.end > range.start {
            self.source_offset(range.end - 1) + 1
        } else {
            self.source_offset(range.start)
        };
        self.source_offset(range.start)..end.max(self.source_offset(range.start))
    }
}

/// The directives at the top of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    pub syntax: Option<String>,
    /// `\` or a backtick.
    pub escape: char,
    pub check: Option<String>,
}

impl Default for Directives {
    fn default() -> Self {
        Self { syntax: None, escape: '\\', check: None }
    }
}

/// A physical line: its text without line end, and where it starts.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
}

/// Cuts `source`; whatever is wrong goes into `problems`.
pub(crate) fn cut(source: &str, problems: &mut Vec<Problem>) -> (Directives, Vec<Logical>) {
    let lines = physical(source, problems);
    let (directives, first) = read_directives(source, &lines, problems);
    let mut cutter = Cutter { source, lines: &lines, next: first, escape: directives.escape, problems };
    let mut all = Vec::new();
    while let Some(logical) = cutter.instruction() {
        all.push(logical);
    }
    (directives, all)
}

fn physical<'a>(source: &'a str, problems: &mut Vec<Problem>) -> Vec<Line<'a>> {
    let mut start = if source.starts_with('\u{feff}') { 3 } else { 0 };
    let mut lines = Vec::new();
    for piece in source[start..].split_inclusive('\n') {
        let text = piece.strip_suffix('\n').unwrap_or(piece);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.len() > LINE_BYTES_MAX {
            problems.push(Problem::error(
                source,
                start..start + text.len(),
                "line-too-long",
                format!("expected lines of at most {LINE_BYTES_MAX} bytes, found {}", text.len()),
                "continue the instruction on further lines",
            ));
        }
        lines.push(Line { text, start });
        start += piece.len();
    }
    lines
}

const DIRECTIVES: [&str; 3] = ["syntax", "escape", "check"];

fn read_directives(source: &str, lines: &[Line], problems: &mut Vec<Problem>) -> (Directives, usize) {
    let mut found = Directives::default();
    let mut seen: Vec<&str> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((name, value)) = line.text.trim_start().strip_prefix('#').and_then(|it| it.split_once('=')) else {
            return (found, index);
        };
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim().to_owned();
        let span = line.start..line.start + line.text.len();
        let Some(known) = DIRECTIVES.into_iter().find(|it| *it == name) else {
            if let Some(near) = nearest(&name, DIRECTIVES).filter(|_| index == 0 && name.len() > 3) {
                problems.push(Problem::warning(
                    source,
                    span,
                    "unknown-directive",
                    format!("`{name}` is no directive, so this line is a comment"),
                    format!("did you mean `{near}`?"),
                ));
            }
            return (found, index);
        };
        if seen.contains(&known) {
            problems.push(Problem::error(
                source,
                span.clone(),
                "duplicate-directive",
                format!("the directive `{known}` stands here twice"),
                "keep one of them",
            ));
        }
        seen.push(known);
        match known {
            "syntax" => found.syntax = Some(value),
            "check" => found.check = Some(value),
            _ => match value.as_str() {
                "\\" => found.escape = '\\',
                "`" => found.escape = '`',
                _ => problems.push(Problem::error(
                    source,
                    span,
                    "bad-escape",
                    format!("expected the escape character `\\` or a backtick, found `{value}`"),
                    "write `# escape=\\` or leave the line out",
                )),
            },
        }
    }
    (found, lines.len())
}

struct Cutter<'a> {
    source: &'a str,
    lines: &'a [Line<'a>],
    next: usize,
    escape: char,
    problems: &'a mut Vec<Problem>,
}

impl Cutter<'_> {
    fn instruction(&mut self) -> Option<Logical> {
        let first = loop {
            let line = *self.lines.get(self.next)?;
            self.next += 1;
            let trimmed = line.text.trim_start();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                break line;
            }
        };
        let indent = first.text.len() - first.text.trim_start().len();
        let mut logical = Logical {
            text: String::new(),
            segments: vec![(0, first.start + indent)],
            span: first.start + indent..first.start + first.text.len(),
            heredocs: Vec::new(),
        };
        let (piece, mut goes_on) = self.continued(&first.text[indent..]);
        logical.text.push_str(piece);
        while goes_on {
            let Some(line) = self.lines.get(self.next).copied() else { break };
            self.next += 1;
            let trimmed = line.text.trim_start();
            if trimmed.starts_with('#') {
                continue;
            }
            if trimmed.is_empty() {
                self.empty_continuation(line);
                continue;
            }
            let (piece, more) = self.continued(line.text);
            logical.segments.push((logical.text.len(), line.start));
            logical.text.push_str(piece);
            logical.span.end = line.start + line.text.len();
            goes_on = more;
        }
        let kept = logical.text.trim_end().len();
        logical.text.truncate(kept);
        self.heredocs(&mut logical);
        Some(logical)
    }

    fn empty_continuation(&mut self, line: Line) {
        self.problems.push(Problem::warning(
            self.source,
            line.start..line.start + line.text.len(),
            "empty-continuation",
            "an empty line inside an instruction is skipped",
            "remove the line, or put `#` at its start",
        ));
    }

    /// The line without its continuation mark, and whether it had one.
    fn continued<'b>(&self, text: &'b str) -> (&'b str, bool) {
        let body = text.trim_end_matches([' ', '\t']);
        match body.strip_suffix(self.escape) {
            Some(rest) if !rest.ends_with(self.escape) => (rest, true),
            _ => (text, false),
        }
    }

    fn heredocs(&mut self, logical: &mut Logical) {
        for marker in markers(&logical.text) {
            let mut heredoc = Heredoc {
                name: marker.name.clone(),
                content: String::new(),
                expand: marker.expand,
                descriptor: marker.descriptor.clone(),
                raw: String::new(),
            };
            let mut closed = false;
            while let Some(line) = self.lines.get(self.next) {
                self.next += 1;
                logical.span.end = line.start + line.text.len();
                let body = if marker.strip_tabs { line.text.trim_start_matches('\t') } else { line.text };
                heredoc.raw.push_str(line.text);
                heredoc.raw.push('\n');
                if body == marker.name {
                    closed = true;
                    break;
                }
                heredoc.content.push_str(body);
                heredoc.content.push('\n');
            }
            if !closed {
                self.problems.push(Problem::error(
                    self.source,
                    logical.source_span(marker.range.clone()),
                    "open-heredoc",
                    format!("expected a line `{}` that ends the here-document", marker.name),
                    format!("add a line with nothing but `{}`", marker.name),
                ));
            }
            logical.heredocs.push(heredoc);
        }
    }
}

struct Marker {
    name: String,
    descriptor: String,
    expand: bool,
    strip_tabs: bool,
    range: Range<usize>,
}

/// The here-document markers of an instruction that may have them.
fn markers(text: &str) -> Vec<Marker> {
    let mut words = text.split_ascii_whitespace().map(str::to_ascii_uppercase);
    let keyword = match words.next().as_deref() {
        Some("ONBUILD") => words.next(),
        other => other.map(str::to_owned),
    };
    let allowed = matches!(keyword.as_deref(), Some("RUN" | "COPY" | "ADD"));
    if !allowed || !text.contains("<<") {
        return Vec::new();
    }
    let rest = text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
    if rest.starts_with('[') && serde_json::from_str::<Vec<String>>(rest).is_ok() {
        return Vec::new();
    }
    crate::words::split_quoted(text, '\\').into_iter().filter_map(marker).collect()
}

fn marker((word, range): (String, Range<usize>)) -> Option<Marker> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (descriptor, rest) = word.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.starts_with('<') || rest.is_empty() {
        return None;
    }
    let name: String = rest.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let valid = !name.is_empty() && !name.contains('<') && !name.contains(char::is_whitespace);
    let expand = name.len() == rest.len();
    valid.then(|| Marker { name, descriptor: descriptor.to_owned(), expand, strip_tabs, range })
}
