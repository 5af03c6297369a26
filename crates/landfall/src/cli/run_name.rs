//! How people name a run: `shop#3`, `shop/3`, or `3` where there is one project.

use std::str::FromStr;

use anyhow::{Context as _, bail};
use names::{ProjectName, RunId};
use serde_json::Value;

use super::thread_answer::local_name;
use crate::client::Client;

/// A run as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunName {
    Full(RunId),
    Number(u64),
}

/// Why a text names no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a run such as `shop#3`, `shop/3` or `3`, found `{0}`")]
pub struct ParseRunNameError(String);

impl FromStr for RunName {
    type Err = ParseRunNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(number) = text.trim_start_matches('#').parse() {
            return Ok(Self::Number(number));
        }
        let full = text.replacen('/', "#", 1).parse().map(Self::Full);
        full.map_err(|_| ParseRunNameError(text.to_owned()))
    }
}

impl RunName {
    /// The run that is meant; a bare number needs a server with one project.
    pub async fn resolve(&self, client: &Client) -> anyhow::Result<RunId> {
        let number = match self {
            Self::Full(id) => return Ok(id.clone()),
            Self::Number(number) => *number,
        };
        let projects: Value = client.get("projects").await?;
        let names = projects["items"].as_array().into_iter().flatten();
        let names: Vec<_> = names.filter_map(|it| it["name"].as_str()).collect();
        let [only] = names.as_slice() else {
            bail!("`{number}` could be a run of {} projects; name it in full, e.g. `{}#{number}`", names.len(), names.first().unwrap_or(&"shop"));
        };
        let project: ProjectName = only.parse().context("the server's answer is not readable")?;
        Ok(RunId { project, number })
    }
}

/// An id as the server knows it: the bare number of a run (`3`, `#3`) is written out, a name that
/// only git knows here becomes its commit. Four digits and more begin a commit.
pub async fn expand(client: &Client, id: &str) -> anyhow::Result<String> {
    let is_number = id.starts_with('#') || id.len() < 4;
    match id.parse() {
        Ok(name @ RunName::Number(_)) if is_number => Ok(name.resolve(client).await?.to_string()),
        _ => Ok(local_name(id)),
    }
}

/// The place of a run in the API.
pub fn path_of(id: &RunId) -> String {
    format!("{}/{}", id.project, id.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_in_three_ways() {
        let full = |text: &str| RunName::Full(text.parse().expect("a run"));
        for (text, expected) in [
            ("shop#3", Some(full("shop#3"))),
            ("shop/3", Some(full("shop#3"))),
            ("3", Some(RunName::Number(3))),
            ("#3", Some(RunName::Number(3))),
            ("shop", None),
            ("shop/x", None),
        ] {
            assert_eq!(text.parse::<RunName>().ok(), expected, "{text}");
        }
    }
}
