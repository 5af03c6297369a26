//! Why a job waits, was skipped or ended as it did, in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sentence for people, with what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub text: String,
    /// The condition that decided, as the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The condition with its values filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expanded: Option<String>,
    /// The job that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ancestor: Option<String>,
}

impl Reason {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(super) fn condition(condition: &str, expanded: String) -> Self {
        let condition = condition.trim();
        Self {
            text: format!("its condition `{condition}` does not hold: {expanded}"),
            condition: Some(condition.to_owned()),
            expanded: Some(expanded),
            ancestor: None,
        }
    }

    pub(super) fn ancestor(job: &str, what: &str) -> Self {
        Self {
            text: format!("it needs `{job}`, which {what}"),
            ancestor: Some(job.to_owned()),
            ..Self::default()
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
