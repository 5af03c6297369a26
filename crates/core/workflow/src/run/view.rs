//! A run as people see it.

use api::{Conclusion, Status};
use names::Timestamp;

use super::{
    JobKey, Phase, Reason, Run,
    leg_state::{LegPhase, LegState},
    state::{Gate, JobPhase},
    step_state::{StepPhase, StepState},
};
use crate::command::Annotation;

/// One leg of one job, for pages and records.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    pub key: JobKey,
    pub name: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    /// Why it waits, was skipped or failed.
    pub reason: Option<Reason>,
    /// Restarts, dropped outputs, tolerated failures, wrong inputs and the like.
    pub notes: Vec<String>,
    pub environment: Option<String>,
    pub environment_url: Option<String>,
    /// Keys of the jobs it needs.
    pub needs: Vec<String>,
    pub attempt: u32,
    /// The attempt at the whole run that started it.
    pub run_attempt: u32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// In the order in which they run; those inside an action follow it.
    pub steps: Vec<StepView>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// As in [`super::StepKey`].
    pub index: usize,
    /// The index of the composite action or `parallel` block inside which it runs.
    pub within: Option<usize>,
    pub phase: Phase,
    pub background: bool,
    pub name: String,
    pub status: Status,
    /// What counts: with `continue-on-error` a success.
    pub conclusion: Option<Conclusion>,
    /// How it really ended.
    pub outcome: Option<Conclusion>,
    pub reason: Option<String>,
    pub exit_code: Option<i32>,
    pub annotations: Vec<Annotation>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

impl Run {
    /// Every job in the order of the file; a matrix shows one entry per leg once it
    /// is known, and a call the jobs of the called file.
    pub fn jobs(&self) -> Vec<JobView> {
        self.frame_views(0)
    }

    /// The outputs of a job that is over, by its id or, in a called file, its key without leg.
    pub fn outputs(&self, job: &str) -> &[(String, String)] {
        let state = self.work.job(job).map(|it| self.job_state(it));
        state.map_or(&[], |it| it.outputs.as_slice())
    }

    fn frame_views(&self, frame: usize) -> Vec<JobView> {
        let jobs = self.jobs_of(frame);
        jobs.flat_map(|job| self.job_views(job)).collect()
    }

    fn needs_of(&self, job: usize) -> Vec<String> {
        let needs = self.work.needs_of(job).iter();
        needs.map(|it| self.job_state(*it).id.clone()).collect()
    }

    fn job_views(&self, job: usize) -> Vec<JobView> {
        let state = self.job_state(job);
        let file = self.job(job);
        if !state.legs.is_empty() {
            return (0..state.legs.len())
                .flat_map(|leg| self.leg_views(job, leg))
                .collect();
        }
        let over = state.phase == JobPhase::Done;
        let name = file.name.as_ref().and_then(|it| it.as_literal());
        let environment = file.environment.as_ref();
        vec![JobView {
            key: self.key(job, 0),
            name: self.full_name(job, name.unwrap_or(&file.id)),
            status: if over {
                Status::Completed
            } else {
                Status::Queued
            },
            conclusion: state.result,
            reason: state.reason.clone().or_else(|| self.waits_for(job)),
            notes: Vec::new(),
            environment: environment
                .and_then(|it| it.name.as_literal())
                .map(str::to_owned),
            environment_url: None,
            needs: self.needs_of(job),
            attempt: 0,
            run_attempt: self.state.run_attempt(),
            started: None,
            finished: None,
            steps: if over {
                Vec::new()
            } else {
                let steps = StepState::of_file(&file.steps);
                steps
                    .iter()
                    .enumerate()
                    .map(|(at, step)| view(at, step))
                    .collect()
            },
        }]
    }

    fn leg_views(&self, job: usize, leg: usize) -> Vec<JobView> {
        let state = self.leg(job, leg);
        if let Some(frame) = state.frame {
            let is_empty = self.jobs_of(frame).is_empty();
            if !is_empty && !self.state.frames.get(frame).is_none_or(|it| it.gone) {
                let mut views = self.frame_views(frame);
                // What only the call itself can tell stands beside its jobs.
                let own_end = state.conclusion.is_some_and(|it| it == Conclusion::Failure)
                    && self.overall(frame) != Conclusion::Failure;
                if own_end || !state.notes.is_empty() {
                    views.push(self.leg_view(job, leg));
                }
                return views;
            }
        }
        vec![self.leg_view(job, leg)]
    }

