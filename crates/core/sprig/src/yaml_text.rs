//! YAML as `sigs.k8s.io/yaml` reads and writes it, by way of JSON.

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gotemplate::{Kind, Object, Text, Value};
use yaml::{Emitter, Layout, json_float, natural};

use crate::json;

/// Values nested deeper are taken for ones that contain themselves.
pub(crate) const DEPTH_MAX: usize = 1_000;

/// Keys that take more characters in JSON cannot be read back by the original.
const KEY_SYMBOLS_MAX: usize = 1_024;

const PLAIN: json::Form = json::Form {
    escape: json::Escape::Html,
    layout: json::Layout::Compact,
    dialect: gotemplate::Dialect::Go127,
};

/// What Go says of YAML that it cannot read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError(String);

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for YamlError {}

/// The text of `value` without its last line break.
///
/// # Errors
///
/// What JSON cannot hold, and what the original cannot read back from JSON: control characters.
pub fn to_yaml(value: &Value) -> Result<String, YamlError> {
    written(value, Layout::Compact)
}

/// As [`to_yaml`], straight from the value, with indented lists and no folding.
pub(crate) fn to_yaml_pretty(value: &Value) -> Result<String, YamlError> {
    written(value, Layout::Indented)
}

fn written(value: &Value, layout: Layout) -> Result<String, YamlError> {
    let mut writer = Writer {
        emitter: Emitter::new(layout),
        layout,
        depth: 0,
    };
    writer.value(value)?;
    let mut text = writer.emitter.finish();
    text.truncate(text.len() - usize::from(text.ends_with('\n')));
    Ok(text)
}

