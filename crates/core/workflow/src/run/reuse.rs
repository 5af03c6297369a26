//! Jobs that name their inputs and need not run when these have not changed.
//!
//! A job asks for it with `LANDFALL_INPUTS` in its `env`, which means nothing elsewhere. What else
//! decides what it does is gathered here: its definition, its leg, what it needs, and the values of
//! the contexts that its definition names.

use std::collections::BTreeSet;

use api::Conclusion;
use serde_json::{Map, Value, json};

use super::{JobKey, Reason, Run, leg_state::LegPhase, steps::put};
use crate::plan;

/// The variable that names the inputs.
const VARIABLE: &str = "LANDFALL_INPUTS";

/// What a job that names its inputs asks.
#[derive(Clone, Debug, PartialEq)]
pub struct ReuseAsk {
    /// Patterns of files.
    pub inputs: String,
    /// What else counts, or why the job always runs.
    pub facts: Result<ReuseFacts, String>,
}

/// What decides what a job does, beside its files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReuseFacts {
    /// Values by name; equal values mean equal jobs.
    pub values: Vec<(String, Value)>,
    /// Folders of actions in the repository that it uses; their files are inputs, too.
    pub folders: Vec<String>,
}

impl Run {
    /// What a leg asks; nothing if it names no inputs.
    pub(super) fn reuse_ask(&self, job: usize, leg: usize) -> Option<ReuseAsk> {
        let (file, own) = (self.file(job), self.job(job));
        let find = |mapping: &crate::Mapping| {
            let mut entries = mapping.named().iter();
            entries.find(|(name, _)| name == VARIABLE).map(|(_, it)| it.clone())
        };
        let template = find(&own.env).or_else(|| find(&file.env))?;
        let inputs = match template.evaluate_text(&self.leg_scope(job, leg)) {
            Ok(inputs) if inputs.trim().is_empty() => return None,
            Ok(inputs) => inputs,
            Err(error) => {
                let (inputs, facts) = (template.source().to_owned(), Err(format!("`{VARIABLE}` has no value: {error}")));
                return Some(ReuseAsk { inputs, facts });
            }
        };
        Some(ReuseAsk { inputs, facts: self.reuse_facts(job, leg) })
    }

    fn reuse_facts(&self, job: usize, leg: usize) -> Result<ReuseFacts, String> {
        let (file, own) = (self.file(job), self.job(job));
        if self.state.run_attempt() > 1 {
            return Err("a re-run runs every job that it names".to_owned());
        }
        let start = &self.state.ground.start;
        if start.github.get("landfall_reuse").and_then(Value::as_str) == Some("never") {
            return Err("it was asked to run everything".to_owned());
        }
        if own.environment.is_some() {
            return Err("it uses an environment, and what it does there must happen each time".to_owned());
        }
        let legs = self.job_state(job).legs.len();
        if legs > 1 && !own.outputs.is_empty() {
            return Err("its legs share their outputs, so one of them cannot be left out".to_owned());
        }
        let definition = plan::definition(file, own);
        let text = definition.to_string();
        let mut values = vec![("definition".to_owned(), definition.clone())];
        values.push(("leg of the matrix".to_owned(), self.leg(job, leg).matrix.clone()));
        if text.contains("strategy.") {
            values.push(("number among the legs".to_owned(), json!([leg, legs])));
        }
        if !own.needs.is_empty() {
            values.push(("needed jobs".to_owned(), self.needed(job)));
        }
        let inputs = match self.frame(job).caller {
            Some(_) => &self.frame(job).inputs,
            None => &start.inputs,
        };
        for (name, context) in [("github", &start.github), ("vars", &start.vars), ("inputs", inputs)] {
            if let Some(used) = used(&text, name, context)? {
                values.push((format!("values of `{name}`"), used));
            }
        }
        let mut folders = BTreeSet::new();
        local_actions(&definition, &mut folders);
        Ok(ReuseFacts { values, folders: folders.into_iter().collect() })
    }

    fn needed(&self, job: usize) -> Value {
        let found = self.job(job).needs.iter().filter_map(|id| self.sibling(job, id));
        let pairs = found.map(|needed| (self.job(needed).id.clone(), self.result_of(needed)));
        Value::Object(pairs.collect())
    }

