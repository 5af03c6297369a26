//! The part of jq that names places in a document: fields, indexes, all items, and those that a condition selects.
//!
//! Expressions that compute something are refused by name; they name no place.

use serde_json::Value;

/// An expression of jq that names places, read once.
#[derive(Clone, Debug, PartialEq)]
pub struct JqPath(Vec<Branch>);

/// Steps from the top, one after another.
type Branch = Vec<Step>;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// From the end when negative.
    Index(i64),
    All,
    /// Everything below, and the place itself.
    Deep,
    Select(Vec<Vec<Condition>>),
}

/// `PATH OP LITERAL`, or a test of the text there.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    path: Branch,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(Value),
    Unequal(Value),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    /// Neither `null` nor `false`.
    Holds,
}

/// Why an expression is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JqError {
    #[error("`{0}` is no part of jq that names a place")]
    Unknown(String),
    #[error("the expression ends where `{0}` was expected")]
    Ends(&'static str),
}

/// A condition inside a condition inside … ends here.
const DEPTH_MAX: usize = 16;

impl JqPath {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// Names the first part that is not supported.
    pub fn parse(text: &str) -> Result<Self, JqError> {
        let mut reader = Reader { rest: text.trim(), depth: 0 };
        let branches = reader.branches(None)?;
        if reader.rest.is_empty() { Ok(Self(branches)) } else { Err(reader.unknown()) }
    }

    /// The places in a document, each as the names and numbers that lead to it.
    pub fn places(&self, document: &Value) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for branch in &self.0 {
            walk(document, branch, &mut Vec::new(), &mut found);
        }
        found
    }
}

