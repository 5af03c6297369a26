//! Expressions made from a seed: functions of text over texts that they stumble over.

use std::time::{SystemTime, UNIX_EPOCH};

use sprig::Edition;

use crate::expressions::check;

struct Dice(u64);

impl Dice {
    /// The seed of `LANDFALL_SEED`, else a fresh one; printed so that a failure can be repeated.
    fn new() -> Self {
        let seed = std::env::var("LANDFALL_SEED")
            .ok()
            .and_then(|it| it.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.expect("a clock after 1970").as_nanos() as u64
        });
        println!("LANDFALL_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn number(&mut self) -> i64 {
        [-7, -2, -1, 0, 1, 2, 3, 4, 5, 8, 13][self.below(11)]
    }

    /// A text as a Go literal.
    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "a", "B", "foo", "Bar", "HTTP", "ID", "x9", "42", "_", "-", " ", "  ", ".", ",", "/",
            "é", "Ü", "ß", "日", "😀", "\\t", "\\n", "\\\"", "'", "$", "0x1F", "1.50", "true", "ǆ",
            "İ", "\\u00a0", "%s", "{", "&<>",
        ];
        let count = self.below(6);
        let body: String = (0..count).map(|_| self.one_of(PARTS)).collect();
        format!("\"{body}\"")
    }

    fn expression(&mut self) -> String {
        const ONE: &[&str] = &[
            "upper",
            "lower",
            "title",
            "untitle",
            "swapcase",
            "snakecase",
            "kebabcase",
            "camelcase",
            "initials",
            "nospace",
            "trim",
            "quote",
            "squote",
            "b64enc",
            "b64dec",
            "b32enc",
            "b32dec",
            "int",
            "int64",
            "float64",
            "atoi",
            "toDecimal",
            "toString",
            "toJson",
            "toRawJson",
            "toYaml",
            "toYamlPretty",
            "sha256sum",
            "base",
            "dir",
            "ext",
            "clean",
            "regexQuoteMeta",
            "fromJson",
            "fromYaml",
            "toToml",
            "empty",
            "len",
            "floor",
            "round 2 |  toString | print",
            "durationRound",
            "splitList \"\"",
            "sortAlpha",
            "html",
        ];
        const TWO: &[&str] = &[
            "trimSuffix",
            "trimPrefix",
            "trimAll",
            "contains",
            "hasPrefix",
            "hasSuffix",
            "splitList",
            "split",
            "cat",
            "regexMatch",
            "regexReplaceAllLiteral \"[a-z]+\"",
        ];
        const NUMBERED: &[&str] = &["trunc", "abbrev", "wrap"];
        match self.below(10) {
            0..=4 => format!("{} | {}", self.text(), self.one_of(ONE))
                .replace("round 2 |  toString | print", "print"),
            5 | 6 => format!("{} {} {}", self.one_of(TWO), self.text(), self.text()),
            7 => format!(
                "{} {} {}",
                self.one_of(NUMBERED),
                self.number(),
                self.text()
            ),
            8 => format!("replace {} {} {}", self.text(), self.text(), self.text()),
            _ => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.item()).collect();
                let function = self.one_of(&[
                    "toYaml",
                    "toJson",
                    "toPrettyJson",
                    "toYamlPretty",
                    "join \"-\"",
                    "uniq",
                    "compact",
                    "sortAlpha",
                    "toString",
                    "quote",
                    "first",
                    "last",
                    "rest",
                    "initial",
                    "reverse",
                    "has 1",
                    "without 1 |  toJson",
                    "coalesce",
                    "add1 |  print",
                ]);
                format!("list {} | {function}", items.join(" "))
                    .replace("without 1 |  toJson", "toJson")
                    .replace("add1 |  print", "print")
            }
        }
    }

    fn item(&mut self) -> String {
        match self.below(7) {
            0 => self.number().to_string(),
            1 => format!("{}.5", self.number().abs()),
            2 => "nil".to_owned(),
            3 => "true".to_owned(),
            4 => format!("(list {})", self.text()),
            5 => format!("(dict {} {})", self.text(), self.number()),
            _ => self.text(),
        }
    }
}

#[test]
fn generated_expressions_have_the_values_that_helm_gives_them() {
    let mut dice = Dice::new();
    let expressions: Vec<String> = (0..3_000).map(|_| dice.expression()).collect();
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    check(&expressions, "a: 1\n", Edition::Helm4);
}
