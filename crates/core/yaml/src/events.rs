//! The pieces of a source in order, for engines that keep a tree of their own.
//!
//! Nothing is resolved here: an engine that reads `yes` as text and one that
//! reads it as a boolean both start from the same pieces.

use std::borrow::Cow;

use granit_parser::{Event as Parsed, Options, Parser, ScalarStyle as Style};

/// One piece of a source.
#[derive(Debug)]
pub enum Event<'a> {
    /// A document begins.
    DocumentStart,
    /// The open document ends.
    DocumentEnd,
    /// A scalar, unescaped.
    Scalar {
        text: Cow<'a, str>,
        /// Whether it stands without quotes and is no block.
        plain: bool,
        /// The name of a tag of the core schema (`str`, `int` …), or another tag's text.
        tag: Option<String>,
        /// What an alias calls it; zero without anchor.
        anchor: usize,
    },
    /// What the anchor of this number named.
    Alias(usize),
    /// A sequence begins.
    SequenceStart { anchor: usize },
    /// A mapping begins; keys and values follow in turn.
    MappingStart { anchor: usize },
    /// The innermost collection ends.
    End,
}

/// A source that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SyntaxError {
    /// Counted from one.
    pub line: usize,
    pub reason: String,
}

/// Hands every piece of `source` to `each` with its line, counted from one, until one is refused.
///
/// # Errors
///
/// What the parser or `each` refuses first.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum is open")]
pub fn events<E: From<SyntaxError>>(
    source: &str,
    mut each: impl FnMut(Event<'_>, usize) -> Result<(), E>,
) -> Result<(), E> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut options = Options::default();
    options.set_emit_comments(false);
    for parsed in Parser::new_from_str_with_options(source, options) {
        let (event, span) = parsed.map_err(|error| syntax(&error))?;
        // Go adds no line break to a block that ends the source without one.
        let at_end =
            !source.ends_with('\n') && span.end.byte_offset().is_some_and(|it| it >= source.len());
        let event = match event {
            Parsed::DocumentStart(..) => Event::DocumentStart,
            Parsed::DocumentEnd => Event::DocumentEnd,
            Parsed::Scalar(text, style, anchor, tag) => Event::Scalar {
                // The parser writes a tilde where nothing stands.
                text: if span.start.index() == span.end.index() && style == Style::Plain {
                    Cow::Borrowed("")
                } else if at_end && matches!(style, Style::Literal | Style::Folded) {
                    Cow::Owned(text.strip_suffix('\n').unwrap_or(&text).to_owned())
                } else {
                    text
                },
                plain: style == Style::Plain,
                tag: tag.map(|it| match it.core_suffix() {
                    Some(name) => name.to_owned(),
                    None => it.to_string(),
                }),
                anchor,
            },
            Parsed::Alias(anchor) => Event::Alias(anchor),
            Parsed::SequenceStart(_, anchor, _) => Event::SequenceStart { anchor },
            Parsed::MappingStart(_, anchor, _) => Event::MappingStart { anchor },
            Parsed::SequenceEnd | Parsed::MappingEnd => Event::End,
            // The parser may learn events that we did not ask for.
            _ => continue,
        };
        each(event, span.start.line())?;
    }
    Ok(())
}

fn syntax(error: &granit_parser::ScanError) -> SyntaxError {
    let mut reason = error.info().trim().to_owned();
    if let Some(cut) = reason
        .find(" at char ")
        .or_else(|| reason.find(" at byte "))
    {
        reason.truncate(cut);
    }
    SyntaxError {
        line: error.marker().line(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_unresolved() {
        let mut seen = String::new();
        let end = events("a: &x yes\nb: [*x, !!int \"1\"]\n", |event, line| {
            seen.push_str(&format!("{line} {event:?}\n"));
            Ok::<_, SyntaxError>(())
        });
        assert_eq!(end, Ok(()));
        assert_eq!(
            seen.lines()
                .filter(|it| it.contains("Scalar"))
                .collect::<Vec<_>>(),
            [
                r#"1 Scalar { text: "a", plain: true, tag: None, anchor: 0 }"#,
                r#"1 Scalar { text: "yes", plain: true, tag: None, anchor: 1 }"#,
                r#"2 Scalar { text: "b", plain: true, tag: None, anchor: 0 }"#,
                r#"2 Scalar { text: "1", plain: false, tag: Some("int"), anchor: 0 }"#,
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_names_its_line() {
        let end = events("a: 1\nb: [\n", |_, _| Ok::<_, SyntaxError>(()));
        assert!(end.is_err_and(|it| it.line >= 2));
    }
}
