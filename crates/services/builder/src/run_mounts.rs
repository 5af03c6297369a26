//! The mounts of a RUN: prepared before it, and their traces removed after it.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use buildgraph::op::{Mount, Sharing};
use bytes::Bytes;
use sandbox::Access;
use tokio::sync::OwnedMutexGuard;

use crate::{
    copy::{self, Origin},
    error::Failure,
    unpack::Scratch,
    view::View,
};

/// Cache mounts of this machine: folders that outlive builds.
pub(crate) struct CacheMounts {
    folder: PathBuf,
    locks: Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>,
}

/// Where cache mounts come from.
pub(crate) enum Caches<'a> {
    Kept(&'a CacheMounts),
    /// Empty ones that go with the step.
    Fresh,
}

/// What a RUN gets mounted.
#[derive(Default)]
pub(crate) struct Prepared {
    pub mounts: Vec<sandbox::Mount>,
    /// Secrets that are variables.
    pub env: Vec<(String, String)>,
    /// Held while the command runs.
    locks: Vec<OwnedMutexGuard<()>>,
    secrets: Option<Scratch>,
}

impl CacheMounts {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, locks: Mutex::default() }
    }

    /// The folder of a cache, made with `mode` and owner if it is new.
    async fn folder(&self, id: &str, sharing: Sharing, mode: u32, owner: (u32, u32)) -> Result<(PathBuf, Option<OwnedMutexGuard<()>>), Failure> {
        let base = self.folder.join(names::Digest::of(id.as_bytes()).short());
        let mut path = base.join("0");
        let mut guard = None;
        match sharing {
            Sharing::Shared => {}
            Sharing::Locked => guard = Some(self.lock(&path).lock_owned().await),
            Sharing::Private => {
                for number in 0.. {
                    path = base.join(number.to_string());
                    if let Ok(free) = self.lock(&path).try_lock_owned() {
                        guard = Some(free);
                        break;
                    }
                }
            }
        }
        if !path.exists() {
            new_cache(&path, mode, owner).map_err(|error| Failure::new(format!("the cache `{id}`: {error}")))?;
        }
        Ok((path, guard))
    }

    fn lock(&self, path: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, it| it.strong_count() > 0);
        let lock = locks.get(path).and_then(Weak::upgrade).unwrap_or_default();
        locks.insert(path.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

fn new_cache(path: &Path, mode: u32, owner: (u32, u32)) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    std::os::unix::fs::chown(path, Some(owner.0), Some(owner.1))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Prepares the mounts of a RUN; `origins` are those of its bind mounts, in order.
pub(crate) async fn prepare(
    mounts: &[Mount],
    origins: Vec<Origin>,
    caches: &Caches<'_>,
    secrets: &BTreeMap<String, Bytes>,
    scratch: &Path,
) -> Result<Prepared, Failure> {
    let mut prepared = Prepared::default();
    let mut origins = origins.into_iter();
    for (index, mount) in mounts.iter().enumerate() {
        match mount {
            Mount::Bind { target, source, writable, .. } => {
                let Some(origin) = origins.next() else { continue };
                let folder = scratch.join(format!("bind-{index}"));
                let (from, to) = (source.clone(), folder.clone());
                let source = tokio::task::spawn_blocking(move || materialize(&origin, &from, &to))
                    .await
                    .map_err(|it| Failure::new(it.to_string()))??;
                let access = if *writable { Access::ReadWrite } else { Access::ReadOnly };
                prepared.mounts.push(sandbox::Mount::Bind { source, target: target.into(), access });
            }
            Mount::Cache { target, id, sharing, from, mode, uid, gid, writable, .. } => {
                if from.is_some() {
                    return Err(Failure::new("`from` of a cache mount is not supported").with_help("copy the files in the command"));
                }
                let source = match caches {
                    Caches::Kept(caches) => {
                        let (source, guard) = caches.folder(id, *sharing, *mode, (*uid, *gid)).await?;
                        prepared.locks.extend(guard);
                        source
                    }
                    Caches::Fresh => {
                        let source = scratch.join(format!("cache-{index}"));
                        new_cache(&source, *mode, (*uid, *gid)).map_err(|error| Failure::new(format!("the cache `{id}`: {error}")))?;
                        source
                    }
                };
                let access = if *writable { Access::ReadWrite } else { Access::ReadOnly };
                prepared.mounts.push(sandbox::Mount::Bind { source, target: target.into(), access });
            }
            Mount::Tmpfs { target, size_bytes } => {
                prepared.mounts.push(sandbox::Mount::Tmpfs { target: target.into(), size_bytes: *size_bytes, mode: 0o1777 });
            }
            Mount::Secret { id, target, env, mode, uid, gid, required } => {
                let Some(value) = secrets.get(id) else {
                    if *required {
                        return Err(Failure::new(format!("the secret `{id}` was not given")).with_help(format!("pass it with `--secret id={id},src=FILE`")));
                    }
                    continue;
                };
                if let Some(name) = env {
                    prepared.env.push((name.clone(), String::from_utf8_lossy(value).into_owned()));
                }
                if let Some(target) = target {
                    let source = prepared.secret(index, value, *mode, (*uid, *gid))?;
                    prepared.mounts.push(sandbox::Mount::Bind { source, target: target.into(), access: Access::ReadOnly });
                }
            }
        }
    }
    Ok(prepared)
}

impl Prepared {
    /// Writes a secret where it never reaches a disk, if the machine has such a place.
    fn secret(&mut self, index: usize, value: &[u8], mode: u32, owner: (u32, u32)) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("a secret could not be handed over: {error}"));
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        if self.secrets.is_none() {
            self.secrets = Some(Scratch::new(&parent, "landfall-secret-").map_err(failed)?);
        }
        let folder = self.secrets.as_ref().map(|it| it.path().to_owned()).unwrap_or_default();
        let path = folder.join(index.to_string());
        let mut options = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        std::io::Write::write_all(&mut file, value).map_err(failed)?;
        std::os::unix::fs::fchown(&file, Some(owner.0), Some(owner.1)).map_err(failed)?;
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(path)
    }
}

