//! JSONPath as kubectl reads it: `{.items[*].metadata.name}`, `{range …}…{end}`, filters, texts.

use serde_json::Value;

use super::output;

/// A template of paths and texts.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// `..name`
    Deep(String),
    All,
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Filter { path: Vec<Step>, operator: String, value: Value },
    Has(Vec<Step>),
}

/// Why a path cannot be read or followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("unclosed action")]
    Unclosed,
    #[error("unexpected `{0}`")]
    Unexpected(String),
    #[error("{0} is not found")]
    NotFound(String),
}

impl JsonPath {
    /// Reads a template; what is not in braces is text.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut rest = text;
        let parts = parts(&mut rest, false)?;
        Ok(Self { parts })
    }

    /// Reads a path that may lack braces and the first dot.
    pub fn relaxed(text: &str) -> Result<Self, PathError> {
        let inner = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(text);
        let dotted = if inner.starts_with(['.', '[', '$', '@']) { inner.to_owned() } else { format!(".{inner}") };
        Self::parse(&format!("{{{dotted}}}"))
    }

    /// Fills the template.
    pub fn fill(&self, value: &Value) -> Result<String, PathError> {
        let mut out = String::new();
        fill(&self.parts, value, &mut out)?;
        Ok(out)
    }

    /// All values of the first path.
    pub fn values<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self.parts.first() {
            Some(Part::Path(steps)) => follow(steps, value),
            _ => Vec::new(),
        }
    }

    /// The values as one cell of a table.
    pub fn cell(&self, value: &Value) -> String {
        let shown: Vec<String> = self.values(value).into_iter().map(shown).collect();
        if shown.is_empty() { "<none>".to_owned() } else { shown.join(",") }
    }
}

fn parts(rest: &mut &str, in_range: bool) -> Result<Vec<Part>, PathError> {
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let Some((text, after)) = rest.split_once('{') else {
            parts.push(Part::Text((*rest).to_owned()));
            *rest = "";
            break;
        };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let end = closing(after).ok_or(PathError::Unclosed)?;
        let inside = after[..end].trim();
        *rest = &after[end + 1..];
        if inside == "end" {
            return if in_range { Ok(parts) } else { Err(PathError::Unexpected("end".to_owned())) };
        }
        if let Some(path) = inside.strip_prefix("range ") {
            let steps = steps(path.trim())?;
            let body = self::parts(rest, true)?;
            parts.push(Part::Range(steps, body));
        } else if let Some(text) = quoted(inside) {
            parts.push(Part::Text(text));
        } else {
            parts.push(Part::Path(steps(inside)?));
        }
    }
    if in_range { Err(PathError::Unclosed) } else { Ok(parts) }
}

/// Where the action ends, quotes left out.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, symbol) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            _ if symbol == '\\' => escaped = true,
            Some(open) if symbol == open => quote = None,
            Some(_) => {}
            None if symbol == '"' || symbol == '\'' => quote = Some(symbol),
            None if symbol == '}' => return Some(at),
            None => {}
        }
    }
    None
}

fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"')).or_else(|| text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')))?;
    let mut out = String::new();
    let mut symbols = inner.chars();
    while let Some(symbol) = symbols.next() {
        out.push(match symbol {
            '\\' => match symbols.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Some(out)
}

fn steps(text: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
    while let Some(first) = rest.chars().next() {
        match first {
            '.' if rest.starts_with("..") => {
                let (name, after) = field(&rest[2..]);
                steps.push(Step::Deep(name));
                rest = after;
            }
            '.' => {
                let (name, after) = field(&rest[1..]);
                match name.as_str() {
                    "" => {}
                    "*" => steps.push(Step::All),
                    _ => steps.push(Step::Field(name)),
                }
                rest = after;
            }
            '[' => {
                let end = bracket_end(rest).ok_or(PathError::Unclosed)?;
                brackets(rest[1..end].trim(), &mut steps)?;
                rest = &rest[end + 1..];
            }
            _ => return Err(PathError::Unexpected(rest.to_owned())),
        }
    }
    Ok(steps)
}

/// A name up to the next step; `\.` is a dot of the name.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut symbols = text.char_indices();
    while let Some((at, symbol)) = symbols.next() {
        match symbol {
            '\\' => name.extend(symbols.next().map(|(_, it)| it)),
            '.' | '[' | ' ' => return (name, &text[at..]),
            other => name.push(other),
        }
    }
    (name, "")
}

fn bracket_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0;
    for (at, symbol) in text.char_indices() {
        match quote {
            Some(open) if symbol == open => quote = None,
            Some(_) => {}
            None => match symbol {
                '"' | '\'' => quote = Some(symbol),
                '[' => depth += 1,
                ']' if depth == 1 => return Some(at),
                ']' => depth -= 1,
                _ => {}
            },
        }
    }
    None
}

