//! Input and output of a process that its caller talks to.

use std::{
    fmt, io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd},
    net::unix::pipe,
};

use crate::sys;

/// The ends that the caller holds.
pub struct Streams {
    pub stdin: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// With a terminal this carries everything that is shown.
    pub stdout: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// `None` with a terminal.
    pub stderr: Option<Box<dyn AsyncRead + Send + Sync + Unpin>>,
    pub terminal: Option<Terminal>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("terminal", &self.terminal.is_some()).finish_non_exhaustive()
    }
}

/// Changes the size of a terminal.
#[derive(Clone)]
pub struct Terminal {
    resize: Arc<dyn Fn(u16, u16) -> io::Result<()> + Send + Sync>,
}

impl Terminal {
    pub fn new(resize: impl Fn(u16, u16) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { resize: Arc::new(resize) }
    }

    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        (self.resize)(columns, rows)
    }
}

/// Makes streams of the descriptors that the spawner sent: a terminal, or input, output and error output.
pub(crate) fn open(descriptors: Vec<OwnedFd>, is_terminal: bool) -> io::Result<Streams> {
    if is_terminal {
        let [terminal] = <[OwnedFd; 1]>::try_from(descriptors).map_err(wrong_number)?;
        rustix::fs::fcntl_setfl(&terminal, rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NONBLOCK)?;
        let terminal = Arc::new(sys::watch(terminal)?);
        let resized = terminal.clone();
        let resize = move |columns, rows| {
            let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            Ok(rustix::termios::tcsetwinsize(resized.get_ref(), size)?)
        };
        return Ok(Streams {
            stdin: Box::new(TerminalEnd(terminal.clone())),
            stdout: Box::new(TerminalEnd(terminal)),
            stderr: None,
            terminal: Some(Terminal::new(resize)),
        });
    }
    let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(descriptors).map_err(wrong_number)?;
    Ok(Streams {
        stdin: Box::new(pipe::Sender::from_owned_fd(stdin)?),
        stdout: Box::new(pipe::Receiver::from_owned_fd(stdout)?),
        stderr: Some(Box::new(pipe::Receiver::from_owned_fd(stderr)?)),
        terminal: None,
    })
}

fn wrong_number(descriptors: Vec<OwnedFd>) -> io::Error {
    io::Error::other(format!("did not expect {} streams", descriptors.len()))
}

/// One direction of a terminal.
struct TerminalEnd(Arc<AsyncFd<OwnedFd>>);

impl AsyncRead for TerminalEnd {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), buffer.initialize_unfilled())?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // The last process with this terminal is gone: that is its end.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for TerminalEnd {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            if let Ok(written) = ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
