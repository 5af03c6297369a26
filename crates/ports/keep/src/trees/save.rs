//! Saves a folder: stores each file under its content, then links them into a tree.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use names::Digest;
use ring::digest::{Context, SHA256};
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, chmod, chownat, linkat, utimensat};

use super::{
    SavedTree, TreeError, Trees, remove,
    source::{Attributes, Entry, Kind, Opener, walk},
};

/// Files up to this size are read once and written from memory; larger ones are read twice.
const SMALL_BYTES: u64 = 1024 * 1024;
/// How much of a large file is in memory at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Files on their way to the workers; each holds a folder open, and a process may have 1024 files open.
const WAITING_MAX: usize = 128;
/// Hashing and writing keep this many threads busy; more only fight for the disk.
const WORKERS_MAX: usize = 8;

/// Where a stored file goes in the tree.
struct Placed {
    path: PathBuf,
    name: String,
}

impl Trees {
    /// Saves `folder` with all that is in it.
    ///
    /// Files may change meanwhile; then the tree has some state of each.
    ///
    /// # Errors
    ///
    /// When files cannot be read, or are too many or too large; nothing is kept then but files that
    /// the next sweep removes.
    pub fn save_tree(&self, folder: &Path, limit_bytes: u64) -> Result<SavedTree, TreeError> {
        let work = Work { trees: self, limit_bytes, size_bytes: AtomicU64::new(0), new_files: AtomicU64::new(0) };
        let (folders, links, placed, root) = work.gather(folder)?;
        let failed = |source| TreeError::Io { path: folder.display().to_string(), source };
        let digest = digest(&folders, &links, &placed, root);
        let saved = SavedTree {
            digest,
            files: placed.len() as u64,
            size_bytes: work.size_bytes.into_inner(),
            new_files: work.new_files.into_inner(),
        };
        if self.lower_dir(digest).is_none() {
            let draft = self.draft().map_err(failed)?;
            let built = self.build(&draft, &folders, &links, placed, root);
            let kept = built.and_then(|()| match fs::rename(&draft, self.tree(digest)) {
                // Somebody saved the same tree at the same time.
                Err(_) if self.tree(digest).is_dir() => remove(&draft),
                other => other,
            });
            if let Err(error) = kept {
                remove(&draft).map_err(failed)?;
                return Err(failed(error));
            }
        }
        Ok(saved)
    }

    /// Makes the folder of a tree out of stored files.
    fn build(
        &self,
        draft: &Path,
        folders: &[(PathBuf, Attributes)],
        links: &[(PathBuf, Attributes, PathBuf)],
        placed: Vec<Placed>,
        root: Attributes,
    ) -> io::Result<()> {
        let top = draft.join("root");
        fs::create_dir_all(&top)?;
        for (path, _) in folders {
            fs::create_dir(top.join(path))?;
        }
        let mut uses: HashMap<String, u32> = HashMap::new();
        for file in placed {
            let count = uses.entry(file.name.clone()).and_modify(|it| *it += 1).or_insert(0);
            let stored = self.twin(&file.name, *count)?;
            linkat(CWD, &stored, CWD, top.join(file.path), AtFlags::empty())?;
        }
        for (path, attributes, target) in links {
            let at = top.join(path);
            std::os::unix::fs::symlink(target, &at)?;
            own(&at, *attributes)?;
            set_times(&at, *attributes)?;
        }
        // From the inside out, because making something in a folder changes the folder's time.
        for (path, attributes) in folders.iter().rev() {
            give(&top.join(path), *attributes)?;
        }
        give(&top, root)?;
        File::create(draft.join("used"))?;
        // One flush for all: a tree that a record names is there after a power cut.
        rustix::fs::syncfs(File::open(draft)?)?;
        Ok(())
    }

    /// The stored file for the `count`th use of it in one tree: files of a tree never share an inode.
    fn twin(&self, name: &str, count: u32) -> io::Result<PathBuf> {
        let first = self.file(name);
        if count == 0 {
            return Ok(first);
        }
        let twin = self.file(&format!("{name}.{count}"));
        if !twin.exists() {
            let draft = self.draft()?;
            copy(&mut File::open(&first)?, &mut File::create(&draft)?)?;
            let metadata = fs::metadata(&first)?;
            give(&draft, of_metadata(&metadata))?;
            settle(&draft, &twin)?;
        }
        Ok(twin)
    }
}

