//! The questions of `questions.http`, and how answers are compared.

use serde_json::Value;

/// Values that no two servers share.
const OWN: [&str; 6] = ["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "selfLink"];

/// One request.
#[derive(Debug, Default)]
pub struct Question {
    pub name: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<String>,
    pub body: String,
    /// Parts of the answer that may differ.
    free: Vec<String>,
}

/// What a server said.
#[derive(Debug)]
pub struct Answer {
    pub code: String,
    pub value: Value,
}

/// Reads all questions.
pub fn read(text: &str) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("### ") {
            questions.push(Question { name: name.to_owned(), ..Question::default() });
            continue;
        }
        let Some(question) = questions.last_mut() else { continue };
        let is_header = line.split_once(": ").is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic() || c == '-'));
        if question.method.is_empty() {
            let (method, path) = line.split_once(' ').expect("a method and a path");
            (question.method, question.path) = (method.to_owned(), path.to_owned());
        } else if let Some(free) = line.strip_prefix("@ ") {
            let (pointer, _) = free.split_once(' ').expect("a pointer and a reason");
            question.free.push(pointer.to_owned());
        } else if is_header {
            question.headers.push(line.to_owned());
        } else {
            question.body.push_str(line);
        }
    }
    questions
}

impl Question {
    /// Every difference that is one, as text; none if the answers are alike.
    pub fn differences(&self, real: &Answer, embedded: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        if real.code != embedded.code {
            found.push(format!("code: real {}, embedded {}", real.code, embedded.code));
        }
        if !self.free.iter().any(|it| it == "*") {
            let [mut real, mut embedded] = [real, embedded].map(|answer| ordered(answer.value.clone()));
            [&mut real, &mut embedded].into_iter().for_each(order_managers);
            self.compare("", &real, &embedded, &mut found);
        }
        found
    }

    fn compare(&self, path: &str, real: &Value, embedded: &Value, found: &mut Vec<String>) {
        let last = path.rsplit('/').next().unwrap_or_default();
        if self.is_free(path) || OWN.contains(&last) && real.is_string() && embedded.is_string() {
            return;
        }
        match (real, embedded) {
            (Value::Object(a), Value::Object(b)) => {
                let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
                keys.sort();
                keys.dedup();
                let absent = Value::from("(absent)");
                for key in keys {
                    let side = |it: &serde_json::Map<String, Value>| it.get(key).unwrap_or(&absent).clone();
                    self.compare(&format!("{path}/{key}"), &side(a), &side(b), found);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    self.compare(&format!("{path}/{index}"), a, b, found);
                }
            }
            (a, b) if a == b => {}
            (a, b) => found.push(format!("{path}\n    real     {a}\n    embedded {b}")),
        }
    }

    fn is_free(&self, path: &str) -> bool {
        self.free.iter().any(|free| {
            let mut parts = path.split('/');
            free.split('/').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
        })
    }
}

/// Sorts the owners of fields by name: their own order is that of the seconds in which they wrote.
fn order_managers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(managers)) = fields.get_mut("managedFields") {
                managers.sort_by_key(|it| ["manager", "operation", "subresource"].map(|key| it[key].as_str().unwrap_or_default().to_owned()));
            }
            fields.values_mut().for_each(order_managers);
        }
        Value::Array(items) => items.iter_mut().for_each(order_managers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Leaves out what is by chance: Go tells several causes in the order of its maps, and a watch tells
/// of its progress when it likes.
fn ordered(mut answer: Value) -> Value {
    if let Value::Array(events) = &mut answer {
        events.retain(|event| event["type"] != "BOOKMARK" || event.pointer("/object/metadata/annotations").is_some());
    }
    if let Some(Value::Array(causes)) = answer.pointer_mut("/details/causes")
        && causes.len() > 1
    {
        causes.sort_by_key(Value::to_string);
        answer["message"] = Value::Null;
    }
    answer
}
