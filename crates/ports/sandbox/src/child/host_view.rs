//! Fills the copy-on-write view of this machine: other disks, an empty home, no secrets.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use super::{
    failure::{Step, spec_error},
    mounts::{self, Depth, Kind, RootFolder},
    root,
    standard::Blank,
};
use crate::{CannotStart, HostView, ShownAccess, ShownFolder};

/// Nobody's build needs these, and an attacker would like them.
const SECRETS: [&str; 12] = [
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssl/private",
    "/etc/wireguard",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/spool/cron",
];

/// Mounted below `/` on many machines, and shown through the view as they are on disk otherwise.
const REAL_FILE_SYSTEMS: [&str; 18] = [
    "9p", "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs", "nfs", "nfs4", "overlay",
    "squashfs", "virtiofs", "xfs", "zfs",
];

/// Other people's, or made new for each sandbox.
const NOT_SHOWN: [&str; 7] = ["/dev", "/home", "/proc", "/root", "/run", "/sys", "/tmp"];

/// Folder of the scratch folder, what it lies over, and its mode.
const FRESH: [(&str, &str, u32); 5] = [
    ("tmp", "/tmp", 0o1777),
    ("var-tmp", "/var/tmp", 0o1777),
    ("run", "/run", 0o755),
    ("homes", "/home", 0o755),
    ("roots", "/root", 0o700),
];

pub fn fill(root: &RootFolder, view: &HostView, state: &Path, blank: &Blank) -> Result<(), CannotStart> {
    if !plain(&view.home) || view.home.components().count() < 2 {
        return Err(spec_error(format!("home `{}` is no plain absolute path", view.home.display())));
    }
    let mut hidden: Vec<&Path> = SECRETS.iter().map(Path::new).collect();
    hidden.extend(view.hidden.iter().map(PathBuf::as_path));
    hidden.extend([state, view.scratch.as_path()]);
    show_other_disks(root, view, &hidden)?;
    let keys = host_keys();
    for path in hidden.into_iter().chain(keys.iter().map(PathBuf::as_path)) {
        // What the view replaces as a whole needs no hiding, and what lies there is the view's own.
        blank.hide(root, path).step(|| format!("hiding `{}`", path.display()))?;
    }
    for (name, place, mode) in FRESH {
        if Path::new(place) != view.home {
            fresh(root, &view.scratch.join(name), Path::new(place), mode)?;
        }
    }
    fresh(root, &view.scratch.join("home"), &view.home, 0o755)?;
    view.shown_home.iter().enumerate().try_for_each(|(number, shown)| show(root, view, number, shown))
}

/// Lays a new, empty folder of the scratch folder over `target`.
fn fresh(root: &RootFolder, source: &Path, target: &Path, mode: u32) -> Result<(), CannotStart> {
    let lay = || -> io::Result<()> {
        fs::create_dir_all(source)?;
        fs::set_permissions(source, fs::Permissions::from_mode(mode))?;
        let copy = mounts::copy(source, Depth::This, libc::MOUNT_ATTR_NODEV)?;
        mounts::attach(&copy, root.find_or_make(target, Kind::Folder)?)
    };
    lay().step(|| format!("making an empty `{}`", target.display()))
}

fn show(root: &RootFolder, view: &HostView, number: usize, shown: &ShownFolder) -> Result<(), CannotStart> {
    let what = || format!("showing `{}` of the home folder", shown.path.display());
    if !shown.path.components().all(|component| matches!(component, Component::Normal(_))) {
        return Err(spec_error(format!("`{}` is no path below the home folder", shown.path.display())));
    }
    let source = view.home.join(&shown.path);
    let metadata = match fs::metadata(&source) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        other => other.step(what)?,
    };
    let kind = if metadata.is_dir() { Kind::Folder } else { Kind::File };
    let target = root.find_or_make(&source, kind).step(what)?;
    if shown.access == ShownAccess::CopyOnWrite && kind == Kind::Folder {
        let scratch = view.scratch.join(format!("shown/{number}"));
        let place = scratch.join("place");
        fs::create_dir_all(&place).step(what)?;
        root::overlay(&[source], &scratch, &place, libc::MOUNT_ATTR_NODEV).step(what)?;
        return mounts::copy(&place, Depth::This, 0).and_then(|copy| mounts::attach(&copy, target)).step(what);
    }
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV;
    mounts::copy(&source, Depth::WithMountsBelow, attributes).and_then(|copy| mounts::attach(&copy, target)).step(what)
}

/// Mounts below `/` are not part of an overlay of `/`.
fn show_other_disks(root: &RootFolder, view: &HostView, hidden: &[&Path]) -> Result<(), CannotStart> {
    let table = fs::read_to_string("/proc/self/mountinfo").step(|| "reading the mount table".to_owned())?;
    let mut shown: Vec<PathBuf> = Vec::new();
    for disk in other_disks(&table) {
        let inside = |folder: &Path| disk.starts_with(folder);
        if NOT_SHOWN.iter().any(|folder| inside(Path::new(folder)))
            || inside(&view.home)
            || hidden.iter().any(|folder| inside(folder))
            || shown.iter().any(|other| inside(other))
        {
            continue;
        }
        let what = || format!("showing the disk at `{}`", disk.display());
        let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV;
        let Ok(copy) = mounts::copy(&disk, Depth::WithMountsBelow, attributes) else { continue };
        let target = root.find_or_make(&disk, mounts::kind(&copy).step(what)?).step(what)?;
        mounts::attach(&copy, target).step(what)?;
        shown.push(disk);
    }
    Ok(())
}

/// Where real file systems other than `/` are mounted, by `/proc/self/mountinfo`.
fn other_disks(table: &str) -> impl Iterator<Item = PathBuf> + '_ {
    table.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        let place = unescape(before.split(' ').nth(4)?);
        (place != Path::new("/") && REAL_FILE_SYSTEMS.contains(&kind)).then_some(place)
    })
}

/// Spaces and the like are written as `\040`.
fn unescape(text: &str) -> PathBuf {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(char::from(code.unwrap_or(b'\\')));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    plain.push_str(rest);
    plain.into()
}

fn host_keys() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/etc/ssh") else { return Vec::new() };
    let private = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ssh_host_") && !name.ends_with(".pub")
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(private).collect()
}

fn plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|component| matches!(component, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_disks_below_the_root_are_found() {
        let table = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                     23 22 0:5 / /proc rw shared:1 - proc proc rw\n\
                     24 22 254:1 / /usr rw shared:2 master:1 - xfs /dev/vdb rw\n\
                     25 22 254:2 / /mnt/my\\040disk rw - btrfs /dev/vdc rw\n";
        let found: Vec<_> = other_disks(table).collect();
        assert_eq!(found, [PathBuf::from("/usr"), PathBuf::from("/mnt/my disk")]);
    }
}
