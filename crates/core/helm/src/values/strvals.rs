//! The language of `--set`: `a.b=1,c[0].d={x,y}`; with the variants for text, JSON, files and literals.

use serde_json::{Map, Value};

use super::numbers_to_float;

/// The highest list position that may be set.
const MAX_INDEX: i64 = 65_536;
/// How many dots a name may have.
const MAX_NESTED_NAME_LEVEL: usize = 30;

/// How the text right of `=` is read.
pub(crate) enum Meaning<'a> {
    /// `true`, `null` and whole numbers have types (`--set`).
    Typed,
    /// Everything is text (`--set-string`).
    Text,
    /// JSON (`--set-json`).
    Json,
    /// The name of a file whose content is meant (`--set-file`).
    File(&'a dyn Fn(&str) -> Result<String, String>),
    /// Text to the end, commas and backslashes included (`--set-literal`).
    Literal,
}

/// Reads one `--set` argument into `data`.
///
/// # Errors
///
/// The text of Helm's own parser.
pub(crate) fn parse_into(
    line: &str,
    data: &mut Map<String, Value>,
    meaning: &Meaning<'_>,
) -> Result<(), String> {
    let mut parser = Parser {
        runes: line.chars().collect(),
        at: 0,
        meaning,
    };
    loop {
        match parser.key(data, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Message(message)) => return Err(message),
        }
    }
}

/// Why reading stopped.
enum Stop {
    /// The end of the line, which ends the whole without an error.
    End,
    Message(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

/// What a run of characters ended with.
enum Ended {
    At(char),
    End,
}

struct Parser<'a> {
    runes: Vec<char>,
    at: usize,
    meaning: &'a Meaning<'a>,
}

impl Parser<'_> {
    fn key(&mut self, data: &mut Map<String, Value>, level: usize) -> Result<(), Stop> {
        let stops: &[char] = match self.meaning {
            Meaning::Literal => &['=', '[', '.'],
            _ => &['=', '[', ',', '.'],
        };
        let (key, ended) = self.until(stops);
        match ended {
            Ended::End if key.is_empty() => Err(Stop::End),
            Ended::End => Err(Stop::Message(format!("key {key:?} has no value"))),
            Ended::At('[') => self.list_key(data, &key, level),
            Ended::At('=') => self.assign(data, &key),
            Ended::At(',') => {
                set(data, &key, Value::String(String::new()));
                Err(Stop::Message(format!(
                    "key {key:?} has no value (cannot end with ,)"
                )))
            }
            Ended::At(_) => self.nested_key(data, &key, level + 1),
        }
    }

    fn list_key(
        &mut self,
        data: &mut Map<String, Value>,
        key: &str,
        level: usize,
    ) -> Result<(), Stop> {
        let index = self.index()?;
        let mut list = match data.get(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(other) => return Err(conversion(other, "[]interface {}")),
        };
        let outcome = self.list_item(&mut list, index, level);
        set(data, key, Value::Array(list));
        outcome
    }

