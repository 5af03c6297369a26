//! A source with its impostor characters repaired, and the way back to the places of the original.
//!
//! A file from a web page has no structure before its non-breaking spaces are
//! spaces; reading the repaired text lets one pass find everything else, too.

use yaml::{Diagnostic, Fix, Flavor, Lines, Severity, Span};

/// The codes of characters that only look like a space.
const CHARACTERS: [&str; 4] = ["LF-Y0010", "LF-Y0011", "LF-Y0012", "LF-Y0013"];

/// The text of a file as it is and as it is read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub original: String,
    /// The repaired text where repair was needed.
    mended: Option<Mended>,
}

#[derive(Clone, Debug)]
struct Mended {
    text: String,
    pieces: Vec<Piece>,
}

/// A run of bytes of the repaired text and where it comes from.
#[derive(Clone, Debug)]
struct Piece {
    mended: usize,
    original: usize,
    length: usize,
}

impl Source {
    pub fn new(original: String) -> Self {
        let mended = mend(&original);
        Self { original, mended }
    }

    /// The text that is to be read.
    pub fn text(&self) -> &str {
        self.mended.as_ref().map_or(&self.original, |it| &it.text)
    }

    pub fn is_mended(&self) -> bool {
        self.mended.is_some()
    }

    fn offset(&self, at: usize) -> usize {
        let Some(mended) = &self.mended else { return at };
        let index = mended.pieces.partition_point(|piece| piece.mended <= at);
        let piece = index.checked_sub(1).and_then(|index| mended.pieces.get(index));
        piece.map_or(at, |piece| piece.original + (at - piece.mended).min(piece.length))
    }

    /// The span in the original of a range of bytes of [`Self::text`].
    pub fn span(&self, start: usize, end: usize) -> Span {
        Lines::new(&self.original).span(self.offset(start), self.offset(end))
    }

    /// Moves a finding about [`Self::text`] to the original.
    pub fn place(&self, mut found: Diagnostic) -> Diagnostic {
        if self.is_mended() {
            found.span = self.span(found.span.start, found.span.end);
            for fix in &mut found.fixes {
                fix.range = self.offset(fix.range.start)..self.offset(fix.range.end);
            }
        }
        found
    }
}

/// Whether a finding is about a character that only looks like a space.
pub(crate) fn is_character(found: &Diagnostic) -> bool {
    CHARACTERS.contains(&found.code)
}

fn mend(original: &str) -> Option<Mended> {
    let found = match yaml::parse(original, "", Flavor::Go11) {
        Ok(documents) => documents.into_iter().flat_map(|it| it.warnings).collect(),
        Err(found) => found,
    };
    let characters = || found.iter().filter(|it| is_character(it));
    // Characters that change nothing may be meant; then they stay in what is read.
    if !characters().any(|it| it.severity == Severity::Error) {
        return None;
    }
    let mut fixes: Vec<&Fix> = characters().flat_map(|it| &it.fixes).collect();
    fixes.sort_by_key(|fix| fix.range.start);
    let mut mended = Mended { text: String::with_capacity(original.len()), pieces: Vec::new() };
    let mut done = 0;
    for fix in fixes {
        let Some(kept) = original.get(done..fix.range.start) else { continue };
        mended.push(kept, done, kept.len());
        mended.push(&fix.replacement, fix.range.start, fix.range.len());
        done = fix.range.end;
    }
    let rest = original.get(done..).unwrap_or_default();
    mended.push(rest, done, rest.len());
    Some(mended)
}

impl Mended {
    fn push(&mut self, text: &str, original: usize, length: usize) {
        if !text.is_empty() {
            self.pieces.push(Piece { mended: self.text.len(), original, length });
            self.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_repaired_text_are_found_in_the_original() {
        let source = Source::new("a:\u{a0}b\nc:\n\u{a0} d: e\n".to_owned());
        assert_eq!(source.text(), "a: b\nc:\n  d: e\n");
        let at = source.text().find('e').expect("there");
        let span = source.span(at, at + 1);
        assert_eq!((span.line, span.column), (3, 6));
        assert_eq!(source.original.get(span.start..span.end), Some("e"));
    }
}
