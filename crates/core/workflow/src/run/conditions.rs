//! Decides `if`: whether it holds, and in words why it does not.

use api::Conclusion;

use super::{Outside, Reason, Run};
use crate::expr::{Expression, Scope, StatusFunctions};

/// What a condition came to.
pub(super) enum Verdict {
    Holds,
    Fails(Reason),
    /// It has no value.
    Broken(String),
}

/// The status functions of a step look at its job so far.
struct JobSoFar {
    failed: bool,
    cancelled: bool,
}

impl StatusFunctions for JobSoFar {
    fn success(&self, _jobs: &[String]) -> bool {
        !self.failed && !self.cancelled
    }

    fn failure(&self, _jobs: &[String]) -> bool {
        self.failed && !self.cancelled
    }

    fn cancelled(&self) -> bool {
        self.cancelled
    }
}

/// The status functions of a job look at all its ancestors.
struct Ancestors {
    results: Vec<(String, Conclusion)>,
    cancelled: bool,
}

impl Ancestors {
    fn among<'a>(&'a self, jobs: &'a [String]) -> impl Iterator<Item = Conclusion> {
        self.results
            .iter()
            .filter(|(id, _)| jobs.is_empty() || jobs.iter().any(|it| it.eq_ignore_ascii_case(id)))
            .map(|(_, result)| *result)
    }

    /// The first ancestor that did not succeed; a skipped one points on to what skipped it.
    fn culprit(&self) -> Option<&(String, Conclusion)> {
        let bad = |wanted: &[Conclusion]| self.results.iter().find(|(_, it)| wanted.contains(it));
        bad(&[Conclusion::Failure])
            .or_else(|| bad(&[Conclusion::Cancelled]))
            .or_else(|| bad(&[Conclusion::Skipped]))
    }
}

impl StatusFunctions for Ancestors {
    fn success(&self, jobs: &[String]) -> bool {
        !self.cancelled && self.among(jobs).all(|it| it == Conclusion::Success)
    }

    fn failure(&self, jobs: &[String]) -> bool {
        self.among(jobs).any(|it| it == Conclusion::Failure)
    }

    fn cancelled(&self) -> bool {
        self.cancelled
    }
}

impl Run {
    /// Decides the `if` of a job whose needs are all over.
    pub(super) fn job_condition(&self, job: usize) -> Verdict {
        let ancestors = self.workflow.ancestors(&self.job(job).id);
        let ids = ancestors.iter().map(|it| it.id.as_str());
        let results = ids.filter_map(|id| {
            let state = self.state.jobs.iter().find(|it| it.id == id)?;
            Some((id.to_owned(), state.result?))
        });
        let status = Ancestors {
            results: results.collect(),
            cancelled: self.state.cancelled.is_some(),
        };
        let mut scope = self.needs_scope(job);
        scope.set_status(&status);
        let condition = self.job(job).condition.as_ref();
        let verdict = decide(condition, &scope);
        let Verdict::Fails(reason) = verdict else {
            return verdict;
        };
        let asks = condition.is_some_and(Expression::asks_status);
        if asks || status.success(&[]) {
            return Verdict::Fails(reason);
        }
        Verdict::Fails(match (&self.state.cancelled, status.culprit()) {
            (Some(why), _) => Reason::new(format!("the run was cancelled: {why}")),
            (None, Some((id, result))) => Reason::ancestor(id, ended(*result)),
            (None, None) => reason,
        })
    }

    /// Decides the `if` of a step on what its job has come to.
    pub(super) fn step_condition(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        env: &super::Env,
        outside: &dyn Outside,
    ) -> Verdict {
        let key = self.key(job, leg);
        let hash = |patterns: &[String]| outside.hash_files(&key, patterns);
        let state = self.leg(job, leg);
        let status = JobSoFar {
            failed: state.failed,
            cancelled: state.cancelled.is_some(),
        };
        let mut scope = self.step_scope(job, leg, outside.secrets(&key));
        scope
            .set_env(env.pairs())
            .set_status(&status)
            .set_hash_files(&hash);
        let condition = self
            .job(job)
            .steps
            .get(index)
            .and_then(|step| step.condition.as_ref());
        let verdict = decide(condition, &scope);
        let Verdict::Fails(mut reason) = verdict else {
            return verdict;
        };
        let masked = outside.secrets(&key).masker().mask(&reason.text);
        reason.text = masked;
        if condition.is_some_and(Expression::asks_status) || status.success(&[]) {
            return Verdict::Fails(reason);
        }
        Verdict::Fails(match &state.cancelled {
            Some(why) => Reason::new(format!("the job was cancelled: {why}")),
            None => Reason::new("an earlier step failed"),
        })
    }
}

fn decide(condition: Option<&Expression>, scope: &Scope<'_>) -> Verdict {
    let default = || Expression::parse("success()").expect("a valid expression");
    let written = condition.cloned().unwrap_or_else(default);
    match written.clone().as_condition().evaluate(scope) {
        Ok(value) if value.is_truthy() => Verdict::Holds,
        Ok(_) => Verdict::Fails(Reason::condition(written.text(), written.explain(scope))),
        Err(error) => Verdict::Broken(format!(
            "its condition `{}` has no value: {error}",
            written.text().trim()
        )),
    }
}

pub(super) fn ended(result: Conclusion) -> &'static str {
    match result {
        Conclusion::Success => "succeeded",
        Conclusion::Failure => "failed",
        Conclusion::Cancelled => "was cancelled",
        Conclusion::Skipped => "was skipped",
    }
}
