//! A workflow and a plan as JSON: every short form written out.

use serde_json::{Map, Value, json};

use super::{Fate, Known, Plan, PlannedJob};
use crate::{
    CallSecrets, Concurrency, Decision, Defaults, Filters, Job, Mapping, NamedTemplates,
    PatternList, Permissions, Queue, Step, StepAction, Tree, Workflow,
    expr::Template,
    trigger::{CallInterface, DispatchInput, InputKind, Trigger},
};

/// A plan as JSON.
pub fn shown(plan: Plan) -> Value {
    let (starts, reason) = match plan.decision {
        Decision::Start => (true, Value::Null),
        Decision::Skip(why) => (false, Value::from(why)),
    };
    json!({
        "event": plan.event,
        "starts": starts,
        "reason": reason,
        "run": {
            "name": plan.run_name.into_json(),
            "concurrency": plan.concurrency.map(Known::into_json),
            "inputs": plan.inputs,
            "jobs": plan.jobs.into_iter().map(planned).collect::<Vec<_>>(),
        },
    })
}

fn planned(job: PlannedJob) -> Value {
    let (fate, reason) = match job.fate {
        Fate::Runs => ("runs", Value::Null),
        Fate::Skipped(why) => ("skipped", Value::from(why)),
        Fate::Later(condition) => ("later", Value::from(format!("it depends on `{condition}`"))),
    };
    let legs = match job.legs {
        Known::Now(legs) => Known::Now(
            legs.into_iter()
                .map(|leg| {
                    json!({
                        "name": leg.name.into_json(),
                        "matrix": leg.matrix,
                        "runs-on": leg.runs_on.into_json(),
                        "environment": leg.environment.map(Known::into_json),
                    })
                })
                .collect::<Vec<_>>(),
        ),
        Known::Later(source) => Known::Later(source),
        Known::Broken(why) => Known::Broken(why),
    };
    json!({
        "id": job.id,
        "needs": job.needs,
        "fate": fate,
        "reason": reason,
        "legs": legs.into_json(),
        "uses": job.call.as_ref().map(|it| it.workflow.clone()),
        "secrets": job.call.map(|it| it.secrets),
    })
}

/// A workflow with every short form written out; expressions stand as in the file.
pub fn normal(workflow: &Workflow) -> Value {
    let mut out = Fields::default();
    out.set("name", workflow.display_name());
    out.set_some("run-name", workflow.run_name.as_ref().map(text));
    out.set("on", on(workflow));
    out.set_some("permissions", permissions(&workflow.permissions));
    out.set_some("env", mapping(&workflow.env));
    out.set_some("defaults", defaults(&workflow.defaults));
    out.set_some(
        "concurrency",
        workflow.concurrency.as_ref().map(concurrency),
    );
    let jobs = workflow.jobs.iter().map(|it| (it.id.clone(), job(it)));
    out.set("jobs", Value::Object(jobs.collect()));
    out.done()
}

/// All that a file says about one of its jobs, without what only people see or what comes before it.
pub(crate) fn definition(workflow: &Workflow, one: &Job) -> Value {
    let mut out = Fields::default();
    out.set_some("env", mapping(&workflow.env));
    out.set_some("defaults", defaults(&workflow.defaults));
    out.set_some("permissions", permissions(&workflow.permissions));
    let mut fields = job(one);
    if let Some(fields) = fields.as_object_mut() {
        for name in ["name", "needs", "if", "concurrency"] {
            fields.shift_remove(name);
        }
    }
    out.set("job", fields);
    out.done()
}

/// The fields of an object in order.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn set_some(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

fn text(template: &Template) -> Value {
    Value::from(template.source())
}

/// Numbers and booleans of the file, which templates keep as text.
fn plain(template: &Template) -> Value {
    match template.as_literal() {
        Some(literal) => serde_json::from_str(literal).unwrap_or_else(|_| Value::from(literal)),
        None => text(template),
    }
}

fn templates(entries: &NamedTemplates) -> Option<Value> {
    let object = entries.iter().map(|(name, it)| (name.clone(), text(it)));
    (!entries.is_empty()).then(|| Value::Object(object.collect()))
}

fn mapping(mapping: &Mapping) -> Option<Value> {
    match mapping {
        Mapping::Named(entries) => templates(entries),
        Mapping::Whole(template) => Some(text(template)),
        Mapping::Tree(whole) => Some(tree(whole)),
    }
}

fn tree(tree: &Tree) -> Value {
    match tree {
        Tree::Value(value) => value.clone(),
        Tree::Template(template) => text(template),
        Tree::Sequence(items) => items.iter().map(self::tree).collect(),
        Tree::Mapping(entries) => Value::Object(
            entries
                .iter()
                .map(|(name, it)| (name.clone(), self::tree(it)))
                .collect(),
        ),
        Tree::Dynamic(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, it)| (key.source().to_owned(), self::tree(it)))
                .collect(),
        ),
    }
}

