//! The file systems that every sandbox has: `/proc`, `/sys` and `/dev`.

use std::{
    fs as std_fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::{io::Errno, mount::MountAttrFlags};

use super::{
    failure::{Step, spec_error},
    mounts::{self, Depth, Kind, RootFolder},
};
use crate::{CannotStart, Network, Privilege, Spec, cgroups::View};

/// Bytes of `/dev/shm`.
const SHARED_MEMORY: &str = "67108864";

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Look empty: they tell about the host or reach into it.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Empty things of the host to put over what must not be seen.
pub struct Blank {
    pub file: PathBuf,
    pub folder: PathBuf,
}

impl Blank {
    /// Hides `path` inside the root; one that is not there is hidden already.
    pub fn hide(&self, root: &RootFolder, path: &Path) -> io::Result<()> {
        let target = match root.find(path) {
            Ok(target) => target,
            Err(error) if absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let source = if mounts::kind(&target)? == Kind::Folder { &self.folder } else { &self.file };
        mounts::attach(&mounts::copy(source, Depth::This, READ_ONLY_PLAIN)?, target)
    }
}

/// Read-only, and neither devices, programs nor set-user-ID.
const READ_ONLY_PLAIN: u64 =
    libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC | libc::MOUNT_ATTR_NOSUID;

fn absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

pub fn mount_all(root: &RootFolder, spec: &Spec, blank: &Blank, cgroups: &View) -> Result<(), CannotStart> {
    let privileged = spec.security.privilege == Privilege::Privileged;
    mount_proc(root, spec).step(|| "mounting /proc".to_owned())?;
    mount_sys(root, privileged, cgroups).step(|| "mounting /sys".to_owned())?;
    if privileged {
        let target = straight(root, "/dev").step(|| "mounting /dev".to_owned())?;
        return mounts::copy(Path::new("/dev"), Depth::WithMountsBelow, 0)
            .and_then(|host| mounts::attach(&host, target))
            .step(|| "mounting /dev".to_owned());
    }
    mount_dev(root).step(|| "mounting /dev".to_owned())?;
    for path in MASKED {
        blank.hide(root, Path::new(path)).step(|| format!("masking {path}"))?;
    }
    for path in READ_ONLY {
        make_read_only(root, Path::new(path)).step(|| format!("protecting {path}"))?;
    }
    Ok(())
}

/// A link in the place of a standard folder would put the mount elsewhere.
fn straight(root: &RootFolder, path: &str) -> io::Result<std::os::fd::OwnedFd> {
    let path = Path::new(path);
    match root.find_straight(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => root.find_or_make(path, Kind::Folder),
        found => found,
    }
}

fn mount_proc(root: &RootFolder, spec: &Spec) -> Result<(), CannotStart> {
    let quiet = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = mounts::make("proc", &[], quiet).step(|| "making proc".to_owned())?;
    for (name, value) in &spec.security.sysctls {
        if !own_sysctl(name, &spec.network) {
            return Err(spec_error(format!("sysctl `{name}` does not belong to the sandbox")));
        }
        let path = format!("sys/{}", name.replace('.', "/"));
        let set = || -> io::Result<()> {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
            let file = rustix::fs::openat(&proc, path.as_str(), flags, rustix::fs::Mode::empty())?;
            rustix::io::write(&file, value.as_bytes())?;
            Ok(())
        };
        set().step(|| format!("setting sysctl `{name}`"))?;
    }
    straight(root, "/proc").and_then(|target| mounts::attach(&proc, target)).step(|| "attaching proc".to_owned())
}

/// Whether a kernel setting belongs to one of the sandbox's own namespaces.
fn own_sysctl(name: &str, network: &Network) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) && !name.contains("..");
    let ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."].iter().any(|prefix| name.starts_with(prefix));
    plain && (ipc || (name.starts_with("net.") && *network != Network::Host))
}

fn mount_sys(root: &RootFolder, privileged: bool, cgroups: &View) -> io::Result<()> {
    let mut quiet = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if !privileged {
        quiet |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    mounts::attach(&mounts::make("sysfs", &[], quiet)?, straight(root, "/sys")?)?;
    let target = match root.find_straight(Path::new("/sys/fs/cgroup")) {
        Ok(target) => target,
        Err(error) if absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    match cgroups {
        View::None => Ok(()),
        View::Unified(leaf) => mounts::attach(&mounts::copy(leaf, Depth::This, READ_ONLY_PLAIN)?, target),
        View::Controllers(leaves) => {
            let folder = mounts::make("tmpfs", &[("mode", Some("0755")), ("size", Some("64k"))], MountAttrFlags::empty())?;
            for name in leaves.keys() {
                mounts::make_in(&folder, name, Kind::Folder, 0o755)?;
            }
            mounts::attach(&folder, target)?;
            for (name, leaf) in leaves {
                let place = root.find_straight(&Path::new("/sys/fs/cgroup").join(name))?;
                mounts::attach(&mounts::copy(leaf, Depth::This, READ_ONLY_PLAIN)?, place)?;
            }
            mounts::set_attributes(folder.as_fd(), Depth::This, READ_ONLY_PLAIN)
        }
    }
}

/// Devices are single mounts of the host's: everywhere else device files do not work, so one that
/// a process inside makes (it may, as in Docker) opens nothing.
fn mount_dev(root: &RootFolder) -> io::Result<()> {
    let plain = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let quiet = plain | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = mounts::make("tmpfs", &[("mode", Some("0755")), ("size", Some("64m"))], plain)?;
    let places = [("pts", 0o755), ("shm", 0o1777), ("mqueue", 0o1777)];
    for (name, mode) in places {
        mounts::make_in(&dev, name, Kind::Folder, mode)?;
    }
    for name in DEVICES {
        mounts::make_in(&dev, name, Kind::File, 0o666)?;
    }
    for (name, to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("core", "/proc/kcore"),
    ] {
        mounts::link(&dev, name, to)?;
    }
    mounts::attach(&dev, straight(root, "/dev")?)?;
    let below = |name: &str| root.find_straight(&Path::new("/dev").join(name));
    for name in DEVICES {
        let host = mounts::copy(&Path::new("/dev").join(name), Depth::This, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC)?;
        mounts::attach(&host, below(name)?)?;
    }
    let terminals = [("newinstance", None), ("ptmxmode", Some("0666")), ("mode", Some("0620")), ("gid", Some("5"))];
    let quiet_devices = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mounts::attach(&mounts::make("devpts", &terminals, quiet_devices)?, below("pts")?)?;
    let shared = [("mode", Some("1777")), ("size", Some(SHARED_MEMORY))];
    mounts::attach(&mounts::make("tmpfs", &shared, quiet)?, below("shm")?)?;
    match mounts::make("mqueue", &[], quiet) {
        Ok(queues) => mounts::attach(&queues, below("mqueue")?),
        // Not every kernel has message queues, and few programs want them.
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn make_read_only(root: &RootFolder, path: &Path) -> io::Result<()> {
    let target = match root.find(path) {
        Ok(target) => target,
        Err(error) if absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    mounts::attach(&mounts::copy_of(target.as_fd(), READ_ONLY_PLAIN)?, target)
}

/// Makes the blank file and folder below the state folder.
pub fn make_blank(state: &Path) -> io::Result<Blank> {
    let blank = Blank { file: state.join("blank/file"), folder: state.join("blank/folder") };
    std_fs::create_dir_all(&blank.folder)?;
    std_fs::OpenOptions::new().create(true).truncate(true).write(true).open(&blank.file)?;
    Ok(blank)
}
