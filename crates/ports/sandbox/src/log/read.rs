//! Reads what a log file holds now.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use loglines::Entry;

use super::Line;

/// Enough to get on with; a reader asks again from where the last chunk ends.
const CHUNK: usize = 256 * 1024;

/// Whole lines of a log file, as they lie in it: see [`loglines::Entry`].
#[derive(Debug, Default)]
pub struct Chunk {
    /// Where in the file it begins.
    pub start: u64,
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// Where in the file it ends: read from here to go on.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (entry, next) = Entry::next(&self.bytes, at)?;
            at = next;
            Some(Line::of(&entry, self.start + next as u64))
        })
    }
}

/// The complete lines from byte `from` on, some of them: ask again from the end of the last one
/// until none come. A file that is not there has none.
pub fn read_from(path: &Path, from: u64) -> io::Result<Vec<Line>> {
    match File::open(path) {
        Ok(file) => Ok(chunk_from(&file, from)?.lines().collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The last `count` complete lines; parts of one long line count as lines.
pub fn tail(path: &Path, count: usize) -> io::Result<Vec<Line>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    let mut start = length;
    while start > 0 && bytes.iter().filter(|byte| **byte == b'\n').count() <= count {
        let size = (CHUNK as u64).min(start);
        start -= size;
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = vec![0; size as usize];
        file.read_exact(&mut chunk)?;
        let freed = chunk.iter().all(|byte| *byte == 0);
        chunk.extend_from_slice(&bytes);
        bytes = chunk;
        if freed {
            break;
        }
    }
    let mut lines: Vec<_> = Chunk { start, bytes }.lines().collect();
    lines.drain(..lines.len().saturating_sub(count));
    Ok(lines)
}

/// Whole lines from byte `from` on; none if there are none yet.
pub(super) fn chunk_from(file: &File, from: u64) -> io::Result<Chunk> {
    let mut start = from;
    let mut bytes = vec![0; CHUNK];
    let mut filled = 0;
    loop {
        let room = bytes.get_mut(filled..).unwrap_or_default();
        let read = rustix::io::pread(file, room, start + filled as u64)?;
        if filled == 0 && bytes.first() == Some(&0) && read > 0 {
            // Blocks freed at the front leave zeros and the rest of a line.
            let zeros = bytes.iter().take(read).take_while(|byte| **byte == 0).count();
            let behind = start + zeros as u64;
            start = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(behind)) {
                Ok(data) => data,
                Err(rustix::io::Errno::NXIO) if zeros == read => return Ok(Chunk { start: from, bytes: Vec::new() }),
                Err(_) => behind,
            };
            continue;
        }
        filled += read;
        let whole = Entry::whole(bytes.get(..filled).unwrap_or_default());
        if whole > 0 || read == 0 {
            bytes.truncate(whole);
            return Ok(Chunk { start, bytes });
        }
        // No line is so long, but a file may hold anything.
        if filled == bytes.len() {
            bytes.resize(filled + CHUNK, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn entry(text: &str) -> String {
        format!("t stdout F {text}\n")
    }

    fn texts(lines: &[Line]) -> String {
        lines.iter().map(Line::text).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn lines_are_found_from_any_line_end_and_from_the_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.log");
        let file: String = (0..5).map(|number| entry(&format!("line {number}"))).collect();
        std::fs::write(&path, file + "t stdout F not ended").expect("write");

        let all = read_from(&path, 0).expect("read");
        assert_eq!(texts(&all), "line 0,line 1,line 2,line 3,line 4");
        assert_eq!(texts(&read_from(&path, all[2].end).expect("read")), "line 3,line 4");
        assert_eq!(texts(&tail(&path, 2).expect("tail")), "line 3,line 4");
        assert_eq!(texts(&read_from(&path, all[4].end).expect("read")), "");
        assert_eq!(texts(&tail(&dir.path().join("none"), 2).expect("tail")), "");
    }

    #[test]
    fn what_was_freed_at_the_front_is_passed_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.log");
        let file = File::create(&path).expect("a file");
        // A hole that ends within the rest of a line.
        let hole = 3 * CHUNK as u64 + 100;
        file.write_all_at(format!("of a line\n{}{}", entry("one"), entry("two")).as_bytes(), hole).expect("write");
        let lines = read_from(&path, 0).expect("read");
        assert_eq!(texts(&lines), "one,two");
        assert_eq!(texts(&read_from(&path, lines[0].end).expect("read")), "two");
        file.set_len(0).and_then(|()| file.set_len(hole)).expect("a hole");
        assert_eq!(texts(&read_from(&path, 0).expect("read")), "");
    }
}