fn on(workflow: &Workflow) -> Value {
    let triggers = &workflow.triggers;
    let events = triggers.events.iter().map(|it| {
        let value = match it.event.as_str() {
            "workflow_dispatch" => dispatch(triggers.workflow_dispatch.as_deref().unwrap_or_default()),
            "workflow_call" => triggers.workflow_call.as_ref().map_or_else(|| json!({}), interface),
            "schedule" => {
                let entries = triggers.schedule.iter();
                entries.map(|it| json!({"cron": it.cron.source(), "timezone": it.zone.as_deref().unwrap_or("UTC")})).collect()
            }
            _ => event(it),
        };
        (it.event.clone(), value)
    });
    Value::Object(events.collect())
}

fn event(trigger: &Trigger) -> Value {
    let mut out = Fields::default();
    let defaults = crate::events::find(&trigger.event)
        .map(|it| it.defaults)
        .unwrap_or_default();
    let types: Vec<_> = match trigger.types.as_slice() {
        [] => defaults.iter().map(|it| (*it).to_owned()).collect(),
        types => types.to_vec(),
    };
    let words = |list: &[String]| (!list.is_empty()).then(|| Value::from(list));
    out.set_some("types", words(&types));
    let Filters {
        branches,
        branches_ignore,
        tags,
        tags_ignore,
        paths,
        paths_ignore,
    } = &trigger.filters;
    let patterns = |list: &Option<PatternList>| {
        let list = list.as_ref()?;
        Some(list.0.iter().map(|it| Value::from(it.source())).collect())
    };
    out.set_some("branches", patterns(branches));
    out.set_some("branches-ignore", patterns(branches_ignore));
    out.set_some("tags", patterns(tags));
    out.set_some("tags-ignore", patterns(tags_ignore));
    out.set_some("paths", patterns(paths));
    out.set_some("paths-ignore", patterns(paths_ignore));
    out.set_some("workflows", words(&trigger.workflows));
    out.set_some("names", words(&trigger.names));
    out.set_some("versions", words(&trigger.versions));
    out.done()
}

fn dispatch(inputs: &[DispatchInput]) -> Value {
    let inputs = inputs.iter().map(|it| {
        let mut out = Fields::default();
        out.set("description", it.description.as_str());
        out.set("type", it.kind.name());
        out.set("required", it.required);
        out.set_some("default", it.default.clone());
        if let InputKind::Choice(options) = &it.kind {
            out.set("options", options.clone());
        }
        (it.name.clone(), out.done())
    });
    json!({"inputs": inputs.collect::<Map<_, _>>()})
}

fn interface(interface: &CallInterface) -> Value {
    let inputs = interface.inputs.iter().map(|it| {
        let mut out = Fields::default();
        out.set("type", it.kind.name());
        out.set("required", it.required);
        out.set_some("default", it.default.as_ref().map(tree));
        (it.name.clone(), out.done())
    });
    let secrets = interface
        .secrets
        .iter()
        .map(|it| (it.name.clone(), json!({"required": it.required})));
    let outputs = interface
        .outputs
        .iter()
        .map(|(name, it)| (name.clone(), json!({"value": it.source()})));
    json!({
        "inputs": inputs.collect::<Map<_, _>>(),
        "outputs": outputs.collect::<Map<_, _>>(),
        "secrets": secrets.collect::<Map<_, _>>(),
    })
}

fn permissions(permissions: &Permissions) -> Option<Value> {
    Some(match permissions {
        Permissions::Unset => return None,
        Permissions::ReadAll => Value::from("read-all"),
        Permissions::WriteAll => Value::from("write-all"),
        Permissions::Scopes(scopes) => Value::Object(
            scopes
                .iter()
                .map(|(name, access)| (name.clone(), Value::from(access.as_str())))
                .collect(),
        ),
    })
}

fn concurrency(concurrency: &Concurrency) -> Value {
    let mut out = Fields::default();
    out.set("group", text(&concurrency.group));
    out.set(
        "cancel-in-progress",
        concurrency
            .cancel_in_progress
            .as_ref()
            .map_or(Value::Bool(false), plain),
    );
    out.set(
        "queue",
        match concurrency.queue {
            Queue::Single => "single",
            Queue::Max => "max",
        },
    );
    out.done()
}

fn defaults(defaults: &Defaults) -> Option<Value> {
    if let Some(run) = &defaults.run {
        return Some(json!({"run": run.source()}));
    }
    let mut run = Fields::default();
    run.set_some("shell", defaults.shell.as_ref().map(text));
    run.set_some(
        "working-directory",
        defaults.working_directory.as_ref().map(text),
    );
    (!run.0.is_empty()).then(|| json!({"run": run.done()}))
}

