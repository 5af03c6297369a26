//! Looks at an event and its payload.

use serde_json::Value;

use super::{PushEvent, Trigger, Triggers};
use crate::{Pattern, PatternList, events};

/// Something that happened, as GitHub tells it.
#[derive(Clone, Debug)]
pub struct Happening<'a> {
    /// `push`, `pull_request`, …
    pub event: &'a str,
    /// The body of the webhook; for `schedule` an object with `schedule`, for `workflow_dispatch` one with `inputs`.
    pub payload: &'a Value,
    /// The paths that differ; `None` when they are not known, and then path filters hold.
    pub changed: Option<&'a [String]>,
}

/// Whether a workflow starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Start,
    /// Why not, in words.
    Skip(String),
}

/// What in the message of a commit keeps its push from starting anything.
const SKIP_MARKS: &[&str] = &[
    "[skip ci]",
    "[ci skip]",
    "[no ci]",
    "[skip actions]",
    "[actions skip]",
];

impl Triggers {
    pub fn decide(&self, happening: &Happening<'_>) -> Decision {
        let Some(trigger) = self.event(happening.event) else {
            return Decision::Skip(format!("it does not listen to `{}`", happening.event));
        };
        match self.objection(trigger, happening) {
            Some(why) => Decision::Skip(why),
            None => Decision::Start,
        }
    }

    pub fn on_push(&self, push: &PushEvent<'_>) -> Decision {
        let Some(trigger) = self.event("push") else {
            return Decision::Skip("it does not listen to `push`".to_owned());
        };
        match trigger.filters.push_objection(push) {
            Some(why) => Decision::Skip(why),
            None => Decision::Start,
        }
    }

    fn objection(&self, trigger: &Trigger, happening: &Happening<'_>) -> Option<String> {
        let payload = happening.payload;
        match happening.event {
            "push" => {
                let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
                if let Some(mark) = text("/head_commit/message").and_then(skip_mark) {
                    return Some(format!("the message of the commit says `{mark}`"));
                }
                trigger.filters.push_objection(&PushEvent {
                    git_ref: text("/ref").unwrap_or_default(),
                    deleted: payload.get("deleted") == Some(&Value::Bool(true)),
                    changed: happening.changed,
                })
            }
            "schedule" => self.schedule_objection(payload),
            "workflow_dispatch" => {
                let none = serde_json::Map::new();
                let given = payload.get("inputs").and_then(Value::as_object);
                self.on_dispatch(given.unwrap_or(&none)).err()
            }
            _ => trigger
                .type_objection(payload)
                .or_else(|| trigger.branch_objection(payload))
                .or_else(|| trigger.filters.path_objection(happening.changed))
                .or_else(|| trigger.name_objection(payload)),
        }
    }

    fn schedule_objection(&self, payload: &Value) -> Option<String> {
        let due = payload.get("schedule")?.as_str()?;
        let known = self.schedule.iter().any(|it| it.cron.source() == due);
        (!known).then(|| format!("it has no schedule `{due}`"))
    }
}

/// The mark in a message that asks for no runs.
fn skip_mark(message: &str) -> Option<&'static str> {
    let lower = message.to_lowercase();
    let mark = SKIP_MARKS.iter().find(|it| lower.contains(**it));
    let trailer = || {
        let last = message.trim_end().lines().next_back().unwrap_or_default();
        let last: String = last.split_whitespace().collect();
        last.eq_ignore_ascii_case("skip-checks:true")
            .then_some("skip-checks: true")
    };
    mark.copied().or_else(trailer)
}

impl Trigger {
    fn type_objection(&self, payload: &Value) -> Option<String> {
        let event = events::find(&self.event)?;
        let action = payload.get("action").and_then(Value::as_str)?;
        let wanted: Vec<_> = if self.types.is_empty() {
            event.defaults.to_vec()
        } else {
            self.types.iter().map(String::as_str).collect()
        };
        let fits = wanted.is_empty() || wanted.contains(&action);
        (!fits).then(|| {
            let wanted: Vec<_> = wanted.iter().map(|it| format!("`{it}`")).collect();
            format!(
                "its activity is `{action}`, and only {} count",
                wanted.join(", ")
            )
        })
    }

    /// Branch filters look at the branch that a change goes into.
    fn branch_objection(&self, payload: &Value) -> Option<String> {
        let pointer = match self.event.as_str() {
            "pull_request" | "pull_request_target" => "/pull_request/base/ref",
            "merge_group" => "/merge_group/base_ref",
            "workflow_run" => "/workflow_run/head_branch",
            _ => return None,
        };
        let branch = payload.pointer(pointer).and_then(Value::as_str)?;
        let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch);
        self.filters.branch_objection(branch)
    }

    fn name_objection(&self, payload: &Value) -> Option<String> {
        let text = |pointers: &[&str]| {
            let mut found = pointers
                .iter()
                .filter_map(|it| payload.pointer(it)?.as_str());
            found.next().map(str::to_owned)
        };
        match self.event.as_str() {
            "workflow_run" if !self.workflows.is_empty() => {
                let name = text(&["/workflow/name", "/workflow_run/name"])?;
                let listed = self.workflows.contains(&name);
                (!listed).then(|| format!("workflow `{name}` is not among its `workflows`"))
            }
            "image_version" => {
                let one = |what: &str, wanted: &[String], found: Option<String>| {
                    let found = found?;
                    let patterns = wanted.iter().filter_map(|it| Pattern::parse(it).ok());
                    let patterns = PatternList(patterns.collect());
                    let fits = wanted.is_empty() || patterns.matches(&found);
                    (!fits).then(|| format!("{what} `{found}` does not match {}", patterns.shown()))
                };
                one(
                    "image",
                    &self.names,
                    text(&["/image_version/name", "/image/name"]),
                )
                .or_else(|| one("version", &self.versions, text(&["/image_version/version"])))
            }
            _ => None,
        }
    }
}
