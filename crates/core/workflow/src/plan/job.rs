//! What becomes of each job.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{Contexts, Known};
use crate::{
    Job, Tree, Workflow,
    expr::{Expression, Scope, StatusFunctions},
    matrix::{self, Leg},
    tree::EntryKey,
};

/// A job as it would run.
#[derive(Clone, Debug)]
pub struct PlannedJob {
    pub id: String,
    pub needs: Vec<String>,
    pub fate: Fate,
    pub legs: Known<Vec<PlannedLeg>>,
    pub call: Option<PlannedCall>,
}

/// Whether a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Once the jobs it needs have succeeded.
    Runs,
    /// Why not, in words.
    Skipped(String),
    /// It depends on what happens before it: its condition.
    Later(String),
}

/// One combination of a job's matrix.
#[derive(Clone, Debug)]
pub struct PlannedLeg {
    pub name: Known<String>,
    pub matrix: Value,
    pub runs_on: Known<Value>,
    pub environment: Option<Known<String>>,
}

/// The workflow that a job calls.
#[derive(Clone, Debug)]
pub struct PlannedCall {
    pub workflow: String,
    /// `none`, `inherit` or the names.
    pub secrets: Value,
}

/// All needed jobs will have succeeded, as far as one can tell.
struct Hopeful {
    skipped: Vec<String>,
}

impl StatusFunctions for Hopeful {
    fn success(&self, jobs: &[String]) -> bool {
        let counts =
            |it: &&String| jobs.is_empty() || jobs.iter().any(|job| job.eq_ignore_ascii_case(it));
        !self.skipped.iter().any(|it| counts(&it))
    }

    fn failure(&self, _jobs: &[String]) -> bool {
        false
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Which jobs each job waits for, by their places in the file.
struct Family(Vec<Vec<usize>>);

impl Family {
    fn of(workflow: &Workflow) -> Self {
        let jobs = workflow.jobs.iter().enumerate();
        let places: HashMap<_, _> = jobs.map(|(at, job)| (job.id.to_ascii_lowercase(), at)).collect();
        let needs = |job: &Job| {
            let needs = job.needs.iter();
            needs.filter_map(|id| places.get(&id.to_ascii_lowercase()).copied()).collect()
        };
        Self(workflow.jobs.iter().map(needs).collect())
    }

    /// Direct and indirect, in the order of the file.
    fn ancestors(&self, job: usize) -> BTreeSet<usize> {
        let needs = |job: usize| self.0.get(job).into_iter().flatten().copied();
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = needs(job).collect();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(needs(next));
            }
        }
        found
    }
}

pub(super) fn plan(workflow: &Workflow, contexts: &Contexts) -> Vec<PlannedJob> {
    // A job's fate may hang on that of a job below it in the file.
    let mut fates: Vec<Option<Fate>> = vec![None; workflow.jobs.len()];
    let family = Family::of(workflow);
    let mut open: Vec<usize> = (0..workflow.jobs.len()).collect();
    loop {
        let before = open.len();
        open.retain(|at| {
            let Some(job) = workflow.jobs.get(*at) else { return false };
            let ancestors = family.ancestors(*at).into_iter().map(|ancestor| {
                let job = workflow.jobs.get(ancestor)?;
                Some((job.id.as_str(), fates.get(ancestor)?.clone()?))
            });
            let Some(ancestors) = ancestors.collect::<Option<Vec<_>>>() else { return true };
            let fate = decide(job, &ancestors, contexts);
            if let Some(place) = fates.get_mut(*at) {
                *place = Some(fate);
            }
            false
        });
        if open.len() == before {
            break;
        }
    }
    let planned = workflow.jobs.iter().zip(fates);
    planned
        .map(|(job, fate)| PlannedJob {
            id: job.id.clone(),
            needs: job.needs.clone(),
            fate: fate.unwrap_or(Fate::Runs),
            legs: legs(job, contexts),
            call: call(job),
        })
        .collect()
}

fn decide(job: &Job, ancestors: &[(&str, Fate)], contexts: &Contexts) -> Fate {
    let skipped = ancestors
        .iter()
        .filter(|(_, fate)| matches!(fate, Fate::Skipped(_)));
    let skipped: Vec<_> = skipped.map(|(id, _)| (*id).to_owned()).collect();
    let condition = job.condition.clone();
    let asks = condition.as_ref().is_some_and(Expression::asks_status);
    if let Some(first) = skipped.first().filter(|_| !asks) {
        return Fate::Skipped(format!("it needs `{first}`, which is skipped"));
    }
    let unsure = ancestors
        .iter()
        .any(|(_, fate)| matches!(fate, Fate::Later(_)));
    let Some(condition) = condition else {
        return if unsure {
            Fate::Later("success()".to_owned())
        } else {
            Fate::Runs
        };
    };
    let known = condition
        .contexts()
        .iter()
        .all(|(name, _)| Contexts::KNOWN.contains(name));
    // With jobs before it, a status function has no answer yet.
    if !known
        || unsure
        || asks && !ancestors.is_empty() && skipped.is_empty() && !always(&condition)
    {
        return Fate::Later(condition.text().trim().to_owned());
    }
    let status = Hopeful { skipped };
    let mut scope = contexts.scope();
    scope.set_status(&status);
    match condition.evaluate(&scope) {
        Ok(value) if value.is_truthy() => Fate::Runs,
        Ok(_) => {
            let text = condition.text().trim();
            Fate::Skipped(format!(
                "its condition `{text}` does not hold: {}",
                condition.explain(&scope)
            ))
        }
        Err(error) => Fate::Skipped(format!("its condition has no value: {error}")),
    }
}

