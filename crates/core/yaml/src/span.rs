//! Places in a source text.

/// A range of bytes and where it begins, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Counts from 1.
    pub line: usize,
    /// Counts characters from 1.
    pub column: usize,
}

/// Finds lines and columns of byte offsets in one source.
#[derive(Debug)]
pub struct Lines<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(source: &'a str) -> Self {
        let breaks = source
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self { source, starts }
    }

    /// The span from byte `start` to byte `end`, both moved to character borders.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let start = self.source.floor_char_boundary(start);
        let end = self.source.ceil_char_boundary(end.max(start));
        let line = self.starts.partition_point(|first| *first <= start);
        let first = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let column = self
            .source
            .get(first..start)
            .map_or(0, |text| text.chars().count())
            + 1;
        Span {
            start,
            end,
            line,
            column,
        }
    }

    /// The text of a line counted from 1, without its break.
    pub fn text(&self, line: usize) -> &'a str {
        let Some(first) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else {
            return "";
        };
        let rest = self.source.get(*first..).unwrap_or_default();
        rest.split('\n')
            .next()
            .unwrap_or_default()
            .trim_end_matches('\r')
    }

    /// The byte offset at which a line counted from 1 begins.
    pub fn start(&self, line: usize) -> usize {
        let index = line.saturating_sub(1);
        self.starts.get(index).copied().unwrap_or(self.source.len())
    }

    pub fn count(&self) -> usize {
        self.starts.len()
    }
}
