//! Finds characters that look like a space and are none, as web pages paste them.

use crate::{Diagnostic, Lines, Span};

/// A kind of character that YAML does not take for a space.
struct Impostor {
    code: &'static str,
    symbol: char,
    name: &'static str,
    replacement: &'static str,
}

const IMPOSTORS: &[Impostor] = &[
    Impostor {
        code: "LF-Y0010",
        symbol: '\u{a0}',
        name: "non-breaking space (U+00A0)",
        replacement: " ",
    },
    Impostor {
        code: "LF-Y0011",
        symbol: '\u{200b}',
        name: "zero-width space (U+200B)",
        replacement: "",
    },
    Impostor {
        code: "LF-Y0012",
        symbol: '\u{feff}',
        name: "byte order mark (U+FEFF)",
        replacement: "",
    },
];

/// Tabs become this many spaces; two is what most workflows indent by.
const TAB: &str = "  ";

/// One error per kind of impostor, at its first place, with the fixes of all its places.
///
/// Places inside quotes and comments are left alone: there they may be meant.
pub(crate) fn impostors(file: &str, source: &str, lines: &Lines<'_>) -> Vec<Diagnostic> {
    if source.is_ascii() {
        return Vec::new();
    }
    IMPOSTORS
        .iter()
        .filter_map(|kind| report(kind, file, source, lines))
        .collect()
}

fn report(kind: &Impostor, file: &str, source: &str, lines: &Lines<'_>) -> Option<Diagnostic> {
    let mut places: Vec<Span> = Vec::new();
    for number in 1..=lines.count() {
        let start = lines.start(number);
        for at in bare(lines.text(number), kind.symbol) {
            // A mark at the very start of a file is allowed.
            if start + at > 0 || kind.symbol != '\u{feff}' {
                places.push(lines.span(start + at, start + at + kind.symbol.len_utf8()));
            }
        }
    }
    let first = *places.first()?;
    let mut others: Vec<_> = places
        .iter()
        .map(|place| place.line)
        .filter(|line| *line != first.line)
        .collect();
    others.dedup();
    let mut found = Diagnostic::error(
        file,
        first,
        kind.code,
        format!(
            "{} at line {}, column {}",
            kind.name, first.line, first.column
        ),
    )
    .label("looks like a space, but is none to YAML");
    if structural(source, lines, &places) {
        found =
            found.help("text copied from a web page often carries it; replace it by a plain space");
    } else {
        found = found
            .warning()
            .help("if it is meant, put the text in quotes");
    }
    if !others.is_empty() {
        let shown: Vec<_> = others.iter().take(8).map(ToString::to_string).collect();
        let more = if others.len() > shown.len() {
            ", …"
        } else {
            ""
        };
        found = found.help(format!("it also stands in line {}{more}", shown.join(", ")));
    }
    found = found.help("`landfall lint --fix` repairs all of them");
    for place in places {
        found = found.fix(place.start..place.end, kind.replacement);
    }
    Some(found)
}

/// Whether a place changes what the line means: in its indentation, or next to `:` or `-`.
fn structural(source: &str, lines: &Lines<'_>, places: &[Span]) -> bool {
    places.iter().any(|place| {
        let before = source
            .get(lines.start(place.line)..place.start)
            .unwrap_or_default();
        let before = before.trim_end_matches(|it: char| {
            it.is_whitespace() || it == '\u{200b}' || it == '\u{feff}'
        });
        before.is_empty() || before.ends_with([':', '-', '[', ',', '{'])
    })
}

/// Offsets of `symbol` in a line, outside quotes and comments.
fn bare(line: &str, symbol: char) -> Vec<usize> {
    let mut found = Vec::new();
    let mut quote: Option<char> = None;
    let mut before = ' ';
    for (at, here) in line.char_indices() {
        match quote {
            Some(open) if here == open => quote = None,
            Some(_) => {}
            None if here == symbol => found.push(at),
            None if here == '#' && before.is_whitespace() => break,
            None if (here == '"' || here == '\'')
                && (before.is_whitespace() || "[{,".contains(before)) =>
            {
                quote = Some(here);
            }
            None => {}
        }
        before = here;
    }
    found
}

/// The first tab that stands in an indentation; asked only when the parser fails.
pub(crate) fn tab(file: &str, lines: &Lines<'_>) -> Option<Diagnostic> {
    let mut found: Option<Diagnostic> = None;
    for number in 1..=lines.count() {
        let line = lines.text(number);
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let lead = line.get(..indent).unwrap_or_default();
        if !lead.contains('\t') || line.trim().is_empty() {
            continue;
        }
        let start = lines.start(number);
        let base = found.take().unwrap_or_else(|| {
            let at = start + lead.find('\t').unwrap_or(0);
            let span = lines.span(at, at + 1);
            let message = format!(
                "tab in the indentation at line {}, column {}",
                span.line, span.column
            );
            Diagnostic::error(file, span, "LF-Y0013", message)
                .label("YAML indents by spaces only")
                .help("`landfall lint --fix` writes two spaces for each tab")
        });
        found = Some(base.fix(start..start + indent, lead.replace('\t', TAB)));
    }
    found
}
