//! Records and blobs: the two ports through which everything is kept.
//!
//! Services meet only in [`Records`]; bytes of any size are [`Blobs`], named by
//! their digest. [`Logs`] are files while they grow and blobs once they are whole.

mod blobs;
mod logs;
mod records;
mod typed;

pub use blobs::{
    BlobError, Blobs, ByteStream, disk::DiskBlobs, get_bytes, memory::MemoryBlobs, one_chunk,
    put_bytes,
};
pub use logs::{LogError, LogLine, LogLines, LogName, LogWriter, Logs, OutputStream};
pub use records::{
    Change, Expected, Records, RecordsError, Revision, Stored, Watch, memory::MemoryRecords,
    sqlite::SqliteRecords,
};
pub use typed::{TypedError, create, find, list, modify, now, put, remove};

/// The tests that every implementation of the two ports must pass.
#[cfg(test)]
mod contract {
    pub(crate) use crate::{blobs::contract as blobs, records::contract as records};
}
