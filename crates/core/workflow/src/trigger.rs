//! Decides whether something that happened starts a workflow, and says why not.

use serde_json::{Map, Value};

use crate::PatternList;

/// What a workflow listens to.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    pub push: Option<PushFilter>,
    pub workflow_dispatch: Option<Vec<DispatchInput>>,
    /// Events that are part of the language and start nothing here yet.
    pub others: Vec<String>,
}

/// The filters of `push`; `None` where the key is missing.
#[derive(Clone, Debug, Default)]
pub struct PushFilter {
    pub branches: Option<PatternList>,
    pub branches_ignore: Option<PatternList>,
    pub tags: Option<PatternList>,
    pub tags_ignore: Option<PatternList>,
    pub paths: Option<PatternList>,
    pub paths_ignore: Option<PatternList>,
}

/// One input of `workflow_dispatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct DispatchInput {
    pub name: String,
    pub kind: InputKind,
    pub required: bool,
    pub default: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKind {
    String,
    Boolean,
    Number,
    Environment,
    Choice(Vec<String>),
}

/// A push of one ref.
#[derive(Clone, Debug)]
pub struct PushEvent<'a> {
    /// `refs/heads/main`, `refs/tags/v1`
    pub git_ref: &'a str,
    pub deleted: bool,
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

impl Triggers {
    pub fn on_push(&self, push: &PushEvent<'_>) -> Decision {
        let Some(filter) = &self.push else {
            return Decision::Skip("it does not listen to `push`".to_owned());
        };
        match filter.objection(push) {
            Some(why) => Decision::Skip(why),
            None => Decision::Start,
        }
    }

    /// The typed inputs of a dispatch, with defaults filled in.
    ///
    /// # Errors
    ///
    /// Why it cannot start: no such trigger, an input that is unknown, missing or of the wrong type.
    pub fn on_dispatch(&self, given: &Map<String, Value>) -> Result<Value, String> {
        let inputs = self
            .workflow_dispatch
            .as_ref()
            .ok_or("it does not listen to `workflow_dispatch`")?;
        if let Some(name) = given
            .keys()
            .find(|name| !inputs.iter().any(|it| it.name.eq_ignore_ascii_case(name)))
        {
            return Err(format!("it has no input `{name}`"));
        }
        let values = inputs.iter().map(|input| {
            let found = given
                .iter()
                .find(|(name, _)| input.name.eq_ignore_ascii_case(name))
                .map(|(_, value)| value);
            Ok((input.name.clone(), input.read(found)?))
        });
        Ok(Value::Object(values.collect::<Result<_, String>>()?))
    }
}

impl DispatchInput {
    fn read(&self, given: Option<&Value>) -> Result<Value, String> {
        let Some(value) = given.or(self.default.as_ref()) else {
            if self.required {
                return Err(format!("input `{}` is required", self.name));
            }
            return Ok(match self.kind {
                InputKind::Boolean => Value::Bool(false),
                InputKind::Number => Value::from(0),
                InputKind::String | InputKind::Environment | InputKind::Choice(_) => {
                    Value::from("")
                }
            });
        };
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let wrong = |what: &str| format!("input `{}`: expected {what}, found `{text}`", self.name);
        match &self.kind {
            InputKind::Boolean => text
                .parse::<bool>()
                .map(Value::Bool)
                .map_err(|_| wrong("true or false")),
            InputKind::Number => text
                .parse::<f64>()
                .map(|it| crate::expr::Value::Number(it).to_json())
                .map_err(|_| wrong("a number")),
            InputKind::Choice(options) if !options.contains(&text) => {
                Err(wrong(&format!("one of {}", options.join(", "))))
            }
            InputKind::String | InputKind::Environment | InputKind::Choice(_) => {
                Ok(Value::String(text))
            }
        }
    }
}

impl PushFilter {
    /// Why a push does not start the workflow.
    fn objection(&self, push: &PushEvent<'_>) -> Option<String> {
        if push.deleted {
            return Some(format!("`{}` was deleted", push.git_ref));
        }
        if let Some(branch) = push.git_ref.strip_prefix("refs/heads/") {
            let only_tags = (self.tags.is_some() || self.tags_ignore.is_some())
                && self.branches.is_none()
                && self.branches_ignore.is_none();
            if only_tags {
                return Some(format!(
                    "it listens to pushes of tags only, and `{branch}` is a branch"
                ));
            }
            let name = Named {
                what: "branch",
                name: branch,
            };
            return name
                .objection(
                    self.branches.as_ref(),
                    "branches",
                    self.branches_ignore.as_ref(),
                    "branches-ignore",
                )
                .or_else(|| self.path_objection(push.changed));
        }
        let Some(tag) = push.git_ref.strip_prefix("refs/tags/") else {
            return Some(format!("`{}` is neither a branch nor a tag", push.git_ref));
        };
        let only_branches = (self.branches.is_some() || self.branches_ignore.is_some())
            && self.tags.is_none()
            && self.tags_ignore.is_none();
        if only_branches {
            return Some(format!(
                "it listens to pushes of branches only, and `{tag}` is a tag"
            ));
        }
        // Path filters say nothing about tags.
        let name = Named {
            what: "tag",
            name: tag,
        };
        name.objection(
            self.tags.as_ref(),
            "tags",
            self.tags_ignore.as_ref(),
            "tags-ignore",
        )
    }

    fn path_objection(&self, changed: Option<&[String]>) -> Option<String> {
        let changed = changed?;
        if let Some(paths) = &self.paths
            && !changed.iter().any(|path| paths.matches(path))
        {
            return Some(format!(
                "none of the {} changed files matches `paths` ({})",
                changed.len(),
                paths.shown()
            ));
        }
        let ignore = self.paths_ignore.as_ref()?;
        let all = !changed.is_empty() && changed.iter().all(|path| ignore.matches(path));
        all.then(|| {
            format!(
                "all {} changed files match `paths-ignore` ({})",
                changed.len(),
                ignore.shown()
            )
        })
    }
}

struct Named<'a> {
    what: &'static str,
    name: &'a str,
}

impl Named<'_> {
    fn objection(
        &self,
        wanted: Option<&PatternList>,
        key: &str,
        ignored: Option<&PatternList>,
        ignore_key: &str,
    ) -> Option<String> {
        let Self { what, name } = self;
        if let Some(wanted) = wanted.filter(|it| !it.matches(name)) {
            return Some(format!(
                "{what} `{name}` does not match `{key}` ({})",
                wanted.shown()
            ));
        }
        let ignored = ignored.filter(|it| it.matches(name))?;
        Some(format!(
            "{what} `{name}` matches `{ignore_key}` ({})",
            ignored.shown()
        ))
    }
}
