//! Decides what a node does next for one pod.
//!
//! [`decide`] is pure: the pod, what was seen of it and the time go in, actions and
//! the time of the next look come out. The worker carries the actions out and marks
//! each as begun in [`Seen`]; so deciding twice decides nothing new.

use names::Timestamp;
use std::time::Duration;

use crate::{
    pod::{Container, Pod, RestartPolicy},
    seen::{ContainerSeen, Ended, Run, Seen},
    task::{Problem, Task},
};

/// One thing to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    PrepareNetwork,
    PrepareVolumes,
    /// Make the container's image present.
    Pull(String),
    Start {
        container: String,
        attempt: u32,
    },
    Stop {
        container: String,
        cause: StopCause,
    },
    /// Say in an event that a restart is being delayed.
    TellBackOff {
        container: String,
    },
    /// The init containers are through.
    Initialized,
    /// The pod as a whole has failed; its containers are to end.
    Fail(Problem),
    /// Take the pod out of service before its containers end.
    Drain,
    /// The pod is over but kept; its address may serve another.
    ReleaseNetwork,
    /// Remove everything the node made for the pod.
    CleanUp,
    /// Remove the pod from the API.
    Delete,
    /// Nothing is left to do, ever.
    Leave,
}

/// Why a container is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopCause {
    /// The pod ends.
    PodEnds,
    /// A probe or a hook found it bad; it restarts by the pod's policy.
    Unwell {
        message: String,
        grace_seconds: Option<u64>,
    },
}

/// What to do now, and when to look again if nothing happens before.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    pub actions: Vec<Action>,
    pub wake: Option<Timestamp>,
}

/// How long `ErrImagePull` is shown before `ImagePullBackOff` takes its place.
pub const PULL_ERROR_SHOWN: Duration = Duration::from_secs(3);

/// Decides what to do for `pod` at `now`.
pub fn decide(pod: &Pod, seen: &Seen, now: Timestamp) -> Decision {
    let mut plan = Planner {
        pod,
        seen,
        now,
        decision: Decision::default(),
    };
    if pod.is_being_deleted() || seen.gone {
        plan.end_pod();
    } else if seen.failure.is_some() || is_over(pod, seen) {
        plan.close_pod();
    } else {
        plan.run_pod();
    }
    plan.decision
}

/// Whether a container that ended will be started again while its pod lives.
pub fn restarts(pod: &Pod, container: &Container, ended: &Ended) -> bool {
    if container.is_sidecar() {
        return true;
    }
    let is_init = pod
        .spec
        .init_containers
        .iter()
        .any(|init| init.name == container.name);
    match pod.spec.restart_policy {
        // An init container that succeeded is through under every policy.
        RestartPolicy::Always => !is_init || ended.exit_code != 0,
        RestartPolicy::OnFailure => ended.exit_code != 0,
        RestartPolicy::Never => false,
    }
}

/// Whether every container has ended for good.
pub fn is_over(pod: &Pod, seen: &Seen) -> bool {
    if failed_init(pod, seen) {
        return true;
    }
    let over = |container: &Container| match seen.run(&container.name) {
        Run::Ended(ended) => !restarts(pod, container, ended),
        Run::Never | Run::Starting | Run::Refused { .. } | Run::Running(_) => false,
    };
    !pod.spec.containers.is_empty() && pod.spec.containers.iter().all(over)
}

/// Whether an init container failed and will not be tried again.
pub fn failed_init(pod: &Pod, seen: &Seen) -> bool {
    pod.spec.restart_policy == RestartPolicy::Never
        && !seen.initialized
        && pod
            .spec
            .init_containers
            .iter()
            .filter(|init| !init.is_sidecar())
            .any(|init| matches!(seen.run(&init.name), Run::Ended(ended) if ended.exit_code != 0))
}

struct Planner<'a> {
    pod: &'a Pod,
    seen: &'a Seen,
    now: Timestamp,
    decision: Decision,
}

