//! Writes down how a run stands, for people and other services.

use api::{Annotation, AnnotationLevel, Job, Run, Step};
use names::{Digest, EnvironmentName};
use workflow::{
    JobKey, JobView, StepKey, StepView,
    command::{self, Level},
};

/// What the record says and the state machine does not know.
#[derive(Debug, Default)]
pub struct Told {
    pub concurrency: Option<String>,
    /// Logs that were sealed since the record was written.
    pub logs: Vec<(JobKey, Digest)>,
    pub summaries: Vec<(StepKey, Digest)>,
    /// Remarks about whole jobs.
    pub warnings: Vec<(JobKey, String)>,
}

/// Brings what people see of `run` in line with its state machine.
pub fn update(run: &mut Run, machine: &workflow::Run, told: &Told) {
    let old = std::mem::take(&mut run.jobs);
    run.jobs = machine.jobs().into_iter().map(|job| view(job, &old, told)).collect();
    run.attempt = machine.attempt();
    if told.concurrency.is_some() {
        run.concurrency.clone_from(&told.concurrency);
    }
}

/// Logs, summaries and remarks are known to the record alone, so they are kept.
fn view(job: JobView, old: &[Job], told: &Told) -> Job {
    let id = job.key.to_string();
    let known = old.iter().find(|known| known.id == id);
    let sealed = told.logs.iter().rev().find(|(key, _)| *key == job.key).map(|(_, log)| *log);
    let mut reason: Vec<_> = job.reason.iter().map(ToString::to_string).collect();
    reason.extend(job.notes);
    let mut annotations = known.map(|known| known.annotations.clone()).unwrap_or_default();
    for (_, message) in told.warnings.iter().filter(|(key, _)| *key == job.key) {
        let warning = Annotation {
            level: AnnotationLevel::Warning,
            message: message.clone(),
            title: None,
            file: None,
            line: None,
            end_line: None,
            column: None,
            end_column: None,
        };
        if !annotations.contains(&warning) {
            annotations.push(warning);
        }
    }
    let attempt = job.attempt;
    let summary = |index: usize| {
        let found = told.summaries.iter().rev();
        let mut found = found.filter(|(step, _)| step.job == job.key && step.attempt == attempt && step.index == index);
        let section = u32::try_from(index).ok();
        let old = known.and_then(|known| known.steps.iter().find(|step| step.section == section));
        found.next().map(|(_, summary)| *summary).or_else(|| old.and_then(|step| step.summary))
    };
    let parents: Vec<_> = job.steps.iter().map(|it| (it.index, it.within)).collect();
    let steps = job.steps.into_iter().map(|it| step(it, &parents, &summary)).collect();
    Job {
        name: job.name,
        status: job.status,
        conclusion: job.conclusion,
        reason: (!reason.is_empty()).then(|| reason.join("; ")),
        environment: job.environment.as_deref().map(environment),
        needs: job.needs,
        started: job.started,
        finished: job.finished,
        steps,
        annotations,
        log: sealed.or_else(|| known.and_then(|known| known.log)),
        id,
    }
}

/// How many steps a step lies inside of.
fn depth(step: &StepView, parents: &[(usize, Option<usize>)]) -> u32 {
    let mut depth = 0;
    let mut within = step.within;
    while let Some(parent) = within.filter(|_| depth < u32::try_from(parents.len()).unwrap_or(u32::MAX)) {
        depth += 1;
        within = parents.iter().find(|(index, _)| *index == parent).and_then(|(_, within)| *within);
    }
    depth
}

fn step(step: StepView, parents: &[(usize, Option<usize>)], summary: &dyn Fn(usize) -> Option<Digest>) -> Step {
    Step {
        depth: depth(&step, parents),
        name: step.name,
        section: u32::try_from(step.index).ok(),
        status: step.status,
        conclusion: step.conclusion,
        reason: step.reason,
        exit_code: step.exit_code,
        annotations: step.annotations.into_iter().map(annotation).collect(),
        summary: summary(step.index),
        started: step.started,
        finished: step.finished,
    }
}

fn annotation(annotation: command::Annotation) -> Annotation {
    Annotation {
        level: match annotation.level {
            Level::Error => AnnotationLevel::Failure,
            Level::Warning => AnnotationLevel::Warning,
            Level::Notice => AnnotationLevel::Notice,
        },
        message: annotation.message,
        title: annotation.title,
        file: annotation.file,
        line: annotation.line,
        end_line: annotation.end_line,
        column: annotation.column,
        end_column: annotation.end_column,
    }
}

/// The environment that a job names; names of environments may be any text, ours are DNS labels.
pub fn environment(name: &str) -> EnvironmentName {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(plain).take(63).collect();
    label.trim_matches('-').parse().unwrap_or_else(|_| EnvironmentName::production())
}
