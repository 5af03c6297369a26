//! Log files of processes: one line of output is one line of `<time> stdout|stderr F|P <bytes>`.
//!
//! `P` marks the first parts of a line that was too long (or had not ended yet). The spawner keeps the
//! newest [`KEPT_BYTES`] of a file and frees the blocks before them, so an offset stays valid for good.

mod follow;
mod read;

use std::ops::Range;

pub use follow::{Follow, Followed};
pub use read::{read_from, tail};

/// Longer lines are written in several parts.
pub const LONGEST_LINE: usize = 16 * 1024;

/// The newest bytes of a log that are kept at least.
pub const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One line of a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// RFC 3339 with nanoseconds, in UTC.
    pub time: String,
    pub stream: Stream,
    /// The line goes on in the next [`Line`] of this stream.
    pub partial: bool,
    pub bytes: Vec<u8>,
    /// The place in the file right after this line: follow from here to go on.
    pub end: u64,
}

impl Line {
    /// The output as text, broken bytes replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Reads one line of a log file, without its line break; `None` if it is none.
pub fn parse(line: &[u8], end: u64) -> Option<Line> {
    let (time, rest) = word(line)?;
    let (stream, rest) = word(rest)?;
    let (tag, bytes) = word(rest)?;
    let stream = match stream {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let partial = match tag {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    let time = std::str::from_utf8(time).ok()?.to_owned();
    Some(Line { time, stream, partial, bytes: bytes.to_owned(), end })
}

/// Appends one line in the form that [`parse`] reads.
pub(crate) fn write(into: &mut Vec<u8>, time: &str, stream: Stream, partial: bool, bytes: &[u8]) {
    into.extend_from_slice(time.as_bytes());
    into.extend_from_slice(if stream == Stream::Stdout { b" stdout " } else { b" stderr " });
    into.extend_from_slice(if partial { b"P " } else { b"F " });
    into.extend_from_slice(bytes);
    into.push(b'\n');
}

fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    Some((&bytes[..space], &bytes[space + 1..]))
}

/// The complete lines in `bytes`, each with its range, line breaks excluded.
pub(crate) fn complete_lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(move |(end, _)| {
        let range = start..end;
        start = end + 1;
        range
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_line_is_read_again() {
        for (partial, bytes) in [(false, &b"hello world"[..]), (true, b""), (false, b"\xff F x")] {
            let mut file = Vec::new();
            write(&mut file, "2026-11-22T10:00:00.000000001Z", Stream::Stderr, partial, bytes);
            let line = parse(&file[..file.len() - 1], 7).expect("a line");
            let time = "2026-11-22T10:00:00.000000001Z".to_owned();
            assert_eq!(line, Line { time, stream: Stream::Stderr, partial, bytes: bytes.to_owned(), end: 7 });
        }
        assert_eq!(parse(b"2026 stdout X y", 0), None);
        assert_eq!(parse(b"", 0), None);
    }
}