impl Planner<'_> {
    fn run_pod(&mut self) {
        if let Some(problem) = self.deadline() {
            self.act(Action::Fail(problem));
            return self.stop_all();
        }
        self.prepare();
        self.pull_all();
        if !self.seen.network.is_done() || !self.seen.volumes.is_done() {
            return;
        }
        if !self.seen.initialized && !self.run_init() {
            return;
        }
        if !self.seen.initialized {
            self.act(Action::Initialized);
        } else {
            // A sidecar is kept alive for as long as the pod runs.
            for sidecar in self
                .pod
                .spec
                .init_containers
                .iter()
                .filter(|init| init.is_sidecar())
            {
                self.keep_running(sidecar);
            }
        }
        for container in &self.pod.spec.containers {
            self.keep_running(container);
        }
    }

    /// Brings the init containers forward; says whether all are through.
    fn run_init(&mut self) -> bool {
        for init in &self.pod.spec.init_containers {
            let through = match self.seen.run(&init.name) {
                Run::Running(running) if init.is_sidecar() => running.started,
                Run::Ended(ended) if !init.is_sidecar() => ended.exit_code == 0,
                Run::Never
                | Run::Starting
                | Run::Refused { .. }
                | Run::Running(_)
                | Run::Ended(_) => false,
            };
            if !through {
                self.keep_running(init);
                return false;
            }
        }
        true
    }

    /// Starts a container that should run and does not.
    fn keep_running(&mut self, container: &Container) {
        let default = ContainerSeen::default();
        let seen = self
            .seen
            .containers
            .get(&container.name)
            .unwrap_or(&default);
        let attempt = match &seen.run {
            Run::Starting | Run::Running(_) => return,
            Run::Refused { retry } if *retry > self.now => return self.wake_at(*retry),
            Run::Never | Run::Refused { .. } => seen.restarts,
            Run::Ended(ended) if !restarts(self.pod, container, ended) => return,
            Run::Ended(ended) => {
                if let Some(due) = seen.restart_due(ended, self.now) {
                    if seen.told != Some(ended.finished) {
                        self.act(Action::TellBackOff {
                            container: container.name.clone(),
                        });
                    }
                    return self.wake_at(due);
                }
                seen.restarts + 1
            }
        };
        if seen.image.is_done() {
            self.act(Action::Start {
                container: container.name.clone(),
                attempt,
            });
        }
    }

    fn prepare(&mut self) {
        let Seen {
            network, volumes, ..
        } = self.seen;
        self.attempt(network, Action::PrepareNetwork);
        self.attempt(volumes, Action::PrepareVolumes);
    }

    fn pull_all(&mut self) {
        let default = Task::default();
        for container in self.pod.all_containers() {
            let seen = self.seen.containers.get(&container.name);
            self.attempt(
                seen.map_or(&default, |seen| &seen.image),
                Action::Pull(container.name.clone()),
            );
            if let Some((_, Some(since))) = seen.and_then(|seen| seen.image.problem()) {
                // The reason that is shown changes then.
                self.wake_at(since + PULL_ERROR_SHOWN);
            }
        }
    }

    /// Begins a task that is due, or wakes when it will be.
    fn attempt<T>(&mut self, task: &Task<T>, action: Action) {
        if task.is_due(self.now) {
            self.act(action);
        } else if let Some(retry) = task.retry() {
            self.wake_at(retry);
        }
    }

    /// The pod has reached its end but its object stays.
    fn close_pod(&mut self) {
        self.stop_all();
        let released = !self.seen.network.is_done() || self.seen.released.is_done();
        if !self.seen.is_alive() && !released {
            self.attempt(&self.seen.released, Action::ReleaseNetwork);
        }
    }

    /// The pod is to go: drain, stop, clean up, delete.
    fn end_pod(&mut self) {
        let Seen {
            drained,
            cleaned,
            deleted,
            ..
        } = self.seen;
        if self.seen.is_alive() {
            if self.seen.address.is_some() && !drained.is_done() && !self.seen.gone {
                return self.attempt(drained, Action::Drain);
            }
            return self.stop_all();
        }
        if !cleaned.is_done() {
            return self.attempt(cleaned, Action::CleanUp);
        }
        if !deleted.is_done() && !self.seen.gone {
            return self.attempt(deleted, Action::Delete);
        }
        self.act(Action::Leave);
    }

    /// Stops what runs: first the containers, then the sidecars, last started first.
    fn stop_all(&mut self) {
        let is_alive =
            |c: &&Container| matches!(self.seen.run(&c.name), Run::Starting | Run::Running(_));
        let sidecars = |c: &&Container| c.is_sidecar();
        let spec = &self.pod.spec;
        let first: Vec<_> = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().filter(|c| !sidecars(c)))
            .filter(is_alive)
            .collect();
        let now: Vec<_> = match first.is_empty() {
            false => first,
            true => spec
                .init_containers
                .iter()
                .rev()
                .filter(sidecars)
                .find(is_alive)
                .into_iter()
                .collect(),
        };
        for container in now {
            if self
                .seen
                .running(&container.name)
                .is_some_and(|running| running.stopping.is_none())
            {
                self.act(Action::Stop {
                    container: container.name.clone(),
                    cause: StopCause::PodEnds,
                });
            }
        }
    }

    fn deadline(&mut self) -> Option<Problem> {
        let allowed = Duration::from_secs(self.pod.spec.active_deadline_seconds?);
        let due = self.seen.accepted? + allowed;
        if due <= self.now {
            return Some(Problem::new(
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
            ));
        }
        self.wake_at(due);
        None
    }

    fn act(&mut self, action: Action) {
        self.decision.actions.push(action);
    }

    fn wake_at(&mut self, time: Timestamp) {
        if time > self.now {
            self.decision.wake = Some(self.decision.wake.map_or(time, |wake| wake.min(time)));
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