type Gathered = (Vec<(PathBuf, Attributes)>, Vec<(PathBuf, Attributes, PathBuf)>, Vec<Placed>, Attributes);

struct Work<'a> {
    trees: &'a Trees,
    limit_bytes: u64,
    size_bytes: AtomicU64,
    new_files: AtomicU64,
}

impl Work<'_> {
    /// Walks the folder while workers store its files.
    fn gather(&self, folder: &Path) -> Result<Gathered, TreeError> {
        let (mut folders, mut links) = (Vec::new(), Vec::new());
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
        let (out, files) = mpsc::sync_channel::<(PathBuf, Attributes, Opener)>(WAITING_MAX);
        let files = Mutex::new(files);
        let (root, mut placed) = std::thread::scope(|scope| {
            let store = || -> Result<Vec<Placed>, TreeError> {
                let mut placed = Vec::new();
                loop {
                    let next = files.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((path, attributes, opener)) = next else { return Ok(placed) };
                    let failed = |source| TreeError::Io { path: path.display().to_string(), source };
                    let stored = self.store(attributes, &opener);
                    // Gone, or a pipe by now: what was there when it was listed matters to nobody.
                    match stored {
                        Ok(Some(name)) => placed.push(Placed { path, name }),
                        Ok(None) => {}
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                            return Err(TreeError::TooLarge { limit_bytes: self.limit_bytes });
                        }
                        Err(error) => return Err(failed(error)),
                    }
                }
            };
            let handles: Vec<_> = (0..workers).map(|_| scope.spawn(store)).collect();
            let walked = walk(folder, &mut |entry: Entry| {
                match entry.kind {
                    Kind::Folder => folders.push((entry.path, entry.attributes)),
                    Kind::Link(target) => links.push((entry.path, entry.attributes, target)),
                    Kind::File { size_bytes, opener } => {
                        let before = self.size_bytes.fetch_add(size_bytes, Ordering::Relaxed);
                        if before.saturating_add(size_bytes) > self.limit_bytes {
                            return Err(TreeError::TooLarge { limit_bytes: self.limit_bytes });
                        }
                        // Nobody receives any more when all workers failed; their errors tell why.
                        let _ = out.send((entry.path, entry.attributes, opener));
                    }
                }
                Ok(())
            });
            drop(out);
            let mut placed = Vec::new();
            for handle in handles {
                // A panic of a worker is one of ours.
                placed.extend(handle.join().expect("a worker does not panic")?);
            }
            Ok::<_, TreeError>((walked?, placed))
        })?;
        placed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((folders, links, placed, root))
    }

    /// Stores one file; tells under which name. `None` if it is no file any more.
    fn store(&self, attributes: Attributes, opener: &Opener) -> io::Result<Option<String>> {
        let Some(mut source) = opener.open()? else { return Ok(None) };
        let mut small = Vec::new();
        let length = (&source).take(SMALL_BYTES + 1).read_to_end(&mut small)? as u64;
        if length <= SMALL_BYTES {
            let name = name(attributes, &of(&small));
            if self.trees.file(&name).exists() {
                return Ok(Some(name));
            }
            let draft = self.trees.draft()?;
            File::create_new(&draft)?.write_all(&small)?;
            return self.keep(&draft, attributes, name);
        }
        drop(small);
        io::Seek::rewind(&mut source)?;
        let known = name(attributes, &hash(&mut source, None)?);
        if self.trees.file(&known).exists() {
            return Ok(Some(known));
        }
        io::Seek::rewind(&mut source)?;
        let draft = self.trees.draft()?;
        // Hashed again, because the file may change between the two readings.
        let copied = hash(&mut source, Some((&mut File::create_new(&draft)?, self.limit_bytes)))?;
        self.keep(&draft, attributes, name(attributes, &copied))
    }

    fn keep(&self, draft: &Path, attributes: Attributes, name: String) -> io::Result<Option<String>> {
        give(draft, attributes)?;
        // Two workers may have copied equal files at the same time; one of them was first.
        if settle(draft, &self.trees.file(&name))? {
            self.new_files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some(name))
    }
}

