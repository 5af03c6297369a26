//! Entries of a process's log file: `<time> stdout|stderr F|P <bytes>`, one to a line.

use memchr::{memchr, memrchr};

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// One entry, as it lies in the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub time: &'a [u8],
    pub stream: Stream,
    /// The line goes on in the next entry of this stream.
    pub partial: bool,
    pub bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads one line without its line break; `None` if it is no entry.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(memchr(b' ', line)?)?;
        let (stream, rest) = if let Some(rest) = rest.strip_prefix(b" stdout ") {
            (Stream::Stdout, rest)
        } else {
            (Stream::Stderr, rest.strip_prefix(b" stderr ")?)
        };
        let (partial, bytes) = if let Some(bytes) = rest.strip_prefix(b"F ") {
            (false, bytes)
        } else {
            (true, rest.strip_prefix(b"P ")?)
        };
        Some(Self { time, stream, partial, bytes })
    }

    /// The first entry at or after `at`, and where the next line begins; lines that are none are passed over.
    pub fn next(bytes: &'a [u8], mut at: usize) -> Option<(Self, usize)> {
        loop {
            let rest = bytes.get(at..)?;
            let length = memchr(b'\n', rest)?;
            at += length + 1;
            if let Some(entry) = rest.get(..length).and_then(Self::parse) {
                return Some((entry, at));
            }
        }
    }

    /// How many of `bytes` are whole lines.
    pub fn whole(bytes: &[u8]) -> usize {
        memrchr(b'\n', bytes).map_or(0, |at| at + 1)
    }

    /// Appends an entry in the form that [`Entry::parse`] reads.
    pub fn write(self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.time);
        into.extend_from_slice(match (self.stream, self.partial) {
            (Stream::Stdout, false) => b" stdout F ",
            (Stream::Stdout, true) => b" stdout P ",
            (Stream::Stderr, false) => b" stderr F ",
            (Stream::Stderr, true) => b" stderr P ",
        });
        into.extend_from_slice(self.bytes);
        into.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (partial, bytes) in [(false, &b"hello world"[..]), (true, b""), (false, b"\xff F x")] {
            let entry = Entry { time: b"2026-11-22T10:00:00.000000001Z", stream: Stream::Stderr, partial, bytes };
            let mut file = Vec::new();
            entry.write(&mut file);
            assert_eq!(Entry::next(&file, 0), Some((entry, file.len())));
        }
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let file = b"2026 stdout X y\n\nt stdout F one\nt stdin F two\nt stderr P three\nt stdout F not ended";
        let mut texts = Vec::new();
        let mut at = 0;
        while let Some((entry, next)) = Entry::next(file, at) {
            texts.push(String::from_utf8_lossy(entry.bytes));
            at = next;
        }
        assert_eq!(texts, ["one", "three"]);
        assert_eq!(at, Entry::whole(file));
    }
}
