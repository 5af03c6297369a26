//! The build context as a tar: what `.dockerignore` leaves, links as links, nothing followed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use buildgraph::ignore::Ignore;
use bytes::Bytes;
use tokio::sync::mpsc;

/// Chunks of the tar on their way.
pub type Chunks = mpsc::Receiver<io::Result<Bytes>>;

/// As much as one write to the network takes.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait for a slow server.
const CHUNKS_WAITING_MAX: usize = 8;
/// Deeper folders are loops of mounts.
const DEPTH_MAX: usize = 256;

/// Why a context cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("unable to prepare context: path \"{0}\" not found")]
    NotFound(String),
    #[error("unable to prepare context: \"{0}\" is not a folder")]
    NoFolder(String),
    #[error("{file}: {source}")]
    Unreadable { file: String, source: io::Error },
    #[error("{file}: {source}")]
    Ignore { file: String, source: buildgraph::ignore::IgnoreError },
}

/// This machine's architecture in Docker's words.
pub fn machine_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A folder to send, and what stays out.
pub struct Context {
    folder: PathBuf,
    ignore: Ignore,
    /// Sent although they are ignored: the builder reads them.
    always: Vec<String>,
}

impl Context {
    /// `dockerfile` is its path within the folder, if it lies there.
    pub fn open(folder: &Path, shown: &str, dockerfile: Option<&str>) -> Result<Self, ContextError> {
        let meta = fs::metadata(folder).map_err(|_| ContextError::NotFound(shown.to_owned()))?;
        if !meta.is_dir() {
            return Err(ContextError::NoFolder(shown.to_owned()));
        }
        let own = dockerfile.map(|it| format!("{it}.dockerignore"));
        let own = own.filter(|it| folder.join(it).is_file());
        let file = own.unwrap_or_else(|| ".dockerignore".to_owned());
        let rules = match fs::read_to_string(folder.join(&file)) {
            Ok(rules) => rules,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ContextError::Unreadable { file, source }),
        };
        let ignore = Ignore::parse(&rules).map_err(|source| ContextError::Ignore { file: file.clone(), source })?;
        let always = [Some(file), dockerfile.map(str::to_owned)].into_iter().flatten().collect();
        Ok(Self { folder: folder.to_owned(), ignore, always })
    }

    /// Writes the tar in a thread of its own. An error comes as the last chunk.
    pub fn send(self) -> Chunks {
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
        tokio::task::spawn_blocking(move || {
            let pipe = Pipe { sender: sender.clone(), waiting: Vec::with_capacity(CHUNK_BYTES) };
            let mut tar = tar::Builder::new(pipe);
            tar.follow_symlinks(false);
            tar.mode(tar::HeaderMode::Complete);
            let done = self.walk("", 0, &mut tar).and_then(|()| tar.into_inner()).and_then(|mut pipe| io::Write::flush(&mut pipe));
            if let Err(error) = done {
                // A server that hung up says itself why.
                let _ = sender.blocking_send(Err(error));
            }
        });
        receiver
    }

    fn walk(&self, within: &str, depth: usize, tar: &mut tar::Builder<Pipe>) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("`{within}` is nested too deeply")));
        }
        let folder = self.folder.join(within);
        let mut entries = fs::read_dir(&folder).map_err(|it| named(within, &it))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else {
                return Err(io::Error::other(format!("`{}` is not UTF-8", entry.path().display())));
            };
            let path = if within.is_empty() { name } else { format!("{within}/{name}") };
            let meta = fs::symlink_metadata(entry.path()).map_err(|it| named(&path, &it))?;
            let ignored = self.ignore.ignores(&path) && !self.is_needed(&path);
            if meta.is_dir() {
                if ignored && !self.ignore.has_exceptions() && !self.holds_needed(&path) {
                    continue;
                }
                if !ignored {
                    append(tar, &path, &meta, io::empty())?;
                }
                self.walk(&path, depth + 1, tar)?;
            } else if ignored {
                continue;
            } else if meta.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(|it| named(&path, &it))?;
                let mut header = header(&meta);
                header.set_size(0);
                tar.append_link(&mut header, &path, target)?;
            } else if meta.is_file() {
                let file = fs::File::open(entry.path()).map_err(|it| named(&path, &it))?;
                append(tar, &path, &meta, file)?;
            }
            // Sockets, pipes and devices are no source.
        }
        Ok(())
    }

    fn is_needed(&self, path: &str) -> bool {
        self.always.iter().any(|it| it == path)
    }

    fn holds_needed(&self, folder: &str) -> bool {
        self.always.iter().any(|it| it.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{path}`: {error}"))
}

fn header(meta: &fs::Metadata) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_metadata(meta);
    // Who owns the files here says nothing about who owns them in an image.
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// A file that grows or shrinks while it is read keeps the size it had.
fn append(tar: &mut tar::Builder<Pipe>, path: &str, meta: &fs::Metadata, content: impl io::Read) -> io::Result<()> {
    let mut header = header(meta);
    let size = if meta.is_dir() { 0 } else { meta.len() };
    header.set_size(size);
    let content = io::Read::take(io::Read::chain(content, io::repeat(0)), size);
    tar.append_data(&mut header, path, content)
}

/// Hands the tar on in chunks.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK_BYTES));
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(chunk.into())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_not_ignored_is_sent_and_links_stay_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        };
        write("Dockerfile", "FROM scratch");
        write(".dockerignore", "node_modules\nDockerfile\n*.log\n!keep.log\n.dockerignore");
        write("src/a.txt", "a");
        write("node_modules/big/x", "x");
        write("b.log", "b");
        write("keep.log", "k");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).expect("a link");
        let mut chunks = Context::open(folder.path(), ".", Some("Dockerfile")).expect("a context").send();
        let mut tar = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            tar.extend_from_slice(&chunk.expect("a chunk"));
        }
        let mut archive = tar::Archive::new(tar.as_slice());
        let entries = archive.entries().expect("entries").map(|entry| {
            let entry = entry.expect("an entry");
            let link = entry.link_name().expect("a name").map_or_else(String::new, |it| format!(" -> {}", it.display()));
            format!("{}{link}", entry.path().expect("a path").display())
        });
        let entries: Vec<String> = entries.collect();
        assert_eq!(entries.join(", "), ".dockerignore, Dockerfile, keep.log, link -> /etc/passwd, src, src/a.txt");
    }

    #[test]
    fn folders_that_are_not_there_are_named() {
        let error = Context::open(Path::new("/nowhere"), "nowhere", None).err().map(|it| it.to_string());
        assert_eq!(error.as_deref(), Some("unable to prepare context: path \"nowhere\" not found"));
    }
}