fn walk(value: &Value, steps: &[Step], path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(path.clone());
        return;
    };
    let mut below = |name: String, value: &Value| {
        path.push(name);
        walk(value, rest, path, found);
        path.pop();
    };
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => {
            if let Some(value) = fields.get(name) {
                below(name.clone(), value);
            }
        }
        (Step::Index(index), Value::Array(items)) => {
            let index = if *index < 0 { items.len() as i64 + index } else { *index };
            if let Some((place, value)) = usize::try_from(index).ok().and_then(|it| Some((it, items.get(it)?))) {
                below(place.to_string(), value);
            }
        }
        (Step::All, Value::Array(items)) => items.iter().enumerate().for_each(|(index, value)| below(index.to_string(), value)),
        (Step::All, Value::Object(fields)) => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        (Step::Deep, _) => {
            walk(value, rest, path, found);
            let children: Vec<(String, &Value)> = match value {
                Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
                Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            };
            for (name, child) in children {
                path.push(name);
                walk(child, steps, path, found);
                path.pop();
            }
        }
        (Step::Select(any), _) => {
            if any.iter().any(|all| all.iter().all(|it| it.holds(value))) {
                walk(value, rest, path, found);
            }
        }
        (Step::Field(_) | Step::Index(_) | Step::All, _) => {}
    }
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        let mut places = Vec::new();
        walk(value, &self.path, &mut Vec::new(), &mut places);
        let at = |path: &Vec<String>| {
            path.iter().try_fold(value, |value, part| match value {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?),
                other => other.get(part),
            })
        };
        let found = places.first().and_then(at).unwrap_or(&Value::Null);
        let text = found.as_str();
        match &self.test {
            Test::Equal(wanted) => found == wanted,
            Test::Unequal(wanted) => found != wanted,
            Test::StartsWith(part) => text.is_some_and(|it| it.starts_with(part)),
            Test::EndsWith(part) => text.is_some_and(|it| it.ends_with(part)),
            Test::Contains(part) => text.is_some_and(|it| it.contains(part)),
            Test::Holds => !matches!(found, Value::Null | Value::Bool(false)),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn unknown(&self) -> JqError {
        let end = self.rest.find([' ', '|', ',', ')']).filter(|it| *it > 0).unwrap_or(self.rest.len());
        JqError::Unknown(self.rest[..end].to_owned())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &'static str) -> Result<(), JqError> {
        self.skip_space();
        if self.eat(token) {
            return Ok(());
        }
        if self.rest.is_empty() { Err(JqError::Ends(token)) } else { Err(self.unknown()) }
    }

    /// Paths with commas between them, up to `end`.
    fn branches(&mut self, end: Option<char>) -> Result<Vec<Branch>, JqError> {
        let mut branches = Vec::new();
        loop {
            let mut heads = self.piped()?;
            branches.append(&mut heads);
            self.skip_space();
            if !self.eat(",") {
                break;
            }
        }
        let is_end = self.rest.is_empty() && end.is_none() || end.is_some_and(|it| self.rest.starts_with(it));
        if is_end { Ok(branches) } else { Err(self.unknown()) }
    }

    /// One path, whose pieces may stand behind pipes.
    fn piped(&mut self) -> Result<Vec<Branch>, JqError> {
        let mut branches = vec![Branch::new()];
        loop {
            self.skip_space();
            let pieces = if self.eat("(") {
                self.enter()?;
                let inner = self.branches(Some(')'))?;
                self.expect(")")?;
                self.depth -= 1;
                let mut tail = Branch::new();
                self.steps(&mut tail)?;
                inner.into_iter().map(|mut it| { it.extend(tail.iter().cloned()); it }).collect()
            } else if self.eat("select(") {
                self.enter()?;
                let step = self.select()?;
                self.depth -= 1;
                let mut tail = vec![step];
                self.steps(&mut tail)?;
                vec![tail]
            } else if self.rest.starts_with('.') {
                vec![self.path()?]
            } else if self.rest.is_empty() {
                return Err(JqError::Ends("."));
            } else {
                return Err(self.unknown());
            };
            branches = branches.iter().flat_map(|head| pieces.iter().map(|tail| [head.clone(), tail.clone()].concat())).collect();
            self.skip_space();
            if !self.eat("|") {
                return Ok(branches);
            }
        }
    }

    fn enter(&mut self) -> Result<(), JqError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.unknown()) } else { Ok(()) }
    }

    /// What begins with a dot.
    fn path(&mut self) -> Result<Branch, JqError> {
        let mut steps = Branch::new();
        if self.eat("..") {
            steps.push(Step::Deep);
        } else if self.rest.starts_with(".[") || self.rest.len() == 1 {
            self.eat(".");
        } else if let Some(rest) = self.rest.strip_prefix('.')
            && !rest.starts_with(|it: char| it == '"' || it == '_' || it.is_ascii_alphabetic())
        {
            self.rest = rest;
            return Ok(steps);
        }
        self.steps(&mut steps)?;
        Ok(steps)
    }

    /// `.name`, `."name"`, `[0]`, `["name"]`, `[]` and `?`, as many as follow.
    fn steps(&mut self, steps: &mut Branch) -> Result<(), JqError> {
        loop {
            if self.eat("?") {
                // What is not there names no place anyway.
            } else if self.rest.starts_with(".\"") {
                self.eat(".");
                steps.push(Step::Field(self.text()?));
            } else if self.rest.starts_with(".[") {
                self.eat(".");
            } else if self.eat("[") {
                steps.push(self.index()?);
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                let end = rest.find(|it: char| it != '_' && !it.is_ascii_alphanumeric()).unwrap_or(rest.len());
                if end == 0 {
                    return Err(self.unknown());
                }
                steps.push(Step::Field(rest[..end].to_owned()));
                self.rest = &rest[end..];
            } else {
                return Ok(());
            }
        }
    }

    fn index(&mut self) -> Result<Step, JqError> {
        self.skip_space();
        if self.eat("]") {
            return Ok(Step::All);
        }
        let step = if self.rest.starts_with('"') {
            Step::Field(self.text()?)
        } else {
            let end = self.rest.find(|it: char| it != '-' && !it.is_ascii_digit()).unwrap_or(self.rest.len());
            let number = self.rest[..end].parse().map_err(|_| self.unknown())?;
            self.rest = &self.rest[end..];
            Step::Index(number)
        };
        self.expect("]")?;
        Ok(step)
    }

    /// A text in quotes, as JSON writes it.
    fn text(&mut self) -> Result<String, JqError> {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, letter)| {
            let ends = *letter == '"' && !is_escaped;
            is_escaped = *letter == '\\' && !is_escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(JqError::Ends("\"")) };
        let text = serde_json::from_str(&self.rest[..=end]).map_err(|_| self.unknown())?;
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// Conditions with `and` between them, groups of those with `or` between them; the bracket is open already.
    fn select(&mut self) -> Result<Step, JqError> {
        let mut any = vec![Vec::new()];
        loop {
            let condition = self.condition()?;
            if let Some(all) = any.last_mut() {
                all.push(condition);
            }
            self.skip_space();
            if self.eat("and ") {
            } else if self.eat("or ") {
                any.push(Vec::new());
            } else {
                self.expect(")")?;
                return Ok(Step::Select(any));
            }
        }
    }

    fn condition(&mut self) -> Result<Condition, JqError> {
        self.skip_space();
        if !self.rest.starts_with('.') {
            return Err(self.unknown());
        }
        let path = self.path()?;
        self.skip_space();
        let test = if self.eat("==") {
            Test::Equal(self.literal()?)
        } else if self.eat("!=") {
            Test::Unequal(self.literal()?)
        } else if self.eat("|") {
            self.skip_space();
            let tests: [(&str, fn(String) -> Test); 3] =
                [("startswith(", Test::StartsWith), ("endswith(", Test::EndsWith), ("contains(", Test::Contains)];
            let found = tests.into_iter().find(|(name, _)| self.eat(name));
            let Some((_, test)) = found else { return Err(self.unknown()) };
            self.skip_space();
            let text = if self.rest.starts_with('"') { self.text()? } else { return Err(self.unknown()) };
            self.expect(")")?;
            test(text)
        } else {
            Test::Holds
        };
        Ok(Condition { path, test })
    }

    fn literal(&mut self) -> Result<Value, JqError> {
        self.skip_space();
        if self.rest.starts_with('"') {
            return self.text().map(Value::from);
        }
        let end = self.rest.find([' ', ')', ',', '|']).unwrap_or(self.rest.len());
        let value = serde_json::from_str(&self.rest[..end]).map_err(|_| self.unknown())?;
        self.rest = &self.rest[end..];
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let document = json!({
            "metadata": {"annotations": {"a/b": "1"}, "name": "web"},
            "spec": {"replicas": 2, "containers": [{"name": "web", "image": "a"}, {"name": "proxy", "image": "b", "env": [{"name": "X"}]}]},
            "webhooks": [{"clientConfig": {"caBundle": "x"}}, {}],
        });
        let found = match JqPath::parse(expression) {
            Ok(path) => path.places(&document).iter().map(|it| it.join("/")).collect::<Vec<_>>().join(" "),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn places_are_named_as_jq_names_them() {
        check(".spec.replicas", "spec/replicas");
        check(".spec.containers[].image", "spec/containers/0/image spec/containers/1/image");
        check(".spec.containers[1]", "spec/containers/1");
        check(".spec.containers[-1].name", "spec/containers/1/name");
        check(".metadata.annotations[\"a/b\"]", "metadata/annotations/a/b");
        check(".metadata.annotations.\"a/b\"", "metadata/annotations/a/b");
        check(".webhooks[]?.clientConfig.caBundle", "webhooks/0/clientConfig/caBundle");
        check(".spec.containers[] | select(.name == \"proxy\") | .image", "spec/containers/1/image");
        check(".spec.containers[] | select(.name == \"proxy\").env[].name", "spec/containers/1/env/0/name");
        check(".spec.containers[] | select(.name | startswith(\"pro\"))", "spec/containers/1");
        check(".spec.containers[] | select(.name != \"web\" and .env)", "spec/containers/1");
        check(".spec.containers[] | select(.name == \"web\" or .name == \"proxy\") | .name", "spec/containers/0/name spec/containers/1/name");
        check(".spec | (.replicas, .nothing)", "spec/replicas");
        check(".spec.replicas, .metadata.name", "spec/replicas metadata/name");
        check("..|.caBundle?", "webhooks/0/clientConfig/caBundle");
        check(".", "");
    }

    #[test]
    fn what_computes_is_refused_by_name() {
        check(".spec | keys", "error: `keys` is no part of jq that names a place");
        check(".spec.containers | map(.image)", "error: `map(.image` is no part of jq that names a place");
        check(".spec.replicas + 1", "error: `+` is no part of jq that names a place");
        check(".spec.containers[] | select(.name == \"web\"", "error: the expression ends where `)` was expected");
        check("", "error: the expression ends where `.` was expected");
    }
}
