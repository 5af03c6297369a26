//! Archives of artifacts: written as a stream, read from their central directory.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Component, Path, PathBuf},
};

use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};

/// Larger archives need a form that is not written here.
const BYTES_MAX: u64 = u32::MAX as u64;

/// An archive with more entries is refused.
const ENTRIES_MAX: usize = 65_535;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;

/// 1980-01-01: equal content makes equal archives.
const DATE: u16 = 0x21;

struct Entry {
    name: String,
    crc: u32,
    packed: u32,
    plain: u32,
    method: u16,
    offset: u32,
    mode: u32,
}

/// Writes the files as an archive to `target`; gives its size in bytes.
pub fn write(target: &Path, files: &[(String, PathBuf)], level: u32) -> io::Result<u64> {
    if files.len() > ENTRIES_MAX {
        return Err(io::Error::other(format!("expected at most {ENTRIES_MAX} files, found {}", files.len())));
    }
    let mut out = BufWriter::new(File::create(target)?);
    let mut entries = Vec::new();
    for (name, path) in files {
        entries.push(add(&mut out, name, path, level).map_err(|error| io::Error::other(format!("`{name}`: {error}")))?);
    }
    let start = out.stream_position()?;
    for entry in &entries {
        central(&mut out, entry)?;
    }
    let end = out.stream_position()?;
    let count = u16::try_from(entries.len()).map_err(io::Error::other)?;
    let (start, size) = (offset(start)?, offset(end - start)?);
    for part in [&END.to_le_bytes()[..], &[0; 4], &count.to_le_bytes(), &count.to_le_bytes(), &size.to_le_bytes(), &start.to_le_bytes(), &[0; 2]] {
        out.write_all(part)?;
    }
    out.flush()?;
    out.stream_position()
}

fn offset(position: u64) -> io::Result<u32> {
    u32::try_from(position).map_err(|_| io::Error::other(format!("the archive is larger than {BYTES_MAX} bytes")))
}

fn add(out: &mut BufWriter<File>, name: &str, path: &Path, level: u32) -> io::Result<Entry> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut input = BufReader::new(File::open(path)?);
    let mode = input.get_ref().metadata()?.permissions().mode();
    let at = offset(out.stream_position()?)?;
    let method = if level == 0 { 0 } else { 8 };
    let mut entry = Entry { name: name.to_owned(), crc: 0, packed: 0, plain: 0, method, offset: at, mode };
    local(out, &entry)?;
    let begin = out.stream_position()?;
    let mut crc = Crc::new();
    let mut chunk = vec![0; 64 * 1024];
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level.min(9)));
    let mut plain = 0_u64;
    loop {
        let read = input.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        let bytes = &chunk[..read];
        plain += read as u64;
        crc.update(bytes);
        if method == 0 {
            out.write_all(bytes)?;
        } else {
            encoder.write_all(bytes)?;
            out.write_all(encoder.get_ref())?;
            encoder.get_mut().clear();
        }
    }
    if method != 0 {
        out.write_all(&encoder.finish()?)?;
    }
    let end = out.stream_position()?;
    (entry.crc, entry.packed, entry.plain) = (crc.sum(), offset(end - begin)?, offset(plain)?);
    // What was not known at the start of the entry is written now.
    out.seek(SeekFrom::Start(u64::from(at)))?;
    local(out, &entry)?;
    out.seek(SeekFrom::Start(end))?;
    Ok(entry)
}

fn local(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let name = u16::try_from(entry.name.len()).map_err(io::Error::other)?;
    out.write_all(&LOCAL.to_le_bytes())?;
    for word in [20, UTF8, entry.method, 0, DATE] {
        out.write_all(&word.to_le_bytes())?;
    }
    for number in [entry.crc, entry.packed, entry.plain] {
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(&name.to_le_bytes())?;
    out.write_all(&[0; 2])?;
    out.write_all(entry.name.as_bytes())
}

fn central(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let name = u16::try_from(entry.name.len()).map_err(io::Error::other)?;
    out.write_all(&CENTRAL.to_le_bytes())?;
    // Made on Unix, so the mode counts.
    for word in [(3 << 8) | 20, 20, UTF8, entry.method, 0, DATE] {
        out.write_all(&u16::to_le_bytes(word))?;
    }
    for number in [entry.crc, entry.packed, entry.plain] {
        out.write_all(&number.to_le_bytes())?;
    }
    for word in [name, 0, 0, 0, 0] {
        out.write_all(&word.to_le_bytes())?;
    }
    out.write_all(&(entry.mode << 16).to_le_bytes())?;
    out.write_all(&entry.offset.to_le_bytes())?;
    out.write_all(entry.name.as_bytes())
}

/// Unpacks an archive into `folder`; no entry leaves it. Gives the number of files.
pub fn read(archive: &Path, folder: &Path) -> io::Result<usize> {
    let mut input = BufReader::new(File::open(archive)?);
    let (count, start) = find_end(&mut input)?;
    input.seek(SeekFrom::Start(start))?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(read_central(&mut input)?);
    }
    let mut files = 0;
    for entry in &entries {
        files += usize::from(unpack(&mut input, entry, folder)?);
    }
    Ok(files)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive is broken: {what}"))
}

