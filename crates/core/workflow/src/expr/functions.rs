//! The functions of the language that need no knowledge of the run.

use super::{
    eval::EvalError,
    value::{Value, fold_case},
};

/// A function's name and how many arguments it takes.
pub(super) struct Function {
    pub name: &'static str,
    least: usize,
    most: usize,
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "contains",
        least: 2,
        most: 2,
    },
    Function {
        name: "startsWith",
        least: 2,
        most: 2,
    },
    Function {
        name: "endsWith",
        least: 2,
        most: 2,
    },
    Function {
        name: "format",
        least: 1,
        most: 255,
    },
    Function {
        name: "join",
        least: 1,
        most: 2,
    },
    Function {
        name: "toJSON",
        least: 1,
        most: 1,
    },
    Function {
        name: "fromJSON",
        least: 1,
        most: 1,
    },
    Function {
        name: "case",
        least: 3,
        most: 255,
    },
    Function {
        name: "hashFiles",
        least: 1,
        most: 255,
    },
    Function {
        name: "success",
        least: 0,
        most: usize::MAX,
    },
    Function {
        name: "failure",
        least: 0,
        most: usize::MAX,
    },
    Function {
        name: "cancelled",
        least: 0,
        most: 0,
    },
    Function {
        name: "always",
        least: 0,
        most: 0,
    },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case(name))
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|it| it.name)
}

impl Function {
    /// `Err` says how many it takes.
    pub fn accepts(&self, count: usize) -> Result<(), String> {
        let odd = self.name != "case" || count % 2 == 1;
        if (self.least..=self.most).contains(&count) && odd {
            return Ok(());
        }
        Err(match (self.least, self.most) {
            _ if self.name == "case" => "an odd number of arguments, at least 3".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, usize::MAX | 255) => format!("at least {least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        })
    }
}

/// Calls a function whose arguments are all evaluated; `None` when it is not among them.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, EvalError>> {
    let first = arguments.first().unwrap_or(&Value::Null);
    let second = arguments.get(1).unwrap_or(&Value::Null);
    Some(match name {
        "contains" => Ok(Value::Bool(contains(first, second))),
        "startsWith" => Ok(Value::Bool(both_texts(first, second, |text, part| {
            text.starts_with(part)
        }))),
        "endsWith" => Ok(Value::Bool(both_texts(first, second, |text, part| {
            text.ends_with(part)
        }))),
        "format" => format(&first.to_text(), arguments.get(1..).unwrap_or_default())
            .map(|it| Value::from(it.as_str())),
        "join" => Ok(Value::from(join(first, arguments.get(1)).as_str())),
        "toJSON" => Ok(Value::from(first.to_pretty_json().as_str())),
        "fromJSON" => from_json(&first.to_text()),
        _ => return None,
    })
}

fn contains(whole: &Value, part: &Value) -> bool {
    match whole {
        Value::Array(items) => items.iter().any(|item| item.equals(part)),
        Value::Object(_) => false,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            both_texts(whole, part, |text, part| text.contains(part))
        }
    }
}

fn both_texts(whole: &Value, part: &Value, holds: impl Fn(&str, &str) -> bool) -> bool {
    let primitive = whole.is_primitive() && part.is_primitive();
    primitive && holds(&fold_case(&whole.to_text()), &fold_case(&part.to_text()))
}

fn format(template: &str, arguments: &[Value]) -> Result<String, EvalError> {
    let wrong = || EvalError::Format(template.to_owned());
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        if let Some(after) = tail.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = tail.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else {
            let (index, after) = tail
                .strip_prefix('{')
                .and_then(|it| it.split_once('}'))
                .ok_or_else(wrong)?;
            if index.is_empty() || !index.bytes().all(|it| it.is_ascii_digit()) {
                return Err(wrong());
            }
            let index: u8 = index.parse().map_err(|_| wrong())?;
            let argument =
                arguments
                    .get(usize::from(index))
                    .ok_or_else(|| EvalError::FormatArgument {
                        template: template.to_owned(),
                        index,
                    })?;
            out.push_str(&argument.to_text());
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn join(list: &Value, separator: Option<&Value>) -> String {
    match list {
        Value::Array(items) => {
            let separator = separator.map_or_else(
                || ",".to_owned(),
                |it| {
                    if it.is_primitive() {
                        it.to_text()
                    } else {
                        ",".to_owned()
                    }
                },
            );
            let texts: Vec<_> = items.iter().map(Value::to_text).collect();
            texts.join(&separator)
        }
        Value::Object(_) => String::new(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => list.to_text(),
    }
}

fn from_json(text: &str) -> Result<Value, EvalError> {
    let parsed: serde_json::Value =
        serde_json::from_str(text).map_err(|source| EvalError::Json {
            text: shorten(text),
            reason: source.to_string(),
        })?;
    Ok(Value::from(&parsed))
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
