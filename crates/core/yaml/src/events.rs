//! The pieces of a source in order, for engines that keep a tree of their own.
//!
//! Nothing is resolved here: an engine that reads `yes` as text and one that
//! reads it as a boolean both start from the same pieces.

use std::borrow::Cow;

use crate::go::Pieces;

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
        tag: Option<Box<str>>,
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
pub fn events<E: From<SyntaxError>>(
    source: &str,
    mut each: impl FnMut(Event<'_>, usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut pieces = Pieces::new(source)?;
    while let Some((event, line)) = pieces.next()? {
        each(event, line)?;
    }
    Ok(())
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