    fn nested_key(
        &mut self,
        data: &mut Map<String, Value>,
        key: &str,
        level: usize,
    ) -> Result<(), Stop> {
        if level > MAX_NESTED_NAME_LEVEL {
            return Err(Stop::Message(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_NESTED_NAME_LEVEL}"
            )));
        }
        let mut inner = match data.get_mut(key) {
            None => Map::new(),
            Some(Value::Object(entries)) => std::mem::take(entries),
            Some(other) => return Err(conversion(other, "map[string]interface {}")),
        };
        let outcome = self.key(&mut inner, level);
        if outcome.is_ok() && inner.is_empty() {
            return Err(Stop::Message(format!("key map {key:?} has no value")));
        }
        if !inner.is_empty() {
            set(data, key, Value::Object(inner));
        }
        outcome
    }

    fn assign(&mut self, data: &mut Map<String, Value>, key: &str) -> Result<(), Stop> {
        match self.meaning {
            Meaning::Literal => {
                let text = self.rest();
                set(data, key, Value::String(text));
                Ok(())
            }
            Meaning::Json => {
                if self.is_empty_value() {
                    set(data, key, Value::Null);
                    return Ok(());
                }
                let value = self.json()?;
                set(data, key, value);
                self.is_empty_value();
                Ok(())
            }
            Meaning::Typed | Meaning::Text | Meaning::File(_) => match self.value_list()? {
                ListOrText::List(items) => {
                    set(data, key, Value::Array(items));
                    Ok(())
                }
                ListOrText::End => {
                    set(data, key, Value::String(String::new()));
                    Err(Stop::End)
                }
                ListOrText::Text => {
                    let (text, _) = self.until(&[',']);
                    let value = self.read(text)?;
                    set(data, key, value);
                    Ok(())
                }
            },
        }
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, ended) = self.until(&[']']);
        if matches!(ended, Ended::End) {
            // Helm wraps the end of the line here, and then takes it for a plain end.
            return Err(Stop::End);
        }
        atoi(&text).map_err(|message| Stop::Message(format!("error parsing index: {message}")))
    }

    fn list_item(&mut self, list: &mut Vec<Value>, index: i64, level: usize) -> Result<(), Stop> {
        if index < 0 {
            return Err(Stop::Message(format!("negative {index} index not allowed")));
        }
        let (text, ended) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let runes: Vec<String> = text.chars().map(|it| format!("'{it}'")).collect();
            return Err(Stop::Message(format!(
                "unexpected data at end of array index: [{}]",
                runes.join(" ")
            )));
        }
        match ended {
            Ended::End => Err(Stop::End),
            Ended::At('=') => self.assign_item(list, index),
            Ended::At('[') => {
                let next = self.index()?;
                let mut inner = match item(list, index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(items)) => items.clone(),
                    Some(other) => return Err(conversion(other, "[]interface {}")),
                };
                self.list_item(&mut inner, next, level)?;
                set_index(list, index, Value::Array(inner))
            }
            Ended::At(_) => {
                let mut inner = match item(list, index) {
                    Some(Value::Object(entries)) => entries.clone(),
                    _ => Map::new(),
                };
                let outcome = self.key(&mut inner, level);
                if let Err(stop) = outcome {
                    // What was there is the very map that was being filled.
                    if item(list, index).is_some() {
                        set_index(list, index, Value::Object(inner))?;
                    }
                    return Err(stop);
                }
                set_index(list, index, Value::Object(inner))
            }
        }
    }

    fn assign_item(&mut self, list: &mut Vec<Value>, index: i64) -> Result<(), Stop> {
        match self.meaning {
            Meaning::Literal => {
                let text = self.rest();
                set_index(list, index, Value::String(text))
            }
            Meaning::Json => {
                if self.is_empty_value() {
                    return set_index(list, index, Value::Null);
                }
                let value = self.json()?;
                set_index(list, index, value)?;
                self.is_empty_value();
                Ok(())
            }
            Meaning::Typed | Meaning::Text | Meaning::File(_) => match self.value_list()? {
                ListOrText::List(items) => set_index(list, index, Value::Array(items)),
                ListOrText::End => set_index(list, index, Value::String(String::new())),
                ListOrText::Text => {
                    let (text, _) = self.until(&[',']);
                    let value = self.read(text)?;
                    set_index(list, index, value)
                }
            },
        }
    }

    /// Consumes blanks and one comma; says whether no value stood there.
    fn is_empty_value(&mut self) -> bool {
        while let Some(&rune) = self.runes.get(self.at) {
            if rune != ',' && !rune.is_whitespace() {
                return false;
            }
            self.at += 1;
            if rune == ',' {
                return true;
            }
        }
        true
    }

    fn json(&mut self) -> Result<Value, Stop> {
        let rest: String = self.runes[self.at..].iter().collect();
        let mut stream = serde_json::Deserializer::from_str(&rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += rest[..stream.byte_offset()].chars().count();
                Ok(numbers_to_float(value))
            }
            Some(Err(error)) => Err(Stop::Message(error.to_string())),
            None => Err(Stop::End),
        }
    }

    fn value_list(&mut self) -> Result<ListOrText, Stop> {
        match self.runes.get(self.at) {
            None => return Ok(ListOrText::End),
            Some('{') => self.at += 1,
            Some(_) => return Ok(ListOrText::Text),
        }
        let mut items = Vec::new();
        loop {
            let (text, ended) = self.until(&[',', '}']);
            match ended {
                Ended::End => {
                    return Err(Stop::Message("list must terminate with '}'".to_owned()));
                }
                Ended::At('}') => {
                    if self.runes.get(self.at) == Some(&',') {
                        self.at += 1;
                    }
                    items.push(self.read(text)?);
                    return Ok(ListOrText::List(items));
                }
                Ended::At(_) => items.push(self.read(text)?),
            }
        }
    }

    fn read(&self, text: String) -> Result<Value, Stop> {
        match self.meaning {
            Meaning::Typed => Ok(typed(text)),
            Meaning::File(read) => Ok(Value::String(read(&text)?)),
            Meaning::Text | Meaning::Json | Meaning::Literal => Ok(Value::String(text)),
        }
    }

    fn until(&mut self, stops: &[char]) -> (String, Ended) {
        let mut text = String::new();
        while let Some(&rune) = self.runes.get(self.at) {
            self.at += 1;
            if stops.contains(&rune) {
                return (text, Ended::At(rune));
            }
            if rune == '\\' && !matches!(self.meaning, Meaning::Literal) {
                match self.runes.get(self.at) {
                    Some(&next) => {
                        self.at += 1;
                        text.push(next);
                    }
                    None => return (text, Ended::End),
                }
            } else {
                text.push(rune);
            }
        }
        (text, Ended::End)
    }

    fn rest(&mut self) -> String {
        let text = self.runes[self.at..].iter().collect();
        self.at = self.runes.len();
        text
    }
}

enum ListOrText {
    List(Vec<Value>),
    Text,
    End,
}

fn set(data: &mut Map<String, Value>, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key.to_owned(), value);
    }
}

fn item(list: &[Value], index: i64) -> Option<&Value> {
    list.get(usize::try_from(index).ok()?)
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return Err(Stop::Message(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        )));
    }
    let Ok(index) = usize::try_from(index) else {
        return Err(Stop::Message(format!("negative {index} index not allowed")));
    };
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    list[index] = value;
    Ok(())
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::from(0_i64);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::from(number);
    }
    Value::String(text)
}

fn atoi(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|error| {
        let reason = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {text:?}: {reason}")
    })
}

fn conversion(found: &Value, wanted: &str) -> Stop {
    let found = match found {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    Stop::Message(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}
