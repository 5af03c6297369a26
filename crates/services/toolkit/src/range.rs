//! Parts of a blob, as clients ask for them in a header.

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

/// Reads a `Range` header for a blob of `size` bytes.
pub fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some((first, last)) = header.and_then(|it| it.trim().strip_prefix("bytes=")?.split_once('-')) else {
        return Asked::Whole;
    };
    let (first, last) = (first.trim().parse::<u64>().ok(), (last.trim(), last.trim().parse::<u64>().ok()));
    let part = match (first, last) {
        (Some(start), ("", _)) => start..size,
        (Some(start), (_, Some(last))) => start..last.saturating_add(1).min(size),
        (None, (_, Some(count))) => size.saturating_sub(count)..size,
        (_, (_, None)) => return Asked::Whole,
    };
    if part.is_empty() { Asked::Unsatisfiable } else { Asked::Part(part) }
}

/// The first byte and the number of bytes that a `Content-Range` header of an upload names.
pub fn sent(header: &str) -> Option<(u64, u64)> {
    let (first, rest) = header.trim().strip_prefix("bytes ")?.split_once('-')?;
    let (last, _) = rest.split_once('/')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        check("bytes=0-3", Asked::Part(0..4));
        check("bytes=2-", Asked::Part(2..10));
        check("bytes=-4", Asked::Part(6..10));
        check("bytes=8-99", Asked::Part(8..10));
        check("bytes=10-", Asked::Unsatisfiable);
        check("bytes=5-2", Asked::Unsatisfiable);
        check("bytes=-0", Asked::Unsatisfiable);
        check("bytes=0-1,4-5", Asked::Whole);
        check("lines=0-1", Asked::Whole);
    }

    #[test]
    fn sent_ranges_tell_where_and_how_much() {
        assert_eq!(sent("bytes 0-199/*"), Some((0, 200)));
        assert_eq!(sent("bytes 200-200/500"), Some((200, 1)));
        assert_eq!(sent("bytes 5-2/*"), None);
        assert_eq!(sent("bytes 0-18446744073709551615/*"), None);
        assert_eq!(sent("0-1"), None);
    }

    #[track_caller]
    fn check(header: &str, expected: Asked) {
        assert_eq!(asked(Some(header), 10), expected);
    }
}
