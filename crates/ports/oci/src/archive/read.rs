//! Reads a tar stream entry by entry: ustar, GNU long names, PAX.
//!
//! A PAX size overrides the header's size before any content is skipped, so two
//! readers of one stream cannot disagree about where an entry begins.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use super::{BLOCK, XATTR_PREFIX};

/// What a stream may hold before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub entries: u64,
    /// Of one path; Linux itself stops at 4096.
    pub path_bytes: usize,
    /// Of one extended header, which is held in memory.
    pub extension_bytes: u64,
    /// Of all contents together, uncompressed: the guard against bombs.
    pub total_bytes: u64,
}

impl Limits {
    /// For layers and imported root file systems: far above any real image.
    pub const IMAGE: Self = Self {
        entries: 4_000_000,
        path_bytes: 4096,
        extension_bytes: 1024 * 1024,
        total_bytes: 64 * 1024 * 1024 * 1024,
    };
}

/// Why a stream is no tar that is read here.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the archive could not be read: {0}")]
    Io(#[from] io::Error),
    #[error("the archive ends in the middle of an entry")]
    Truncated,
    #[error("this is no tar archive: the checksum of a header does not fit")]
    Checksum,
    #[error("a header of the archive has no readable {0}")]
    Field(&'static str),
    #[error("the archive has more than {0} entries")]
    TooManyEntries(u64),
    #[error("the archive has more than {0} bytes of content")]
    TooLarge(u64),
    #[error("a name in the archive is longer than {0} bytes")]
    NameTooLong(usize),
    #[error("an extended header of the archive is larger than {0} bytes")]
    ExtensionTooLarge(u64),
    #[error("`{path}` is a {what}, which is not read here")]
    Unsupported { path: String, what: &'static str },
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    Hardlink,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// One entry without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As written, neither cleaned nor checked.
    pub path: Vec<u8>,
    pub kind: EntryKind,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_seconds: i64,
    pub mtime_nanos: u32,
    pub size: u64,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// A tar stream; reading from it gives the content of the current entry.
pub struct Reader<R> {
    source: R,
    limits: Limits,
    content_left: u64,
    padding: u64,
    entries: u64,
    total: u64,
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<R: Read> Reader<R> {
    pub fn new(source: R, limits: Limits) -> Self {
        Self { source, limits, content_left: 0, padding: 0, entries: 0, total: 0 }
    }

    /// The next entry; what was not read of the one before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip(self.content_left + self.padding)?;
            (self.content_left, self.padding) = (0, 0);
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(ReadError::TooManyEntries(self.limits.entries));
            }
            let size = number(&header[124..136]).ok_or(ReadError::Field("size"))?;
            match header[156] {
                b'L' => extensions.path = Some(until_nul(&self.extension(size)?).to_vec()),
                b'K' => extensions.link = Some(until_nul(&self.extension(size)?).to_vec()),
                b'x' => {
                    let records = self.extension(size)?;
                    pax_records(&records, &mut extensions.pax)?;
                }
                b'g' => {
                    self.extension(size)?;
                }
                flag => return self.entry(&header, flag, size, extensions).map(Some),
            }
        }
    }

    /// Reads on until the stream ends, so that whoever hashes it has seen every byte.
    pub fn drain(&mut self) -> io::Result<()> {
        // What follows the end marker is padding; a stream that never ends is caught here.
        let copied = io::copy(&mut (&mut self.source).take(self.limits.total_bytes), &mut io::sink())?;
        if copied == self.limits.total_bytes {
            return Err(io::Error::other("the archive does not end"));
        }
        Ok(())
    }

    fn entry(&mut self, header: &[u8; BLOCK], flag: u8, size: u64, extensions: Extensions) -> Result<Entry, ReadError> {
        let Extensions { path, link, mut pax } = extensions;
        let mut take = |key: &str| pax.remove(key.as_bytes());
        let path = take("path").or(path).unwrap_or_else(|| header_path(header));
        let link = take("linkpath").or(link).unwrap_or_else(|| until_nul(&header[157..257]).to_vec());
        if path.len() > self.limits.path_bytes || link.len() > self.limits.path_bytes {
            return Err(ReadError::NameTooLong(self.limits.path_bytes));
        }
        let shown = || String::from_utf8_lossy(&path).into_owned();
        let unsupported = |what| ReadError::Unsupported { path: shown(), what };
        let decimal = |value: Option<Vec<u8>>, name: &'static str, field: &[u8]| match value {
            Some(text) => std::str::from_utf8(&text).ok().and_then(|it| it.parse().ok()).ok_or(ReadError::Field(name)),
            None => number(field).ok_or(ReadError::Field(name)),
        };
        let size = match take("size") {
            None => size,
            text => decimal(text, "size", &[])?,
        };
        let uid = narrow(decimal(take("uid"), "uid", &header[108..116])?, "uid")?;
        let gid = narrow(decimal(take("gid"), "gid", &header[116..124])?, "gid")?;
        let (mtime_seconds, mtime_nanos) = match take("mtime") {
            Some(text) => pax_time(&text).ok_or(ReadError::Field("mtime"))?,
            None => (signed(&header[136..148]), 0),
        };
        if pax.keys().any(|key| key.starts_with(b"GNU.sparse.")) {
            return Err(unsupported("sparse file"));
        }
        let device = || -> Result<(u32, u32), ReadError> {
            let part = |field: &[u8]| number(field).ok_or(ReadError::Field("device")).and_then(|it| narrow(it, "device"));
            Ok((part(&header[329..337])?, part(&header[337..345])?))
        };
        let kind = match flag {
            b'0' | 0 | b'7' if path.ends_with(b"/") && size == 0 => EntryKind::Directory,
            b'0' | 0 | b'7' => EntryKind::File,
            b'1' => EntryKind::Hardlink,
            b'2' => EntryKind::Symlink,
            b'3' => device().map(|(major, minor)| EntryKind::CharDevice { major, minor })?,
            b'4' => device().map(|(major, minor)| EntryKind::BlockDevice { major, minor })?,
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            b'S' => return Err(unsupported("sparse file")),
            b'M' => return Err(unsupported("part of a file that began in another archive")),
            _ => return Err(unsupported("kind of entry that nobody knows")),
        };
        // POSIX lets a hard link carry content; nobody writes it, and a size there is otherwise ignored.
        let content = if matches!(kind, EntryKind::File | EntryKind::Hardlink) { size } else { 0 };
        self.begin_content(content)?;
        let mode = narrow(number(&header[100..108]).ok_or(ReadError::Field("mode"))? & 0o7777, "mode")?;
        let xattrs = pax
            .into_iter()
            .filter_map(|(key, value)| {
                let key = String::from_utf8(key).ok()?;
                Some((key.strip_prefix(XATTR_PREFIX)?.to_owned(), value))
            })
            .collect();
        Ok(Entry { path, kind, link, mode, uid, gid, mtime_seconds, mtime_nanos, size: content, xattrs })
    }

    fn begin_content(&mut self, size: u64) -> Result<(), ReadError> {
        self.total = self.total.saturating_add(size);
        if self.total > self.limits.total_bytes {
            return Err(ReadError::TooLarge(self.limits.total_bytes));
        }
        self.content_left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, ReadError> {
        let mut header = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut header[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(ReadError::Truncated),
                read => filled += read,
            }
        }
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u64 = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum();
        if number(&header[148..156]) != Some(sum) {
            return Err(ReadError::Checksum);
        }
        Ok(Some(header))
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ReadError> {
        if size > self.limits.extension_bytes {
            return Err(ReadError::ExtensionTooLarge(self.limits.extension_bytes));
        }
        let mut bytes = Vec::new();
        (&mut self.source).take(size).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < size {
            return Err(ReadError::Truncated);
        }
        self.skip(size.next_multiple_of(BLOCK as u64) - size)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> Result<(), ReadError> {
        match io::copy(&mut (&mut self.source).take(count), &mut io::sink())? {
            skipped if skipped == count => Ok(()),
            _ => Err(ReadError::Truncated),
        }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.content_left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.content_left).unwrap_or(usize::MAX).min(buffer.len());
        match self.source.read(&mut buffer[..most])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in the middle of a file")),
            read => {
                self.content_left -= read as u64;
                Ok(read)
            }
        }
    }
}

