//! Random values.

use serde_json::{Map, Value, json};

use super::chance::Chance;

const KEYS: [&str; 22] = [
    "name", "image", "tag", "replicas", "port", "enabled", "labels", "config", "list", "items",
    "host", "size", "env", "a", "b", "c", "extra", "x-y", "with.dot", "9", "10", "Upper",
];
const TEXTS: [&str; 30] = [
    "web", "nginx", "1.2.3", "", "yes", "1", "0755", "a b", "x: y", "- z", "#c", "null", "true",
    "é", "日本", "😀", "two\nlines\n", "tail\n\n", " lead", "trail ", "a,b,c", "https://ex.com/p?q=1",
    "{{ .Release.Name }}", "{{ .Values.name }}-x", "MixedCase", "with-dash_and.dot", "\"quoted\"",
    "it's", "<b>&amp;</b>",
    "a text that is long enough to be folded by the writer because it has more than eighty characters",
];
const INTEGERS: [i64; 9] = [0, 1, 2, 3, 10, 80, 8080, -1, 1_000_000];
const FLOATS: [f64; 7] = [0.5, 1.5, -2.25, 100.0, 1e6, 1e21, 0.000_001];

/// Values of a chart.
#[derive(Clone)]
pub struct Tree(pub Value);

impl Tree {
    pub fn random(chance: &mut Chance, depth: usize) -> Self {
        let mut entries = Map::new();
        for _ in 0..=chance.below(7) + 2 {
            let key = (*chance.pick(&KEYS)).to_owned();
            entries.insert(key, value(chance, depth));
        }
        Self(Value::Object(entries))
    }

    pub fn object<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.into_iter().map(|(key, tree)| (key.to_owned(), tree.0));
        Self(Value::Object(entries.collect()))
    }

    pub fn put(&mut self, key: &str, tree: Self) {
        if let Value::Object(entries) = &mut self.0 {
            entries.insert(key.to_owned(), tree.0);
        }
    }

    /// A part of it, with other values, nulls and new keys: what a user may write over it.
    pub fn changed(&self, chance: &mut Chance) -> Self {
        Self(changed(&self.0, chance))
    }

    /// YAML that is JSON.
    pub fn text(&self) -> String {
        format!("{}\n", self.0)
    }

    /// An argument of `--set`.
    pub fn set_argument(&self, chance: &mut Chance) -> String {
        let mut all: Vec<(String, &Value)> = Vec::new();
        paths(&self.0, String::new(), &mut all);
        let simple: Vec<&String> = all
            .iter()
            .map(|(path, _)| path)
            .filter(|path| !path.contains(['"', '[']))
            .collect();
        let mut parts = Vec::new();
        for _ in 0..=chance.below(3) {
            let path = match simple.len() {
                0 => "fresh".to_owned(),
                _ => chance.pick(&simple).trim_start_matches('.').to_owned(),
            };
            let value = chance.pick(&["1", "text", "null", "true", "{a,b}", "0", "1.5", ""]);
            parts.push(format!("{path}={value}"));
        }
        parts.join(",")
    }
}

fn changed(value: &Value, chance: &mut Chance) -> Value {
    match value {
        Value::Object(entries) if !chance.one_in(8) => {
            let mut kept = Map::new();
            for (key, value) in entries {
                if chance.one_in(2) {
                    kept.insert(key.clone(), changed(value, chance));
                }
            }
            if chance.one_in(3) {
                let key = (*chance.pick(&KEYS)).to_owned();
                kept.insert(key, self::value(chance, 1));
            }
            Value::Object(kept)
        }
        _ if chance.one_in(3) => Value::Null,
        Value::Object(_) | Value::Array(_) => value.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(chance),
    }
}

fn value(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(10) {
        0..=2 if depth > 0 => Tree::random(chance, depth - 1).0,
        3 if depth > 0 => (0..chance.below(4)).map(|_| value(chance, depth - 1)).collect(),
        4 => (0..chance.below(4)).map(|_| text(chance)).collect(),
        _ => scalar(chance),
    }
}

fn text(chance: &mut Chance) -> Value {
    loop {
        let text = *chance.pick(&TEXTS);
        if chance.beyond_ascii || text.is_ascii() {
            return Value::from(text);
        }
    }
}

fn scalar(chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::Null,
        1 | 2 => Value::Bool(chance.one_in(2)),
        3 | 4 => Value::from(*chance.pick(&INTEGERS)),
        5 => json!(*chance.pick(&FLOATS)),
        _ => text(chance),
    }
}

/// All template paths below `value`, with what is there.
pub fn paths<'a>(value: &'a Value, path: String, found: &mut Vec<(String, &'a Value)>) {
    if let Value::Object(entries) = value {
        for (key, value) in entries {
            let plain = key.chars().all(char::is_alphabetic);
            if plain {
                let path = format!("{path}.{key}");
                found.push((path.clone(), value));
                paths(value, path, found);
            }
        }
    }
}