/// Copies what a bind mount shows: writes to it must change neither the source nor a layer.
fn materialize(origin: &Origin, source: &str, folder: &Path) -> Result<PathBuf, Failure> {
    let upper = folder.join("content");
    let empty = folder.join("below");
    for path in [&upper, &empty] {
        fs::create_dir_all(path).map_err(Failure::io("making a folder"))?;
    }
    let op = bind_copy(source);
    let selected = copy::select(&op, origin)?;
    copy::copy(&op, origin, &selected, &View::new(vec![empty]), &upper, folder)?;
    let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let single = upper.join(name);
    let is_file = origin.view.lookup(Path::new(source), crate::view::Last::Followed).ok().flatten().is_some_and(|it| !it.is_dir());
    Ok(if is_file { single } else { upper })
}

/// A bind mount as the copy that stands in for it.
pub(crate) fn bind_copy(source: &str) -> buildgraph::op::Copy {
    buildgraph::op::Copy {
        from: buildgraph::op::From::Context,
        sources: vec![buildgraph::op::CopySource::Path(source.to_owned())],
        destination: "/".to_owned(),
        into_folder: true,
        owner: None,
        mode: None,
        link: false,
        parents: false,
        exclude: Vec::new(),
        unpack: buildgraph::op::Unpack::Never,
    }
}

/// A place that a mount makes in the new layer: the folder that is there and the names below it.
pub(crate) struct Stub {
    known: PathBuf,
    missing: Vec<OsString>,
}

/// Finds the mount points that `below` lacks.
pub(crate) fn stubs<'a>(below: &View, targets: impl Iterator<Item = &'a Path>) -> Vec<Stub> {
    let inside_layer = targets.filter(|it| !it.starts_with("/dev") && !it.starts_with("/proc") && !it.starts_with("/sys"));
    inside_layer
        .filter_map(|target| below.reach(target).ok())
        .map(|(known, missing)| Stub { known: known.path, missing })
        .collect()
}

/// Removes mount points from the new layer that the command left empty.
pub(crate) fn remove_stubs(below: &View, upper: &Path, stubs: &[Stub]) {
    for stub in stubs {
        let mut path = upper.join(&stub.known);
        path.extend(&stub.missing);
        for _ in &stub.missing {
            if !remove_empty(&path) {
                break;
            }
            path.pop();
        }
        // A folder that is now as it was below was raised for the mount point alone.
        let mut at = stub.known.clone();
        while !at.as_os_str().is_empty() {
            let real = upper.join(&at);
            let same = match (below.lookup(&at, crate::view::Last::Kept), fs::symlink_metadata(&real)) {
                (Ok(Some(node)), Ok(meta)) => {
                    node.is_dir() && (node.meta.mode(), node.meta.uid(), node.meta.gid()) == (meta.mode(), meta.uid(), meta.gid())
                }
                _ => false,
            };
            if !same || fs::remove_dir(&real).is_err() {
                break;
            }
            at.pop();
        }
    }
}

fn remove_empty(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir(path).is_ok(),
        Ok(meta) if meta.is_file() && meta.len() == 0 => fs::remove_file(path).is_ok(),
        _ => false,
    }
}
