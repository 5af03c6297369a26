//! Writes tar streams that depend on nothing but what is written.
//!
//! Names of users and groups, access and change times never appear, and a PAX
//! header only where ustar has no room, so equal trees give equal bytes.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use super::{BLOCK, EntryKind, XATTR_PREFIX};

/// The largest number that eleven octal digits hold.
const OCTAL_11: u64 = 0o77_777_777_777;
/// The largest number that seven octal digits hold.
const OCTAL_7: u64 = 0o7_777_777;

/// One entry to write.
#[derive(Clone, Debug)]
pub struct Header {
    /// Relative, without leading slash; a folder's ends in one.
    pub path: Vec<u8>,
    pub kind: EntryKind,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_seconds: i64,
    pub size: u64,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Header {
    /// An empty file that only its name matters of.
    pub fn marker(path: Vec<u8>, mtime_seconds: i64) -> Self {
        Self {
            path,
            kind: EntryKind::File,
            link: Vec::new(),
            mode: 0,
            uid: 0,
            gid: 0,
            mtime_seconds,
            size: 0,
            xattrs: BTreeMap::new(),
        }
    }
}

/// A tar stream under way.
pub struct Writer<W> {
    sink: W,
}

impl<W: Write> Writer<W> {
    pub fn new(sink: W) -> Self {
        Self { sink }
    }

    /// Writes an entry with exactly `header.size` bytes of `content`.
    ///
    /// # Errors
    ///
    /// Fails when `content` ends early; what it has beyond the size is left unread.
    pub fn entry(&mut self, header: &Header, content: impl Read) -> io::Result<()> {
        let records = pax_records(header);
        if !records.is_empty() {
            let mut extended = Header::marker(b"PaxHeaders/x".to_vec(), 0);
            extended.mode = 0o644;
            extended.size = records.len() as u64;
            self.block(&extended, b'x')?;
            self.sink.write_all(&records)?;
            self.pad(extended.size)?;
        }
        self.block(header, flag(header.kind))?;
        let copied = io::copy(&mut content.take(header.size), &mut self.sink)?;
        if copied != header.size {
            let path = String::from_utf8_lossy(&header.path).into_owned();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("`{path}` shrank while it was read")));
        }
        self.pad(header.size)
    }

    /// Writes the end marker and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.write_all(&[0; 2 * BLOCK])?;
        Ok(self.sink)
    }

    fn block(&mut self, header: &Header, flag: u8) -> io::Result<()> {
        let mut block = [0; BLOCK];
        let (prefix, name) = split_path(&header.path);
        put(&mut block, 0, name);
        octal(&mut block, 100, 7, u64::from(header.mode & 0o7777));
        octal(&mut block, 108, 7, fitting(u64::from(header.uid), OCTAL_7));
        octal(&mut block, 116, 7, fitting(u64::from(header.gid), OCTAL_7));
        octal(&mut block, 124, 11, fitting(header.size, OCTAL_11));
        octal(&mut block, 136, 11, u64::try_from(header.mtime_seconds).map_or(0, |it| fitting(it, OCTAL_11)));
        block[156] = flag;
        put(&mut block, 157, header.link.get(..100).unwrap_or(&header.link));
        put(&mut block, 257, b"ustar\x0000");
        if let EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } = header.kind {
            octal(&mut block, 329, 7, u64::from(major));
            octal(&mut block, 337, 7, u64::from(minor));
        }
        put(&mut block, 345, prefix);
        put(&mut block, 148, b"        ");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block, 148, 6, sum);
        block[154] = 0;
        block[155] = b' ';
        self.sink.write_all(&block)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        io::copy(&mut io::repeat(0).take(padding), &mut self.sink).map(drop)
    }
}

fn flag(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::File => b'0',
        EntryKind::Hardlink => b'1',
        EntryKind::Symlink => b'2',
        EntryKind::CharDevice { .. } => b'3',
        EntryKind::BlockDevice { .. } => b'4',
        EntryKind::Directory => b'5',
        EntryKind::Fifo => b'6',
    }
}

