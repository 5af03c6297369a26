//! The inputs of `workflow_dispatch` and what a callable workflow takes and gives.

use serde_json::{Map, Value};

use super::Triggers;
use crate::{
    NamedTemplates, Tree,
    expr::{self, Scope},
};

/// One input of `workflow_dispatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct DispatchInput {
    pub name: String,
    pub description: String,
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

/// What a workflow that others may call takes and gives.
#[derive(Clone, Debug, Default)]
pub struct CallInterface {
    pub inputs: Vec<CallInput>,
    /// Their expressions see `jobs`.
    pub outputs: NamedTemplates,
    pub secrets: Vec<CallSecret>,
}

#[derive(Clone, Debug)]
pub struct CallInput {
    pub name: String,
    pub kind: InputKind,
    pub required: bool,
    /// Its expressions see `github`, `inputs` and `vars` of the called workflow.
    pub default: Option<Tree>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSecret {
    pub name: String,
    pub required: bool,
}

impl Triggers {
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
            let found = find(given, &input.name);
            Ok((input.name.clone(), input.read(found)?))
        });
        Ok(Value::Object(values.collect::<Result<_, String>>()?))
    }
}

/// The inputs of a dispatch as its event tells them: all of them, as texts; `None` where there are none.
pub fn told_inputs(inputs: &Value) -> Option<Value> {
    let inputs = inputs.as_object().filter(|it| !it.is_empty())?;
    let text = |value: &Value| Value::from(expr::Value::from(value).to_text());
    Some(Value::Object(
        inputs
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    ))
}

impl DispatchInput {
    fn read(&self, given: Option<&Value>) -> Result<Value, String> {
        let blank = |it: &&Value| matches!(it, Value::Null) || it.as_str() == Some("");
        let given = given.filter(|it| !blank(it) || !self.required);
        let Some(value) = given.or(self.default.as_ref()) else {
            if self.required {
                return Err(format!("input `{}` is required", self.name));
            }
            return Ok(self.kind.empty());
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
            InputKind::Number => {
                let number = expr::parse_number(&text);
                if text.trim().is_empty() || number.is_nan() {
                    return Err(wrong("a number"));
                }
                Ok(expr::Value::Number(number).to_json())
            }
            InputKind::Choice(options) if !options.contains(&text) => {
                Err(wrong(&format!("one of {}", options.join(", "))))
            }
            InputKind::String | InputKind::Environment | InputKind::Choice(_) => {
                Ok(Value::String(text))
            }
        }
    }
}

impl InputKind {
    /// What an input is that nobody gives.
    fn empty(&self) -> Value {
        match self {
            Self::Boolean => Value::Bool(false),
            Self::Number => Value::from(0),
            Self::String | Self::Environment | Self::Choice(_) => Value::from(""),
        }
    }

    /// The word of the language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Environment => "environment",
            Self::Choice(_) => "choice",
        }
    }
}

impl CallInterface {
    /// The typed inputs of a call; `scope` has what defaults may use.
    ///
    /// # Errors
    ///
    /// Why the call cannot be: an input that is unknown, missing or of the wrong type.
    pub fn read_inputs(
        &self,
        given: &Map<String, Value>,
        scope: &Scope<'_>,
    ) -> Result<Map<String, Value>, String> {
        let unknown = |name: &&String| {
            !self
                .inputs
                .iter()
                .any(|it| it.name.eq_ignore_ascii_case(name))
        };
        if let Some(name) = given.keys().find(unknown) {
            return Err(format!("the called workflow has no input `{name}`"));
        }
        let mut values = Map::new();
        for input in &self.inputs {
            let default = || {
                let default = input.default.as_ref().map(|it| it.evaluate(scope));
                default.transpose().map_err(|error| {
                    format!(
                        "the default of input `{}` has no value: {error}",
                        input.name
                    )
                })
            };
            let value = match find(given, &input.name) {
                Some(value) => Some(value.clone()),
                None if input.required => {
                    return Err(format!("input `{}` is required", input.name));
                }
                None => default()?,
            };
            let value = value.map_or_else(|| Ok(input.kind.empty()), |it| input.read(it))?;
            values.insert(input.name.clone(), value);
        }
        Ok(values)
    }

    /// The first required secret that `given` lacks, or given one that is not declared.
    ///
    /// # Errors
    ///
    /// Says so in words.
    pub fn check_secrets(&self, given: &[&str]) -> Result<(), String> {
        let is_given = |name: &str| given.iter().any(|it| it.eq_ignore_ascii_case(name));
        if let Some(missing) = self
            .secrets
            .iter()
            .find(|it| it.required && !is_given(&it.name))
        {
            return Err(format!("secret `{}` is required", missing.name));
        }
        let declared = |name: &str| {
            self.secrets
                .iter()
                .any(|it| it.name.eq_ignore_ascii_case(name))
        };
        match given.iter().find(|it| !declared(it)) {
            Some(unknown) => Err(format!("the called workflow has no secret `{unknown}`")),
            None => Ok(()),
        }
    }
}

impl CallInput {
    /// Text takes any plain value; booleans and numbers must be what they are.
    fn read(&self, value: Value) -> Result<Value, String> {
        let wrong = |what: &str| format!("input `{}`: expected {what}, found `{value}`", self.name);
        match (&self.kind, &value) {
            (InputKind::Boolean, Value::Bool(_)) | (InputKind::Number, Value::Number(_)) => {
                Ok(value)
            }
            (InputKind::Boolean, _) => Err(wrong("true or false")),
            (InputKind::Number, _) => Err(wrong("a number")),
            (_, Value::Array(_) | Value::Object(_)) => Err(wrong("text")),
            _ => Ok(Value::String(expr::Value::from(&value).to_text())),
        }
    }
}

fn find<'a>(given: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = given.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}
