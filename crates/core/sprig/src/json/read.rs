//! Reads JSON into values, with Go's words for what is wrong.

use std::fmt;

use gotemplate::{Dialect, Entries, Text, Value};

/// What Go says of JSON that it cannot read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError(pub(super) String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

/// Go's own limit.
const DEPTH_MAX: usize = 10_000;

/// Reads one value; every number becomes a double.
///
/// # Errors
///
/// With the message of that Go's `encoding/json`.
pub fn read(bytes: &[u8], dialect: Dialect) -> Result<Value, JsonError> {
    let mut reader = Reader {
        bytes,
        dialect,
        at: 0,
        depth: 0,
        too_large: None,
    };
    reader.blanks();
    let value = reader.value("looking for beginning of value")?;
    reader.blanks();
    match reader.peek() {
        None => reader.too_large.map_or(Ok(value), Err),
        Some(_) => Err(reader.unexpected("after top-level value")),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    at: usize,
    depth: usize,
    /// The first number that is none of Go's: a fault further on in the text is told first.
    too_large: Option<JsonError>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> JsonError {
        let Some(byte) = self.peek() else {
            return JsonError("unexpected end of JSON input".to_owned());
        };
        // The older library knows bytes only.
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let symbol = match self.dialect {
            Dialect::Go127 => Text::from_bytes(rest.get(..4).unwrap_or(rest))
                .to_str()
                .chars()
                .next(),
            Dialect::Go124 => None,
        };
        let shown = match symbol.unwrap_or(char::from(byte)) {
            '\'' => r"'\''".to_owned(),
            '"' => "'\"'".to_owned(),
            symbol => {
                let quoted = gotemplate::quoted(symbol.to_string().as_bytes());
                format!("'{}'", quoted.trim_matches('"'))
            }
        };
        JsonError(format!("invalid character {shown} {context}"))
    }

    /// What the libraries call by different names.
    fn either(&self, older: &'static str, newer: &'static str) -> &'static str {
        match self.dialect {
            Dialect::Go124 => older,
            Dialect::Go127 => newer,
        }
    }

    fn value(&mut self, context: &str) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.word("true", Value::TRUE),
            Some(b'f') => self.word("false", Value::FALSE),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected(context)),
        }
    }

    fn nested(
        &mut self,
        inner: fn(&mut Self) -> Result<Value, JsonError>,
    ) -> Result<Value, JsonError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(JsonError("exceeded max depth".to_owned()));
        }
        self.at += 1;
        self.blanks();
        let value = stack(|| inner(self))?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut entries = Entries::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::map(entries));
        }
        let mut context = "looking for beginning of object key string";
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(context));
            }
            let key = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.blanks();
            let value = self.value("looking for beginning of value")?;
            entries.insert(key, value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::map(entries));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
            self.blanks();
            context = "looking for beginning of object key string";
        }
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value("looking for beginning of value")?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
            self.blanks();
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        for (place, expected) in word.bytes().enumerate() {
            if self.peek() != Some(expected) {
                let shown = char::from(expected);
                debug_assert!(place > 0);
                return Err(self.unexpected(&format!("in literal {word} (expecting '{shown}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected(self.either(
                    "after decimal point in numeric literal",
                    "in numeric literal",
                )));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected(
                    self.either("in exponent of numeric literal", "in numeric literal"),
                ));
            }
            self.digits();
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        let number = text.parse::<f64>().unwrap_or(f64::INFINITY);
        if !number.is_finite() {
            self.too_large.get_or_insert_with(|| {
                JsonError(format!(
                    "json: cannot unmarshal number {text} into Go value of type float64"
                ))
            });
        }
        Ok(Value::Float64(number))
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Text, JsonError> {
        self.at += 1;
        let start = self.at;
        while matches!(self.peek(), Some(it) if it >= 0x20 && it != b'"' && it != b'\\') {
            self.at += 1;
        }
        let plain = self.bytes.get(start..self.at).unwrap_or_default();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Text::from_bytes(plain).to_str().into());
        }
        let mut out = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from_bytes(&out).to_str().into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    let symbol = self.escape()?;
                    out.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte >= 0x20 => {
                    out.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.unexpected(self.either("in string literal", "in string"))),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let symbol = match self.peek() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'\\' | b'/' | b'"')) => char::from(byte),
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong_escape(2, "in string escape code")),
        };
        self.at += 1;
        Ok(symbol)
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let high = self.four_digits()?;
        if let Some(symbol) = char::from_u32(high) {
            return Ok(symbol);
        }
        // A pair of surrogates is one character, a lone one is replaced.
        let after = self.at;
        if self.bytes.get(after..after + 2) == Some(b"\\u") {
            self.at += 2;
            let low = self.four_digits()?;
            if (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The newer library shows the whole escape, which would take so many bytes.
    fn wrong_escape(&mut self, length: usize, older: &str) -> JsonError {
        if self.dialect == Dialect::Go124 || self.peek().is_none() {
            return self.unexpected(older);
        }
        let before = self.bytes.get(..self.at).unwrap_or_default();
        let start = before
            .iter()
            .rposition(|it| *it == b'\\')
            .unwrap_or(self.at);
        let rest = self.bytes.get(start..).unwrap_or_default();
        let escape = Text::from_bytes(rest.get(..length).unwrap_or(rest));
        let escape = escape.to_str();
        let odd = |it: char| {
            it == '`' || it == char::REPLACEMENT_CHARACTER || it.is_whitespace() || it.is_control()
        };
        if escape.contains(odd) {
            let quoted = gotemplate::quoted(escape.as_bytes());
            return JsonError(format!("invalid escape sequence {quoted} in string"));
        }
        JsonError(format!("invalid escape sequence `{escape}` in string"))
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|it| char::from(it).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.wrong_escape(6, "in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Deep input needs a deep stack.
fn stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(32 << 10, 1 << 20, run)
}
