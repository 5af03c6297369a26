//! Looks after one running container: its start hook, then its probes.

use std::{sync::Arc, time::Duration};

use names::Timestamp;

use crate::{
    api::now,
    context::Context,
    events::{Event, Level},
    handler::{self, Subject},
    plan::StopCause,
    pod::{Pod, Probe},
    probe::{Answer, ProbeKind, Rhythm, Tally, Verdict, Weight},
    seen::{News, Running},
};

/// A container that is looked after.
pub struct Care<T> {
    pub context: Arc<Context>,
    pub pod: Arc<Pod>,
    pub subject: Subject,
    /// As it was when the care began; an adopted container keeps what it had reached.
    pub running: Running,
    pub tell: T,
}

impl<T: Fn(News)> Care<T> {
    /// Runs until the container is found bad or nothing is left to look at.
    pub async fn run(self) {
        let container = &self.subject.container;
        if !self.running.started {
            if let Err(cause) = self.start_hook().await {
                return self.must_stop(cause);
            }
            if let Some(probe) = &container.startup_probe
                && let Err(cause) = self.watch(probe, ProbeKind::Startup, false).await
            {
                return self.must_stop(cause);
            }
            (self.tell)(News::StartupPassed {
                container: container.name.clone(),
            });
        }
        let readiness = async {
            match &container.readiness_probe {
                // Readiness never condemns; it goes on for as long as the container runs.
                Some(probe) => self
                    .watch(probe, ProbeKind::Readiness, self.running.ready)
                    .await
                    .err(),
                None => {
                    self.tell_ready(true);
                    std::future::pending().await
                }
            }
        };
        let liveness = async {
            match &container.liveness_probe {
                Some(probe) => self.watch(probe, ProbeKind::Liveness, true).await.err(),
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            cause = readiness => cause,
            cause = liveness => cause,
        };
        if let Some(cause) = cause {
            self.must_stop(cause);
        }
    }

    async fn start_hook(&self) -> Result<(), StopCause> {
        let Some(hook) = &self.subject.container.lifecycle.post_start else {
            return Ok(());
        };
        handler::hook(&self.subject, hook).await.map_err(|text| {
            self.event(
                Level::Warning,
                "FailedPostStartHook",
                format!("PostStartHook failed: {text}"),
            );
            StopCause::Unwell {
                message: "FailedPostStartHook".to_owned(),
                grace_seconds: None,
            }
        })
    }

    /// Probes until a startup probe passes, or until a startup or liveness probe fails for good.
    async fn watch(&self, probe: &Probe, kind: ProbeKind, passing: bool) -> Result<(), StopCause> {
        let mut tally = Tally::new(probe, passing);
        let mut rhythm = Rhythm::new(probe, kind);
        let limit = Duration::from_secs(probe.timeout_seconds.max(1));
        tokio::time::sleep(until(
            self.running.since + Duration::from_secs(probe.initial_delay_seconds),
        ))
        .await;
        loop {
            let answer = handler::probe(&self.subject, &probe.handler, limit).await;
            let (weight, delay) = rhythm.next(&answer);
            let verdict = match (&answer, weight) {
                (Answer::Failure(_), Weight::Ignored) => None,
                (Answer::Failure(text), Weight::Counts) => {
                    self.event(
                        Level::Warning,
                        "Unhealthy",
                        format!("{} probe failed: {text}", kind.title()),
                    );
                    tally.count(&answer)
                }
                (Answer::Success, _) => tally.count(&answer),
            };
            match (kind, verdict) {
                (ProbeKind::Startup, Some(Verdict::Passing)) => return Ok(()),
                (ProbeKind::Readiness, Some(Verdict::Passing)) => self.tell_ready(true),
                (ProbeKind::Readiness, Some(Verdict::Failing)) => self.tell_ready(false),
                (ProbeKind::Startup | ProbeKind::Liveness, Some(Verdict::Failing)) => {
                    let message = format!(
                        "Container {} failed {} probe, will be restarted",
                        self.subject.container.name,
                        kind.title().to_lowercase()
                    );
                    return Err(StopCause::Unwell {
                        message,
                        grace_seconds: probe.termination_grace_period_seconds,
                    });
                }
                (ProbeKind::Liveness, Some(Verdict::Passing)) | (_, None) => {}
            }
            tokio::time::sleep(delay).await;
        }
    }

    fn tell_ready(&self, ready: bool) {
        (self.tell)(News::Ready {
            container: self.subject.container.name.clone(),
            ready,
        });
    }

    fn must_stop(&self, cause: StopCause) {
        (self.tell)(News::MustStop {
            container: self.subject.container.name.clone(),
            cause,
        });
    }

    fn event(&self, level: Level, reason: &'static str, message: String) {
        let field_path = Some(self.pod.field_path(&self.subject.container.name));
        self.context.recorder.tell(
            &self.pod.metadata,
            Event {
                level,
                reason,
                message,
                field_path,
            },
        );
    }
}

/// How long it is until `time`.
pub fn until(time: Timestamp) -> Duration {
    time.since(now())
}
