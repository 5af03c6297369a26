//! What a client speaks, by its first bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// No request line that anybody sends is longer.
const LINE_LIMIT: usize = 16 * 1024;
const METHODS: [&str; 8] = ["GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "TRACE "];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Http,
    Other,
    /// More bytes will tell.
    Unsure,
}

/// Judges the first bytes of a connection. Only a whole HTTP/1 request line counts:
/// other protocols have a `GET` of their own.
pub fn judge(bytes: &[u8]) -> Verdict {
    let known = METHODS.iter().any(|method| {
        let common = method.len().min(bytes.len());
        method.as_bytes()[..common] == bytes[..common]
    });
    if !known {
        return Verdict::Other;
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < LINE_LIMIT { Verdict::Unsure } else { Verdict::Other };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") { Verdict::Http } else { Verdict::Other }
}

/// A stream whose first bytes were read already.
#[derive(Debug)]
pub struct Rewound<S> {
    first: Vec<u8>,
    taken: usize,
    stream: S,
}

impl<S> Rewound<S> {
    pub fn new(first: Vec<u8>, stream: S) -> Self {
        Self { first, taken: 0, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = &this.first[this.taken..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_request_line_is_http() {
        check("GET / HTTP/1.1\r\nHost: a\r\n", Verdict::Http);
        check("POST /a?b HTTP/1.0\n", Verdict::Http);
        check("GET / HT", Verdict::Unsure);
        check("DEL", Verdict::Unsure);
        check("", Verdict::Unsure);
        check("GET key\r\n", Verdict::Other);
        check("PRI * HTTP/2.0\r\n", Verdict::Other);
        check("\x16\x03\x01", Verdict::Other);
        check("SSH-2.0", Verdict::Other);
    }

    #[track_caller]
    fn check(bytes: &str, expected: Verdict) {
        assert_eq!(judge(bytes.as_bytes()), expected);
    }
}
