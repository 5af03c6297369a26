//! Values of all kinds: what each verb does with each of them.

use super::{Flags, Printer, number::Integer};
use crate::{
    container::{List, Map},
    float::FloatSize,
    gotype::{BYTES, Kind, Type},
    object::Object,
    value::Value,
};

/// Values that nest deeper than this contain themselves, in all likelihood.
const MOST_NESTED: usize = 10_000;

impl Printer<'_> {
    /// Prints one operand.
    pub(crate) fn print_arg(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => self.plain(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value, 'p'),
            _ => self.at_depth(value, verb, 0),
        }
    }

    /// What a verb that the value has no form for prints, e.g. `%!d(string=hi)`.
    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
        self.erroring = true;
        self.write(b"%!");
        self.write_char(verb);
        self.write(b"(");
        if value.is_nil() {
            self.write(b"<nil>");
        } else {
            self.write(value.type_name().as_bytes());
            self.write(b"=");
            self.at_depth(value, 'v', 0);
        }
        self.write(b")");
        self.erroring = false;
    }

    fn at_depth(&mut self, value: &Value, verb: char, depth: usize) {
        match value {
            // Inside a list or map; an operand that is nil never gets here.
            Value::Nil if self.flags.sharp_v => self.write(b"interface {}(nil)"),
            Value::Nil => self.write(b"<nil>"),
            Value::Bool(flag) => match verb {
                't' | 'v' => self.pad(if *flag { b"true" } else { b"false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(number) | Value::Int64(number) => {
                self.integer(value, Integer::Signed(*number), verb)
            }
            Value::Int32(number) => self.integer(value, Integer::Signed(i64::from(*number)), verb),
            Value::Uint(number) | Value::Uint64(number) => {
                self.integer(value, Integer::Unsigned(*number), verb)
            }
            Value::Uint8(number) => {
                self.integer(value, Integer::Unsigned(u64::from(*number)), verb)
            }
            Value::Uint32(number) => {
                self.integer(value, Integer::Unsigned(u64::from(*number)), verb)
            }
            Value::Float32(number) => self.float(value, f64::from(*number), FloatSize::F32, verb),
            Value::Float64(number) => self.float(value, *number, FloatSize::F64, verb),
            Value::Complex128(re, im) => self.complex(value, (*re, *im), verb),
            Value::String(text) => self.string(value, text.as_bytes(), verb),
            Value::Bytes(bytes) => self.bytes(value, bytes, verb, depth),
            // Only `Errorf` knows this verb.
            Value::List(_) | Value::Map(_) | Value::Object(_) if verb == 'w' && !self.erroring => {
                self.bad_verb(value, verb)
            }
            Value::List(list) => {
                self.nested(depth, |printer| printer.list(value, list, verb, depth))
            }
            Value::Map(map) => self.nested(depth, |printer| printer.map(map, verb, depth)),
            Value::Object(object) => self.nested(depth, |printer| {
                printer.object(value, object.as_ref(), verb, depth)
            }),
            Value::Function(_) => self.pointer(value, verb),
        }
    }

    fn nested(&mut self, depth: usize, print: impl FnOnce(&mut Self)) {
        if self.full || self.too_deep {
            return;
        }
        if depth > MOST_NESTED {
            self.too_deep = true;
            return;
        }
        stacker::maybe_grow(64 << 10, 1 << 20, || print(self));
    }

    fn separator(&mut self, index: usize) {
        if index > 0 {
            self.write(if self.flags.sharp_v { b", " } else { b" " });
        }
    }

    fn list(&mut self, value: &Value, list: &List, verb: char, depth: usize) {
        if list.element() == Type::Uint8 && matches!(verb, 's' | 'q' | 'x' | 'X') {
            let bytes: Vec<u8> = list
                .iter()
                .filter_map(|item| u8::try_from(item.as_unsigned()?).ok())
                .collect();
            return self.bytes(value, &bytes, verb, depth);
        }
        if self.flags.sharp_v {
            self.write(list.go_type().to_string().as_bytes());
            if list.is_nil() {
                return self.write(b"(nil)");
            }
        }
        self.write(if self.flags.sharp_v { b"{" } else { b"[" });
        for (index, item) in list.iter().enumerate() {
            if self.full || self.too_deep {
                return;
            }
            self.separator(index);
            self.at_depth(item, verb, depth + 1);
        }
        self.write(if self.flags.sharp_v { b"}" } else { b"]" });
    }

    fn map(&mut self, map: &Map, verb: char, depth: usize) {
        if self.flags.sharp_v {
            self.write(map.go_type().to_string().as_bytes());
            if map.is_nil() {
                return self.write(b"(nil)");
            }
            self.write(b"{");
        } else {
            self.write(b"map[");
        }
        for (index, (key, item)) in map.entries().iter().enumerate() {
            if self.full || self.too_deep {
                return;
            }
            self.separator(index);
            self.at_depth(&Value::String(key.clone()), verb, depth + 1);
            self.write(b":");
            self.at_depth(item, verb, depth + 1);
        }
        self.write(if self.flags.sharp_v { b"}" } else { b"]" });
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char, depth: usize) {
        match verb {
            'v' | 'd' => {
                let sharp_v = self.flags.sharp_v;
                if sharp_v {
                    // Only for an operand itself does Go's fmt write `byte`.
                    let plain = depth == 0 && value.go_type() == Some(BYTES);
                    let name = if plain {
                        "[]byte".into()
                    } else {
                        value.type_name()
                    };
                    self.write(name.as_bytes());
                }
                self.write(if sharp_v { b"{" } else { b"[" });
                for (index, byte) in bytes.iter().enumerate() {
                    self.separator(index);
                    if sharp_v {
                        self.hex_with_prefix(u64::from(*byte), true);
                    } else {
                        self.digits(Integer::Unsigned(u64::from(*byte)), 10, verb, false);
                    }
                }
                self.write(if sharp_v { b"}" } else { b"]" });
            }
            's' => self.plain(bytes),
            'x' | 'X' | 'q' => self.string(value, bytes, verb),
            _ => {
                self.write(if self.flags.sharp_v {
                    b"[]uint8{"
                } else {
                    b"["
                });
                for (index, byte) in bytes.iter().enumerate() {
                    self.separator(index);
                    self.integer(
                        &Value::Uint8(*byte),
                        Integer::Unsigned(u64::from(*byte)),
                        verb,
                    );
                }
                self.write(if self.flags.sharp_v { b"}" } else { b"]" });
            }
        }
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        if !self.erroring {
            if self.flags.sharp_v {
                if let Some(text) = object.go_string() {
                    return self.plain(text.as_bytes());
                }
            } else if matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
                && let Some(text) = object.display()
            {
                return self.string(value, text.as_bytes(), verb);
            }
        }
        if let Some(plain) = object.underlying() {
            return self.named(value, &plain, verb, depth);
        }
        let fields = object.fields();
        let mut name = object.type_name();
        if object.kind() == Kind::Pointer {
            if depth > 0 {
                return self.pointer(value, verb);
            }
            if !self.indirect {
                self.write(b"&");
            }
            name = name.strip_prefix('*').unwrap_or(name);
        }
        if self.flags.sharp_v {
            self.write(name.as_bytes());
        }
        self.write(b"{");
        for (index, (field, item)) in fields.iter().enumerate() {
            self.separator(index);
            if self.flags.plus_v || self.flags.sharp_v {
                self.write(field.as_bytes());
                self.write(b":");
            }
            self.at_depth(item, verb, depth + 1);
        }
        self.write(b"}");
    }

    /// A named basic type prints as the plain one, but complains under its own name.
    fn named(&mut self, value: &Value, plain: &Value, verb: char, depth: usize) {
        match plain {
            Value::Int(number) | Value::Int64(number) => {
                self.integer(value, Integer::Signed(*number), verb)
            }
            Value::Float64(number) => self.float(value, *number, FloatSize::F64, verb),
            Value::String(text) => self.string(value, text.as_bytes(), verb),
            _ => self.at_depth(plain, verb, depth),
        }
    }

    /// Functions, and pointers inside other values: an address.
    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value {
            Value::Function(function) => std::rc::Rc::as_ptr(function).addr(),
            Value::Object(object) => std::rc::Rc::as_ptr(object).addr(),
            Value::Map(map) => std::rc::Rc::as_ptr(map).addr(),
            Value::List(list) => list.as_ptr().addr(),
            Value::Bytes(bytes) => bytes.as_ptr().addr(),
            _ => return self.bad_verb(value, verb),
        };
        if matches!(value, Value::Object(object) if object.kind() != Kind::Pointer) {
            return self.bad_verb(value, verb);
        }
        let address = address as u64;
        match verb {
            'v' if self.flags.sharp_v => {
                self.write(format!("({})(", value.type_name()).as_bytes());
                self.hex_with_prefix(address, true);
                self.write(b")");
            }
            'v' | 'p' => {
                let prefix = !self.flags.sharp;
                self.hex_with_prefix(address, prefix);
            }
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(value, Integer::Unsigned(address), verb),
            _ => self.bad_verb(value, verb),
        }
    }

    /// Sets the flags for the next verb.
    pub(super) fn set_flags(&mut self, flags: Flags) {
        self.flags = flags;
    }
}
