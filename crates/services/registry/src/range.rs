//! Parts of a blob.

use std::ops::Range;

/// What a `Range` header means for a blob.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// No range, or one in a form that servers may ignore.
    Whole,
    Part(Range<u64>),
    /// Nothing of the blob lies in it.
    Unsatisfiable,
}

/// Reads a `Range` header for a blob of `size` bytes; several ranges are answered with the whole.
pub fn parse(header: Option<&str>, size: u64) -> Asked {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Asked::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Some(0) => Asked::Unsatisfiable,
            Some(_) if size == 0 => Asked::Unsatisfiable,
            Some(count) => Asked::Part(size.saturating_sub(count)..size),
            None => Asked::Whole,
        },
        (first, last) => {
            let end = if last.is_empty() { Some(u64::MAX) } else { number(last).map(|last| last.saturating_add(1)) };
            match (number(first), end) {
                (Some(start), Some(end)) if start >= size || end <= start => Asked::Unsatisfiable,
                (Some(start), Some(end)) => Asked::Part(start..end.min(size)),
                _ => Asked::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        check("bytes=0-3", Asked::Part(0..4));
        check("bytes=2-", Asked::Part(2..10));
        check("bytes=-4", Asked::Part(6..10));
        check("bytes=-40", Asked::Part(0..10));
        check("bytes=8-99", Asked::Part(8..10));
        check("bytes=10-", Asked::Unsatisfiable);
        check("bytes=5-2", Asked::Unsatisfiable);
        check("bytes=-0", Asked::Unsatisfiable);
        check("bytes=0-1,4-5", Asked::Whole);
        check("lines=0-1", Asked::Whole);
    }

    #[track_caller]
    fn check(header: &str, expected: Asked) {
        assert_eq!(parse(Some(header), 10), expected);
    }
}
