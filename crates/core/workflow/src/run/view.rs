//! A run as people see it.

use api::{Conclusion, Status};
use names::Timestamp;

use super::{
    JobKey, Reason, Run,
    state::{JobPhase, LegPhase, LegState, StepPhase, StepState},
    steps::static_name,
};

/// One leg of one job, for pages and records.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    pub key: JobKey,
    pub name: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    /// Why it waits, was skipped or failed.
    pub reason: Option<Reason>,
    /// Restarts, dropped outputs and the like.
    pub notes: Vec<String>,
    pub environment: Option<String>,
    pub needs: Vec<String>,
    pub attempt: u32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub steps: Vec<StepView>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    pub name: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    pub reason: Option<String>,
    pub exit_code: Option<i32>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

impl Run {
    /// Every job in the order of the file; a matrix shows one entry per leg once it is known.
    pub fn jobs(&self) -> Vec<JobView> {
        (0..self.state.jobs.len())
            .flat_map(|job| self.job_views(job))
            .collect()
    }

    /// The outputs of a job that is over.
    pub fn outputs(&self, job: &str) -> &[(String, String)] {
        let state = self.state.jobs.iter().find(|it| it.id == job);
        state.map_or(&[], |it| it.outputs.as_slice())
    }

    fn job_views(&self, job: usize) -> Vec<JobView> {
        let state = self.job_state(job);
        let file = self.job(job);
        if !state.legs.is_empty() {
            return (0..state.legs.len())
                .map(|leg| self.leg_view(job, leg))
                .collect();
        }
        let over = state.phase == JobPhase::Done;
        vec![JobView {
            key: self.key(job, 0),
            name: file
                .name
                .as_ref()
                .and_then(|it| it.as_literal())
                .unwrap_or(&file.id)
                .to_owned(),
            status: if over {
                Status::Completed
            } else {
                Status::Queued
            },
            conclusion: state.result,
            reason: state.reason.clone().or_else(|| self.waits_for(job)),
            notes: Vec::new(),
            environment: file
                .environment
                .as_ref()
                .and_then(|it| it.name.as_literal())
                .map(str::to_owned),
            needs: file.needs.clone(),
            attempt: 0,
            started: None,
            finished: None,
            steps: if over {
                Vec::new()
            } else {
                file.steps
                    .iter()
                    .map(|it| waiting(static_name(it)))
                    .collect()
            },
        }]
    }

    fn leg_view(&self, job: usize, leg: usize) -> JobView {
        let state = self.leg(job, leg);
        let (status, waits) = match state.phase {
            LegPhase::Queued => (
                Status::Queued,
                Some(Reason::new(
                    "it waits for another leg: `max-parallel` is reached",
                )),
            ),
            LegPhase::Starting => (
                Status::Queued,
                Some(Reason::new("it waits for its executor")),
            ),
            LegPhase::Running => (Status::Running, None),
            LegPhase::Done => (Status::Completed, None),
        };
        JobView {
            key: self.key(job, leg),
            name: state.name.clone(),
            status,
            conclusion: state.conclusion,
            reason: state.reason.clone().or(waits),
            notes: notes(state),
            environment: state.environment.clone(),
            needs: self.job(job).needs.clone(),
            attempt: state.attempt,
            started: state.started,
            finished: state.finished,
            steps: state.steps.iter().map(step_view).collect(),
        }
    }
}

fn notes(state: &LegState) -> Vec<String> {
    let tolerated = state
        .tolerated
        .then(|| "it failed, but `continue-on-error` lets the run go on".to_owned());
    state.notes.iter().cloned().chain(tolerated).collect()
}

fn step_view(step: &StepState) -> StepView {
    StepView {
        name: step.name.clone(),
        status: match step.phase {
            StepPhase::Pending | StepPhase::Ready => Status::Queued,
            StepPhase::Running => Status::Running,
            StepPhase::Done => Status::Completed,
        },
        conclusion: step.conclusion,
        reason: step.reason.clone(),
        exit_code: step.exit_code,
        started: step.started,
        finished: step.finished,
    }
}

fn waiting(name: String) -> StepView {
    StepView {
        name,
        status: Status::Queued,
        conclusion: None,
        reason: None,
        exit_code: None,
        started: None,
        finished: None,
    }
}
