//! The part of Go's templates that `--format` and `-o go-template` are used with.
//!
//! Fields, `json`, `index`, `len`, `println`, `join`, `upper`, `lower`, `range`, `if`, `with`.
//! Anything else is refused by name, so that no script takes half a template for an answer.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Show(Vec<Word>),
    Range(Vec<Word>, Vec<Part>, Vec<Part>),
    If(Vec<Word>, Vec<Part>, Vec<Part>),
    With(Vec<Word>, Vec<Part>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    /// `.A.B`; empty for `.`.
    Path(Vec<String>),
    Text(String),
    Number(usize),
    Name(String),
    Pipe,
}

/// A template, ready to be filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("template parsing error: unclosed action")]
    Unclosed,
    #[error("template parsing error: unexpected `{0}`")]
    Unexpected(String),
    #[error("template parsing error: function \"{0}\" is not supported")]
    Function(String),
    #[error("template: can't evaluate field {0}")]
    Field(String),
}

/// Fields that are not there: an error, as for Docker's structures, or `<no value>`, as for maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Error,
    NoValue,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text;
        let (parts, end) = block(&mut rest)?;
        match end {
            None => Ok(Self { parts }),
            Some(end) => Err(TemplateError::Unexpected(end)),
        }
    }

    /// Fills the template.
    pub fn fill(&self, value: &Value, missing: Missing) -> Result<String, TemplateError> {
        let mut out = String::new();
        write(&self.parts, value, missing, &mut out)?;
        Ok(out)
    }
}

/// Reads until the end or an `else` or `end`, which is returned.
fn block(rest: &mut &str) -> Result<(Vec<Part>, Option<String>), TemplateError> {
    let mut parts = Vec::new();
    loop {
        let Some((text, after)) = rest.split_once("{{") else {
            push_text(&mut parts, rest);
            *rest = "";
            return Ok((parts, None));
        };
        let (trim_before, after) = after.strip_prefix("- ").map_or((false, after), |it| (true, it));
        push_text(&mut parts, if trim_before { text.trim_end() } else { text });
        let end = action_end(after).ok_or(TemplateError::Unclosed)?;
        let (inside, after) = (&after[..end], &after[end + 2..]);
        let (inside, after) = match inside.strip_suffix(" -") {
            Some(inside) => (inside, after.trim_start()),
            None => (inside, after),
        };
        *rest = after;
        let inside = inside.trim();
        let (name, argument) = inside.split_once(' ').unwrap_or((inside, ""));
        match name {
            "end" | "else" => return Ok((parts, Some(name.to_owned()))),
            "range" | "if" | "with" => {
                let words = words(argument)?;
                let (first, end) = block(rest)?;
                let (second, end) = if end.as_deref() == Some("else") { block(rest)? } else { (Vec::new(), end) };
                if end.as_deref() != Some("end") {
                    return Err(TemplateError::Unclosed);
                }
                parts.push(match name {
                    "range" => Part::Range(words, first, second),
                    "if" => Part::If(words, first, second),
                    _ => Part::With(words, first, second),
                });
            }
            _ if inside.starts_with("/*") => {}
            _ => parts.push(Part::Show(words(inside)?)),
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// Where `}}` is, texts in quotes left out.
fn action_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, symbol) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if symbol == '\\' => escaped = true,
            Some(open) if symbol == open => quote = None,
            Some(_) => {}
            None if symbol == '"' || symbol == '`' => quote = Some(symbol),
            None if text[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

fn words(text: &str) -> Result<Vec<Word>, TemplateError> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let wrong = || TemplateError::Unexpected(text.to_owned());
        let length = match first {
            '"' => {
                let end = rest.char_indices().skip(1).find(|(at, it)| *it == '"' && !rest[..*at].ends_with('\\'));
                let end = end.ok_or_else(wrong)?.0 + 1;
                words.push(Word::Text(serde_json::from_str(&rest[..end]).map_err(|_| wrong())?));
                end
            }
            '`' => {
                let end = rest[1..].find('`').ok_or_else(wrong)? + 2;
                words.push(Word::Text(rest[1..end - 1].to_owned()));
                end
            }
            '|' => {
                words.push(Word::Pipe);
                1
            }
            _ => {
                let end = rest.find([' ', '|']).unwrap_or(rest.len());
                let word = &rest[..end];
                words.push(if let Some(path) = word.strip_prefix('.') {
                    let names = path.split('.').filter(|it| !it.is_empty());
                    Word::Path(names.map(str::to_owned).collect())
                } else if let Ok(number) = word.parse() {
                    Word::Number(number)
                } else if word.bytes().all(|it| it.is_ascii_alphanumeric()) {
                    Word::Name(word.to_owned())
                } else {
                    return Err(wrong());
                });
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    if words.is_empty() { Err(TemplateError::Unexpected("}}".to_owned())) } else { Ok(words) }
}

fn write(parts: &[Part], dot: &Value, missing: Missing, out: &mut String) -> Result<(), TemplateError> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Show(words) => out.push_str(&shown(&evaluate(words, dot, missing)?)),
            Part::If(words, first, second) => {
                let chosen = if is_true(&evaluate(words, dot, missing)?) { first } else { second };
                write(chosen, dot, missing, out)?;
            }
            Part::With(words, first, second) => {
                let value = evaluate(words, dot, missing)?;
                if is_true(&value) { write(first, &value, missing, out)? } else { write(second, dot, missing, out)? }
            }
            Part::Range(words, body, otherwise) => {
                let items: Vec<Value> = match evaluate(words, dot, missing)? {
                    Value::Array(items) => items,
                    Value::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
                    _ => Vec::new(),
                };
                if items.is_empty() {
                    write(otherwise, dot, missing, out)?;
                }
                for item in &items {
                    write(body, item, missing, out)?;
                }
            }
        }
    }
    Ok(())
}

fn evaluate(words: &[Word], dot: &Value, missing: Missing) -> Result<Value, TemplateError> {
    let mut result = None;
    for command in words.split(|it| *it == Word::Pipe) {
        let mut values = Vec::new();
        let mut function = None;
        for word in command {
            match word {
                Word::Name(name) if function.is_none() && values.is_empty() => function = Some(name.as_str()),
                Word::Name(name) if matches!(name.as_str(), "true" | "false") => values.push(Value::from(name == "true")),
                Word::Name(name) => return Err(TemplateError::Unexpected(name.clone())),
                Word::Path(path) => values.push(field(dot, path, missing)?),
                Word::Text(text) => values.push(Value::from(text.as_str())),
                Word::Number(number) => values.push(Value::from(*number)),
                Word::Pipe => {}
            }
        }
        values.extend(result.take());
        result = Some(match function {
            Some(name) => call(name, &values)?,
            None => values.into_iter().next().unwrap_or(Value::Null),
        });
    }
    Ok(result.unwrap_or(Value::Null))
}

fn field(dot: &Value, path: &[String], missing: Missing) -> Result<Value, TemplateError> {
    let mut value = dot;
    for name in path {
        match value.get(name) {
            Some(next) => value = next,
            // An absent map or list has no fields either.
            None if missing == Missing::NoValue || value.is_null() => return Ok(Value::Null),
            None => return Err(TemplateError::Field(name.clone())),
        }
    }
    Ok(value.clone())
}

fn call(name: &str, values: &[Value]) -> Result<Value, TemplateError> {
    let first = values.first().unwrap_or(&Value::Null);
    let joined = |separator: &str| values.iter().map(shown).collect::<Vec<_>>().join(separator);
    Ok(match name {
        "json" => Value::from(first.to_string()),
        "len" => Value::from(first.as_array().map(Vec::len).or(first.as_object().map(|it| it.len())).or(first.as_str().map(str::len)).unwrap_or(0)),
        "print" => Value::from(joined("")),
        "println" => Value::from(format!("{}\n", joined(" "))),
        "upper" => Value::from(shown(first).to_uppercase()),
        "lower" => Value::from(shown(first).to_lowercase()),
        "not" => Value::from(!is_true(first)),
        "join" => {
            let items = first.as_array().map(Vec::as_slice).unwrap_or_default();
            let separator = values.get(1).and_then(Value::as_str).unwrap_or_default();
            Value::from(items.iter().map(shown).collect::<Vec<_>>().join(separator))
        }
        "index" => {
            let mut value = first;
            for key in &values[1.min(values.len())..] {
                let next = match key {
                    Value::Number(number) => number.as_u64().and_then(|it| value.get(usize::try_from(it).ok()?)),
                    Value::String(key) => value.get(key),
                    _ => None,
                };
                value = match next {
                    Some(next) => next,
                    None if value.is_array() => return Err(TemplateError::Field(format!("index {key}"))),
                    None => &Value::Null,
                };
            }
            value.clone()
        }
        other => return Err(TemplateError::Function(other.to_owned())),
    })
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_f64() != Some(0.0),
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(it) => !it.is_empty(),
    }
}

