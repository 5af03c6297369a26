//! What a driver does for its run: each effect of the state machine becomes a task.

use api::Run;
use workflow::{Effect, Event, GroupHolder, JobKey};

use super::{Driver, Report};
use crate::{approvals, calls, ending, groups, jobs, place::JobPlace, set_up, steps, tests};

/// Whether an effect may be carried out while the state that asks for it is still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A crash finds what it did and goes on from there: sandboxes, files and records have names that follow from the run.
    AtOnce,
    /// It destroys what an older state would still need.
    OnceWritten,
}

pub fn when(effect: &Effect) -> When {
    match effect {
        Effect::FinishJob(_) | Effect::FinishRun { .. } => When::OnceWritten,
        // The next attempt removes what the one before has left.
        Effect::StartJob(start) if start.attempt > 1 => When::OnceWritten,
        Effect::StartJob(_)
        | Effect::StartStep(_)
        | Effect::AdoptStep { .. }
        | Effect::AdoptJob { .. }
        | Effect::StopStep { .. }
        | Effect::PrepareActions { .. }
        | Effect::LoadAction { .. }
        | Effect::AcquireGroup(_)
        | Effect::RequestApproval { .. }
        | Effect::LoadWorkflow { .. } => When::AtOnce,
    }
}

/// Whether people should soon read of it; a step that begins can wait for company.
pub fn is_news(effect: &Effect) -> bool {
    match effect {
        Effect::StartStep(_)
        | Effect::AdoptStep { .. }
        | Effect::AdoptJob { .. }
        | Effect::StopStep { .. }
        | Effect::PrepareActions { .. }
        | Effect::LoadAction { .. } => false,
        Effect::AcquireGroup(_)
        | Effect::RequestApproval { .. }
        | Effect::LoadWorkflow { .. }
        | Effect::StartJob(_)
        | Effect::FinishJob(_)
        | Effect::FinishRun { .. } => true,
    }
}

impl Driver {
    /// What must be known of an effect before the state is stored.
    pub(super) fn foresee(&mut self, effect: &Effect) {
        match effect {
            Effect::FinishJob(end) => {
                self.closing.insert(end.job.clone());
            }
            Effect::FinishRun { conclusion } => self.conclusion = Some(*conclusion),
            Effect::AcquireGroup(request) if request.holder == GroupHolder::Run => {
                self.told.concurrency = Some(request.group.to_lowercase());
            }
            Effect::AcquireGroup(_)
            | Effect::RequestApproval { .. }
            | Effect::LoadWorkflow { .. }
            | Effect::StartJob(_)
            | Effect::AdoptJob { .. }
            | Effect::PrepareActions { .. }
            | Effect::LoadAction { .. }
            | Effect::StartStep(_)
            | Effect::AdoptStep { .. }
            | Effect::StopStep { .. } => {}
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        let (ci, out, id) = (self.ci.clone(), self.out.clone(), self.id.clone());
        match effect {
            Effect::AcquireGroup(request) => {
                self.tasks.spawn(async move { groups::acquire(&ci, &id, request, &out).await });
            }
            Effect::RequestApproval { job, environment } => {
                let git_ref = self.record.git_ref.clone();
                self.tasks.spawn(async move { approvals::request(&ci, &id, &git_ref, job, &environment, &out).await });
            }
            Effect::LoadWorkflow { job, reference, from } => {
                let is_own = self.github.get("repository").and_then(serde_json::Value::as_str) == Some(&from.repository);
                let home = if is_own { calls::Home::Run(id) } else { calls::Home::Other };
                self.tasks.spawn(async move { calls::load(&ci, &home, job, &reference, &from, &out).await });
            }
            Effect::StartJob(start) => {
                let (record, github) = (self.glance(), self.github.clone());
                self.tasks.spawn(async move { jobs::start(&ci, &record, &github, *start, &out).await });
            }
            Effect::AdoptJob { job, attempt } => {
                if !self.places.jobs.get(&job).is_some_and(|place| place.attempt == attempt) {
                    let reason = "its sandbox is gone".to_owned();
                    self.spawn_report(Event::JobLost { job, attempt, reason });
                }
            }
            Effect::PrepareActions { job, attempt, actions } => match self.place(&job, attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { set_up::prepare(&ci, &place, actions, &out).await });
                }
                None => self.lost(job, attempt),
            },
            Effect::LoadAction { job, attempt, path } => match self.place(&job, attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { set_up::load(&place, path, &out).await });
                }
                None => self.lost(job, attempt),
            },
            Effect::StartStep(start) => match self.place(&start.step.job, start.step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::start(&ci, &place, *start, &out).await });
                }
                None => self.lost(start.step.job, start.step.attempt),
            },
            Effect::AdoptStep { step } => match self.place(&step.job, step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::adopt(&ci, &place, step, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::StopStep { step, why } => match self.place(&step.job, step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::stop(&ci, &place, step, why, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::FinishJob(end) => {
                let place = self.places.jobs.get(&end.job).cloned();
                let outputs = self.machine.outputs(&end.job.id).to_vec();
                self.tasks.spawn(async move {
                    groups::release(&ci, &id, &end.job).await;
                    tests::prove(&ci, &id, &end, outputs).await;
                    ending::finish(&ci, &id, place, end, &out).await;
                });
            }
            Effect::FinishRun { .. } => {}
        }
    }

    fn place(&self, job: &JobKey, attempt: u32) -> Option<JobPlace> {
        self.places.jobs.get(job).filter(|place| place.attempt == attempt).cloned()
    }

    fn lost(&mut self, job: JobKey, attempt: u32) {
        let reason = "its sandbox is gone".to_owned();
        self.spawn_report(Event::JobLost { job, attempt, reason });
    }

    fn spawn_report(&mut self, event: Event) {
        let out = self.out.clone();
        // The receiver lives as long as the driver.
        self.tasks.spawn(async move { drop(out.send(Report::Event(event)).await) });
    }

    /// The record without what is large and only the driver needs.
    fn glance(&self) -> Run {
        let machine = serde_json::Value::Null;
        let Run { id, workflow, name, event, git_ref, subject, author, .. } = &self.record;
        Run {
            id: id.clone(),
            workflow: workflow.clone(),
            name: name.clone(),
            event: event.clone(),
            git_ref: git_ref.clone(),
            subject: subject.clone(),
            author: author.clone(),
            reason: None,
            jobs: Vec::new(),
            cancel_jobs: Vec::new(),
            again: Vec::new(),
            concurrency: None,
            cause: None,
            machine,
            ..self.record
        }
    }
}
