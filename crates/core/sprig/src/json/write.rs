//! Writes values as JSON: keys in the order of their bytes, floats with the shortest text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gotemplate::{Dialect, Kind, Object, Text, Value};

use super::JsonError;
use crate::yaml_text::DEPTH_MAX;

/// Whether `<`, `>` and `&` are escaped, as Go does unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    Html,
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Compact,
    /// Two spaces for each level.
    Pretty,
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub escape: Escape,
    pub layout: Layout,
    /// Which Go's: they differ in what becomes of bytes that are no text.
    pub dialect: Dialect,
}

/// Writes `value`.
///
/// # Errors
///
/// What JSON cannot hold: infinite numbers, functions, maps that contain themselves.
pub fn write(value: &Value, form: Form) -> Result<String, JsonError> {
    let mut writer = Writer {
        out: String::new(),
        form,
        depth: 0,
    };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    form: Form,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), JsonError> {
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Float64(number) => self.float(*number, f64::to_string)?,
            Value::Float32(number) => self.float(f64::from(*number), |_| number.to_string())?,
            Value::String(it) => text(&mut self.out, it, self.form),
            Value::Bytes(bytes) => {
                self.out.push('"');
                STANDARD.encode_string(bytes, &mut self.out);
                self.out.push('"');
            }
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::Map(map) if map.is_nil() => self.out.push_str("null"),
            Value::List(list) => {
                self.collection(['[', ']'], list.iter(), |writer, item| writer.value(item))?
            }
            Value::Map(map) => {
                self.collection(['{', '}'], map.snapshot().iter(), |writer, (key, value)| {
                    writer.key(key);
                    writer.value(value)
                })?;
            }
            Value::Object(object) => self.object(object.as_ref())?,
            Value::Function(_) | Value::Complex128(..) => {
                return Err(JsonError(format!(
                    "json: unsupported type: {}",
                    value.type_name()
                )));
            }
            _ => match (value.as_signed(), value.as_unsigned()) {
                (Some(number), _) => self.out.push_str(&number.to_string()),
                (None, number) => self.out.push_str(&number.unwrap_or(0).to_string()),
            },
        }
        Ok(())
    }

    fn object(&mut self, object: &dyn Object) -> Result<(), JsonError> {
        if let Some(value) = object.json() {
            return self.value(&value);
        }
        if let Some(fields) = object.json_fields() {
            return self.collection(['{', '}'], fields.iter(), |writer, (name, value)| {
                writer.key(name);
                writer.value(value)
            });
        }
        if !matches!(object.kind(), Kind::Struct | Kind::Pointer) {
            return self.value(&object.underlying().unwrap_or_default());
        }
        let fields = object.fields();
        let shown = fields
            .iter()
            .filter(|(name, _)| name.starts_with(|it: char| it.is_uppercase()));
        self.collection(['{', '}'], shown, |writer, (name, value)| {
            writer.key(&Text::from_static(name));
            writer.value(value)
        })
    }

    fn collection<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl Iterator<Item = T>,
        mut each: impl FnMut(&mut Self, T) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.depth >= DEPTH_MAX {
            return Err(JsonError(
                "json: unsupported value: encountered a cycle".to_owned(),
            ));
        }
        self.depth += 1;
        self.out.push(open);
        let mut empty = true;
        for item in items {
            if !std::mem::take(&mut empty) {
                self.out.push(',');
            }
            self.line_break();
            each(self, item)?;
        }
        self.depth -= 1;
        if !empty {
            self.line_break();
        }
        self.out.push(close);
        Ok(())
    }

    fn key(&mut self, key: &Text) {
        text(&mut self.out, key, self.form);
        self.out.push_str(match self.form.layout {
            Layout::Compact => ":",
            Layout::Pretty => ": ",
        });
    }

    fn line_break(&mut self) {
        if self.form.layout == Layout::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn float(&mut self, number: f64, digits: impl Fn(&f64) -> String) -> Result<(), JsonError> {
        if !number.is_finite() {
            let shown = match (number.is_nan(), number > 0.0) {
                (true, _) => "NaN",
                (false, true) => "+Inf",
                (false, false) => "-Inf",
            };
            return Err(JsonError(format!("json: unsupported value: {shown}")));
        }
        let size = number.abs();
        if size == 0.0 || (1e-6..1e21).contains(&size) {
            // Rust writes negative zero with its sign, and so does Go.
            self.out.push_str(&digits(&number));
        } else {
            let text = format!("{number:e}");
            self.out.push_str(&match text.split_once("e-") {
                Some(_) => text,
                None => text.replace('e', "e+"),
            });
        }
        Ok(())
    }
}

/// Writes a string with its quotes.
pub(crate) fn text(out: &mut String, text: &Text, form: Form) {
    out.push('"');
    for chunk in text.as_bytes().utf8_chunks() {
        let mut plain_from = 0;
        let valid = chunk.valid();
        for (at, byte) in valid.bytes().enumerate() {
            let special = match byte {
                b'"' | b'\\' | 0..=0x1f => true,
                b'<' | b'>' | b'&' => form.escape == Escape::Html,
                // The line and paragraph separators, U+2028 and U+2029.
                0xe2 => valid
                    .get(at..at + 3)
                    .is_some_and(|it| matches!(it, "\u{2028}" | "\u{2029}")),
                _ => false,
            };
            if special {
                out.push_str(valid.get(plain_from..at).unwrap_or_default());
                plain_from = at + if byte == 0xe2 { 3 } else { 1 };
                escaped(out, valid.get(at..).and_then(|it| it.chars().next()));
            }
        }
        out.push_str(valid.get(plain_from..).unwrap_or_default());
        for _ in chunk.invalid() {
            out.push_str(match form.dialect {
                Dialect::Go124 => "\\ufffd",
                Dialect::Go127 => "\u{fffd}",
            });
        }
    }
    out.push('"');
}

fn escaped(out: &mut String, symbol: Option<char>) {
    match symbol {
        Some('"') => out.push_str("\\\""),
        Some('\\') => out.push_str("\\\\"),
        Some('\n') => out.push_str("\\n"),
        Some('\r') => out.push_str("\\r"),
        Some('\t') => out.push_str("\\t"),
        Some('\u{8}') => out.push_str("\\b"),
        Some('\u{c}') => out.push_str("\\f"),
        Some(other) => out.push_str(&format!("\\u{:04x}", u32::from(other))),
        None => {}
    }
}
