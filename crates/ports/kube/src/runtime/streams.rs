//! What is done with the streams of watches: waiting after failures, forgetting what kind of change it was.

use std::time::Duration;

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};

use super::watcher::Event;

/// How long to wait after each of several failures in a row.
pub trait Backoff: Iterator<Item = Duration> + Send {
    /// Something succeeded.
    fn reset(&mut self);
}

/// Doubles from 0.8 to 30 seconds.
#[derive(Clone, Debug)]
pub struct DefaultBackoff {
    next: Duration,
}

const FIRST: Duration = Duration::from_millis(800);
const LAST: Duration = Duration::from_secs(30);

impl Default for DefaultBackoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Iterator for DefaultBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        Some(wait)
    }
}

impl Backoff for DefaultBackoff {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// What is done with the streams of watches.
pub trait WatchStreamExt: Stream + Send + Sized + 'static {
    /// Waits after each failure as `backoff` says; ends when it has no more to say.
    fn backoff<T, E>(self, backoff: impl Backoff + 'static) -> BoxStream<'static, Result<T, E>>
    where
        Self: Stream<Item = Result<T, E>>,
        T: Send + 'static,
        E: Send + 'static,
    {
        patient(self.boxed(), Box::new(backoff))
    }

    fn default_backoff<T, E>(self) -> BoxStream<'static, Result<T, E>>
    where
        Self: Stream<Item = Result<T, E>>,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.backoff(DefaultBackoff::default())
    }

    /// Every object that is there or was changed.
    fn applied_objects<K, E>(self) -> BoxStream<'static, Result<K, E>>
    where
        Self: Stream<Item = Result<Event<K>, E>>,
        K: Send + 'static,
        E: Send + 'static,
    {
        Box::pin(self.filter_map(|event| std::future::ready(match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Some(Ok(object)),
            Ok(Event::Delete(_) | Event::Init | Event::InitDone) => None,
            Err(error) => Some(Err(error)),
        })))
    }

    /// Every object that is there, was changed or was deleted.
    fn touched_objects<K, E>(self) -> BoxStream<'static, Result<K, E>>
    where
        Self: Stream<Item = Result<Event<K>, E>>,
        K: Send + 'static,
        E: Send + 'static,
    {
        Box::pin(self.filter_map(|event| std::future::ready(match event {
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => Some(Ok(object)),
            Ok(Event::Init | Event::InitDone) => None,
            Err(error) => Some(Err(error)),
        })))
    }
}

impl<S: Stream + Send + 'static> WatchStreamExt for S {}

struct Patient<T, E> {
    stream: BoxStream<'static, Result<T, E>>,
    backoff: Box<dyn Backoff>,
    wait: Option<Duration>,
}

fn patient<T: Send + 'static, E: Send + 'static>(
    stream: BoxStream<'static, Result<T, E>>,
    backoff: Box<dyn Backoff>,
) -> BoxStream<'static, Result<T, E>> {
    let begin = Patient { stream, backoff, wait: Some(Duration::ZERO) };
    Box::pin(stream::unfold(begin, |mut it| async move {
        let wait = it.wait.take()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let item = it.stream.next().await?;
        it.wait = match &item {
            Ok(_) => {
                it.backoff.reset();
                Some(Duration::ZERO)
            }
            Err(_) => it.backoff.next(),
        };
        Some((item, it))
    }))
}
