//! Copies lines that are text and nothing else into the log of a job.

use memchr::memchr_iter;

use crate::{
    Entry, Sieve, Stream,
    json::{push, push_number},
    time::{read_micros, write_micros},
};

/// Whose lines they are.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// Which start of the job.
    pub attempt: u32,
    /// The index of the step in its job.
    pub step: u32,
}

/// What holds for some bytes of a process's log file.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Where in the file they begin.
    pub start: u64,
    /// What ends at or before this place is in the log already.
    pub known: u64,
    /// Lines that it catches are not copied.
    pub sieve: &'a Sieve,
}

/// Copies the lines of one step.
#[derive(Debug)]
pub struct Scribe {
    heading: Heading,
    /// The time that the beginnings are for, as entries have it.
    time: Vec<u8>,
    /// Lines up to their text, for both streams.
    beginnings: [Vec<u8>; 2],
}

impl Scribe {
    pub fn new(heading: Heading) -> Self {
        Self { heading, time: Vec::new(), beginnings: Default::default() }
    }

    /// Copies from `bytes` what comes at and after `at`.
    ///
    /// Gives the first entry that somebody else must look at (it may be a command, it may hold a secret, it is no
    /// text, or part of a line only) and the place behind it; `None` when all is copied.
    pub fn copy<'a>(&mut self, bytes: &'a [u8], mut at: usize, scope: Scope<'_>, into: &mut Vec<u8>) -> Option<(Entry<'a>, usize)> {
        while let Some((entry, next)) = Entry::next(bytes, at) {
            if !is_plain(&entry) || scope.sieve.catches(entry.bytes) {
                return Some((entry, next));
            }
            let end = scope.start + next as u64;
            if end > scope.known {
                if entry.time != self.time && self.begin(entry.time).is_none() {
                    return Some((entry, next));
                }
                let [stdout, stderr] = &self.beginnings;
                into.extend_from_slice(if entry.stream == Stream::Stdout { stdout } else { stderr });
                push(into, entry.bytes);
                into.extend_from_slice(b"\",\"source_end_bytes\":");
                push_number(into, end);
                into.extend_from_slice(b"}\n");
            }
            at = next;
        }
        None
    }

    /// Lines that came together have the same time.
    fn begin(&mut self, time: &[u8]) -> Option<()> {
        let micros = read_micros(time)?;
        let Heading { attempt, step } = self.heading;
        for (beginning, stream) in self.beginnings.iter_mut().zip(["stdout", "stderr"]) {
            beginning.clear();
            beginning.extend_from_slice(b"{\"at\":\"");
            write_micros(beginning, micros)?;
            beginning.extend_from_slice(b"\",\"attempt\":");
            push_number(beginning, attempt.into());
            beginning.extend_from_slice(b",\"step\":");
            push_number(beginning, step.into());
            beginning.extend_from_slice(b",\"stream\":\"");
            beginning.extend_from_slice(stream.as_bytes());
            beginning.extend_from_slice(b"\",\"text\":\"");
        }
        self.time.clear();
        self.time.extend_from_slice(time);
        Some(())
    }
}

/// Whether a line is whole, is text, and cannot be a command: those begin with `::`, or hold `##[` somewhere.
fn is_plain(entry: &Entry<'_>) -> bool {
    let bytes = entry.bytes;
    let first = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'));
    let begins_plainly = match first.and_then(|at| bytes.get(at..)) {
        // What begins beyond ASCII may be a space of another kind.
        Some([b':', b':', ..] | [0x80..=0xff, ..]) => false,
        Some(_) | None => true,
    };
    begins_plainly
        && !entry.partial
        && !memchr_iter(b'#', bytes).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(b"##[")))
        && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies all entries; those that were not copied stand between brackets.
    fn check(entries: &[(&str, Stream, bool, &[u8])], known: u64, expected: &str) {
        let mut bytes = Vec::new();
        for (time, stream, partial, text) in entries {
            Entry { time: time.as_bytes(), stream: *stream, partial: *partial, bytes: text }.write(&mut bytes);
        }
        let sieve = Sieve::new(&[b"secret"]);
        let scope = Scope { start: 1000, known, sieve: &sieve };
        let mut scribe = Scribe::new(Heading { attempt: 2, step: 3 });
        let (mut into, mut at) = (Vec::new(), 0);
        while let Some((entry, next)) = scribe.copy(&bytes, at, scope, &mut into) {
            into.extend_from_slice(format!("[{}]\n", String::from_utf8_lossy(entry.bytes)).as_bytes());
            at = next;
        }
        assert_eq!(String::from_utf8_lossy(&into), expected);
    }

    const TIME: &str = "2026-11-22T10:00:00.250000000Z";

    #[test]
    fn plain_lines_become_json() {
        let entries: [(_, _, _, &[u8]); 3] = [
            (TIME, Stream::Stdout, false, b"one \"two\""),
            (TIME, Stream::Stderr, false, "\ttäglich # 2".as_bytes()),
            ("2026-11-22T10:00:01.000000001Z", Stream::Stdout, false, b""),
        ];
        let expected = "{\"at\":\"2026-11-22T10:00:00.25Z\",\"attempt\":2,\"step\":3,\"stream\":\"stdout\",\"text\":\"one \\\"two\\\"\",\"source_end_bytes\":1050}\n\
                        {\"at\":\"2026-11-22T10:00:00.25Z\",\"attempt\":2,\"step\":3,\"stream\":\"stderr\",\"text\":\"\\ttäglich # 2\",\"source_end_bytes\":1104}\n\
                        {\"at\":\"2026-11-22T10:00:01Z\",\"attempt\":2,\"step\":3,\"stream\":\"stdout\",\"text\":\"\",\"source_end_bytes\":1145}\n";
        check(&entries, 0, expected);
        check(&entries, 1104, &expected[expected.len() - 103..]);
        check(&entries, 2000, "");
    }

    #[test]
    fn the_rest_is_left_to_others() {
        let texts: [&[u8]; 7] = [b"::warning::x", b"  \t::x", b"x ##[error]y", b"a secret", b"\xff", "\u{a0}::x".as_bytes(), b"x"];
        let entries: Vec<_> = texts.iter().map(|text| (TIME, Stream::Stdout, *text == b"x", *text)).collect();
        let expected: String = texts.iter().map(|text| format!("[{}]\n", String::from_utf8_lossy(text))).collect();
        check(&entries, 0, &expected);
        check(&[("yesterday", Stream::Stdout, false, b"x")], 0, "[x]\n");
    }
}