fn header_path(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&header[0..100]);
    let prefix = until_nul(&header[345..500]);
    // GNU headers keep times where POSIX keeps the prefix.
    if header[257..263] == *b"ustar\0" && !prefix.is_empty() {
        [prefix, b"/", name].concat()
    } else {
        name.to_vec()
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// An octal field, or GNU's binary form of a number too large for it.
fn number(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let value = field.iter().enumerate().try_fold(0_u64, |value, (at, byte)| {
            let byte = if at == 0 { byte & 0x7f } else { *byte };
            value.checked_mul(256)?.checked_add(u64::from(byte))
        })?;
        return i64::try_from(value).ok().map(i64::cast_unsigned);
    }
    let text = std::str::from_utf8(until_nul(field)).ok()?.trim();
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// A time field; what is before 1970 or unreadable counts as 1970.
fn signed(field: &[u8]) -> i64 {
    number(field).and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
}

fn narrow(value: u64, name: &'static str) -> Result<u32, ReadError> {
    u32::try_from(value).map_err(|_| ReadError::Field(name))
}

fn pax_time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().ok()?;
    match (text.starts_with('-'), nanos) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((seconds, nanos)),
    }
}

/// Records of the form `LENGTH KEY=VALUE\n`; a value may hold any byte.
fn pax_records(mut bytes: &[u8], records: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), ReadError> {
    let wrong = || ReadError::Field("extended header");
    while !bytes.is_empty() && bytes[0] != 0 {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let length: usize =
            std::str::from_utf8(&bytes[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let record = bytes.get(space + 1..length).ok_or_else(wrong)?;
        let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        records.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
        bytes = &bytes[length..];
    }
    Ok(())
}
