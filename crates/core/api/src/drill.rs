//! A drill: a way back that is tried in a copy, and what was found.

use std::fmt;

use names::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ObjectRef, Record};

/// One drill, from its beginning to its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Counts all drills of the installation.
    pub number: u64,
    /// An app, or `PROJECT/ENVIRONMENT`.
    pub target: String,
    /// What is gone back to, e.g. `deployment 3`.
    #[serde(default)]
    pub to: String,
    /// What is left, e.g. `deployment 4`.
    #[serde(default)]
    pub from: String,
    pub state: DrillState,
    /// The namespaces that hold the copy; all are gone when the drill is over.
    #[serde(default)]
    pub namespaces: Vec<String>,
    pub steps: Vec<DrillStep>,
    pub findings: Vec<DrillFinding>,
    pub started: Timestamp,
    #[serde(default)]
    pub finished: Option<Timestamp>,
}

/// What a drill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillState {
    Running,
    /// The copy went back, and everything is as it was.
    Proven,
    /// Something stands in the way.
    Blocked,
    /// It could not be tried to the end, so nothing is known.
    Unproven,
}

/// One thing that a drill does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillStep {
    pub name: String,
    pub state: DrillStepState,
    #[serde(default)]
    pub message: String,
    pub started: Timestamp,
    #[serde(default)]
    pub finished: Option<Timestamp>,
}

/// How far a step of a drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillStepState {
    Running,
    Done,
    Failed,
}

/// Something that a person should know before they need the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillFinding {
    pub weight: DrillWeight,
    pub code: String,
    #[serde(default)]
    pub object: Option<ObjectRef>,
    pub message: String,
    /// What leads on.
    #[serde(default)]
    pub help: String,
}

/// What a finding means for the way back, from worst to mildest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillWeight {
    /// The way back would fail, or would not bring back what was.
    Blocks,
    /// The drill cannot tell.
    Unproven,
    Note,
}

impl fmt::Display for DrillState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Proven => "proven",
            Self::Blocked => "blocked",
            Self::Unproven => "unproven",
        })
    }
}

impl Drill {
    /// The key of a drill by its number.
    pub fn key_of(number: u64) -> String {
        format!("{number:010}")
    }
}

impl Record for Drill {
    const KIND: &'static str = "drill";

    fn key(&self) -> String {
        Self::key_of(self.number)
    }
}
