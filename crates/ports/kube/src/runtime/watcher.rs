//! Lists the objects of a kind, then follows their changes, over any number of connections.

use std::{collections::VecDeque, time::Duration};

use axum::body::Body;
use bytes::BytesMut;
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::{
    Api, Status,
    api::{ListParams, ObjectList},
    core::DynamicObject,
};

/// Objects in one answer to a list.
const PAGE: u32 = 500;
/// A watch ends after this time, and the next goes on from there.
const WATCH_SECONDS: u32 = 290;
/// After a watch that ended before it told anything, as those of a server do that is being stopped.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Which objects are followed.
#[derive(Clone, Debug, Default)]
pub struct Config {
    labels: Option<String>,
    fields: Option<String>,
}

impl Config {
    /// Only those with such labels.
    #[must_use]
    pub fn labels(self, selector: &str) -> Self {
        Self { labels: Some(selector.to_owned()), ..self }
    }

    /// Only those with such fields.
    #[must_use]
    pub fn fields(self, selector: &str) -> Self {
        Self { fields: Some(selector.to_owned()), ..self }
    }
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<K = DynamicObject> {
    /// A list begins; what it does not hold is gone.
    Init,
    InitApply(K),
    InitDone,
    Apply(K),
    Delete(K),
}

/// Why nothing could be told for a moment. The watch goes on by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the objects could not be listed: {0}")]
    List(#[source] crate::Error),
    #[error("the watch could not be started: {0}")]
    Start(#[source] crate::Error),
    #[error("the server ended the watch: {}", .0.message)]
    Ended(Box<Status>),
    #[error("the watch broke off: {0}")]
    Broken(#[source] crate::error::BoxError),
    #[error("an event of the watch could not be read: {0}")]
    Unreadable(#[source] serde_json::Error),
}

/// Follows the objects of `api`: all that are there, then every change, for as long as it is read.
pub fn watcher(api: Api, config: Config) -> BoxStream<'static, Result<Event, Error>> {
    let params = ListParams {
        label_selector: config.labels,
        field_selector: config.fields,
        limit: None,
        continue_token: None,
    };
    let begin = Watcher { api, params, told: VecDeque::new(), state: State::Nothing, pause: FIRST_PAUSE };
    Box::pin(stream::unfold(begin, |mut watcher| async move {
        let next = watcher.next().await;
        Some((next, watcher))
    }))
}

/// Follows one object: how it is, whenever that changes; `None` while it is not there.
pub fn watch_object(api: Api, name: &str) -> impl Stream<Item = Result<Option<DynamicObject>, Error>> + Send + use<> {
    let events = watcher(api, Config::default().fields(&format!("metadata.name={name}")));
    let mut was_listed = false;
    events.filter_map(move |event| {
        std::future::ready(match event {
            Ok(Event::Init) => {
                was_listed = false;
                None
            }
            Ok(Event::InitApply(object)) => {
                was_listed = true;
                Some(Ok(Some(object)))
            }
            Ok(Event::InitDone) => (!was_listed).then_some(Ok(None)),
            Ok(Event::Apply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        })
    })
}

struct Watcher {
    api: Api,
    params: ListParams,
    told: VecDeque<Event>,
    state: State,
    /// After the next watch that tells nothing.
    pause: Duration,
}

enum State {
    /// Nothing is known, or what is known is too old.
    Nothing,
    /// Some pages were read.
    Listing { continue_token: String },
    /// Everything up to this revision was told.
    Known { revision: String },
    Watching { revision: String, lines: Lines, told: Told },
}

/// Whether a connection told something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Something,
}

impl Watcher {
    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Ok(event);
            }
            // Whatever fails from here leaves what to do next.
            match std::mem::replace(&mut self.state, State::Nothing) {
                State::Nothing => {
                    self.told.push_back(Event::Init);
                    self.list(None).await?;
                }
                State::Listing { continue_token } => self.list(Some(continue_token)).await?,
                State::Known { revision } => match self.api.watch(&self.params, &revision, WATCH_SECONDS).await {
                    Ok(body) => self.state = State::Watching { revision, lines: Lines::of(body), told: Told::Nothing },
                    Err(error) => {
                        if !matches!(&error, crate::Error::Api(status) if status.code == 410) {
                            self.state = State::Known { revision };
                        }
                        return Err(Error::Start(error));
                    }
                },
                State::Watching { revision, lines, told } => self.watch(revision, lines, told).await?,
            }
        }
    }

    async fn list(&mut self, continue_token: Option<String>) -> Result<(), Error> {
        let params = ListParams { limit: Some(PAGE), continue_token, ..self.params.clone() };
        let listed = self.api.list(&params).await;
        let ObjectList { items, resource_version, continue_token } = listed.inspect_err(|_| self.told.clear()).map_err(Error::List)?;
        self.told.extend(items.into_iter().map(Event::InitApply));
        self.state = match continue_token {
            Some(continue_token) => State::Listing { continue_token },
            None => {
                self.told.push_back(Event::InitDone);
                State::Known { revision: resource_version }
            }
        };
        Ok(())
    }

    async fn watch(&mut self, revision: String, mut lines: Lines, told: Told) -> Result<(), Error> {
        let line = match lines.next().await {
            Some(Ok(line)) => line,
            Some(Err(error)) => {
                self.state = State::Known { revision };
                return Err(Error::Broken(error.into()));
            }
            // The server ends watches from time to time.
            None => {
                if told == Told::Nothing {
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LAST_PAUSE);
                }
                self.state = State::Known { revision };
                return Ok(());
            }
        };
        let mut event: Value = match serde_json::from_slice(&line) {
            Ok(event) => event,
            Err(error) => {
                self.state = State::Known { revision };
                return Err(Error::Unreadable(error));
            }
        };
        let object = DynamicObject::from(event["object"].take());
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "ERROR" {
            let status: Status = serde_json::from_value(object.data).unwrap_or_default();
            if status.code != 410 {
                self.state = State::Known { revision };
            }
            return Err(Error::Ended(Box::new(status)));
        }
        let revision = object.metadata.resource_version.clone().unwrap_or(revision);
        self.pause = FIRST_PAUSE;
        self.state = State::Watching { revision, lines, told: Told::Something };
        match kind {
            "ADDED" | "MODIFIED" => self.told.push_back(Event::Apply(object)),
            "DELETED" => self.told.push_back(Event::Delete(object)),
            // A bookmark tells only the revision.
            _ => {}
        }
        Ok(())
    }
}

/// The lines of a body.
struct Lines {
    body: Body,
    rest: BytesMut,
    /// Up to here `rest` has no end of a line.
    searched: usize,
}

impl Lines {
    fn of(body: Body) -> Self {
        Self { body, rest: BytesMut::new(), searched: 0 }
    }

    async fn next(&mut self) -> Option<Result<BytesMut, axum::Error>> {
        loop {
            if let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.searched + end + 1);
                self.searched = 0;
                return Some(Ok(line));
            }
            self.searched = self.rest.len();
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