fn find_end(input: &mut BufReader<File>) -> io::Result<(usize, u64)> {
    let length = input.seek(SeekFrom::End(0))?;
    // A comment of 64 KiB may follow the last record.
    let window = length.min(66_000);
    input.seek(SeekFrom::Start(length - window))?;
    let mut tail = Vec::new();
    input.read_to_end(&mut tail)?;
    let at = tail.windows(4).rposition(|it| it == END.to_le_bytes()).ok_or_else(|| broken("no end"))?;
    let record = tail.get(at..at + 22).ok_or_else(|| broken("a short end"))?;
    Ok((usize::from(word(record, 10)), u64::from(number(record, 16))))
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |it| u16::from_le_bytes([it[0], it[1]]))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]))
}

fn read_central(input: &mut impl Read) -> io::Result<Entry> {
    let mut head = [0; 46];
    input.read_exact(&mut head)?;
    if number(&head, 0) != CENTRAL {
        return Err(broken("no entry where one should be"));
    }
    let mut rest = vec![0; usize::from(word(&head, 28)) + usize::from(word(&head, 30)) + usize::from(word(&head, 32))];
    input.read_exact(&mut rest)?;
    let name = String::from_utf8_lossy(&rest[..usize::from(word(&head, 28))]).into_owned();
    let made_on_unix = word(&head, 4) >> 8 == 3;
    Ok(Entry {
        name,
        crc: number(&head, 16),
        packed: number(&head, 20),
        plain: number(&head, 24),
        method: word(&head, 10),
        offset: number(&head, 42),
        mode: if made_on_unix { number(&head, 38) >> 16 } else { 0 },
    })
}

fn unpack(input: &mut BufReader<File>, entry: &Entry, folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let name = entry.name.replace('\\', "/");
    let plain = Path::new(&name).components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir));
    if !plain {
        return Err(broken(&format!("`{}` lies outside", entry.name)));
    }
    let target = folder.join(&name);
    if name.ends_with('/') {
        std::fs::create_dir_all(target)?;
        return Ok(false);
    }
    input.seek(SeekFrom::Start(u64::from(entry.offset)))?;
    let mut head = [0; 30];
    input.read_exact(&mut head)?;
    if number(&head, 0) != LOCAL {
        return Err(broken("no file where one should be"));
    }
    input.seek_relative(i64::from(word(&head, 26)) + i64::from(word(&head, 28)))?;
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let packed = input.take(u64::from(entry.packed));
    let mut reader: Box<dyn Read + '_> = match entry.method {
        0 => Box::new(packed),
        8 => Box::new(DeflateDecoder::new(packed)),
        other => return Err(broken(&format!("`{name}` is packed in the way {other}"))),
    };
    let mut out = BufWriter::new(File::create(&target)?);
    let (mut crc, mut chunk) = (Crc::new(), vec![0; 64 * 1024]);
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        crc.update(&chunk[..read]);
        out.write_all(&chunk[..read])?;
    }
    out.flush()?;
    if crc.sum() != entry.crc {
        return Err(broken(&format!("`{name}` has another checksum")));
    }
    // GitHub's archives do not keep who may execute; those made here do.
    if entry.mode & 0o111 != 0 {
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(entry.mode & 0o777))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(level: u32) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let long = "line of text\n".repeat(20_000);
        std::fs::write(path("a"), &long).expect("write");
        std::fs::write(path("b"), "").expect("write");
        let files = [("x/ä.txt".to_owned(), path("a")), ("b".to_owned(), path("b"))];
        write(&path("z.zip"), &files, level).expect("pack");
        assert_eq!(read(&path("z.zip"), &path("out")).expect("unpack"), 2);
        assert_eq!(std::fs::read_to_string(path("out/x/ä.txt")).expect("read"), long);
        assert_eq!(std::fs::read_to_string(path("out/b")).expect("read"), "");
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        check(0);
        check(6);
    }

    #[test]
    fn nothing_leaves_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "a").expect("write");
        write(&path("z.zip"), &[("../evil".to_owned(), path("a"))], 0).expect("pack");
        assert!(read(&path("z.zip"), &path("out")).is_err());
        assert!(!path("evil").exists());
    }
}
