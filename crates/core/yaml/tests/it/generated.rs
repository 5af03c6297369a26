//! Values made from a seed, rich in what emitters and readers stumble over.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// Numbers that follow from a seed.
pub struct Dice(u64);

impl Dice {
    /// The seed of `LANDFALL_SEED`, else a fresh one; printed so that a failure can be repeated.
    pub fn new() -> Self {
        let seed = std::env::var("LANDFALL_SEED").ok();
        let seed = seed.and_then(|it| it.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.expect("a clock after 1970").as_nanos() as u64
        });
        println!("LANDFALL_SEED={seed}");
        Self(seed | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const WORDS: &[&str] = &[
    "a",
    "bc",
    "nginx:1.25",
    "the quick brown fox",
    "key: value",
    " #no",
    "#",
    "- x",
    "-",
    "?",
    "? q",
    ":",
    ": ",
    "'",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a",
    "*b",
    "!t",
    "|",
    ">",
    "%",
    "@",
    "`",
    "=",
    "<<",
    "~",
    "null",
    "yes",
    "No",
    "on",
    "y",
    "true",
    "0755",
    "0o17",
    "0x1F",
    "0b11",
    "1_000",
    "1e3",
    "+1",
    "-2.5",
    ".5",
    "1.",
    "1:30",
    "190:20:30.15",
    ".inf",
    "-.inf",
    ".nan",
    "2020-01-02",
    "2020-1-2 3:4:5",
    "2020-01-02T03:04:05Z",
    "2020-02-30",
    "2020-01-02t03:04:05.123+01:00",
    "---",
    "...",
    "--- a",
    "é",
    "ü",
    "日本",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "😀",
    "\u{e000}",
    "\u{fffd}",
    "\t",
    "\r",
    "\u{1}",
    "\u{1b}",
    "\u{0}",
    "0",
    "00",
    "08",
    "1__0",
    "_1",
    "0_7",
    "1e400",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1E5",
    "12e03",
    "0x",
    "0b",
    "+.inf",
    "+",
    "1,2",
    "1 2",
    "Y",
    "oN",
    "nULL",
    "http://x.y/z?a=b#c",
    "$(cat /etc/passwd)",
    "{{ x }}",
];

/// A text of a few words with blanks and line breaks between them.
pub fn text(dice: &mut Dice) -> String {
    let mut text = String::new();
    let words = [0, 1, 1, 1, 2, 3, 5, 30][dice.below(8)];
    let joints: &[&str] = match dice.below(6) {
        0 => &[" "],
        1 => &["\n", " "],
        2 => &["\n", "\n\n", " \n", "\n  ", " "],
        3 => &[" ", "  ", "   "],
        4 => &[""],
        _ => &[" ", "", "\n", "\t", "  "],
    };
    for at in 0..words {
        if at > 0 || dice.below(12) == 0 {
            text.push_str(dice.one_of(joints));
        }
        text.push_str(if words > 5 && dice.below(3) > 0 {
            "lorem"
        } else {
            dice.one_of(WORDS)
        });
    }
    if dice.below(8) == 0 {
        text.push_str(dice.one_of(&["\n", "\n\n", " ", "\n ", "\t"]));
    }
    text
}

/// A value as it comes out of JSON: every number is a double.
pub fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 9 } else { 14 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2 => number(dice),
        3..=8 => Value::String(text(dice)),
        9 | 10 => (0..dice.below(4)).map(|_| value(dice, depth - 1)).collect(),
        _ => {
            let entries = (0..dice.below(5)).map(|_| (key(dice), value(dice, depth - 1)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn key(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => text(dice),
        1 => format!("a{}", dice.below(120)),
        2 => format!(
            "{}{}{}",
            dice.one_of(&["", "a", "x-", "é", "0", "10"]),
            dice.below(30),
            dice.one_of(&["", "b", "0", "."])
        ),
        _ => dice
            .one_of(&[
                "name",
                "image",
                "Name",
                "app.kubernetes.io/name",
                "_x",
                "replicas",
            ])
            .to_owned(),
    }
}

fn number(dice: &mut Dice) -> Value {
    let whole = dice.below(1 << 40) as f64;
    json!(match dice.below(7) {
        0 => dice.below(100) as f64,
        1 => whole,
        2 => -whole,
        3 => whole / 1000.0,
        4 => whole * 1e9,
        5 => whole * 1e-20,
        _ => whole * 1e12,
    })
}

const LINES: &[&str] = &[
    "a: 1",
    "b: x y z",
    "c: [1, two, {k: v}]",
    "d: {a: b, c: [d]}",
    "e: 'quoted ''text'''",
    "f: \"esc \\n \\x41 \\u00e9\"",
    "g: |",
    "  literal",
    "    more",
    "h: >-",
    "  folded",
    "  text",
    "- item",
    "- - nested",
    "- k: v",
    "  l: w",
    "? complex",
    ": value",
    "i: &x 1",
    "j: *x",
    "<<: *x",
    "<<: {m: 1}",
    "base: &b {x: 1, y: 2}",
    "<<: *b",
    "<<: [*b, {z: 3}]",
    "x: 9",
    "# comment",
    "k: v # comment",
    "",
    "  ",
    "\t",
    "---",
    "...",
    "--- text",
    "%YAML 1.1",
    "%YAML 1.2",
    "%TAG ! tag:x,2000:",
    "l: !!str 12",
    "m: !!int 12",
    "n: !!float 3",
    "o: !foo bar",
    "p: !!bool x",
    "q: ~",
    "r:",
    "yes: no",
    "0x1F: 1",
    "1.5: 2",
    "1e3: 3",
    "null: 4",
    "[a]: 5",
    "{a: b}: 6",
    "s: .inf",
    "t: 2020-01-01",
    "u: 1_000",
    "v: !!binary aGk=",
    "w: 012",
    "a: 2",
    ": empty key",
    "y: @x",
    "z: `x",
    "aa: %x",
    "bb: - x",
    "cc: a: b",
    "dd: 'open",
    "ee: \"open",
    "ff: [1, 2",
    "gg: {a: 1",
    "]",
    "}",
    ",",
    "hh: [a: b, c]",
    "ii: [? a : b]",
    "jj: \"\\q\"",
    "kk: \"\\u12\"",
    "ll: |2",
    "   three",
    "mm: |+",
    "nn: >",
    "oo: !!null ''",
    "pp: ''",
    "qq: [,]",
    "rr: [a,,b]",
    "ss: {,}",
    "tt: {a, b: c}",
    "uu: {? a, : b}",
    "plain",
    "two words",
    "  indented: 1",
    " one: 1",
    "    four: 1",
    "-",
    "- ",
    "-x",
    "?x: 1",
    "vv: &",
    "ww: *",
    "xx: &a &b c",
    "yy: !!str",
    "zz: &e",
    "ab: \"a",
    "   b\"",
    "ac: 'a",
    "   b'",
    "ad: a",
    "   b",
    "\tae: 1",
    "af:\t1",
    "ag: \"a\\",
    "  b\"",
    "ah: |-2",
    "ai: |0",
    "aj: |x",
    "*x : 1",
    "&k key: 1",
    "ak: *unknown",
    "al: &r [*r]",
    "am: 1 # ",
    "an: a#b",
    "ao: a:b",
    "ap: http://x:1/y",
    "aq: \u{85}x",
    "ar: a\u{2028}b",
    "as: é",
    "at: 😀",
];

/// A text that is YAML, or nearly.
pub fn yaml(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..1 + dice.below(7) {
        if dice.below(6) == 0 {
            text.push_str(dice.one_of(&["  ", "    ", " ", "- "]));
        }
        text.push_str(dice.one_of(LINES));
        text.push_str(if dice.below(40) == 0 { "\r\n" } else { "\n" });
    }
    if dice.below(6) == 0 {
        text.pop();
    }
    if dice.below(10) == 0 {
        let mut symbols: Vec<char> = text.chars().collect();
        if !symbols.is_empty() {
            let at = dice.below(symbols.len());
            symbols[at] = [
                'x', ' ', ':', '-', '\n', '"', '\'', '[', '}', '#', '\t', '&',
            ][dice.below(12)];
        }
        text = symbols.into_iter().collect();
    }
    text
}
