//! Extended attributes: reading them, and which of them images carry.

use std::{collections::BTreeMap, io, os::fd::AsFd, path::Path};

use rustix::{
    fs::{self, XattrFlags},
    io::Errno,
};

/// Linux holds no larger value.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Whether images carry the attribute: what programs set, and capabilities; nothing of this machine.
pub fn is_portable(name: &str) -> bool {
    match name {
        "security.capability" | "system.posix_acl_access" | "system.posix_acl_default" => true,
        name => name.starts_with("user.") && !crate::overlay::is_private_xattr(name),
    }
}

/// The value of an attribute of `path` itself, links not followed.
pub fn get(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; MAX_VALUE_BYTES];
    match fs::lgetxattr(path, name, value.as_mut_slice()) {
        Ok(size) => {
            value.truncate(size);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The attributes of `path` that images carry.
pub fn portable(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut names = vec![0; MAX_VALUE_BYTES];
    let size = match fs::llistxattr(path, names.as_mut_slice()) {
        Ok(size) => size,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let names = names.get(..size).unwrap_or_default().split(|byte| *byte == 0);
    let mut found = BTreeMap::new();
    for name in names.filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| is_portable(name)) {
        if let Some(value) = get(path, name)? {
            found.insert(name.to_owned(), value);
        }
    }
    Ok(found)
}

/// Sets those of `wanted` that images carry; what this file system or user cannot set is left out.
pub fn restore(file: impl AsFd, wanted: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for (name, value) in wanted.iter().filter(|(name, _)| is_portable(name)) {
        match fs::fsetxattr(&file, name.as_str(), value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
