//! Keeps folders that come and go in great number apart on the disk.

use std::path::Path;

use rustix::fs::{CWD, IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags, openat};

/// Tells the file system that the folders in this one have nothing to do with each other.
///
/// Ext4 puts new files near their folder, and passes over what was deleted there in the last minute, one by
/// one. Where jobs with many small files follow each other, one place would soon hold thousands of those,
/// and a new file would take a millisecond. Other file systems need no such word, and get none.
pub fn spread(folder: &Path) {
    let tell = || -> rustix::io::Result<()> {
        let folder = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        ioctl_setflags(&folder, ioctl_getflags(&folder)? | IFlags::TOPDIR)
    };
    if let Err(error) = tell() {
        tracing::debug!(%error, folder = %folder.display(), "folders cannot be spread on the disk");
    }
}
