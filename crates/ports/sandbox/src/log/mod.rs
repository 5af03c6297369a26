//! Log files of processes: one line of output is one line of `<time> stdout|stderr F|P <bytes>`.
//!
//! `P` marks the first parts of a line that was too long (or had not ended yet). The spawner keeps the
//! newest [`KEPT_BYTES`] of a file and frees the blocks before them, so an offset stays valid for good.

mod follow;
mod read;

use loglines::Entry;

pub use follow::{Follow, Followed, FollowedChunk};
pub use loglines::LONGEST_LINE;
pub use read::{Chunk, read_from, tail};

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
    /// What an entry says that ends at `end`.
    fn of(entry: &Entry<'_>, end: u64) -> Self {
        let stream = match entry.stream {
            loglines::Stream::Stdout => Stream::Stdout,
            loglines::Stream::Stderr => Stream::Stderr,
        };
        // Whatever is no text here is no time either.
        let time = String::from_utf8_lossy(entry.time).into_owned();
        Self { time, stream, partial: entry.partial, bytes: entry.bytes.to_owned(), end }
    }

    /// The output as text, broken bytes replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Reads one line of a log file, without its line break; `None` if it is none.
pub fn parse(line: &[u8], end: u64) -> Option<Line> {
    Entry::parse(line).map(|entry| Line::of(&entry, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_its_place() {
        let line = parse(b"2026-11-22T10:00:00.000000001Z stderr P hello world", 7).expect("a line");
        let time = "2026-11-22T10:00:00.000000001Z".to_owned();
        assert_eq!(line, Line { time, stream: Stream::Stderr, partial: true, bytes: b"hello world".to_vec(), end: 7 });
        assert_eq!(parse(b"2026 stdout X y", 0), None);
        assert_eq!(parse(b"", 0), None);
    }
}
