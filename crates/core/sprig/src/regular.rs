//! Regular expressions with Go's syntax and Go's messages.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use gotemplate::{Call, FunctionError, Functions, STRING_LIST, Signature, Text, Type, Value};
use regex::Regex;

use crate::{
    arguments::{any, integer, room, room_for, string, text},
    regex_go::{self, PatternError},
};

/// Charts ask for the same few patterns over and over.
const KEPT_MAX: usize = 256;

type Compiled = Rc<Result<Regex, PatternError>>;

#[derive(Clone, Default)]
struct Patterns(Rc<RefCell<HashMap<Text, Compiled>>>);

impl Patterns {
    fn get(&self, pattern: &Text) -> Compiled {
        if let Some(found) = self.0.borrow().get(pattern) {
            return found.clone();
        }
        let compiled = Rc::new(regex_go::compile(&pattern.to_str()));
        let mut kept = self.0.borrow_mut();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(pattern.clone(), compiled.clone());
        compiled
    }
}

/// How a function complains of a bad pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Complaint {
    /// As an error.
    Error,
    /// As the panic of Go's `MustCompile`.
    Panic,
}

impl Complaint {
    fn of(self, error: &PatternError, pattern: &Text) -> FunctionError {
        FunctionError::new(match self {
            Self::Error => error.to_string(),
            Self::Panic => {
                let pattern = pattern.as_bytes();
                let shown = match gotemplate::can_backquote(pattern) {
                    true => format!("`{}`", String::from_utf8_lossy(pattern)),
                    false => gotemplate::quoted(pattern),
                };
                format!("regexp: Compile({shown}): {error}")
            }
        })
    }
}

pub(crate) fn add(all: &mut Functions) {
    let patterns = Patterns::default();
    add_matches(all, &patterns);
    for (complaint, names) in [
        (
            Complaint::Panic,
            [
                "regexFind",
                "regexFindAll",
                "regexReplaceAll",
                "regexReplaceAllLiteral",
                "regexSplit",
            ],
        ),
        (
            Complaint::Error,
            [
                "mustRegexFind",
                "mustRegexFindAll",
                "mustRegexReplaceAll",
                "mustRegexReplaceAllLiteral",
                "mustRegexSplit",
            ],
        ),
    ] {
        let [find, find_all, replace, replace_literal, split] = names;
        let two = Signature::new(&[Type::String, Type::String], Type::String);
        let three = Signature::new(&[Type::String, Type::String, Type::String], Type::String);
        let counted = Signature::new(&[Type::String, Type::String, Type::Int], STRING_LIST);
        add_one(
            all,
            &patterns,
            complaint,
            find,
            two,
            |regex, _, arguments| {
                let text = string(arguments, 1);
                Ok(regex
                    .find(&text)
                    .map(|it| it.as_str())
                    .unwrap_or_default()
                    .into())
            },
        );
        add_one(all, &patterns, complaint, find_all, counted, find_all_of);
        add_one(all, &patterns, complaint, split, counted, split_at);
        add_one(
            all,
            &patterns,
            complaint,
            replace,
            three,
            |regex, call, arguments| {
                let replaced = regex
                    .replace_all(&string(arguments, 1), &*string(arguments, 2))
                    .into_owned();
                room(call, replaced.len())?;
                Ok(replaced.into())
            },
        );
        add_one(
            all,
            &patterns,
            complaint,
            replace_literal,
            three,
            |regex, call, arguments| {
                let literal = string(arguments, 2);
                let replaced = regex
                    .replace_all(&string(arguments, 1), regex::NoExpand(&literal))
                    .into_owned();
                room(call, replaced.len())?;
                Ok(replaced.into())
            },
        );
    }
    all.add(
        "regexQuoteMeta",
        Signature::new(&[Type::String], Type::String),
        |_, arguments| {
            let mut out = String::new();
            for symbol in string(arguments, 0).chars() {
                if r"\.+*?()|[]{}^$".contains(symbol) {
                    out.push('\\');
                }
                out.push(symbol);
            }
            Ok(out.into())
        },
    );
}

fn add_one(
    all: &mut Functions,
    patterns: &Patterns,
    complaint: Complaint,
    name: &str,
    signature: Signature,
    run: fn(&Regex, &mut Call<'_>, &[Value]) -> gotemplate::Answer,
) {
    let patterns = patterns.clone();
    all.add(name, signature, move |call, arguments| {
        let pattern = text(arguments, 0);
        call.budget()
            .take_steps(text(arguments, 1).len() as u64 / 16)?;
        match &*patterns.get(pattern) {
            Ok(regex) => run(regex, call, arguments),
            Err(error) => Err(complaint.of(error, pattern)),
        }
    });
}

fn add_matches(all: &mut Functions, patterns: &Patterns) {
    let test = Signature::new(&[Type::String, Type::String], Type::Bool);
    let kept = patterns.clone();
    all.add("regexMatch", test, move |_, arguments| {
        let regex = kept.get(text(arguments, 0));
        let matches = regex
            .as_ref()
            .as_ref()
            .is_ok_and(|it| it.is_match(&string(arguments, 1)));
        Ok(Value::Bool(matches))
    });
    add_one(
        all,
        patterns,
        Complaint::Error,
        "mustRegexMatch",
        test,
        |regex, _, arguments| Ok(Value::Bool(regex.is_match(&string(arguments, 1)))),
    );
}

/// Go's `FindAllString`: at most so many, all below zero.
fn find_all_of(regex: &Regex, call: &mut Call<'_>, arguments: &[Value]) -> gotemplate::Answer {
    let text = string(arguments, 1);
    let most = usize::try_from(integer(arguments, 2)).unwrap_or(usize::MAX);
    let found: Vec<Text> = regex
        .find_iter(&text)
        .take(most)
        .map(|it| it.as_str().into())
        .collect();
    room_for(call, found.len())?;
    Ok(match found.is_empty() {
        true => Value::zero(STRING_LIST),
        false => Value::strings(found),
    })
}

fn split_at(regex: &Regex, call: &mut Call<'_>, arguments: &[Value]) -> gotemplate::Answer {
    let whole = string(arguments, 1);
    let most = integer(arguments, 2);
    if most == 0 {
        return Ok(Value::zero(STRING_LIST));
    }
    if whole.is_empty() && !text(arguments, 0).is_empty() {
        return Ok(Value::strings([any(arguments, 1)
            .as_text()
            .cloned()
            .unwrap_or_default()]));
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts: Vec<Text> = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.find_iter(&whole).take(most) {
        if parts.len() + 1 == most {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(whole.get(start..end).unwrap_or_default().into());
        }
        start = found.end();
    }
    if end != whole.len() {
        parts.push(whole.get(start..).unwrap_or_default().into());
    }
    room_for(call, parts.len())?;
    Ok(Value::strings(parts))
}
