//! Tries a way back in namespaces of its own, compares what was with what is, and leaves nothing behind.
//!
//! What is brought to the copy, and how, is the caller's: this crate makes the
//! namespaces, copies what the pods need, waits for health, compares and cleans up.
//! All it finds stands in a [`Drill`] record.

mod examine;
mod ground;
mod play;

use std::{sync::Arc, time::Duration};

use api::{Drill, DrillFinding, DrillState, DrillStep, DrillStepState};
use delivery::drill::Objects;
use futures_util::future::BoxFuture;
use names::Timestamp;
use objects::{ClusterError, Discovery, KubeApi};
use oci::Images;
use store::{Records, TypedError};

/// So many past drills are kept.
const KEPT: usize = 50;

/// Brings objects to the cluster and deletes others; gives what was refused, in the server's words.
pub type Bring = Box<dyn Fn(Objects, Objects) -> BoxFuture<'static, Result<Vec<String>, ClusterError>> + Send + Sync>;

/// What a drill works with.
#[derive(Clone)]
pub struct Rehearsal {
    records: Arc<dyn Records>,
    cluster: KubeApi,
    discovery: Discovery,
    images: Arc<Images>,
    nodes: Nodes,
    opened: Timestamp,
}

/// Where the nodes of the cluster get their images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// From the store of this installation, and through it.
    ShareImages,
    /// From registries that only they can ask.
    PullThemselves,
}

/// The two states of a drill: `new` is left, `old` is gone back to.
pub struct Script {
    pub old_name: String,
    pub new_name: String,
    pub old: Objects,
    pub new: Objects,
    /// As whom the way back is tried out on the live objects, without writing.
    pub manager: String,
    /// How long one state may take to become healthy.
    pub patience: Duration,
    pub bring: Bring,
}

impl Rehearsal {
    pub fn new(records: Arc<dyn Records>, cluster: KubeApi, images: Arc<Images>, nodes: Nodes) -> Self {
        let discovery = Discovery::new(cluster.clone());
        Self { records, cluster, discovery, images, nodes, opened: store::now() }
    }

    /// Writes a new drill of `target` down; `None` while another one of it runs.
    pub async fn open(&self, target: &str) -> Result<Option<Drill>, TypedError> {
        loop {
            let all = store::list::<Drill>(&*self.records, "").await?;
            if all.iter().any(|it| it.target == target && it.state == DrillState::Running) {
                return Ok(None);
            }
            let number = all.last().map_or(0, |it| it.number) + 1;
            let drill = Drill {
                number,
                target: target.to_owned(),
                to: String::new(),
                from: String::new(),
                state: DrillState::Running,
                namespaces: Vec::new(),
                steps: Vec::new(),
                findings: Vec::new(),
                started: store::now(),
                finished: None,
            };
            // Another one may have taken the number meanwhile.
            if store::create(&*self.records, &drill).await? {
                for old in all.iter().rev().skip(KEPT).filter(|it| it.state != DrillState::Running) {
                    store::remove::<Drill>(&*self.records, &Drill::key_of(old.number)).await?;
                }
                return Ok(Some(drill));
            }
        }
    }

    /// Ends a drill that has nothing to try.
    pub async fn close(&self, mut drill: Drill, finding: DrillFinding) -> Result<Drill, TypedError> {
        drill.findings.push(finding);
        drill.state = delivery::drill::verdict(&drill.findings, false);
        drill.finished = Some(store::now());
        store::put(&*self.records, &drill).await?;
        Ok(drill)
    }

    /// Cleans up after drills that an earlier server did not end.
    pub async fn sweep(&self) -> Result<(), TypedError> {
        let all = store::list::<Drill>(&*self.records, "").await?;
        for mut drill in all.into_iter().filter(|it| it.state == DrillState::Running && it.started < self.opened) {
            self.remove_namespaces(&drill).await;
            drill.findings.push(cut_short("the server ended while the drill was running"));
            for step in drill.steps.iter_mut().filter(|it| it.state == DrillStepState::Running) {
                (step.state, step.finished) = (DrillStepState::Failed, Some(store::now()));
            }
            (drill.state, drill.finished) = (DrillState::Unproven, Some(store::now()));
            store::put(&*self.records, &drill).await?;
        }
        Ok(())
    }
}

fn cut_short(message: &str) -> DrillFinding {
    DrillFinding {
        weight: api::DrillWeight::Unproven,
        code: "LF-D0309".to_owned(),
        object: None,
        message: message.to_owned(),
        help: "run the drill again".to_owned(),
    }
}

/// Begins a step.
fn step(name: &str) -> DrillStep {
    DrillStep { name: name.to_owned(), state: DrillStepState::Running, message: String::new(), started: store::now(), finished: None }
}
