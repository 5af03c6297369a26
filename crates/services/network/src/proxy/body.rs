//! The bodies that pass through the proxy.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http1::SendRequest};

use super::{backend::Lease, port::Port};

/// A body to send: bytes that are at hand, or a stream as it comes in.
#[derive(Debug)]
pub enum Load {
    Bytes(Option<Bytes>),
    Stream(Incoming),
}

impl Load {
    pub fn of(bytes: &Bytes) -> Self {
        Self::Bytes((!bytes.is_empty()).then(|| bytes.clone()))
    }
}

impl Body for Load {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// The answer to a client: words of the proxy's own, or an endpoint's stream.
#[derive(Debug)]
pub enum Answer {
    Own(Option<Bytes>),
    Passed(Box<Passing>),
}

/// An endpoint's answer on its way; when it ends, its connection waits for the next request.
#[derive(Debug)]
pub struct Passing {
    pub body: Incoming,
    pub sender: Option<SendRequest<Load>>,
    pub lease: Lease,
    pub port: Arc<Port>,
    pub status: StatusCode,
    pub started: Instant,
    pub end: End,
}

/// How far an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Open,
    /// The last byte is through; a chunked body says so only in this way.
    Whole,
    Broken,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let passing = match self.get_mut() {
            Self::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passed(passing) => passing,
        };
        let frame = Pin::new(&mut passing.body).poll_frame(context);
        match &frame {
            Poll::Ready(None) => passing.end = End::Whole,
            Poll::Ready(Some(Err(_))) => passing.end = End::Broken,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passed(passing) => passing.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passed(passing) => passing.body.size_hint(),
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let latency = self.started.elapsed();
        for counts in [&self.port.counts, &self.lease.counts, &*self.lease.version] {
            counts.answered(self.status, latency);
            if self.end == End::Broken {
                counts.failed();
            }
        }
        // A client that went away leaves the rest of the answer in the connection: it is of no more use.
        let whole = self.end == End::Whole || (self.end == End::Open && self.body.is_end_stream());
        if let Some(sender) = self.sender.take().filter(|_| whole) {
            self.lease.put_idle(sender);
        }
    }
}
