//! Tar streams: read entry by entry under limits, written the same way every time.
//!
//! Both halves are our own because layers come from strangers and because a
//! layer's digest depends on every byte of its headers.

mod compression;
mod read;
mod write;

pub use compression::{Compression, decompress, detect};
pub use read::{Entry, EntryKind, Limits, ReadError, Reader};
pub use write::{Header, Writer};

/// The size of a tar block; headers and contents are padded to it.
pub const BLOCK: usize = 512;

/// The PAX record prefix of an extended attribute.
pub const XATTR_PREFIX: &str = "SCHILY.xattr.";