fn job(job: &Job) -> Value {
    let mut out = Fields::default();
    out.set_some("name", job.name.as_ref().map(text));
    out.set("needs", job.needs.clone());
    out.set(
        "if",
        job.condition
            .as_ref()
            .map_or("success()", |it| it.text().trim()),
    );
    out.set_some("permissions", permissions(&job.permissions));
    out.set_some("strategy", strategy(job));
    out.set_some("concurrency", job.concurrency.as_ref().map(concurrency));
    if let Some(call) = &job.call {
        out.set("uses", call.workflow.to_string());
        let inputs = call
            .inputs
            .iter()
            .map(|(name, it)| (name.clone(), tree(it)));
        out.set("with", Value::Object(inputs.collect()));
        match &call.secrets {
            CallSecrets::None => {}
            CallSecrets::Inherit => out.set("secrets", "inherit"),
            CallSecrets::Named(named) => out.set_some("secrets", templates(named)),
        }
        return out.done();
    }
    out.set("runs-on", tree(&job.runs_on));
    if let Some(environment) = &job.environment {
        let mut fields = Fields::default();
        fields.set("name", text(&environment.name));
        fields.set_some("url", environment.url.as_ref().map(text));
        fields.set_some("deployment", environment.deployment.as_ref().map(plain));
        out.set("environment", fields.done());
    }
    out.set_some("container", job.container.as_ref().map(container));
    if let Some(services) = &job.services {
        out.set(
            "services",
            match services {
                Tree::Mapping(entries) => Value::Object(
                    entries
                        .iter()
                        .map(|(id, it)| (id.clone(), container(it)))
                        .collect(),
                ),
                whole @ (Tree::Value(_) | Tree::Template(_) | Tree::Sequence(_) | Tree::Dynamic(_)) => {
                    tree(whole)
                }
            },
        );
    }
    if let Some(snapshot) = &job.snapshot {
        let mut fields = Fields::default();
        fields.set("image-name", text(&snapshot.image_name));
        fields.set_some("version", snapshot.version.as_ref().map(text));
        fields.set_some(
            "if",
            snapshot
                .condition
                .as_ref()
                .map(|it| Value::from(it.text().trim())),
        );
        out.set("snapshot", fields.done());
    }
    out.set_some("env", mapping(&job.env));
    out.set_some("defaults", defaults(&job.defaults));
    out.set_some("timeout-minutes", job.timeout_minutes.as_ref().map(plain));
    out.set_some(
        "cancel-timeout-minutes",
        job.cancel_timeout_minutes.as_ref().map(plain),
    );
    out.set_some(
        "continue-on-error",
        job.continue_on_error.as_ref().map(plain),
    );
    out.set_some("outputs", templates(&job.outputs));
    out.set("steps", job.steps.iter().map(step).collect::<Vec<_>>());
    out.done()
}

/// A text is the image.
fn container(container: &Tree) -> Value {
    if let Tree::Value(Value::String(image)) = container {
        return json!({"image": image});
    }
    tree(container)
}

fn strategy(job: &Job) -> Option<Value> {
    let strategy = &job.strategy;
    if let Some(whole) = &strategy.whole {
        return Some(text(whole));
    }
    let matrix = strategy.matrix.as_ref()?;
    let mut out = Fields::default();
    out.set("matrix", tree(&matrix.0));
    out.set(
        "fail-fast",
        strategy.fail_fast.as_ref().map_or(Value::Bool(true), plain),
    );
    out.set_some("max-parallel", strategy.max_parallel.as_ref().map(plain));
    Some(out.done())
}

fn step(step: &Step) -> Value {
    let mut out = Fields::default();
    out.set("id", step.id.as_str());
    out.set_some("name", step.name.as_ref().map(text));
    let condition = step
        .condition
        .as_ref()
        .map(|it| Value::from(it.text().trim()));
    let waits = !matches!(
        step.action,
        StepAction::Run { .. } | StepAction::Uses { .. }
    );
    if !waits {
        out.set("if", condition.unwrap_or_else(|| Value::from("success()")));
    }
    match &step.action {
        StepAction::Run {
            script,
            shell,
            working_directory,
        } => {
            out.set("run", text(script));
            out.set_some("shell", shell.as_ref().map(text));
            out.set_some("working-directory", working_directory.as_ref().map(text));
        }
        StepAction::Uses { action, inputs } => {
            out.set("uses", action.to_string());
            out.set_some("with", mapping(inputs));
        }
        StepAction::Wait(ids) => out.set("wait", ids.clone()),
        StepAction::WaitAll => out.set("wait-all", true),
        StepAction::Cancel(id) => out.set("cancel", id.as_str()),
        StepAction::Parallel(steps) => {
            out.set("parallel", steps.iter().map(self::step).collect::<Vec<_>>())
        }
    }
    out.set_some("env", mapping(&step.env));
    out.set_some("timeout-minutes", step.timeout_minutes.as_ref().map(plain));
    out.set_some(
        "continue-on-error",
        step.continue_on_error.as_ref().map(plain),
    );
    if step.background {
        out.set("background", true);
    }
    out.done()
}
