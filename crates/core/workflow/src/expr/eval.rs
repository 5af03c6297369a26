//! Evaluates expressions over contexts.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use super::{
    ast::{Expr, Expression, Operator},
    functions,
    value::{Object, Value},
};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("`{0}` is no format: braces must enclose an index or be doubled")]
    Format(String),
    #[error("format `{template}` asks for argument {index}, which is not there")]
    FormatArgument { template: String, index: u8 },
    #[error("`{text}` is no JSON: {reason}")]
    Json { text: String, reason: String },
    #[error("condition {0} of `case` is no boolean")]
    CaseCondition(usize),
    #[error("files could not be hashed: {0}")]
    HashFiles(String),
    #[error("`{0}` has no meaning here")]
    NotHere(String),
    #[error("the result has {0} bytes, expected at most {MAX_RESULT_BYTES}")]
    TooLarge(usize),
    #[error("expected {expected}, found {found}")]
    Unexpected {
        expected: &'static str,
        found: &'static str,
    },
}

/// What the status functions answer; the arguments are job ids.
pub trait StatusFunctions {
    fn success(&self, jobs: &[String]) -> bool;
    fn failure(&self, jobs: &[String]) -> bool;
    fn cancelled(&self) -> bool;
}

type HashFiles<'a> = &'a dyn Fn(&[String]) -> Result<String, String>;

/// The contexts and functions an expression may use.
#[derive(Default)]
pub struct Scope<'a> {
    contexts: RefCell<BTreeMap<Cow<'static, str>, Value>>,
    json: BTreeMap<Cow<'static, str>, serde_json::Value>,
    lazy: BTreeMap<&'static str, Box<dyn Fn() -> serde_json::Value + 'a>>,
    status: Option<&'a dyn StatusFunctions>,
    hash_files: Option<HashFiles<'a>>,
    failed_at: Cell<Option<usize>>,
}

impl<'a> Scope<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a context; it is converted only when an expression asks for it.
    pub fn set(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        json: serde_json::Value,
    ) -> &mut Self {
        let name = name.into();
        self.contexts.get_mut().remove(&name);
        self.json.insert(name, json);
        self
    }

    /// Sets a context that is converted already; cloning such a value is cheap.
    pub fn set_value(&mut self, name: &'static str, value: Value) -> &mut Self {
        self.json.remove(name);
        self.lazy.remove(name);
        self.contexts.get_mut().insert(Cow::Borrowed(name), value);
        self
    }

    /// Sets a context that is made only when an expression asks for it.
    pub fn set_lazy(
        &mut self,
        name: &'static str,
        make: impl Fn() -> serde_json::Value + 'a,
    ) -> &mut Self {
        self.contexts.get_mut().remove(name);
        self.json.remove(name);
        self.lazy.insert(name, Box::new(make));
        self
    }

    /// Sets `env`, whose names are told apart by case.
    pub fn set_env<'e>(&mut self, env: impl IntoIterator<Item = (&'e str, &'e str)>) -> &mut Self {
        let entries = env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)));
        let env = Value::Object(Rc::new(Object::exact(entries)));
        self.contexts.get_mut().insert(Cow::Borrowed("env"), env);
        self
    }

    /// Sets a context whose names are told apart by case.
    pub fn set_exact<'e>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        entries: impl IntoIterator<Item = (&'e str, Value)>,
    ) -> &mut Self {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let object = Value::Object(Rc::new(Object::exact(entries)));
        self.contexts.get_mut().insert(name.into(), object);
        self
    }

    pub fn set_status(&mut self, status: &'a dyn StatusFunctions) -> &mut Self {
        self.status = Some(status);
        self
    }

    pub fn set_hash_files(&mut self, hash_files: HashFiles<'a>) -> &mut Self {
        self.hash_files = Some(hash_files);
        self
    }

    /// Where the call stands that failed last, by bytes of its expression.
    pub fn failed_at(&self) -> Option<usize> {
        self.failed_at.get()
    }

    fn context(&self, name: &str) -> Value {
        if let Some(known) = self.contexts.borrow().get(name) {
            return known.clone();
        }
        let (name, value) = if let Some((name, json)) = self.json.get_key_value(name) {
            (name.clone(), Value::from(json))
        } else if let Some((name, make)) = self.lazy.get_key_value(name) {
            (Cow::Borrowed(*name), Value::from(&make()))
        } else {
            return Value::Null;
        };
        self.contexts.borrow_mut().insert(name, value.clone());
        value
    }
}

impl Expression {
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        evaluate(&self.root, scope)
    }
}

pub(super) fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Value, EvalError> {
    Ok(match expr {
        Expr::Null => Value::Null,
        Expr::Bool(flag) => Value::Bool(*flag),
        Expr::Number(number) => Value::Number(*number),
        Expr::String(text) => Value::from(text.as_str()),
        Expr::Context { name, .. } => scope.context(name),
        Expr::Index { .. } | Expr::Wildcard(_) => match reach(expr, scope)? {
            Reached::One(value) => value,
            Reached::Many(values) => Value::Array(Rc::new(values)),
        },
        Expr::Call {
            name,
            arguments,
            at,
        } => {
            let before = scope.failed_at.take();
            let result = call(name, arguments, scope).and_then(within_limit);
            // The innermost call is the one that failed.
            if result.is_err() && scope.failed_at.get().is_none() {
                scope.failed_at.set(Some(*at));
            } else if result.is_ok() {
                scope.failed_at.set(before);
            }
            result?
        }
        Expr::Not(inner) => Value::Bool(!evaluate(inner, scope)?.is_truthy()),
        Expr::Binary {
            operator,
            left,
            right,
        } => binary(*operator, left, right, scope)?,
    })
}

