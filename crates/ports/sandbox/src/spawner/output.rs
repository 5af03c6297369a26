//! Takes the output of processes and writes it into their log files.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use loglines::Cutter;
use rustix::fs::FallocateFlags;

use crate::log::{KEPT_BYTES, Stream};

/// Bytes taken from one pipe before others get their turn.
const TURN: usize = 64 * 1024;

/// Blocks are freed in pieces of this size, at the front of a log that is too long.
const PIECE: u64 = 1024 * 1024;

/// One log file and the pipes that feed it.
pub struct Output {
    file: File,
    length: u64,
    freed: u64,
    stdout: Source,
    stderr: Source,
}

struct Source {
    pipe: Option<OwnedFd>,
    cutter: Cutter,
}

/// What reading a pipe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Some,
    Nothing,
    End,
}

impl Output {
    pub fn create(path: &Path, stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        let source = |pipe, stream| Source { pipe: Some(pipe), cutter: Cutter::new(stream) };
        let (stdout, stderr) = (source(stdout, loglines::Stream::Stdout), source(stderr, loglines::Stream::Stderr));
        Ok(Self { file, length: 0, freed: 0, stdout, stderr })
    }

    pub fn pipe(&self, stream: Stream) -> Option<&OwnedFd> {
        if stream == Stream::Stdout { self.stdout.pipe.as_ref() } else { self.stderr.pipe.as_ref() }
    }

    fn source(&mut self, stream: Stream) -> &mut Source {
        if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr }
    }

    /// Moves at most one turn's worth of bytes from a pipe to the file.
    pub fn take(&mut self, stream: Stream) -> Taken {
        let mut buffer = [0; TURN];
        let Some(pipe) = &self.source(stream).pipe else { return Taken::End };
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => {
                self.flush(stream);
                self.source(stream).pipe = None;
                Taken::End
            }
            Ok(count) => {
                self.write(stream, &buffer[..count]);
                Taken::Some
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Taken::Nothing,
            Err(_) => {
                self.source(stream).pipe = None;
                Taken::End
            }
        }
    }

    /// Takes what is there now, at the end of a process. A process it left behind may go on writing, so
    /// there is a limit.
    pub fn drain(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            for _ in 0..32 {
                if self.take(stream) != Taken::Some {
                    break;
                }
            }
            self.flush(stream);
        }
    }

    fn flush(&mut self, stream: Stream) {
        let mut entries = Vec::new();
        self.source(stream).cutter.finish(&time(SystemTime::now()), &mut entries);
        if !entries.is_empty() {
            self.append(&entries);
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut entries = Vec::with_capacity(bytes.len() * 2);
        self.source(stream).cutter.cut(&time(SystemTime::now()), bytes, &mut entries);
        if !entries.is_empty() {
            self.append(&entries);
        }
    }

    fn append(&mut self, entries: &[u8]) {
        // A full disk must not stop the process: its output is lost, as it would be on a terminal.
        if self.file.write_all(entries).is_ok() {
            self.length += entries.len() as u64;
        }
        if self.length - self.freed > KEPT_BYTES + PIECE {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match rustix::fs::fallocate(&self.file, flags, self.freed, PIECE) {
                Ok(()) => self.freed += PIECE,
                // Without holes the only way to a limit is to start again.
                Err(_) => {
                    if self.file.set_len(0).is_ok() {
                        (self.length, self.freed) = (0, 0);
                    }
                }
            }
        }
    }
}

/// RFC 3339 with nanoseconds, in UTC.
fn time(at: SystemTime) -> Vec<u8> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut text = Vec::with_capacity(32);
    // A clock beyond the year 9999 is none.
    let _ = i64::try_from(since.as_secs()).ok().and_then(|seconds| loglines::write_nanos(&mut text, seconds, since.subsec_nanos()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{self, LONGEST_LINE};

    #[test]
    fn long_lines_are_split_and_the_front_of_a_flood_is_freed() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.log");
        let pipe = || rustix::pipe::pipe().expect("a pipe").0;
        let mut output = Output::create(&path, pipe(), pipe()).expect("create");
        output.write(Stream::Stdout, &[b'x'; LONGEST_LINE + 5]);
        output.write(Stream::Stderr, b"short\nopen");
        output.flush(Stream::Stdout);
        output.flush(Stream::Stderr);
        let lines = log::read_from(&path, 0).expect("read");
        let found: Vec<_> = lines.iter().map(|line| (line.stream, line.partial, line.bytes.len())).collect();
        let (out, err) = (Stream::Stdout, Stream::Stderr);
        assert_eq!(found, [(out, true, LONGEST_LINE), (err, false, 5), (out, false, 5), (err, false, 4)]);

        let line = [[b'y'; 1023].as_slice(), b"\n"].concat();
        while output.length < KEPT_BYTES + 4 * PIECE {
            output.write(Stream::Stdout, &line.repeat(256));
        }
        let lines = log::read_from(&path, 0).expect("read");
        assert!(output.freed > 0 && lines.iter().all(|line| line.bytes.len() == 1023));
        assert!(log::tail(&path, 3).expect("tail").len() == 3);
    }
}