/// What ustar cannot hold, in the order of the keys.
fn pax_records(header: &Header) -> Vec<u8> {
    let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    if header.path.len() > split_capacity(&header.path) {
        records.insert("path".to_owned(), header.path.clone());
    }
    if header.link.len() > 100 {
        records.insert("linkpath".to_owned(), header.link.clone());
    }
    if header.size > OCTAL_11 {
        records.insert("size".to_owned(), header.size.to_string().into_bytes());
    }
    if u64::from(header.uid) > OCTAL_7 {
        records.insert("uid".to_owned(), header.uid.to_string().into_bytes());
    }
    if u64::from(header.gid) > OCTAL_7 {
        records.insert("gid".to_owned(), header.gid.to_string().into_bytes());
    }
    if u64::try_from(header.mtime_seconds).map_or(true, |it| it > OCTAL_11) {
        records.insert("mtime".to_owned(), header.mtime_seconds.to_string().into_bytes());
    }
    for (name, value) in &header.xattrs {
        records.insert(format!("{XATTR_PREFIX}{name}"), value.clone());
    }
    records.iter().flat_map(|(key, value)| pax_record(key, value)).collect()
}

/// The length counts itself, so it is found by trying.
fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}

/// How many bytes of `path` the ustar header shows.
fn split_capacity(path: &[u8]) -> usize {
    let (prefix, name) = split_path(path);
    if prefix.is_empty() { name.len() } else { prefix.len() + 1 + name.len() }
}

/// Prefix and name of a path; a path that fits in neither is cut, and PAX has the whole.
fn split_path(path: &[u8]) -> (&[u8], &[u8]) {
    if path.len() <= 100 {
        return (b"", path);
    }
    let slash = path.iter().enumerate().position(|(at, byte)| {
        *byte == b'/' && at > 0 && at <= 155 && path.len() - at - 1 <= 100 && path.len() - at > 1
    });
    match slash {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", &path[..100]),
    }
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn octal(block: &mut [u8; BLOCK], at: usize, digits: usize, value: u64) {
    put(block, at, format!("{value:0digits$o}").as_bytes());
}

/// What does not fit stands in the PAX header; the field then is zero.
fn fitting(value: u64, most: u64) -> u64 {
    if value > most { 0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Limits, Reader};

    #[test]
    fn what_is_written_is_read_again() {
        check("a/b", "", 1000, 0);
        check(&format!("{}/{}", "d".repeat(120), "f".repeat(90)), "", 1, 7);
        check(&"n".repeat(300), &"t".repeat(200), 3_000_000_000, -5);
    }

    #[track_caller]
    fn check(path: &str, link: &str, uid: u32, mtime_seconds: i64) {
        let mut header = Header::marker(path.as_bytes().to_vec(), mtime_seconds);
        header.kind = if link.is_empty() { EntryKind::File } else { EntryKind::Symlink };
        header.link = link.as_bytes().to_vec();
        header.uid = uid;
        header.size = if link.is_empty() { 3 } else { 0 };
        header.xattrs.insert("user.x".to_owned(), b"a\n=\0".to_vec());
        let mut writer = Writer::new(Vec::new());
        writer.entry(&header, &b"abc"[..]).expect("write");
        let bytes = writer.finish().expect("finish");
        let mut reader = Reader::new(bytes.as_slice(), Limits::IMAGE);
        let entry = reader.next_entry().expect("read").expect("an entry");
        assert_eq!(String::from_utf8_lossy(&entry.path), path);
        assert_eq!(String::from_utf8_lossy(&entry.link), link);
        assert_eq!((entry.uid, entry.mtime_seconds, entry.size), (uid, mtime_seconds, header.size));
        assert_eq!(entry.xattrs, header.xattrs);
        assert_eq!(reader.next_entry().expect("read"), None);
    }
}
