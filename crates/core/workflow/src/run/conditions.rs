//! Decides `if`: whether it holds, and in words why it does not.

use std::sync::LazyLock;

use api::Conclusion;

use super::{Env, Outside, Reason, Run, leg_state::LegState, state::Ancestry, step_state::Part};
use crate::expr::{Expression, Scope, StatusFunctions};

static SUCCESS: LazyLock<Expression> = LazyLock::new(|| constant("success()"));
static ALWAYS: LazyLock<Expression> = LazyLock::new(|| constant("always()"));

fn constant(text: &str) -> Expression {
    Expression::parse(text).expect("a valid expression")
}

/// What a condition came to.
pub(super) enum Verdict {
    Holds,
    Fails(Reason),
    /// It has no value.
    Broken(String),
}

/// The status functions of a step look at its job, or its composite action, so far.
pub(super) struct JobSoFar {
    pub failed: bool,
    pub cancelled: bool,
}

impl JobSoFar {
    pub fn of(leg: &LegState) -> Self {
        Self {
            failed: leg.failed,
            cancelled: leg.cancelled.is_some(),
        }
    }

    pub fn word(&self) -> &'static str {
        match (self.cancelled, self.failed) {
            (true, _) => "cancelled",
            (false, true) => "failure",
            (false, false) => "success",
        }
    }
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
struct Ancestors<'a> {
    run: &'a Run,
    job: usize,
    cancelled: bool,
}

impl<'a> Ancestors<'a> {
    /// Id and result of each, in the order of the file.
    fn results(&self) -> impl Iterator<Item = (&'a str, Conclusion)> {
        let run = self.run;
        let all = run.work.ancestors(self.job).into_iter();
        all.filter_map(|it| Some((run.job(it).id.as_str(), run.job_state(it).result?)))
    }

    fn among(&self, jobs: &[String]) -> Vec<Conclusion> {
        let named = |id: &str| jobs.iter().any(|it| it.eq_ignore_ascii_case(id));
        let results = self.results().filter(|(id, _)| named(id));
        results.map(|(_, result)| result).collect()
    }

    /// The first ancestor that did not succeed; a skipped one points on to what skipped it.
    fn culprit(&self) -> Option<(&'a str, Conclusion)> {
        let results: Vec<_> = self.results().collect();
        let bad = |wanted| results.iter().find(|(_, it)| *it == wanted).copied();
        bad(Conclusion::Failure)
            .or_else(|| bad(Conclusion::Cancelled))
            .or_else(|| bad(Conclusion::Skipped))
    }
}

impl StatusFunctions for Ancestors<'_> {
    fn success(&self, jobs: &[String]) -> bool {
        if self.cancelled {
            return false;
        }
        if jobs.is_empty() {
            return !self.run.ancestry(self.job).flawed;
        }
        self.among(jobs).iter().all(|it| *it == Conclusion::Success)
    }

    fn failure(&self, jobs: &[String]) -> bool {
        if jobs.is_empty() {
            return self.run.ancestry(self.job).failed;
        }
        self.among(jobs).contains(&Conclusion::Failure)
    }

    fn cancelled(&self) -> bool {
        self.cancelled
    }
}

impl Run {
    /// Decides the `if` of a job whose needs are all over.
    pub(super) fn job_condition(&self, job: usize) -> Verdict {
        let cancelled = self.cancellation(job);
        let status = Ancestors {
            run: self,
            job,
            cancelled: cancelled.is_some(),
        };
        let mut scope = self.needs_scope(job);
        scope.set_status(&status);
        let condition = self.job(job).condition.as_ref();
        let verdict = decide(condition, &SUCCESS, &scope);
        let Verdict::Fails(reason) = verdict else {
            return verdict;
        };
        let asks = condition.is_some_and(Expression::asks_status);
        if asks || status.success(&[]) {
            return Verdict::Fails(reason);
        }
        Verdict::Fails(match (cancelled, status.culprit()) {
            (Some(why), _) => Reason::new(format!("the run was cancelled: {why}")),
            (None, Some((id, result))) => Reason::ancestor(id, ended(result)),
            (None, None) => reason,
        })
    }

