//! Writes down how a run stands, for people and other services.

use api::{Job, Run, Step};
use names::EnvironmentName;
use workflow::{JobView, StepView};

/// Brings the jobs that people see of `run` in line with its state machine.
pub fn update(run: &mut Run, machine: &workflow::Run) {
    let old = std::mem::take(&mut run.jobs);
    run.jobs = machine.jobs().into_iter().map(|job| view(job, &old)).collect();
}

/// The log of a job is known to the record alone, so it is kept.
fn view(job: JobView, old: &[Job]) -> Job {
    let id = job.key.to_string();
    let log = old.iter().find(|known| known.id == id).and_then(|known| known.log);
    let mut reason: Vec<_> = job.reason.iter().map(ToString::to_string).collect();
    reason.extend(job.notes);
    Job {
        name: job.name,
        status: job.status,
        conclusion: job.conclusion,
        reason: (!reason.is_empty()).then(|| reason.join("; ")),
        environment: job.environment.as_deref().map(environment),
        needs: job.needs,
        started: job.started,
        finished: job.finished,
        steps: job.steps.into_iter().map(step).collect(),
        log,
        id,
    }
}

fn step(step: StepView) -> Step {
    Step {
        name: step.name,
        status: step.status,
        conclusion: step.conclusion,
        reason: step.reason,
        exit_code: step.exit_code,
        started: step.started,
        finished: step.finished,
    }
}

/// The environment that a job names; names of environments may be any text, ours are DNS labels.
pub fn environment(name: &str) -> EnvironmentName {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(plain).take(63).collect();
    label.trim_matches('-').parse().unwrap_or_else(|_| EnvironmentName::production())
}
