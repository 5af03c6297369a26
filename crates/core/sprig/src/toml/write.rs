//! Writes values as TOML: plain entries first, tables after them, each level indented.

use gotemplate::{Kind, Text, Value};

use crate::{gotime, yaml_text::DEPTH_MAX};

/// Writes a map; other values stand alone.
///
/// # Errors
///
/// Lists with nothing among their elements, and what TOML has no form for.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut writer = Writer { out: String::new() };
    match kind(value)? {
        None => return Ok(String::new()),
        Some(Form::Tables) => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        Some(Form::Table) => writer.table(&mut Vec::new(), value)?,
        Some(Form::Plain) => writer.element(value, 0)?,
    }
    Ok(writer.out)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Table,
    /// A list of tables.
    Tables,
}

/// `None` for nothing.
fn kind(value: &Value) -> Result<Option<Form>, String> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Map(map) if map.is_nil() => return Ok(None),
        Value::List(list) if list.is_nil() => return Ok(None),
        Value::Map(_) => Form::Table,
        Value::List(list) => {
            let mut all_tables = !list.is_empty();
            for item in list.iter() {
                match kind(item)? {
                    None => return Err("toml: cannot encode array with nil element".to_owned()),
                    Some(form) => all_tables &= form == Form::Table,
                }
            }
            if all_tables {
                Form::Tables
            } else {
                Form::Plain
            }
        }
        Value::Object(object) if object.display().is_none() && object.kind() == Kind::Struct => {
            Form::Table
        }
        Value::Function(_) => return Err("unsupported type: func".to_owned()),
        Value::Complex128(..) => return Err("unsupported type: complex128".to_owned()),
        _ => Form::Plain,
    }))
}

struct Writer {
    out: String,
}

/// Entries in the order of their keys, plain ones before tables, without those that are nothing.
fn entries(value: &Value) -> Result<Vec<(Text, Value, Form)>, String> {
    let all = match value {
        Value::Map(map) => map.snapshot(),
        Value::Object(object) => {
            let fields = object.fields().into_iter();
            fields
                .map(|(name, value)| (Text::from_static(name), value))
                .collect()
        }
        _ => Vec::new(),
    };
    let mut plain = Vec::new();
    let mut tables = Vec::new();
    for (key, value) in all {
        match kind(&value)? {
            None => {}
            Some(Form::Plain) => plain.push((key, value, Form::Plain)),
            Some(form) => tables.push((key, value, form)),
        }
    }
    plain.extend(tables);
    Ok(plain)
}

impl Writer {
    fn table(&mut self, path: &mut Vec<Text>, value: &Value) -> Result<(), String> {
        if path.len() > DEPTH_MAX {
            return Err("toml: nested too deeply".to_owned());
        }
        for (key, value, form) in entries(value)? {
            path.push(key);
            let indent = "  ".repeat(path.len() - 1);
            match form {
                Form::Plain => {
                    let key = path.last().map(bare_or_quoted).unwrap_or_default();
                    self.out.push_str(&format!("{indent}{key} = "));
                    self.element(&value, 0)?;
                    self.out.push('\n');
                }
                Form::Table => {
                    if path.len() == 1 {
                        self.blank_line();
                    }
                    self.out.push_str(&format!("{indent}[{}]\n", dotted(path)));
                    self.table(path, &value)?;
                }
                Form::Tables => {
                    for item in value.as_list().into_iter().flat_map(|it| it.iter()) {
                        self.blank_line();
                        self.out
                            .push_str(&format!("{indent}[[{}]]\n", dotted(path)));
                        self.table(path, item)?;
                    }
                }
            }
            path.pop();
        }
        Ok(())
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err("toml: nested too deeply".to_owned());
        }
        match value {
            Value::String(text) => self.quoted(text),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Float64(number) => self.float(*number, yaml::float),
            Value::Float32(number) => {
                self.float(f64::from(*number), |_| yaml::float(f64::from(*number)))
            }
            Value::List(list) => {
                self.out.push('[');
                for (at, item) in list.iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
                self.out.push_str(&format!("[{}]", items.join(", ")));
            }
            Value::Map(map) => self.inline(map.snapshot(), depth)?,
            Value::Object(object) => match value.downcast::<gotime::Time>() {
                Some(time) => self
                    .out
                    .push_str(&time.format("2006-01-02T15:04:05.999999999Z07:00")),
                None => self.quoted(&object.display().unwrap_or_default()),
            },
            _ => match (value.as_signed(), value.as_unsigned()) {
                (Some(number), _) => self.out.push_str(&number.to_string()),
                (None, number) => self.out.push_str(&number.unwrap_or(0).to_string()),
            },
        }
        Ok(())
    }

    /// A table within an array. Entries that are nothing leave their comma behind, as in the original.
    fn inline(&mut self, all: Vec<(Text, Value)>, depth: usize) -> Result<(), String> {
        let mut plain = Vec::new();
        let mut tables = Vec::new();
        for (key, value) in all {
            match kind(&value)? {
                Some(Form::Table | Form::Tables) => tables.push((key, value)),
                Some(Form::Plain) | None => plain.push((key, value)),
            }
        }
        let last_plain = plain.len().checked_sub(1).filter(|_| tables.is_empty());
        let last_table = (plain.len() + tables.len()).checked_sub(1);
        self.out.push('{');
        for (at, (key, value)) in plain.iter().chain(&tables).enumerate() {
            if kind(value)?.is_none() {
                continue;
            }
            self.out.push_str(&format!("{} = ", bare_or_quoted(key)));
            self.element(value, depth + 1)?;
            if Some(at) != last_plain && Some(at) != last_table {
                self.out.push_str(", ");
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn float(&mut self, number: f64, text: impl Fn(f64) -> String) {
        if !number.is_finite() {
            let sign = if number.is_sign_negative() { "-" } else { "" };
            let name = if number.is_nan() { "nan" } else { "inf" };
            return self.out.push_str(&format!("{sign}{name}"));
        }
        let text = text(number);
        self.out.push_str(&text);
        if !text.contains(['e', '.']) {
            self.out.push_str(".0");
        }
    }

    fn quoted(&mut self, text: &Text) {
        self.out.push_str(&quoted(text));
    }
}

fn dotted(path: &[Text]) -> String {
    let parts: Vec<String> = path.iter().map(bare_or_quoted).collect();
    parts.join(".")
}

fn bare_or_quoted(key: &Text) -> String {
    let bare = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
    if !key.is_empty() && key.as_bytes().iter().all(bare) {
        key.to_string()
    } else {
        quoted(key)
    }
}

fn quoted(text: &Text) -> String {
    let mut out = String::from("\"");
    for symbol in text.to_str().chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(symbol))),
            _ => out.push(symbol),
        }
    }
    out.push('"');
    out
}
