//! Sets up the volumes of a pod in a folder of its own and takes them down again.

mod atomic;
pub mod payload;
pub mod subpath;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
};

use atomic::Group;
use payload::PayloadError;

use crate::{
    env::Sources,
    pod::{EmptyDir, HostPath, Pod, VolumeKindError, VolumeSource},
    quantity,
};

/// Where a volume lies on the host, and whether containers may write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Made by the node from API objects; read-only inside.
    Projected,
    /// The containers' own.
    Free,
}

/// Why a volume could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume \"{volume}\" : {cause}")]
pub struct VolumeError {
    pub volume: String,
    pub cause: VolumeCause,
}

#[derive(Debug, thiserror::Error)]
pub enum VolumeCause {
    #[error(transparent)]
    Kind(#[from] VolumeKindError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error("hostPath type check failed: {path} is not {expected}")]
    HostPath {
        path: String,
        expected: &'static str,
    },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Tokens issued for projected volumes, by volume and path in it.
pub type Tokens = BTreeMap<String, BTreeMap<String, String>>;

/// The places of all volumes of `pod` below `dir`; touches nothing.
pub fn places(pod: &Pod, dir: &Path) -> Result<BTreeMap<String, Place>, VolumeError> {
    let place = |volume: &crate::pod::Volume| {
        let inner = |content| Place {
            path: dir.join(&volume.name),
            content,
        };
        let place = match volume.source() {
            Ok(VolumeSource::HostPath(host)) => Place {
                path: PathBuf::from(host.path),
                content: Content::Free,
            },
            Ok(VolumeSource::EmptyDir(_)) => inner(Content::Free),
            Ok(VolumeSource::Projected(_)) => inner(Content::Projected),
            Err(cause) => {
                return Err(VolumeError {
                    volume: volume.name.clone(),
                    cause: cause.into(),
                });
            }
        };
        Ok((volume.name.clone(), place))
    };
    pod.spec.volumes.iter().map(place).collect()
}

/// Sets up every volume of `pod` below `dir`, or brings it up to date.
pub fn set_up(
    pod: &Pod,
    dir: &Path,
    sources: &Sources,
    tokens: &Tokens,
    version: &str,
) -> Result<(), VolumeError> {
    let none = BTreeMap::new();
    for volume in &pod.spec.volumes {
        let group = pod.spec.security_context.fs_group;
        let path = dir.join(&volume.name);
        let made = || -> Result<(), VolumeCause> {
            match volume.source()? {
                VolumeSource::EmptyDir(empty) => Ok(empty_dir(&path, &empty, group)?),
                VolumeSource::HostPath(host) => host_path(&host),
                VolumeSource::Projected(projected) => {
                    let tokens = tokens.get(&volume.name).unwrap_or(&none);
                    let payload = payload::payload(pod, &projected, sources, tokens)?;
                    atomic::write(&path, &payload, Group(group), version)?;
                    Ok(())
                }
            }
        };
        made().map_err(|cause| VolumeError {
            volume: volume.name.clone(),
            cause,
        })?;
    }
    Ok(())
}

/// Lets go of all mounts below the folder of a pod, innermost last made first.
pub fn unmount_below(dir: &Path) -> io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let points = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape);
    let mut points: Vec<_> = points
        .map(PathBuf::from)
        .filter(|point| point.starts_with(dir))
        .collect();
    points.reverse();
    points.iter().try_for_each(|point| subpath::unpin(point))
}

/// Spaces and the like are octal in mountinfo.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

fn empty_dir(path: &Path, empty: &EmptyDir, group: Option<u32>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    if empty.medium == "Memory" {
        let size = empty.size_limit.as_deref().and_then(quantity::units);
        let options = size.map_or_else(
            || "mode=0777".to_owned(),
            |size| format!("mode=0777,size={size}"),
        );
        let options = std::ffi::CString::new(options).map_err(io::Error::other)?;
        let flags = rustix::mount::MountFlags::NOSUID | rustix::mount::MountFlags::NODEV;
        rustix::mount::mount("tmpfs", path, "tmpfs", flags, options.as_c_str())?;
    }
    let mode = if group.is_some() { 0o2777 } else { 0o777 };
    lchown(path, None, group)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn host_path(host: &HostPath) -> Result<(), VolumeCause> {
    let path = Path::new(&host.path);
    let check = |expected: &'static str, holds: fn(&fs::Metadata) -> bool| match fs::metadata(path)
    {
        Ok(meta) if holds(&meta) => Ok(()),
        Ok(_) | Err(_) => Err(VolumeCause::HostPath {
            path: host.path.clone(),
            expected,
        }),
    };
    match host.kind.as_str() {
        "" if fs::symlink_metadata(path).is_err() => Ok(fs::create_dir_all(path)?),
        "" => Ok(()),
        "DirectoryOrCreate" => {
            if fs::symlink_metadata(path).is_err() {
                fs::create_dir_all(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
            }
            check("a directory", fs::Metadata::is_dir)
        }
        "FileOrCreate" => {
            if fs::symlink_metadata(path).is_err() {
                fs::write(path, b"")?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
            }
            check("a file", fs::Metadata::is_file)
        }
        "Directory" => check("a directory", fs::Metadata::is_dir),
        "File" => check("a file", fs::Metadata::is_file),
        "Socket" => check("a socket", |meta| meta.file_type().is_socket()),
        "CharDevice" => check("a character device", |meta| {
            meta.file_type().is_char_device()
        }),
        "BlockDevice" => check("a block device", |meta| meta.file_type().is_block_device()),
        _ => Err(VolumeCause::HostPath {
            path: host.path.clone(),
            expected: "of a known hostPath type",
        }),
    }
}
