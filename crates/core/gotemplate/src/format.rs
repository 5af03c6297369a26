//! Go's `fmt`: `Sprint`, `Sprintf`, `Sprintln`, with all verbs and flags and all their complaints.

mod number;
mod printf;
mod string;
mod value;

use crate::{error::FunctionError, text::Text, value::Value};

/// Nothing printed may be longer than this where no budget is given.
const MOST_BYTES: usize = 1 << 30;

/// `fmt.Sprint`: a space between two operands when neither is a string.
pub fn sprint(values: &[Value]) -> Text {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, MOST_BYTES);
    printer.print(values);
    out.into()
}

/// `fmt.Sprintln`: spaces between all operands, a newline at the end.
pub fn sprintln(values: &[Value]) -> Text {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, MOST_BYTES);
    printer.println(values);
    out.into()
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, values: &[Value]) -> Text {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, MOST_BYTES);
    printer.printf(format.as_bytes(), values);
    out.into()
}

/// The flags of one verb.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) width: Option<usize>,
    pub(crate) precision: Option<usize>,
    pub(crate) minus: bool,
    pub(crate) plus: bool,
    pub(crate) sharp: bool,
    pub(crate) space: bool,
    pub(crate) zero: bool,
    /// `%+v`
    pub(crate) plus_v: bool,
    /// `%#v`
    pub(crate) sharp_v: bool,
}

/// Prints into a buffer, up to a limit.
pub(crate) struct Printer<'o> {
    out: &'o mut Vec<u8>,
    /// The length of `out` at which printing stops.
    limit: usize,
    flags: Flags,
    /// While a complaint is printed, methods are not called.
    erroring: bool,
    full: bool,
    too_deep: bool,
    /// A pointer prints as what it points to.
    indirect: bool,
}

impl<'o> Printer<'o> {
    /// A printer that adds at most `limit` bytes.
    pub(crate) fn new(out: &'o mut Vec<u8>, limit: usize) -> Self {
        let limit = out.len().saturating_add(limit);
        Self {
            out,
            limit,
            flags: Flags::default(),
            erroring: false,
            full: false,
            too_deep: false,
            indirect: false,
        }
    }

    /// Whether all was printed.
    pub(crate) fn finish(&self) -> Result<(), FunctionError> {
        let message = if self.too_deep {
            "the value nests too deep to be printed"
        } else if self.full || self.out.len() > self.limit {
            "the printed value exceeds the limit of the render"
        } else {
            return Ok(());
        };
        Err(FunctionError {
            limit: true,
            ..FunctionError::new(message)
        })
    }

    /// Prints one value as a template's action does.
    pub(crate) fn print_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.write(text.as_bytes()),
            Value::Int(value) | Value::Int64(value) => self.write_int(*value),
            _ => {
                self.indirect = true;
                self.print_arg(value, 'v');
                self.indirect = false;
            }
        }
    }

    /// Prints what pointers point to from now on.
    pub(crate) fn follow_pointers(&mut self) -> &mut Self {
        self.indirect = true;
        self
    }

    pub(crate) fn print(&mut self, values: &[Value]) {
        let mut after_string = true;
        for value in values {
            let is_string = value.kind() == crate::gotype::Kind::String;
            if !is_string && !after_string {
                self.write(b" ");
            }
            self.print_arg(value, 'v');
            after_string = is_string;
        }
    }

    pub(crate) fn println(&mut self, values: &[Value]) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.write(b" ");
            }
            self.print_arg(value, 'v');
        }
        self.write(b"\n");
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.out.len() + bytes.len() > self.limit {
            self.full = true;
        } else {
            self.out.extend_from_slice(bytes);
        }
    }

    fn write_char(&mut self, c: char) {
        self.write(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn write_int(&mut self, value: i64) {
        if value < 0 {
            self.write(b"-");
        }
        let (mut digits, mut at, mut rest) = ([0_u8; 20], 20, value.unsigned_abs());
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.write(&digits[at..]);
    }

    fn write_padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        if self.out.len() + count > self.limit {
            self.full = true;
        } else {
            self.out.resize(self.out.len() + count, byte);
        }
    }

    /// Writes the text, padded to the width, which counts characters.
    fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width.filter(|width| *width > 0) else {
            return self.write(text);
        };
        let missing = width.saturating_sub(characters(text));
        if self.flags.minus {
            self.write(text);
            self.write_padding(missing);
        } else {
            self.write_padding(missing);
            self.write(text);
        }
    }

    /// As [`pad`](Self::pad), with spaces only.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }
}

/// The number of characters; each byte that is not UTF-8 counts as one.
fn characters(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        return bytes.len();
    }
    bytes
        .utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum()
}
