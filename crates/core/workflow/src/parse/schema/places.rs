//! Finds where a part of a scalar's text stands in the file.

use std::ops::Range;

use yaml::{Lines, Node, NodeValue, ScalarStyle, Span};

/// Finds places in one source.
#[derive(Debug)]
pub struct Places<'a> {
    source: &'a str,
    lines: Lines<'a>,
}

impl<'a> Places<'a> {
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            lines: Lines::new(source),
        }
    }

    /// Where a node stands; nothing stands behind the colon of its key.
    pub fn shown(&self, node: &Node) -> Span {
        let rest = self.source.get(node.span.start..).unwrap_or_default();
        let behind = rest
            .strip_prefix(':')
            .filter(|_| node.is_null() && node.span.start == node.span.end);
        match behind {
            Some(rest) => {
                let blanks = rest.len() - rest.trim_start_matches(' ').len();
                let at = node.span.start + 1 + blanks;
                self.lines.span(at, at)
            }
            None => node.span,
        }
    }

    /// Where a range of a scalar's text stands in the file.
    pub fn inside(&self, node: &Node, text: &str, range: Range<usize>) -> Span {
        let raw = self
            .source
            .get(node.span.start..node.span.end)
            .unwrap_or_default();
        let plain = matches!(
            &node.value,
            NodeValue::Scalar {
                style: ScalarStyle::Plain,
                ..
            }
        ) && raw.starts_with(text);
        if plain {
            return self
                .lines
                .span(node.span.start + range.start, node.span.start + range.end);
        }
        let found = self
            .in_expression(raw, text, range.start)
            .or_else(|| self.in_line(raw, text, range.start));
        match found {
            Some(at) => {
                let start = node.span.start + at;
                self.lines.span(start, start + range.len())
            }
            None => node.span,
        }
    }

    /// Folding and escapes move things; the expression is the same one of all that stand there.
    fn in_expression(&self, raw: &str, text: &str, at: usize) -> Option<usize> {
        // The place may be the `${{` itself.
        let before = text.get(..at + 3).or_else(|| text.get(..at))?;
        let open = before.rfind("${{").filter(|it| *it <= at)?;
        let earlier = text.get(..open)?.matches("${{").count();
        let (raw_open, _) = raw.match_indices("${{").nth(earlier)?;
        let mut raw_at = raw_open;
        for symbol in text.get(open..at)?.chars() {
            let rest = raw.get(raw_at..)?;
            raw_at = if symbol.is_whitespace() {
                raw.len() - rest.trim_start().len()
            } else {
                raw_at + rest.find(symbol)? + symbol.len_utf8()
            };
        }
        let wanted = text.get(at..)?.chars().next()?;
        let rest = raw.get(raw_at..)?;
        Some(raw_at + rest.find(wanted).unwrap_or(0))
    }

    /// Where no expression begins, the line of the text that holds the place is found again.
    fn in_line(&self, raw: &str, text: &str, at: usize) -> Option<usize> {
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |it| it + 1);
        let line_end = text
            .get(at..)
            .and_then(|it| it.find('\n'))
            .map_or(text.len(), |it| at + it);
        let line = text.get(line_start..line_end).filter(|it| !it.is_empty())?;
        // The same line may stand there several times.
        let earlier = before
            .get(..line_start)?
            .lines()
            .filter(|it| *it == line)
            .count();
        let (found, _) = raw.match_indices(line).nth(earlier)?;
        Some(found + (at - line_start))
    }
}