    /// What the ancestors of a job came to, from what its direct needs know of theirs.
    pub(super) fn ancestry(&self, job: usize) -> Ancestry {
        let mut all = Ancestry::default();
        for needed in self.work.needs_of(job) {
            let state = self.job_state(*needed);
            all.flawed |= state.ancestry.flawed || state.result != Some(Conclusion::Success);
            all.failed |= state.ancestry.failed || state.result == Some(Conclusion::Failure);
        }
        all
    }

    /// Why the run, or the job that calls the file of this one, was cancelled.
    fn cancellation(&self, job: usize) -> Option<&str> {
        if let Some(why) = &self.state.cancelled {
            return Some(why);
        }
        let (caller, leg) = self.frame(job).caller?;
        let called = self.leg(caller, leg).cancelled.as_deref();
        called.or_else(|| self.cancellation(caller))
    }

    /// Decides the `if` of a step on what its job, or its action, has come to.
    pub(super) fn step_condition(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        env: &Env,
        outside: &dyn Outside,
    ) -> Verdict {
        let sight = self.sight(job, leg, Some(index), outside);
        let scope = sight.scope_with(env);
        let (condition, default) = self.written_condition(job, leg, index);
        // A condition of a manifest stands as it is; those of steps hold only after success.
        let verdict = match self.step(job, leg, index).part {
            Part::Main | Part::WaitForRest => decide(condition, default, &scope),
            Part::Pre | Part::Post => judge(condition.unwrap_or(default), None, &scope),
        };
        let Verdict::Fails(mut reason) = verdict else {
            return verdict;
        };
        let masker = sight.secrets.masker();
        reason.text = masker.mask(&reason.text);
        reason.expanded = reason.expanded.map(|it| masker.mask(&it));
        let asks = condition.unwrap_or(default).asks_status() && condition.is_some();
        if asks || sight.status().success(&[]) {
            return Verdict::Fails(reason);
        }
        Verdict::Fails(match &self.leg(job, leg).cancelled {
            Some(why) => Reason::new(format!("the job was cancelled: {why}")),
            None if sight.status().cancelled => Reason::new("its action was cancelled"),
            None => Reason::new("an earlier step failed"),
        })
    }

    /// The condition that applies to a step, and the one for when there is none.
    fn written_condition(
        &self,
        job: usize,
        leg: usize,
        index: usize,
    ) -> (Option<&Expression>, &'static Expression) {
        let state = self.step(job, leg, index);
        let phases = || {
            self.manifest(job, leg, index)
                .and_then(|it| it.conditions())
        };
        match state.part {
            Part::Main => {
                let step = self.file_step(job, leg, index);
                let waits = step.is_some_and(|it| it.action.is_always());
                let condition = step.and_then(|it| it.condition.as_ref());
                (condition, if waits { &*ALWAYS } else { &*SUCCESS })
            }
            Part::Pre => (phases().and_then(|it| it.pre.as_ref()), &*ALWAYS),
            Part::Post => (phases().and_then(|it| it.post.as_ref()), &*ALWAYS),
            Part::WaitForRest => (None, &*ALWAYS),
        }
    }
}

impl crate::StepAction {
    /// Steps that only look after background steps run whatever happened.
    fn is_always(&self) -> bool {
        match self {
            Self::Wait(_) | Self::WaitAll | Self::Cancel(_) => true,
            Self::Run { .. } | Self::Uses { .. } | Self::Parallel(_) => false,
        }
    }
}

fn decide(
    condition: Option<&Expression>,
    default: &'static Expression,
    scope: &Scope<'_>,
) -> Verdict {
    let written = condition.unwrap_or(default);
    judge(written, Some(written.clone().as_condition()), scope)
}

/// Evaluates `whole` in place of what is written.
fn judge(written: &Expression, whole: Option<Expression>, scope: &Scope<'_>) -> Verdict {
    match whole.as_ref().unwrap_or(written).evaluate(scope) {
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