struct Writer {
    emitter: Emitter,
    layout: Layout,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), YamlError> {
        match value {
            Value::Nil => self.emitter.null(),
            Value::Bool(flag) => self.emitter.boolean(*flag),
            Value::Float64(number) => self.float(*number)?,
            Value::Float32(number) => self.float(f64::from(*number))?,
            Value::String(text) => self.text(text)?,
            Value::Bytes(_) if self.layout == Layout::Compact => self.by_json(value)?,
            Value::Bytes(bytes) => {
                self.emitter.open_sequence(bytes.len());
                bytes
                    .iter()
                    .for_each(|it| self.emitter.unsigned(u64::from(*it)));
                self.emitter.close();
            }
            Value::List(list) => {
                if list.is_nil() && self.layout == Layout::Compact {
                    self.emitter.null();
                    return Ok(());
                }
                self.deeper()?;
                self.emitter.open_sequence(list.len());
                for item in list.iter() {
                    self.value(item)?;
                }
                self.emitter.close();
                self.depth -= 1;
            }
            Value::Map(map) => {
                if map.is_nil() && self.layout == Layout::Compact {
                    self.emitter.null();
                    return Ok(());
                }
                self.entries(map.snapshot())?;
            }
            Value::Object(object) => self.object(object.as_ref())?,
            Value::Function(_) | Value::Complex128(..) => {
                return Err(YamlError(format!(
                    "error marshaling into JSON: json: unsupported type: {}",
                    value.type_name()
                )));
            }
            _ => match value.as_signed() {
                Some(number) => self.emitter.integer(number),
                None => self.emitter.unsigned(value.as_unsigned().unwrap_or(0)),
            },
        }
        Ok(())
    }

    fn entries(&mut self, entries: Vec<(Text, Value)>) -> Result<(), YamlError> {
        self.deeper()?;
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in &entries {
            named.push((self.readable(key)?, value));
        }
        if self.layout == Layout::Compact {
            check_keys(&named)?;
        }
        named.sort_by(|left, right| natural(&left.0, &right.0, self.layout));
        self.emitter.open_mapping(named.len());
        for (key, value) in named {
            self.emitter.key(&key);
            self.value(value)?;
        }
        self.emitter.close();
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self, object: &dyn Object) -> Result<(), YamlError> {
        if self.layout == Layout::Compact {
            if let Some(value) = object.json() {
                return self.value(&value);
            }
            if let Some(fields) = object.json_fields() {
                return self.entries(fields);
            }
        } else if object.type_name() == "time.Duration" || object.type_name() == "time.Time" {
            let shown = object.json().filter(|it| matches!(it, Value::String(_)));
            return match (shown, object.display()) {
                (Some(Value::String(text)), _) => {
                    self.emitter.verbatim(&text.to_str());
                    Ok(())
                }
                (_, text) => self.text(&text.unwrap_or_default()),
            };
        }
        if !matches!(object.kind(), Kind::Struct | Kind::Pointer) {
            return self.value(&object.underlying().unwrap_or_default());
        }
        let fields = object.fields().into_iter();
        let shown = fields.filter(|(name, _)| name.starts_with(|it: char| it.is_uppercase()));
        let lower = self.layout == Layout::Indented;
        let entries = shown.map(|(name, value)| {
            let name = if lower {
                name.to_lowercase()
            } else {
                name.to_owned()
            };
            (Text::from(name), value)
        });
        let entries: Vec<_> = entries.collect();
        self.entries(entries)
    }

    fn float(&mut self, number: f64) -> Result<(), YamlError> {
        if self.layout == Layout::Indented {
            self.emitter.float(number);
        } else if number.is_finite() {
            self.emitter.verbatim(&json_float(number));
        } else {
            return self.by_json(&Value::Float64(number));
        }
        Ok(())
    }

    fn text(&mut self, text: &Text) -> Result<(), YamlError> {
        if self.layout == Layout::Indented && text.as_str().is_none() {
            let coded = STANDARD.encode(text.as_bytes());
            self.emitter.verbatim(&format!("!!binary {coded}"));
            return Ok(());
        }
        let text = self.readable(text)?;
        self.emitter.text(&text);
        Ok(())
    }

    /// Through JSON's own form, for the few kinds that have one.
    fn by_json(&mut self, value: &Value) -> Result<(), YamlError> {
        let text = json::write(value, PLAIN)
            .map_err(|it| YamlError(format!("error marshaling into JSON: {it}")))?;
        self.emitter.text(text.trim_matches('"'));
        Ok(())
    }

    /// The text that the reader of the JSON sees, which folds the line break U+0085 as YAML does.
    fn readable<'t>(&self, text: &'t Text) -> Result<std::borrow::Cow<'t, str>, YamlError> {
        let text = text.to_str();
        if self.layout == Layout::Indented || text.is_ascii() && !text.contains('\u{7f}') {
            return Ok(text);
        }
        let refused = |it: char| {
            matches!(it, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
                && it != '\u{feff}'
        };
        if text.contains(refused) {
            return Err(YamlError(
                "yaml: control characters are not allowed".to_owned(),
            ));
        }
        Ok(if text.contains('\u{85}') {
            folded(&text).into()
        } else {
            text
        })
    }

    fn deeper(&mut self) -> Result<(), YamlError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(YamlError(
                "error marshaling into JSON: json: unsupported value: encountered a cycle"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// One break is a blank, each further one a line break; blanks around them vanish.
fn folded(text: &str) -> String {
    let mut out = String::new();
    let mut breaks = 0;
    for (at, line) in text.split('\u{85}').enumerate() {
        let last = text.split('\u{85}').count() - 1 == at;
        let line = if at > 0 {
            line.trim_start_matches(' ')
        } else {
            line
        };
        let line = if last {
            line
        } else {
            line.trim_end_matches(' ')
        };
        if at > 0 {
            breaks += 1;
        }
        if !line.is_empty() || last {
            match breaks {
                0 => {}
                1 => out.push(' '),
                more => out.extend(std::iter::repeat_n('\n', more - 1)),
            }
            breaks = 0;
            out.push_str(line);
        }
    }
    out
}

fn check_keys(named: &[(std::borrow::Cow<'_, str>, &Value)]) -> Result<(), YamlError> {
    for (key, _) in named {
        if key.len() * 6 + 2 > KEY_SYMBOLS_MAX {
            let mut quoted = String::new();
            json::text(&mut quoted, &Text::from(key.as_ref()), PLAIN);
            if quoted.chars().count() > KEY_SYMBOLS_MAX {
                return Err(YamlError(
                    "yaml: did not find expected ',' or '}'".to_owned(),
                ));
            }
        }
    }
    Ok(())
}

/// Reads the first document; every number becomes a double.
///
/// # Errors
///
/// With the message of the original.
pub fn from_yaml(bytes: &[u8]) -> Result<Value, YamlError> {
    yaml::read_go(bytes, &Values).map_err(|it| YamlError(it.to_string()))
}

struct Values;

impl yaml::Build for Values {
    type Value = Value;

    fn null(&self) -> Value {
        Value::Nil
    }

    fn boolean(&self, flag: bool) -> Value {
        Value::Bool(flag)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the original passes through JSON's doubles"
    )]
    fn integer(&self, number: i64) -> Value {
        Value::Float64(number as f64)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the original passes through JSON's doubles"
    )]
    fn unsigned(&self, number: u64) -> Value {
        Value::Float64(number as f64)
    }

    fn float(&self, number: f64) -> Value {
        Value::Float64(number)
    }

    fn text(&self, text: Cow<'_, str>) -> Value {
        Value::String(text.into())
    }

    fn sequence(&self, items: Vec<Value>) -> Value {
        Value::list(items)
    }

    fn mapping(&self, entries: Vec<(Cow<'_, str>, Value)>) -> Value {
        Value::map(
            entries
                .into_iter()
                .map(|(key, value)| (Text::from(key), value))
                .collect(),
        )
    }
}