/// A value as Go prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(it) => it.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            let fields = names.into_iter().map(|name| format!("{name}:{}", shown(&map[name])));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_filled() {
        check("{{.Name}}:{{.Tag}}", "web:1");
        check("{{json .List}} {{ .List }} {{len .List}}", r#"["a","b"] [a b] 2"#);
        check("{{index .List 1}}{{index .Map \"k.x\"}}", "bv");
        check("{{range .List}}<{{.}}>{{end}}", "<a><b>");
        check("{{range .List}}{{println .}}{{end}}", "a\nb\n");
        check("{{if .No}}x{{else}}y{{end}}{{- with .Map}} {{.a}}{{end}}", "y 1");
        check("{{join .List \",\"}} {{.Name | upper}}", "a,b WEB");
        check("{{.Map}}", "map[a:1 k.x:v]");
        check("plain", "plain");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let wrong = |text: &str| match Template::parse(text) {
            Ok(template) => template.fill(&value(), Missing::Error).map_err(|it| it.to_string()),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(wrong("{{.Nam}}"), Err("template: can't evaluate field Nam".to_owned()));
        assert_eq!(wrong("{{split .Name}}"), Err("template parsing error: function \"split\" is not supported".to_owned()));
        assert_eq!(wrong("{{.Name"), Err("template parsing error: unclosed action".to_owned()));
        assert_eq!(wrong("{{end}}"), Err("template parsing error: unexpected `end`".to_owned()));
    }

    fn value() -> Value {
        json!({ "Name": "web", "Tag": "1", "List": ["a", "b"], "Map": { "k.x": "v", "a": 1 }, "No": "" })
    }

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let template = Template::parse(template).expect("a template");
        assert_eq!(template.fill(&value(), Missing::Error).as_deref(), Ok(expected));
    }
}
