//! Broken rules and how they are worded.

use std::fmt;

use serde_json::{Value, json};

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The path of the culprit, e.g. `spec.template.spec.containers[0].image`.
    pub field: String,
    /// The machine's word, e.g. `FieldValueRequired`.
    pub reason: &'static str,
    /// The people's words, without the path.
    pub message: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Collects causes in the order they are found.
#[derive(Default)]
pub(super) struct Report {
    pub causes: Vec<Cause>,
}

impl Report {
    fn add(&mut self, field: &str, reason: &'static str, message: String) {
        self.causes.push(Cause {
            field: field.to_owned(),
            reason,
            message,
        });
    }

    pub fn required(&mut self, field: &str) {
        self.add(field, "FieldValueRequired", "Required value".to_owned());
    }

    pub fn required_because(&mut self, field: &str, why: &str) {
        self.add(
            field,
            "FieldValueRequired",
            format!("Required value: {why}"),
        );
    }

    pub fn invalid(&mut self, field: &str, value: impl Into<Value>, why: &str) {
        let value: Value = value.into();
        self.add(
            field,
            "FieldValueInvalid",
            format!("Invalid value: {value}: {why}"),
        );
    }

    /// One cause for each of the faults of a text.
    pub fn invalid_text(&mut self, field: &str, text: &str, faults: Vec<String>) {
        for fault in faults {
            self.invalid(field, text, &fault);
        }
    }

    pub fn unsupported(&mut self, field: &str, value: impl Into<Value>, supported: &[&str]) {
        let value: Value = value.into();
        let supported: Vec<String> = supported.iter().map(|it| format!("\"{it}\"")).collect();
        let message = format!(
            "Unsupported value: {value}: supported values: {}",
            supported.join(", ")
        );
        self.add(field, "FieldValueNotSupported", message);
    }

    /// Complains unless the text is one of `supported`.
    pub fn one_of(&mut self, field: &str, value: &Value, supported: &[&str]) {
        let text = value.as_str().unwrap_or_default();
        if !supported.contains(&text) {
            self.unsupported(field, text, supported);
        }
    }

    pub fn forbidden(&mut self, field: &str, why: &str) {
        self.add(field, "FieldValueForbidden", format!("Forbidden: {why}"));
    }

    pub fn duplicate(&mut self, field: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.add(
            field,
            "FieldValueDuplicate",
            format!("Duplicate value: {value}"),
        );
    }

    pub fn not_found(&mut self, field: &str, name: &str) {
        self.add(
            field,
            "FieldValueNotFound",
            format!("Not found: {}", json!(name)),
        );
    }

    pub fn too_long(&mut self, field: &str, limit_bytes: usize) {
        let message = format!("Too long: may not be more than {limit_bytes} bytes");
        self.add(field, "FieldValueTooLong", message);
    }

    /// Complains about a number below zero; an absent one is none.
    pub fn not_negative(&mut self, field: &str, value: &Value) {
        if value.as_i64().is_some_and(|it| it < 0) {
            self.invalid(field, value.clone(), "must be greater than or equal to 0");
        }
    }

    /// Complains about a number that is no port.
    pub fn port(&mut self, field: &str, value: &Value) {
        self.between(field, value, 1, 65_535);
    }

    pub fn between(&mut self, field: &str, value: &Value, least: i64, most: i64) {
        let number = value.as_i64().unwrap_or_default();
        if !(least..=most).contains(&number) {
            let why = match (least, most) {
                (0, _) => format!("must be between 0 and {most}, inclusive"),
                _ => format!("must be between {least} and {most}, inclusive"),
            };
            self.invalid(field, number, &why);
        }
    }
}
