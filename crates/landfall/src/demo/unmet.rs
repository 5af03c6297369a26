//! What the demo expected and did not see.

use std::fmt::Display;

/// A check that does not hold.
#[derive(Debug, thiserror::Error)]
#[error("{what}\n  expected  {expected}\n  seen      {seen}")]
pub struct Unmet {
    what: String,
    expected: String,
    seen: String,
}

/// Goes on only if `holds`.
///
/// # Errors
///
/// [`Unmet`] otherwise.
pub fn expect(holds: bool, what: &str, expected: impl Display, seen: impl Display) -> Result<(), Unmet> {
    if holds {
        return Ok(());
    }
    // Further lines stand below the first one.
    let indent = |text: String| text.trim_end().replace('\n', "\n            ");
    Err(Unmet { what: what.to_owned(), expected: indent(expected.to_string()), seen: indent(seen.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_expected_and_what_was_seen() {
        let unmet = expect(false, "the answer is right", "version 2", "version 1\nversion 3").unwrap_err();
        let expected = "the answer is right\n  expected  version 2\n  seen      version 1\n            version 3";
        assert_eq!(unmet.to_string(), expected);
    }

    #[test]
    fn says_nothing_when_all_is_well() {
        assert!(expect(true, "the answer is right", 1, 1).is_ok());
    }
}