    fn leg_view(&self, job: usize, leg: usize) -> JobView {
        let state = self.leg(job, leg);
        let status = match state.phase {
            LegPhase::Running => Status::Running,
            LegPhase::Done => Status::Completed,
            LegPhase::Preparing | LegPhase::Calling => Status::Running,
            LegPhase::Queued
            | LegPhase::Group
            | LegPhase::Approval
            | LegPhase::Timer
            | LegPhase::Loading
            | LegPhase::Starting => Status::Queued,
        };
        let mut steps = Vec::new();
        for index in &state.order {
            push_views(state, *index, &mut steps);
        }
        JobView {
            key: self.key(job, leg),
            name: state.name.clone(),
            status,
            conclusion: state.conclusion,
            reason: state.reason.clone().or_else(|| waits(state)),
            notes: notes(state),
            environment: state.environment.clone(),
            environment_url: state.environment_url.clone(),
            needs: self.needs_of(job),
            attempt: state.attempt,
            run_attempt: state.run_attempt,
            started: state.started,
            finished: state.finished,
            steps,
        }
    }

    /// What a job that has no legs yet waits for.
    fn waits_for(&self, job: usize) -> Option<Reason> {
        let open = |it: &&usize| self.job_state(**it).phase != JobPhase::Done;
        let open: Vec<_> = self.work.needs_of(job).iter().filter(open).collect();
        let Some(first) = open.first() else {
            let Gate::Wanted(group) = &self.frame(job).group else {
                return None;
            };
            return Some(group_reason(
                &group.name,
                group.waits.as_deref(),
                "its workflow",
            ));
        };
        let names: Vec<_> = open
            .iter()
            .map(|it| format!("`{}`", self.job_state(**it).id))
            .collect();
        Some(Reason {
            text: format!("it waits for {}", names.join(", ")),
            ancestor: Some(self.job_state(**first).id.clone()),
            ..Reason::default()
        })
    }
}

fn group_reason(group: &str, waits: Option<&str>, whose: &str) -> Reason {
    let why = waits.map(|it| format!(": {it}")).unwrap_or_default();
    Reason::new(format!(
        "it waits for the concurrency group `{group}` of {whose}{why}"
    ))
}

/// Why a leg has not started.
fn waits(state: &LegState) -> Option<Reason> {
    let told = |default: &str| {
        let text = state
            .waits
            .as_deref()
            .map(|it| format!("it waits for {it}"));
        Some(Reason::new(text.unwrap_or_else(|| default.to_owned())))
    };
    match state.phase {
        LegPhase::Queued => told("it waits for another leg: `max-parallel` is reached"),
        LegPhase::Group => match &state.group {
            Gate::Wanted(group) => {
                Some(group_reason(&group.name, group.waits.as_deref(), "the job"))
            }
            Gate::Unknown | Gate::Open | Gate::Held(_) => None,
        },
        LegPhase::Approval => {
            let environment = state.environment.as_deref().unwrap_or_default();
            told(&format!(
                "it waits for leave to use the environment `{environment}`"
            ))
        }
        LegPhase::Timer => told("it waits for the wait timer of its environment"),
        LegPhase::Loading => told("it waits for the workflow file that it calls"),
        LegPhase::Starting => told("it waits for its executor"),
        LegPhase::Preparing => told("its actions are fetched"),
        LegPhase::Calling | LegPhase::Running | LegPhase::Done => None,
    }
}

fn notes(state: &LegState) -> Vec<String> {
    let tolerated = state
        .tolerated
        .then(|| "it failed, but `continue-on-error` lets the run go on".to_owned());
    state.notes.iter().cloned().chain(tolerated).collect()
}

fn push_views(state: &LegState, index: usize, into: &mut Vec<StepView>) {
    let Some(step) = state.steps.get(index) else {
        return;
    };
    into.push(view(index, step));
    for child in &step.children {
        push_views(state, *child, into);
    }
}

fn view(index: usize, step: &StepState) -> StepView {
    StepView {
        index,
        within: step.within,
        phase: step.part.phase(),
        background: step.background,
        name: step.name.clone(),
        status: match step.phase {
            StepPhase::Pending | StepPhase::Ready => Status::Queued,
            StepPhase::Loading
            | StepPhase::Preparing
            | StepPhase::Running
            | StepPhase::Inside
            | StepPhase::Waiting => Status::Running,
            StepPhase::Done => Status::Completed,
        },
        conclusion: step.conclusion,
        outcome: step.outcome,
        reason: step.reason.clone(),
        exit_code: step.exit_code,
        annotations: step.annotations.clone(),
        started: step.started,
        finished: step.finished,
    }
}
