//! Watches: the changes of objects as they happen.

use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;

use super::{
    discovery::{Resource, encoded},
    fault::Fault,
    list,
    session::{Ask, JSON, Session},
    text,
};

/// One change.
pub struct Event {
    pub kind: String,
    pub object: Value,
}

/// An open watch.
pub struct Watch {
    body: Body,
    rest: Vec<u8>,
}

impl Watch {
    /// Watches what `path` lists, from a revision on.
    pub async fn start(session: &Session, path: &str, query: &str, revision: &str, accept: &'static str) -> Result<Self, Fault> {
        let and = if query.is_empty() { "" } else { "&" };
        let path = format!("{path}?{query}{and}resourceVersion={}&watch=true", encoded(revision));
        let body = session.stream(Ask::get(path).accepting(accept)).await?;
        Ok(Self { body, rest: Vec::new() })
    }

    /// The next change; `None` when the server ends the watch, as it does from time to time.
    pub async fn next(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            if let Some(end) = self.rest.iter().position(|it| *it == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let Ok(mut event) = serde_json::from_slice::<Value>(&line) else { continue };
                let kind = text(&event["type"]).to_owned();
                return Ok(Some(Event { kind, object: event["object"].take() }));
            }
            match self.body.frame().await {
                None | Some(Err(_)) => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// Shows `look` every state of an object, `None` while it is not there, until it has its answer.
pub async fn until<T>(
    session: &Session,
    resource: &Resource,
    namespace: &str,
    name: &str,
    mut look: impl FnMut(Option<&Value>) -> Option<T>,
) -> Result<T, Fault> {
    let path = resource.path(Some(namespace));
    let query = format!("fieldSelector={}", encoded(&format!("metadata.name={name}")));
    loop {
        let listed = session.json(Ask::get(format!("{path}?{query}"))).await?;
        if let Some(answer) = look(list(&listed["items"]).first()) {
            return Ok(answer);
        }
        let revision = text(&listed["metadata"]["resourceVersion"]).to_owned();
        let mut watch = match Watch::start(session, &path, &query, &revision, JSON).await {
            Ok(watch) => watch,
            // The revision is too old already: list again.
            Err(Fault::Status { code: 410, .. }) => continue,
            Err(fault) => return Err(fault),
        };
        while let Some(event) = watch.next().await? {
            let state = match event.kind.as_str() {
                "ADDED" | "MODIFIED" => Some(&event.object),
                "DELETED" => None,
                "BOOKMARK" => continue,
                _ => break,
            };
            if let Some(answer) = look(state) {
                return Ok(answer);
            }
        }
    }
}
