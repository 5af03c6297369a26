//! Values: where they come from and how sources are laid over each other.
//!
//! Outside of a render values are JSON trees with one rule: a whole number is Go's `int64`
//! (it came from `--set`), and every number from a file is a float, as Go's decoder makes it.

pub(crate) mod coalesce;
mod document;
pub(crate) mod strvals;
pub(crate) mod tree;

use serde_json::{Map, Number, Value};

pub(crate) use document::{load_first, load_merged};
pub use document::{DocumentError, YamlError};
use strvals::{Meaning, parse_into};

use crate::Compat;

/// Everything a user says about values, in the order of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueSources {
    /// `-f`: name and content of each file.
    pub files: Vec<(String, String)>,
    /// `--set-json`
    pub set_json: Vec<String>,
    /// `--set`
    pub set: Vec<String>,
    /// `--set-string`
    pub set_string: Vec<String>,
    /// `--set-file`: the argument; the files it names are looked up in `file_contents`.
    pub set_file: Vec<String>,
    /// `--set-literal`
    pub set_literal: Vec<String>,
    /// What the files that `--set-file` names hold.
    pub file_contents: std::collections::BTreeMap<String, String>,
}

/// Why the user's values cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    #[error("failed to parse {file}: {source}")]
    File {
        file: String,
        source: DocumentError,
    },
    #[error("failed parsing {option} data: {reason}")]
    Set {
        option: &'static str,
        reason: String,
    },
    #[error("failed parsing --set-json data {argument}")]
    SetJson { argument: String, reason: String },
}

impl ValueSources {
    /// Lays all sources over each other.
    ///
    /// # Errors
    ///
    /// The first source that cannot be read, in Helm's words.
    pub fn merge(&self, compat: Compat) -> Result<Map<String, Value>, ValuesError> {
        let mut base = Map::new();
        for (file, text) in &self.files {
            let loaded = match compat {
                Compat::Helm4 => load_merged(text),
                Compat::Helm3 => load_first(text),
            };
            let values = loaded.map_err(|source| ValuesError::File {
                file: file.clone(),
                source,
            })?;
            merge_maps(&mut base, values);
        }
        for argument in &self.set_json {
            set_json(argument, &mut base, compat)?;
        }
        let lookup = |path: &str| {
            let found = self.file_contents.get(path).cloned();
            found.ok_or_else(|| format!("open {path}: no such file or directory"))
        };
        let options: [(&'static str, &Vec<String>, Meaning<'_>); 4] = [
            ("--set", &self.set, Meaning::Typed),
            ("--set-string", &self.set_string, Meaning::Text),
            ("--set-file", &self.set_file, Meaning::File(&lookup)),
            ("--set-literal", &self.set_literal, Meaning::Literal),
        ];
        for (option, arguments, meaning) in options {
            for argument in arguments {
                parse_into(argument, &mut base, &meaning)
                    .map_err(|reason| ValuesError::Set { option, reason })?;
            }
        }
        Ok(base)
    }
}

/// The names of the files that a `--set-file` argument reads.
///
/// # Errors
///
/// The text of Helm's own parser.
pub fn set_file_names(argument: &str) -> Result<Vec<String>, ValuesError> {
    let names = std::cell::RefCell::new(Vec::new());
    let note = |path: &str| {
        names.borrow_mut().push(path.to_owned());
        Ok(String::new())
    };
    parse_into(argument, &mut Map::new(), &Meaning::File(&note)).map_err(|reason| {
        ValuesError::Set {
            option: "--set-file",
            reason,
        }
    })?;
    Ok(names.into_inner())
}

fn set_json(
    argument: &str,
    base: &mut Map<String, Value>,
    compat: Compat,
) -> Result<(), ValuesError> {
    let failed = |shown: String, reason: String| ValuesError::SetJson {
        argument: shown,
        reason,
    };
    let trimmed = argument.trim();
    if compat == Compat::Helm4 && trimmed.starts_with('{') {
        let value: Value = serde_json::from_str(trimmed)
            .map_err(|error| failed(format!("JSON: {argument}"), error.to_string()))?;
        if let Value::Object(entries) = numbers_to_float(value) {
            merge_maps(base, entries);
        }
        return Ok(());
    }
    parse_into(argument, base, &Meaning::Json).map_err(|reason| failed(argument.to_owned(), reason))
}

/// Lays `over` on `base`: maps merge, everything else replaces.
pub(crate) fn merge_maps(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge_maps(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Makes every number a float, as Go's JSON decoder does.
pub(crate) fn numbers_to_float(mut value: Value) -> Value {
    make_floats(&mut value);
    value
}

fn make_floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(Number::from_f64);
            *value = float.map_or(Value::Null, Value::Number);
        }
        Value::Array(items) => items.iter_mut().for_each(make_floats),
        Value::Object(entries) => entries.values_mut().for_each(make_floats),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
