//! Reads what a log file holds now.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Line, complete_lines, parse};

/// Enough to get on with; a reader asks again from the last line's end.
const CHUNK: usize = 256 * 1024;

/// The complete lines from byte `from` on, some of them: ask again from the end of the last one
/// until none come. A file that is not there has none.
pub fn read_from(path: &Path, from: u64) -> io::Result<Vec<Line>> {
    match File::open(path) {
        Ok(file) => lines_from(&file, from),
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
    let mut lines: Vec<_> =
        complete_lines(&bytes).filter_map(|range| parse(&bytes[range.clone()], start + range.end as u64 + 1)).collect();
    lines.drain(..lines.len().saturating_sub(count));
    Ok(lines)
}

pub(super) fn lines_from(file: &File, from: u64) -> io::Result<Vec<Line>> {
    let mut file = file;
    let start = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(rustix::io::Errno::NXIO) => return Ok(Vec::new()),
        Err(_) => from,
    };
    let mut bytes = Vec::new();
    let mut read = 0;
    loop {
        file.seek(SeekFrom::Start(start + read))?;
        read += file.take(CHUNK as u64).read_to_end(&mut bytes)? as u64;
        // Blocks freed at the front leave zeros and the rest of a line.
        let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
        let lines: Vec<_> = complete_lines(&bytes[skipped..])
            .filter_map(|range| {
                let end = start + (skipped + range.end) as u64 + 1;
                parse(&bytes[skipped..][range], end)
            })
            .collect();
        let at_end = start + read >= file.metadata()?.len();
        if !lines.is_empty() || at_end {
            return Ok(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Stream, write};

    #[test]
    fn lines_are_found_from_any_line_end_and_from_the_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.log");
        let mut file = Vec::new();
        for number in 0..5 {
            write(&mut file, "t", Stream::Stdout, false, format!("line {number}").as_bytes());
        }
        file.extend_from_slice(b"t stdout F not ended");
        std::fs::write(&path, &file).expect("write");

        let all = read_from(&path, 0).expect("read");
        assert_eq!(texts(&all), "line 0,line 1,line 2,line 3,line 4");
        assert_eq!(texts(&read_from(&path, all[2].end).expect("read")), "line 3,line 4");
        assert_eq!(texts(&tail(&path, 2).expect("tail")), "line 3,line 4");
        assert_eq!(texts(&read_from(&path, all[4].end).expect("read")), "");
        assert_eq!(texts(&tail(&dir.path().join("none"), 2).expect("tail")), "");
    }

    fn texts(lines: &[Line]) -> String {
        lines.iter().map(Line::text).collect::<Vec<_>>().join(",")
    }
}