    pub(super) fn job_reused(&mut self, key: &JobKey, attempt: u32, why: &str, outputs: Vec<(String, String)>) {
        let Some((job, leg)) = self.find_leg(key, attempt) else {
            return;
        };
        if self.leg(job, leg).phase != LegPhase::Starting {
            return;
        }
        let state = self.job_state_mut(job);
        for (name, value) in outputs {
            put(&mut state.outputs, &name, value);
        }
        self.end_leg(job, leg, Conclusion::Success, Some(Reason::new(why)));
    }
}

/// The values that a definition takes from a context; nothing if it names none.
fn used(text: &str, context: &str, values: &Value) -> Result<Option<Value>, String> {
    let lower = text.to_lowercase();
    let mut found = Map::new();
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    for (at, _) in lower.match_indices(context) {
        if lower.get(..at).and_then(|it| it.chars().next_back()).is_some_and(|it| is_part(it) || it == '.') {
            continue;
        }
        let rest = lower.get(at + context.len()..).unwrap_or_default();
        match rest.chars().next() {
            Some('.') => {
                let path: String = rest.chars().skip(1).take_while(|it| is_part(*it) || *it == '.').collect();
                let path = path.trim_end_matches('.');
                if rest.get(1 + path.len()..).is_some_and(|it| it.starts_with('[') || it.starts_with(".*")) {
                    return Err(format!("it takes values of `{context}.{path}` that are not named one by one"));
                }
                found.insert(path.to_owned(), follow(values, path));
            }
            Some('[' | ')') => return Err(format!("it takes all of `{context}`")),
            _ => {}
        }
    }
    if context == "github" {
        // What scripts read from their environment.
        for (at, _) in lower.match_indices("github_") {
            let rest = lower.get(at + "github_".len()..).unwrap_or_default();
            let name: String = rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
            let value = follow(values, &name);
            if !value.is_null() {
                found.insert(name, value);
            }
        }
    }
    Ok((!found.is_empty()).then_some(Value::Object(found)))
}

/// The value at a path in any case; null if there is none.
fn follow(values: &Value, path: &str) -> Value {
    let mut value = values;
    for part in path.split('.') {
        let Some(fields) = value.as_object() else { return Value::Null };
        let Some((_, next)) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(part)) else {
            return Value::Null;
        };
        value = next;
    }
    value.clone()
}

/// The folders of actions that `uses` names with `./`.
fn local_actions(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(path) = value.as_str().filter(|_| name == "uses").and_then(|it| it.strip_prefix("./")) {
                    into.insert(path.trim_end_matches('/').to_owned());
                }
                local_actions(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| local_actions(it, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Option<Value>, &str>) {
        let github = json!({"sha": "abc", "ref_name": "main", "event": {"number": 7}, "Actor": "ann"});
        assert_eq!(used(text, "github", &github), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn values_count_that_the_definition_names() {
        check("cargo test", Ok(None));
        check("echo ${{ github.ref_name }}", Ok(Some(json!({"ref_name": "main"}))));
        check("echo ${{ GitHub.Event.Number }}", Ok(Some(json!({"event.number": 7}))));
        check("echo $GITHUB_SHA >> $GITHUB_OUTPUT", Ok(Some(json!({"sha": "abc"}))));
        check("toJSON(github)", Err("it takes all of `github`"));
        check("github['sha']", Err("it takes all of `github`"));
        check("github.event[inputs.x]", Err("it takes values of `github.event` that are not named one by one"));
        // A value that is never there never differs.
        check("curl https://github.com/a", Ok(Some(json!({"com": null}))));
        check("my.github.sha mygithub.sha", Ok(None));
    }

    #[test]
    fn actions_of_the_repository_are_found() {
        let mut found = BTreeSet::new();
        local_actions(&json!({"job": {"steps": [{"uses": "./.github/actions/a/"}, {"uses": "x/y@v1"}, {"parallel": [{"uses": "./b"}]}]}}), &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [".github/actions/a", "b"]);
    }
}