/// Whether the only status function is `always()`, whose answer is known.
fn always(condition: &Expression) -> bool {
    let calls = condition.calls();
    let mut status = calls
        .iter()
        .filter(|(name, _, _)| ["success", "failure", "cancelled"].contains(name));
    status.next().is_none()
}

fn legs(job: &Job, contexts: &Contexts) -> Known<Vec<PlannedLeg>> {
    let legs = match (&job.strategy.whole, &job.strategy.matrix) {
        (Some(whole), _) => return Known::Later(whole.source().to_owned()),
        (None, None) => vec![Leg::default()],
        (None, Some(matrix)) => {
            if let Some(source) = later(&matrix.0) {
                return Known::Later(source);
            }
            let value = matrix.0.evaluate(&contexts.scope());
            let expanded = value
                .map_err(|it| it.to_string())
                .and_then(|it| matrix::expand(&it).map_err(|error| error.to_string()));
            match expanded {
                Ok(legs) => legs,
                Err(why) => return Known::Broken(why),
            }
        }
    };
    let total = legs.len();
    let planned = legs.iter().enumerate();
    Known::Now(
        planned
            .map(|(index, leg)| planned_leg(job, leg, index, total, contexts))
            .collect(),
    )
}

fn planned_leg(
    job: &Job,
    leg: &Leg,
    index: usize,
    total: usize,
    contexts: &Contexts,
) -> PlannedLeg {
    let strategy = json!({"job-index": index, "job-total": total});
    let more = [("matrix", &leg.values), ("strategy", &strategy)];
    let name = match &job.name {
        None => Known::Now(matrix::display_name(&job.id, leg)),
        Some(name) => match contexts.text(name, &more) {
            Known::Now(text) if !names_matrix(name) => Known::Now(matrix::display_name(&text, leg)),
            known @ (Known::Now(_) | Known::Later(_) | Known::Broken(_)) => known,
        },
    };
    let runs_on = match later_than(&job.runs_on, &["matrix", "strategy"]) {
        Some(source) => Known::Later(source),
        None => {
            let mut scope: Scope<'_> = contexts.scope();
            scope
                .set("matrix", leg.values.clone())
                .set("strategy", strategy.clone());
            match job.runs_on.evaluate(&scope) {
                Ok(value) => Known::Now(value),
                Err(error) => Known::Broken(error.to_string()),
            }
        }
    };
    PlannedLeg {
        name,
        matrix: leg.values.clone(),
        runs_on,
        environment: job
            .environment
            .as_ref()
            .map(|it| contexts.text(&it.name, &more)),
    }
}

fn names_matrix(name: &crate::expr::Template) -> bool {
    let mut contexts = name.expressions().flat_map(|(it, _)| it.contexts());
    contexts.any(|(name, _)| name == "matrix")
}

/// The first expression of a value that depends on more than the event.
fn later(tree: &Tree) -> Option<String> {
    later_than(tree, &[])
}

fn later_than(tree: &Tree, more: &[&str]) -> Option<String> {
    match tree {
        Tree::Value(_) => None,
        Tree::Template(template) => {
            let mut contexts = template.expressions().flat_map(|(it, _)| it.contexts());
            let unknown =
                contexts.any(|(it, _)| !Contexts::KNOWN.contains(&it) && !more.contains(&it));
            unknown.then(|| template.source().to_owned())
        }
        Tree::Sequence(items) => items.iter().find_map(|it| later_than(it, more)),
        Tree::Mapping(entries) => entries.iter().find_map(|(_, it)| later_than(it, more)),
        Tree::Dynamic(entries) => entries.iter().find_map(|(key, it)| {
            let key = match key {
                EntryKey::Template(template) => later_than(&Tree::Template(template.clone()), more),
                EntryKey::Insert => None,
            };
            key.or_else(|| later_than(it, more))
        }),
    }
}

fn call(job: &Job) -> Option<PlannedCall> {
    let call = job.call.as_ref()?;
    let secrets = match &call.secrets {
        crate::CallSecrets::None => Value::from("none"),
        crate::CallSecrets::Inherit => Value::from("inherit"),
        crate::CallSecrets::Named(named) => named.iter().map(|(name, _)| name.clone()).collect(),
    };
    Some(PlannedCall {
        workflow: call.workflow.to_string(),
        secrets,
    })
}
