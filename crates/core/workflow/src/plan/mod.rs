//! What an event would start, as far as it is known before anything runs.
//!
//! [`plan`] evaluates what depends on the event alone. What needs the outcome of
//! a job is [`Known::Later`], never a guess.

mod job;
mod normal;

pub use job::{Fate, PlannedCall, PlannedJob, PlannedLeg};
pub(crate) use normal::definition;
pub use normal::{normal, shown};

use serde_json::{Map, Value, json};

use crate::{
    Decision, Happening, Workflow, told_inputs,
    expr::{self, Scope, Template},
};

/// What is known about the surroundings of a run before it starts.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The `github` context without what the event brings.
    pub github: Map<String, Value>,
    pub vars: Map<String, Value>,
}

/// A run that an event would start, or why it would not.
#[derive(Clone, Debug)]
pub struct Plan {
    pub decision: Decision,
    pub event: String,
    /// `run-name`, else the name of the workflow.
    pub run_name: Known<String>,
    /// The group of the workflow's `concurrency`.
    pub concurrency: Option<Known<String>>,
    pub inputs: Value,
    /// In the order of the file.
    pub jobs: Vec<PlannedJob>,
}

/// A value, or the expression that will give it.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    Now(T),
    /// It depends on what happens while the run goes on.
    Later(String),
    /// It has no value: why.
    Broken(String),
}

impl<T: Into<Value>> Known<T> {
    /// The value; an object with `later` or `error` where there is none.
    pub fn into_json(self) -> Value {
        match self {
            Self::Now(value) => value.into(),
            Self::Later(source) => json!({ "later": source }),
            Self::Broken(why) => json!({ "error": why }),
        }
    }
}

/// Plans the run of `workflow` that `happening` starts.
pub fn plan(workflow: &Workflow, happening: &Happening<'_>, around: &Surroundings) -> Plan {
    let decision = workflow.triggers.decide(happening);
    let inputs = inputs(workflow, happening);
    let contexts = Contexts {
        github: (&github(workflow, happening, around, &inputs)).into(),
        inputs: (&inputs).into(),
        vars: (&Value::Object(around.vars.clone())).into(),
    };
    let run_name = match &workflow.run_name {
        Some(name) => contexts.text(name, &[]),
        None => Known::Now(workflow.display_name().to_owned()),
    };
    Plan {
        jobs: job::plan(workflow, &contexts),
        concurrency: workflow
            .concurrency
            .as_ref()
            .map(|it| contexts.text(&it.group, &[])),
        event: happening.event.to_owned(),
        decision,
        run_name,
        inputs,
    }
}

fn inputs(workflow: &Workflow, happening: &Happening<'_>) -> Value {
    if happening.event != "workflow_dispatch" {
        return json!({});
    }
    let none = Map::new();
    let given = happening.payload.get("inputs").and_then(Value::as_object);
    let typed = workflow.triggers.on_dispatch(given.unwrap_or(&none));
    typed.unwrap_or_else(|_| json!({}))
}

fn github(
    workflow: &Workflow,
    happening: &Happening<'_>,
    around: &Surroundings,
    inputs: &Value,
) -> Value {
    let mut github = around.github.clone();
    let text = |pointer: &str| happening.payload.pointer(pointer).and_then(Value::as_str);
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            github.insert(name.to_owned(), Value::from(value));
        }
    };
    set("event_name", Some(happening.event));
    set("workflow", Some(workflow.display_name()));
    set("ref", text("/ref").filter(|it| it.starts_with("refs/")));
    set("sha", text("/after"));
    set("repository", text("/repository/full_name"));
    set("actor", text("/sender/login"));
    set("head_ref", text("/pull_request/head/ref"));
    set("base_ref", text("/pull_request/base/ref"));
    let number = happening.payload.pointer("/pull_request/number");
    let merged = number.map(|it| format!("refs/pull/{it}/merge"));
    set(
        "ref",
        merged
            .as_deref()
            .filter(|_| happening.event == "pull_request"),
    );
    let full = github
        .get("ref")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (kind, name) = match (
        full.strip_prefix("refs/tags/"),
        full.strip_prefix("refs/heads/"),
    ) {
        (Some(tag), _) => ("tag", tag),
        (None, Some(branch)) => ("branch", branch),
        (None, None) => ("branch", full.strip_prefix("refs/pull/").unwrap_or(full)),
    };
    let (kind, name) = (Value::from(kind), Value::from(name));
    github.insert("ref_type".to_owned(), kind);
    github.insert("ref_name".to_owned(), name);
    let mut event = happening.payload.clone();
    if let (Value::Object(event), Some(told)) = (&mut event, told_inputs(inputs)) {
        event.insert("inputs".to_owned(), told);
    }
    github.insert("event".to_owned(), event);
    Value::Object(github)
}

/// The contexts that are known before a run; payloads are large, so they are converted once.
struct Contexts {
    github: expr::Value,
    inputs: expr::Value,
    vars: expr::Value,
}

impl Contexts {
    const KNOWN: [&str; 3] = ["github", "inputs", "vars"];

    fn scope<'a>(&self) -> Scope<'a> {
        let mut scope = Scope::new();
        scope.set_value("github", self.github.clone());
        scope.set_value("inputs", self.inputs.clone());
        scope.set_value("vars", self.vars.clone());
        scope
    }

    /// The text of a template; `more` are contexts that are known beside those of the event.
    fn text(&self, template: &Template, more: &[(&'static str, &Value)]) -> Known<String> {
        let mut names = template.expressions().flat_map(|(it, _)| it.contexts());
        let known =
            |name: &str| Self::KNOWN.contains(&name) || more.iter().any(|(it, _)| *it == name);
        if !names.all(|(name, _)| known(name)) {
            return Known::Later(template.source().to_owned());
        }
        let mut scope = self.scope();
        for (name, value) in more {
            scope.set(*name, (*value).clone());
        }
        match template.evaluate_text(&scope) {
            Ok(text) => Known::Now(text),
            Err(error) => Known::Broken(error.to_string()),
        }
    }
}
