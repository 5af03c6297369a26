//! What the node has seen of one pod: how far its preparation is and how its containers are.
//!
//! [`crate::plan`] reads this to decide, [`crate::status`] to tell. It changes only
//! through [`Seen::begin`] and [`Seen::learn`], so an action is never begun twice.

use std::{collections::BTreeMap, net::IpAddr};

use names::Timestamp;

use crate::{
    backoff::{BackOff, PREPARATIONS, PULLS, RESTARTS},
    plan::{Action, StopCause},
    task::{Problem, Task},
};

/// Everything seen of one pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub network: Task<()>,
    pub address: Option<IpAddr>,
    pub volumes: Task<()>,
    pub containers: BTreeMap<String, ContainerSeen>,
    /// When the node first saw the pod.
    pub accepted: Option<Timestamp>,
    pub drained: Task<()>,
    pub released: Task<()>,
    pub cleaned: Task<()>,
    pub deleted: Task<()>,
    /// The API no longer has the pod.
    pub gone: bool,
    /// The init containers are through, once and for all.
    pub initialized: bool,
    /// Why the pod as a whole has failed, if the node decided so.
    pub failure: Option<Problem>,
}

/// What was seen of one container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerSeen {
    pub image: Task<PulledImage>,
    pub run: Run,
    /// Why the last try to make it was refused.
    pub refusal: Option<Problem>,
    pub(crate) refusals: BackOff,
    /// The end before the present state.
    pub last: Option<Ended>,
    pub restarts: u32,
    pub back_off: BackOff,
    /// The back-off that was last told in an event, so that it is told once.
    pub told: Option<Timestamp>,
}

/// An image that lies ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledImage {
    /// `docker.io/library/nginx@sha256:…`
    pub id: String,
    pub digest: names::Digest,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub enum Run {
    #[default]
    Never,
    Starting,
    /// It could not even be made; tried again later.
    Refused {
        retry: Timestamp,
    },
    Running(Running),
    Ended(Ended),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    pub id: String,
    pub since: Timestamp,
    pub started: bool,
    pub ready: bool,
    pub stopping: Option<StopCause>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub id: String,
    pub exit_code: i32,
    pub reason: String,
    pub message: String,
    pub started: Timestamp,
    pub finished: Timestamp,
}

impl Ended {
    /// The reason of an end that nobody saw.
    pub const LOST: &str = "ContainerStatusUnknown";

    /// Whether it went away with the machine or its spawner.
    pub fn was_lost(&self) -> bool {
        self.reason == Self::LOST
    }
}

/// News that changes what is seen.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    Network(Result<IpAddr, Problem>),
    Volumes(Result<(), Problem>),
    /// Something that preparations wait for may be there.
    SourceSeen,
    /// Something that a preparation was made from has changed.
    SourceChanged,
    Image {
        container: String,
        result: Result<PulledImage, Problem>,
    },
    Started {
        container: String,
        id: String,
        at: Timestamp,
    },
    /// It could not be made: nothing ran.
    Refused {
        container: String,
        problem: Problem,
    },
    /// Its hook is through and its startup probe, if any, has passed.
    StartupPassed {
        container: String,
    },
    Ready {
        container: String,
        ready: bool,
    },
    /// A hook or a probe wants it stopped.
    MustStop {
        container: String,
        cause: StopCause,
    },
    Ended {
        container: String,
        ended: Ended,
    },
    Drained,
    NetworkReleased,
    Cleaned(Result<(), Problem>),
    Deleted(Result<(), Problem>),
}

impl Seen {
    /// Marks an action as begun, so that it is not decided again.
    pub fn begin(&mut self, action: &Action, now: Timestamp) {
        match action {
            Action::PrepareNetwork => self.network.begin(),
            Action::PrepareVolumes => self.volumes.begin(),
            Action::Pull(name) => self.container(name).image.begin(),
            Action::Start { container, .. } => self.container(container).begin_start(now),
            Action::Stop { container, cause } => self.live(container, |running| {
                running.stopping = Some(cause.clone());
                running.ready = false;
            }),
            Action::TellBackOff { container } => {
                let seen = self.container(container);
                seen.told = match &seen.run {
                    Run::Ended(ended) => Some(ended.finished),
                    Run::Never | Run::Starting | Run::Refused { .. } | Run::Running(_) => None,
                };
            }
            Action::Fail(problem) => self.failure = Some(problem.clone()),
            Action::Initialized => self.initialized = true,
            Action::Drain => self.drained.begin(),
            Action::ReleaseNetwork => self.released.begin(),
            Action::CleanUp => self.cleaned.begin(),
            Action::Delete => self.deleted.begin(),
            Action::Leave => {}
        }
    }