/// Moves a finished file to its place; `false` if an equal one was there already.
fn settle(draft: &Path, place: &Path) -> io::Result<bool> {
    let mut linked = fs::hard_link(draft, place);
    if linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        && let Some(folder) = place.parent()
    {
        fs::create_dir_all(folder)?;
        linked = fs::hard_link(draft, place);
    }
    let is_new = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        other => other.map(|()| true)?,
    };
    fs::remove_file(draft)?;
    Ok(is_new)
}

/// Hashes a file from where it stands, writing it to `copy` on the way if there is one.
fn hash(source: &mut File, mut copy: Option<(&mut File, u64)>) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0_u64;
    loop {
        let count = source.read(&mut chunk)?;
        let Some(read) = chunk.get(..count).filter(|it| !it.is_empty()) else { break };
        context.update(read);
        total += count as u64;
        if let Some((copy, limit_bytes)) = &mut copy {
            // A file may grow for ever while it is copied.
            if total > *limit_bytes {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            copy.write_all(read)?;
        }
    }
    Ok(finish(context))
}

/// Like [`Digest::of`], but quicker: thousands of files are hashed here.
fn of(bytes: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    finish(context)
}

fn finish(context: Context) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Digest::from_bytes(bytes)
}

fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    io::copy(from, to).map(drop)
}

/// The name of a stored file: whatever differs in content or attributes differs in it.
fn name(attributes: Attributes, content: &Digest) -> String {
    let Attributes { mode, uid, gid, modified_seconds, modified_nanos } = attributes;
    let text = format!("{mode:o} {uid} {gid} {modified_seconds} {modified_nanos} {}", content.hex());
    of(text.as_bytes()).hex()
}

/// The digest of a whole tree. Every part ends with a zero byte, which no path holds.
fn digest(
    folders: &[(PathBuf, Attributes)],
    links: &[(PathBuf, Attributes, PathBuf)],
    placed: &[Placed],
    root: Attributes,
) -> Digest {
    let mut context = Context::new(&SHA256);
    let mut tell = |parts: &[&[u8]]| {
        for part in parts {
            context.update(part);
            context.update(b"\0");
        }
    };
    let shown = |it: Attributes| {
        format!("{:o} {} {} {} {}", it.mode, it.uid, it.gid, it.modified_seconds, it.modified_nanos)
    };
    tell(&[b"tree 1", shown(root).as_bytes()]);
    for (path, attributes) in folders {
        tell(&[b"folder", path.as_os_str().as_bytes(), shown(*attributes).as_bytes()]);
    }
    for (path, attributes, target) in links {
        tell(&[b"link", path.as_os_str().as_bytes(), target.as_os_str().as_bytes(), shown(*attributes).as_bytes()]);
    }
    for file in placed {
        tell(&[b"file", file.path.as_os_str().as_bytes(), file.name.as_bytes()]);
    }
    finish(context)
}

/// Owner before mode: a change of the owner clears set-user-id bits.
fn give(path: &Path, attributes: Attributes) -> io::Result<()> {
    own(path, attributes)?;
    chmod(path, Mode::from_raw_mode(attributes.mode))?;
    set_times(path, attributes)
}

/// Without the right to give files away they stay the server's own, as an archiver's would.
fn own(path: &Path, attributes: Attributes) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    match chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
        Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

fn set_times(path: &Path, attributes: Attributes) -> io::Result<()> {
    let modified = Timespec { tv_sec: attributes.modified_seconds, tv_nsec: attributes.modified_nanos.into() };
    let times = Timestamps { last_access: modified, last_modification: modified };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn of_metadata(metadata: &fs::Metadata) -> Attributes {
    use std::os::unix::fs::MetadataExt as _;
    Attributes {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified_seconds: metadata.mtime(),
        modified_nanos: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
    }
}