fn brackets(text: &str, steps: &mut Vec<Step>) -> Result<(), PathError> {
    let wrong = || PathError::Unexpected(format!("[{text}]"));
    if text == "*" {
        steps.push(Step::All);
    } else if let Some(name) = quoted(text) {
        steps.push(Step::Field(name));
    } else if let Some(filter) = text.strip_prefix("?(").and_then(|it| it.strip_suffix(')')) {
        let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().filter_map(|it| Some((filter.find(it)?, it))).min_by_key(|(at, it)| (*at, std::cmp::Reverse(it.len())));
        let Some((at, operator)) = operator else {
            steps.push(Step::Has(self::steps(filter.trim())?));
            return Ok(());
        };
        let (path, value) = (filter[..at].trim(), filter[at + operator.len()..].trim());
        let value = match quoted(value) {
            Some(text) => Value::from(text),
            None => serde_json::from_str(value).map_err(|_| wrong())?,
        };
        steps.push(Step::Filter { path: self::steps(path)?, operator: operator.to_owned(), value });
    } else if let Some((from, to)) = text.split_once(':') {
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| wrong()) };
        steps.push(Step::Slice(bound(from)?, bound(to)?));
    } else {
        steps.push(Step::Index(text.parse().map_err(|_| wrong())?));
    }
    Ok(())
}

fn follow<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    let mut values = vec![value];
    for step in steps {
        values = values.into_iter().flat_map(|value| one(step, value)).collect();
    }
    values
}

fn one<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    let items = || -> Vec<&'a Value> {
        match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        }
    };
    let place = |index: i64, length: usize| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if index < 0 { index + length } else { index }
    };
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::All => items(),
        Step::Deep(name) => {
            let mut found: Vec<&Value> = value.get(name).into_iter().collect();
            for item in items() {
                found.extend(one(step, item));
            }
            found
        }
        Step::Index(index) => {
            let index = value.as_array().map(|it| place(*index, it.len()));
            index.and_then(|it| value.get(usize::try_from(it).ok()?)).into_iter().collect()
        }
        Step::Slice(from, to) => {
            let Some(array) = value.as_array() else { return Vec::new() };
            let bound = |it: Option<i64>, other: usize| it.map_or(other, |it| usize::try_from(place(it, array.len())).unwrap_or(0).min(array.len()));
            array.get(bound(*from, 0)..bound(*to, array.len())).unwrap_or_default().iter().collect()
        }
        Step::Has(path) => items().into_iter().filter(|it| !follow(path, it).is_empty()).collect(),
        Step::Filter { path, operator, value } => {
            let fits = |item: &Value| follow(path, item).first().is_some_and(|it| compares(it, operator, value));
            items().into_iter().filter(|it| fits(it)).collect()
        }
    }
}

fn compares(left: &Value, operator: &str, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (left, right) => return (operator == "==" && left == right) || (operator == "!=" && left != right),
    };
    let Some(order) = order else { return false };
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn fill(parts: &[Part], value: &Value, out: &mut String) -> Result<(), PathError> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(steps) => {
                let values = follow(steps, value);
                // Over many objects some may lack the field; a plain path must lead somewhere.
                if values.is_empty() && let Some(missing) = plainly_missing(steps, value) {
                    return Err(PathError::NotFound(missing));
                }
                out.push_str(&values.into_iter().map(shown).collect::<Vec<_>>().join(" "));
            }
            Part::Range(steps, body) => {
                for item in follow(steps, value) {
                    fill(body, item, out)?;
                }
            }
        }
    }
    Ok(())
}

/// kubectl lets absent fields pass (`--allow-missing-template-keys`), but not an index out of range.
fn plainly_missing(steps: &[Step], value: &Value) -> Option<String> {
    let mut value = value;
    for step in steps {
        match step {
            Step::Field(name) => value = value.get(name)?,
            Step::Index(index) => {
                let length = value.as_array()?.len();
                let found = one(step, value);
                match found.first() {
                    Some(found) => value = found,
                    None => return Some(format!("array index out of bounds: index {index}, length {length}")),
                }
            }
            _ => return None,
        }
    }
    None
}

/// A value as kubectl prints it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(it) => it.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => output::compact_json(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_followed() {
        check("{.items[*].metadata.name}", "a b");
        check("{.items[0].metadata.name}{\"\\n\"}", "a\n");
        check("{.items[-1:].metadata.name}", "b");
        check("{range .items[*]}{.metadata.name}={.n};{end}", "a=1;b=2;");
        check("{.items[?(@.metadata.name==\"b\")].n}", "2");
        check("{.items[?(@.n>1)].metadata.name}", "b");
        check("{.items[?(@.l)].n}", "1");
        check("{..name}", "a b");
        check("{.items[0].l['x.y/z']} {.items[0].l.x\\.y/z}", "v v");
        check("{.items[0].l}", "{\"x.y/z\":\"v\"}");
        check("{.nothing}", "");
        check("plain", "plain");
        check("{$.items[0].n} {@.kind}", "1 List");
        assert_eq!(JsonPath::relaxed("kind").map(|it| it.cell(&value())), Ok("List".to_owned()));
    }

    #[test]
    fn wrong_paths_are_refused() {
        let wrong = |text: &str| JsonPath::parse(text).and_then(|it| it.fill(&value())).expect_err("wrong").to_string();
        assert_eq!(wrong("{.a"), "unclosed action");
        assert_eq!(wrong("{range .items[*]}x"), "unclosed action");
        assert_eq!(wrong("{.items[x]}"), "unexpected `[x]`");
        assert_eq!(wrong("{.items[7].n}"), "array index out of bounds: index 7, length 2 is not found");
    }

    fn value() -> Value {
        json!({ "kind": "List", "items": [
            { "metadata": { "name": "a" }, "n": 1, "l": { "x.y/z": "v" } },
            { "metadata": { "name": "b" }, "n": 2 },
        ]})
    }

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let path = JsonPath::parse(path).expect("a path");
        assert_eq!(path.fill(&value()).as_deref(), Ok(expected));
    }
}
