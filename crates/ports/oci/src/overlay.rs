//! How overlayfs marks on disk what a layer removes.

use std::{ffi::CStr, io, os::fd::AsFd, path::Path};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, XattrFlags},
    io::Errno,
};

/// Which family of extended attributes overlayfs reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `trusted.overlay.*`, for mounts by root.
    Trusted,
    /// `user.overlay.*`, for mounts with `userxattr` in a user namespace.
    User,
}

impl Marks {
    /// The family that this process can write.
    pub fn of_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Trusted } else { Self::User }
    }

    /// Hides what the layers below have in the folder.
    pub fn set_opaque(self, folder: impl AsFd) -> io::Result<()> {
        let name = match self {
            Self::Trusted => c"trusted.overlay.opaque",
            Self::User => c"user.overlay.opaque",
        };
        Ok(fs::fsetxattr(folder, name, b"y", XattrFlags::empty())?)
    }
}

/// Makes `name` in `parent` the removal of that name in the layers below.
pub fn make_whiteout(parent: impl AsFd, name: &CStr) -> Result<(), Errno> {
    fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), fs::makedev(0, 0))
}

/// Whether `name` in `parent` is such a removal.
pub fn is_whiteout(parent: impl AsFd, name: &CStr) -> Result<bool, Errno> {
    let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0)
}

/// Whether overlayfs itself uses an extended attribute of this name.
pub fn is_private_xattr(name: &str) -> bool {
    name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")
}

/// The value of overlayfs's attribute `name` on `path`, in either family.
pub fn private_xattr(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    for family in ["trusted", "user"] {
        if let Some(value) = crate::xattr::get(path, &format!("{family}.overlay.{name}"))? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
