//! Reads a log file while it grows.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    pin::Pin,
    time::Duration,
};

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use super::{Chunk, Line, read::chunk_from};
use crate::{Error, Exit, Result, sys};

/// What [`Follow::next`] found.
#[derive(Debug)]
pub enum Followed {
    Line(Line),
    /// The process has ended and every line was told; nothing follows.
    Exit(Exit),
}

/// What [`Follow::next_chunk`] found.
#[derive(Debug)]
pub enum FollowedChunk {
    Lines(Chunk),
    /// As [`Followed::Exit`].
    Exit(Exit),
}

/// The lines of a log as they are written, and then the exit.
///
/// ```no_run
/// # async fn f(attached: sandbox::Attached) -> sandbox::Result<()> {
/// let mut output = attached.follow(0);
/// while let Some(followed) = output.next().await? {
///     match followed {
///         sandbox::log::Followed::Line(line) => println!("{}", line.text()),
///         sandbox::log::Followed::Exit(exit) => println!("exit {}", exit.code),
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Follow {
    path: Option<PathBuf>,
    offset: u64,
    file: Option<Watched>,
    ready: VecDeque<Line>,
    exit: Option<Pin<Box<dyn Future<Output = Result<Exit>> + Send>>>,
    ended: Option<Exit>,
}

struct Watched {
    file: File,
    changes: AsyncFd<OwnedFd>,
}

impl Follow {
    pub fn new(log: Option<PathBuf>, from: u64, exit: Pin<Box<dyn Future<Output = Result<Exit>> + Send>>) -> Self {
        Self { path: log, offset: from, file: None, ready: VecDeque::new(), exit: Some(exit), ended: None }
    }

    /// The next line, or the exit after the last one; `None` after that. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<Followed>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(Followed::Line(line)));
            }
            match self.next_chunk().await? {
                Some(FollowedChunk::Lines(chunk)) => self.ready.extend(chunk.lines()),
                Some(FollowedChunk::Exit(exit)) => return Ok(Some(Followed::Exit(exit))),
                None => return Ok(None),
            }
        }
    }

    /// As [`Follow::next`], but all that was written by now, as it lies in the file; not to be mixed with that.
    pub async fn next_chunk(&mut self) -> Result<Option<FollowedChunk>> {
        loop {
            self.open()?;
            if let Some(watched) = &self.file {
                let chunk = chunk_from(&watched.file, self.offset).map_err(Error::machine("reading a log"))?;
                self.offset = chunk.end();
                if !chunk.bytes.is_empty() {
                    return Ok(Some(FollowedChunk::Lines(chunk)));
                }
            }
            // Whatever was written before the exit is in the file by now: the read above came after it.
            if let Some(exit) = self.ended.take() {
                return Ok(Some(FollowedChunk::Exit(exit)));
            }
            let Some(exit) = &mut self.exit else { return Ok(None) };
            match &self.file {
                Some(watched) => tokio::select! {
                    ended = exit => {
                        self.ended = Some(ended?);
                        self.exit = None;
                    }
                    changed = changed(&watched.changes) => changed.map_err(Error::machine("watching a log"))?,
                },
                None => {
                    self.ended = Some(exit.await?);
                    self.exit = None;
                }
            }
        }
    }

    /// Lets more lines come together: waits so long, or until the process has ended. Safe to drop.
    pub async fn gather(&mut self, wait: Duration) -> Result<()> {
        let Some(exit) = self.exit.as_mut().filter(|_| self.ended.is_none()) else { return Ok(()) };
        if let Ok(ended) = tokio::time::timeout(wait, exit).await {
            self.ended = Some(ended?);
            self.exit = None;
        }
        Ok(())
    }

    /// The same as a stream; a stream cannot be asked for where it is, so take [`Line::end`].
    pub fn into_stream(self) -> impl futures_util::Stream<Item = Result<Followed>> + Send {
        futures_util::stream::unfold(self, |mut follow| async move {
            match follow.next().await {
                Ok(Some(followed)) => Some((Ok(followed), follow)),
                Ok(None) => None,
                Err(error) => {
                    follow.exit = None;
                    follow.path = None;
                    follow.file = None;
                    Some((Err(error), follow))
                }
            }
        })
    }

    /// Watches before the first read, so nothing is missed between the two.
    fn open(&mut self) -> Result<()> {
        let (None, Some(path)) = (&self.file, &self.path) else { return Ok(()) };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::machine(format!("opening `{}`", path.display()))(error)),
        };
        let watch = || -> io::Result<AsyncFd<OwnedFd>> {
            let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
            inotify::add_watch(&changes, path, inotify::WatchFlags::MODIFY)?;
            sys::watch(changes)
        };
        let changes = watch().map_err(Error::machine("watching a log"))?;
        self.file = Some(Watched { file, changes });
        Ok(())
    }
}

async fn changed(changes: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut ready = changes.readable().await?;
    let mut events = [0_u8; 4096];
    match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut events)?)) {
        Ok(read) => read.map(|_| ()),
        Err(_) => Ok(()),
    }
}