/// GitHub's limit on what an expression gives.
const MAX_RESULT_BYTES: usize = 10 << 20;

pub(super) fn within_limit(value: Value) -> Result<Value, EvalError> {
    match &value {
        Value::String(text) if text.len() > MAX_RESULT_BYTES => {
            Err(EvalError::TooLarge(text.len()))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Ok(value),
    }
}

fn binary(
    operator: Operator,
    left: &Expr,
    right: &Expr,
    scope: &Scope<'_>,
) -> Result<Value, EvalError> {
    let left = evaluate(left, scope)?;
    match operator {
        Operator::And if !left.is_truthy() => return Ok(left),
        Operator::Or if left.is_truthy() => return Ok(left),
        Operator::And | Operator::Or => return evaluate(right, scope),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => {}
    }
    let right = evaluate(right, scope)?;
    let order = left.compare(&right);
    Ok(Value::Bool(match operator {
        Operator::Equal => left.equals(&right),
        Operator::NotEqual => !left.equals(&right),
        Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Operator::LessOrEqual => {
            left.equals(&right) || order.is_some_and(std::cmp::Ordering::is_lt)
        }
        Operator::GreaterOrEqual => {
            left.equals(&right) || order.is_some_and(std::cmp::Ordering::is_gt)
        }
        Operator::And | Operator::Or => unreachable!("both returned above"),
    }))
}

/// What an access leads to: one value, or all that a wildcard found.
enum Reached {
    One(Value),
    Many(Vec<Value>),
}

fn reach(expr: &Expr, scope: &Scope<'_>) -> Result<Reached, EvalError> {
    match expr {
        Expr::Index { base, index } => {
            let base = reach(base, scope)?;
            let index = evaluate(index, scope)?;
            Ok(match base {
                Reached::One(value) => {
                    Reached::One(index_into(&value, &index).unwrap_or(Value::Null))
                }
                Reached::Many(values) => Reached::Many(
                    values
                        .iter()
                        .filter_map(|it| index_into(it, &index))
                        .collect(),
                ),
            })
        }
        Expr::Wildcard(base) => Ok(Reached::Many(match reach(base, scope)? {
            Reached::One(value) => children(&value),
            Reached::Many(values) => values.iter().flat_map(children).collect(),
        })),
        Expr::Null
        | Expr::Bool(_)
        | Expr::Number(_)
        | Expr::String(_)
        | Expr::Context { .. }
        | Expr::Call { .. }
        | Expr::Not(_)
        | Expr::Binary { .. } => Ok(Reached::One(evaluate(expr, scope)?)),
    }
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.to_vec(),
        Value::Object(object) => object.iter().map(|(_, value)| value.clone()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn index_into(base: &Value, index: &Value) -> Option<Value> {
    if !index.is_primitive() {
        return None;
    }
    match base {
        Value::Object(object) => object.get(&index.to_text()).cloned(),
        Value::Array(items) => {
            let position = index.to_number().floor();
            if !(0.0..4_294_967_296.0).contains(&position) {
                return None;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within 32 bits"
            )]
            items.get(position as usize).cloned()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn call(name: &str, arguments: &[Expr], scope: &Scope<'_>) -> Result<Value, EvalError> {
    if name == "case" {
        return case(arguments, scope);
    }
    let values = arguments
        .iter()
        .map(|it| evaluate(it, scope))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(result) = functions::call(name, &values) {
        return result;
    }
    let texts: Vec<_> = values.iter().map(Value::to_text).collect();
    if name == "hashFiles" {
        let hash = scope
            .hash_files
            .ok_or_else(|| EvalError::NotHere("hashFiles()".to_owned()))?;
        return hash(&texts)
            .map(|it| Value::from(it.as_str()))
            .map_err(EvalError::HashFiles);
    }
    let status = scope
        .status
        .ok_or_else(|| EvalError::NotHere(format!("{name}()")))?;
    Ok(Value::Bool(match name {
        "success" => status.success(&texts),
        "failure" => status.failure(&texts),
        "cancelled" => status.cancelled(),
        _ => true,
    }))
}

/// Pairs of condition and value, then the value for when none holds; only what is needed is evaluated.
fn case(arguments: &[Expr], scope: &Scope<'_>) -> Result<Value, EvalError> {
    for (position, pair) in arguments.chunks(2).enumerate() {
        let [condition, value] = pair else {
            return pair
                .first()
                .map_or(Ok(Value::Null), |it| evaluate(it, scope));
        };
        match evaluate(condition, scope)? {
            Value::Bool(true) => return evaluate(value, scope),
            Value::Bool(false) => {}
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                return Err(EvalError::CaseCondition(position + 1));
            }
        }
    }
    Ok(Value::Null)
}
