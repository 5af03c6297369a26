//! The thread of a commit as the server tells it, once or state by state.

use delivery::{Outcome, Thread};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Client, Refused};

/// A thread with what the server makes of it.
#[derive(Clone, Debug, Deserialize)]
pub struct ThreadAnswer {
    pub thread: Thread,
    pub outcome: Outcome,
    /// The thread as lines for people.
    pub lines: Vec<String>,
}

/// The path of an id: `shop#3` is `shop/3` there.
pub fn path_of(id: &str) -> String {
    escape(&id.trim().replace('#', "/"))
}

/// A text as a part of a URL; `#` and the like would end it.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A name that only the repository here knows (`HEAD`, a branch) as its commit.
pub fn local_name(text: &str) -> String {
    let is_id = text.contains(['#', '@', ':', '/']) || (text.len() >= 4 && text.bytes().all(|it| it.is_ascii_hexdigit()));
    if is_id || text.starts_with('-') {
        return text.to_owned();
    }
    let output = std::process::Command::new("git").args(["rev-parse", "--verify", "--quiet"]).arg(format!("{text}^{{commit}}")).output();
    let found = output.ok().filter(|it| it.status.success()).map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    found.unwrap_or_else(|| text.to_owned())
}

/// The thread that an id names, as the server told it and as it is read.
pub async fn fetch(client: &Client, id: &str) -> anyhow::Result<(Value, ThreadAnswer)> {
    let told: Value = client.get(&format!("threads/{}", path_of(id))).await?;
    let answer = ThreadAnswer::deserialize(&told)?;
    Ok((told, answer))
}

/// Whether the server knows of no such thing.
pub fn is_unknown(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|it| it.status == StatusCode::NOT_FOUND)
}

/// Every state of a thread, until nothing of it is pending.
pub struct States {
    response: Response,
    /// What came of an event that is not whole yet.
    buffer: Vec<u8>,
}

impl States {
    pub async fn open(client: &Client, id: &str) -> anyhow::Result<Self> {
        let response = client.stream(&format!("threads/{}/watch", path_of(id))).await?;
        Ok(Self { response, buffer: Vec::new() })
    }

    /// The next state; `None` when the server ended. May be dropped and called again.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|it| it == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(data) = data_of(&String::from_utf8_lossy(&event)) {
                    return Ok(Some(serde_json::from_str(&data)?));
                }
                continue;
            }
            match self.response.chunk().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// The data of a server-sent event; a comment has none.
fn data_of(event: &str) -> Option<String> {
    let lines: Vec<_> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
    let lines = lines.iter().map(|it| it.strip_prefix(' ').unwrap_or(it));
    let data = lines.collect::<Vec<_>>().join("\n");
    (!data.is_empty()).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_paths() {
        for (id, expected) in [
            ("shop#3", "shop/3"),
            ("shop/production@2", "shop/production@2"),
            ("sha256:ab", "sha256:ab"),
            ("a b?", "a%20b%3F"),
        ] {
            assert_eq!(path_of(id), expected);
        }
    }

    #[test]
    fn events_carry_data_and_heartbeats_none() {
        assert_eq!(data_of("data: {\"a\":\ndata: 1}\n\n").as_deref(), Some("{\"a\":\n1}"));
        assert_eq!(data_of(":\n\n"), None);
    }
}