    /// Takes in news; what it means for the pod is decided elsewhere.
    pub fn learn(&mut self, news: News, now: Timestamp) {
        match news {
            News::Network(Ok(address)) => {
                self.network.succeed(());
                self.address = Some(address);
            }
            News::Network(Err(problem)) => self.network.fail(problem, now, PREPARATIONS),
            News::Volumes(result) => learn(&mut self.volumes, result, now),
            News::SourceSeen | News::SourceChanged => self.hasten(now),
            News::Image { container, result } => match result {
                Ok(image) => self.container(&container).image.succeed(image),
                Err(problem) => self.container(&container).image.fail(problem, now, PULLS),
            },
            News::Started { container, id, at } => {
                let seen = self.container(&container);
                (seen.refusal, seen.refusals) = (None, BackOff::default());
                seen.run = Run::Running(Running::new(id, at));
            }
            News::Refused { container, problem } => {
                let seen = self.container(&container);
                seen.refusals.next(now, now, PREPARATIONS);
                seen.refusal = Some(problem);
                seen.run = Run::Refused {
                    retry: now + seen.refusals.delay(),
                };
            }
            News::StartupPassed { container } => {
                self.live(&container, |running| running.started = true)
            }
            News::Ready { container, ready } => {
                self.live(&container, |running| {
                    running.ready = ready && running.stopping.is_none()
                });
            }
            News::Ended { container, ended } => self.container(&container).run = Run::Ended(ended),
            News::Drained => self.drained.succeed(()),
            News::NetworkReleased => self.released.succeed(()),
            News::Cleaned(result) => learn(&mut self.cleaned, result, now),
            News::Deleted(result) => learn(&mut self.deleted, result, now),
            // The worker turns this one into a stop, which `begin` marks.
            News::MustStop { .. } => {}
        }
    }

    pub fn container(&mut self, name: &str) -> &mut ContainerSeen {
        self.containers.entry(name.to_owned()).or_default()
    }

    pub fn run(&self, name: &str) -> &Run {
        self.containers
            .get(name)
            .map_or(&Run::Never, |seen| &seen.run)
    }

    pub fn running(&self, name: &str) -> Option<&Running> {
        match self.run(name) {
            Run::Running(running) => Some(running),
            Run::Never | Run::Starting | Run::Refused { .. } | Run::Ended(_) => None,
        }
    }

    /// Whether any container runs or is about to.
    pub fn is_alive(&self) -> bool {
        self.containers
            .values()
            .any(|seen| matches!(seen.run, Run::Starting | Run::Running(_)))
    }

    fn live(&mut self, name: &str, change: impl FnOnce(&mut Running)) {
        if let Run::Running(running) = &mut self.container(name).run {
            change(running);
        }
    }

    fn hasten(&mut self, now: Timestamp) {
        self.volumes.hasten(now);
        for seen in self.containers.values_mut() {
            if let Run::Refused { retry } = &mut seen.run {
                *retry = now.min(*retry);
            }
        }
    }
}

fn learn(task: &mut Task<()>, result: Result<(), Problem>, now: Timestamp) {
    match result {
        Ok(()) => task.succeed(()),
        Err(problem) => task.fail(problem, now, PREPARATIONS),
    }
}

impl ContainerSeen {
    fn begin_start(&mut self, now: Timestamp) {
        if let Run::Ended(ended) = std::mem::replace(&mut self.run, Run::Starting) {
            if !ended.was_lost() {
                self.back_off.next(ended.finished, now, RESTARTS);
            }
            self.last = Some(ended);
            self.restarts += 1;
        }
    }

    /// Until when its restart must wait; a container that was lost did nothing wrong.
    pub fn restart_due(&self, ended: &Ended, now: Timestamp) -> Option<Timestamp> {
        let due = self.back_off.wait_until(ended.finished, now, RESTARTS)?;
        (!ended.was_lost()).then_some(due)
    }

    /// Whether it has ever run.
    pub fn has_run(&self) -> bool {
        self.restarts > 0 || matches!(self.run, Run::Running(_) | Run::Ended(_))
    }
}

impl Running {
    pub fn new(id: String, since: Timestamp) -> Self {
        Self {
            id,
            since,
            started: false,
            ready: false,
            stopping: None,
        }
    }
}
