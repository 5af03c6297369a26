//! Writes values as Go programs write YAML, byte for byte.
//!
//! [`Emitter`] takes a value piece by piece, so whoever holds values of its own
//! need not build a tree first; [`to_string`] writes a JSON value with it.

mod number;
mod order;
mod plain;
mod scalar;
mod shape;

use serde_json::{Number, Value};

pub(crate) use number::float_key;
pub use number::{float, json_float};
pub use order::natural;
pub(crate) use plain::is_timestamp;
use shape::Shape;

/// Which of Go's two emitters writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `sigs.k8s.io/yaml`: folds at 80 columns, sequences stand at the column of their key.
    Compact,
    /// `goyaml.v3` with an indent of two: never folds, sequences are indented.
    Indented,
}

/// Writes `value` as one document that ends in a line break; keys are in natural order.
pub fn to_string(value: &Value) -> String {
    let mut emitter = Emitter::new(Layout::Compact);
    json(&mut emitter, value);
    emitter.finish()
}

fn json(emitter: &mut Emitter, value: &Value) {
    match value {
        Value::Null => emitter.null(),
        Value::Bool(flag) => emitter.boolean(*flag),
        Value::Number(it) => json_number(emitter, it),
        Value::String(it) => emitter.text(it),
        Value::Array(items) => {
            emitter.open_sequence(items.len());
            items.iter().for_each(|it| json(emitter, it));
            emitter.close();
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| natural(left.0, right.0, Layout::Compact));
            emitter.open_mapping(entries.len());
            for (key, value) in entries {
                emitter.key(key);
                json(emitter, value);
            }
            emitter.close();
        }
    }
}

fn json_number(emitter: &mut Emitter, it: &Number) {
    if let Some(whole) = it.as_i64() {
        emitter.integer(whole);
    } else if let Some(whole) = it.as_u64() {
        emitter.unsigned(whole);
    } else {
        emitter.verbatim(&json_float(it.as_f64().unwrap_or_default()));
    }
}

/// Longer keys are written with `?`.
const SIMPLE_KEY_BYTES_MAX: usize = 128;
const INDENT: usize = 2;

/// Takes one document piece by piece and gives its text.
///
/// The caller keeps order: a mapping gets [`Emitter::key`] and then a value, each
/// as many times as was said when it was opened, and its keys come in the order
/// of [`natural`].
#[derive(Debug)]
pub struct Emitter {
    out: String,
    layout: Layout,
    /// Characters since the last line break.
    column: usize,
    /// The last thing written was a blank or the start of a line.
    whitespace: bool,
    /// Nothing but blanks and indicators stand in this line.
    indention: bool,
    /// `None` around the root.
    indent: Option<usize>,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    /// The indent to return to.
    outer: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sequence,
    /// Was the key that awaits its value written with `?`?
    Mapping {
        key: KeyForm,
    },
    /// `[]` or `{}`, already written.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyForm {
    Simple,
    Complex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    SimpleKey,
    ComplexKey,
    Value,
}

impl Emitter {
    pub fn new(layout: Layout) -> Self {
        Self {
            out: String::new(),
            layout,
            column: 0,
            whitespace: true,
            indention: true,
            indent: None,
            open: Vec::new(),
        }
    }

    /// The text so far, for whoever limits its size.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub fn null(&mut self) {
        self.verbatim("null");
    }

    pub fn boolean(&mut self, flag: bool) {
        self.verbatim(if flag { "true" } else { "false" });
    }

    pub fn integer(&mut self, number: i64) {
        self.verbatim(&number.to_string());
    }

    pub fn unsigned(&mut self, number: u64) {
        self.verbatim(&number.to_string());
    }

    /// A float as `goyaml` writes it; see [`json_float`] for one that went through JSON.
    pub fn float(&mut self, number: f64) {
        self.verbatim(&float(number));
    }

    /// A scalar that is written as it is, for numbers that are text already.
    pub fn verbatim(&mut self, text: &str) {
        self.begin_value();
        self.space();
        self.push_ascii(text);
        self.whitespace = false;
        self.indention = false;
    }

    pub fn text(&mut self, text: &str) {
        let place = self.begin_value();
        self.scalar(text, &Shape::of(text, self.layout), place);
    }

    /// The key of the next value; keys come in the order of [`natural`].
    pub fn key(&mut self, key: &str) {
        self.new_line();
        let shape = Shape::of(key, self.layout);
        let form = if shape.multiline || key.len() > SIMPLE_KEY_BYTES_MAX {
            KeyForm::Complex
        } else {
            KeyForm::Simple
        };
        if let Some(open) = self.open.last_mut() {
            open.kind = Kind::Mapping { key: form };
        }
        match form {
            KeyForm::Simple => self.scalar(key, &shape, Place::SimpleKey),
            KeyForm::Complex => {
                self.indicator("?", true);
                self.scalar(key, &shape, Place::ComplexKey);
            }
        }
    }

    pub fn open_mapping(&mut self, entries: usize) {
        self.begin_value();
        if entries == 0 {
            return self.open_empty("{}");
        }
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |it| it + INDENT));
        let kind = Kind::Mapping {
            key: KeyForm::Simple,
        };
        self.open.push(Open { kind, outer });
    }

    pub fn open_sequence(&mut self, items: usize) {
        let place = self.begin_value();
        if items == 0 {
            return self.open_empty("[]");
        }
        let outer = self.indent;
        let beside_key = self.layout == Layout::Compact && place == Place::Value && !self.indention;
        self.indent = Some(match outer {
            None => 0,
            Some(it) if beside_key => it,
            Some(it) => it + INDENT,
        });
        let kind = Kind::Sequence;
        self.open.push(Open { kind, outer });
    }

    /// Ends the collection that was opened last.
    pub fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.indent = open.outer;
        }
    }

    /// The whole text, which ends in a line break.
    pub fn finish(mut self) -> String {
        self.indent = None;
        self.new_line();
        self.out
    }

    fn open_empty(&mut self, brackets: &str) {
        self.indicator(brackets, false);
        let outer = self.indent;
        let kind = Kind::Empty;
        self.open.push(Open { kind, outer });
    }

    /// Writes what leads to a value: the dash of an item or the colon of a key.
    fn begin_value(&mut self) -> Place {
        match self.open.last().map(|it| it.kind) {
            None | Some(Kind::Empty) => Place::Root,
            Some(Kind::Sequence) => {
                self.new_line();
                self.indicator("-", true);
                Place::Item
            }
            Some(Kind::Mapping {
                key: KeyForm::Simple,
            }) => {
                self.out.push(':');
                self.column += 1;
                self.whitespace = false;
                self.indention = false;
                Place::Value
            }
            Some(Kind::Mapping {
                key: KeyForm::Complex,
            }) => {
                self.new_line();
                self.indicator(":", true);
                Place::Value
            }
        }
    }

    /// Goes to the column of the indent, on a new line unless there is nothing here yet.
    fn new_line(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.out.push(' ');
            self.column += 1;
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, keeps_indention: bool) {
        self.space();
        self.push_ascii(text);
        self.whitespace = false;
        self.indention &= keeps_indention;
    }

    fn space(&mut self) {
        if !self.whitespace {
            self.out.push(' ');
            self.column += 1;
        }
    }

    fn push_ascii(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
    }

    fn push(&mut self, symbol: char) {
        self.out.push(symbol);
        self.column += 1;
    }
}
