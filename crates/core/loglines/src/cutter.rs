//! Cuts what a process prints into entries.

use memchr::memchr;

use crate::{Entry, Stream};

/// Longer lines are written in several parts.
pub const LONGEST_LINE: usize = 16 * 1024;

/// One stream of a process: holds the start of a line whose end has not come yet.
#[derive(Debug)]
pub struct Cutter {
    stream: Stream,
    line: Vec<u8>,
}

impl Cutter {
    pub fn new(stream: Stream) -> Self {
        Self { stream, line: Vec::new() }
    }

    /// Appends an entry for each line that ends in `bytes`.
    pub fn cut(&mut self, time: &[u8], mut bytes: &[u8], into: &mut Vec<u8>) {
        let stream = self.stream;
        while !bytes.is_empty() {
            let room = LONGEST_LINE - self.line.len();
            let window = bytes.get(..room).unwrap_or(bytes);
            let (partial, end, next) = match memchr(b'\n', window) {
                Some(end) => (false, end, end + 1),
                None if bytes.len() >= room => (true, room, room),
                None => {
                    self.line.extend_from_slice(bytes);
                    return;
                }
            };
            let (piece, _) = bytes.split_at(end);
            if self.line.is_empty() {
                Entry { time, stream, partial, bytes: piece }.write(into);
            } else {
                self.line.extend_from_slice(piece);
                Entry { time, stream, partial, bytes: &self.line }.write(into);
                self.line.clear();
            }
            bytes = bytes.get(next..).unwrap_or_default();
        }
    }

    /// Appends an entry for a line that never ended.
    pub fn finish(&mut self, time: &[u8], into: &mut Vec<u8>) {
        if !self.line.is_empty() {
            Entry { time, stream: self.stream, partial: false, bytes: &self.line }.write(into);
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of the entries, `…` behind those that go on.
    fn check(chunks: &[&[u8]], expected: &str) {
        let mut cutter = Cutter::new(Stream::Stdout);
        let mut file = Vec::new();
        chunks.iter().for_each(|chunk| cutter.cut(b"t", chunk, &mut file));
        cutter.finish(b"t", &mut file);
        let mut told = Vec::new();
        let mut at = 0;
        while let Some((entry, next)) = Entry::next(&file, at) {
            told.push(format!("{}{}", entry.bytes.len(), if entry.partial { "…" } else { "" }));
            at = next;
        }
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn lines_are_cut_wherever_chunks_end() {
        check(&[b"one\ntwo\n"], "3 3");
        check(&[b"on", b"e\nt", b"wo"], "3 3");
        check(&[b"", b"\n\n", b"x"], "0 0 1");
    }

    #[test]
    fn long_lines_come_in_parts() {
        let long = vec![b'x'; LONGEST_LINE];
        check(&[&long, b"yy\n"], "16384… 2");
        check(&[b"yy", &long, b"\nz\n"], "16384… 2 1");
        check(&[&long, b"\n"], "16384… 0");
    }
}
