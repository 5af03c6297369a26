//! Compares our expressions with GitHub's own implementation, where its npm package is installed.
//!
//! Looks for `node_modules` in the folder that `LANDFALL_NPM` names, else in `target/npm`.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::expressions::{contexts, value_of};

const SCRIPT: &str = r#"
import {Lexer, Parser, Evaluator, data, wellKnownFunctions} from "@actions/expressions";
import {readFileSync} from "fs";
const {contexts, expressions} = JSON.parse(readFileSync(0, "utf8"));
const from = v => v === null ? new data.Null() : typeof v === "boolean" ? new data.BooleanData(v)
  : typeof v === "number" ? new data.NumberData(v) : typeof v === "string" ? new data.StringData(v)
  : Array.isArray(v) ? new data.Array(...v.map(from))
  : new data.Dictionary(...Object.entries(v).map(([key, value]) => ({key, value: from(value)})));
const json = d => d.kind === data.Kind.Array ? "[" + d.values().map(json).join(",") + "]"
  : d.kind === data.Kind.Dictionary ? "{" + d.pairs().map(p => JSON.stringify(p.key) + ":" + json(p.value)).join(",") + "}"
  : d.kind === data.Kind.String ? JSON.stringify(d.value) : d.kind === data.Kind.Null ? "null" : d.coerceString();
const context = from(contexts);
console.log(JSON.stringify(expressions.map(text => {
  let tree;
  try { tree = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), []).parse(); } catch (e) { return "parse"; }
  try { return json(new Evaluator(tree, context).evaluate()); } catch (e) { return "error"; }
})));
"#;

fn packages() -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/npm");
    let folder = std::env::var_os("LANDFALL_NPM").map_or(target, PathBuf::from);
    folder
        .join("node_modules/@actions/expressions")
        .is_dir()
        .then_some(folder)
}

#[test]
fn expressions_mean_what_they_mean_to_github() {
    let Some(folder) = packages() else {
        eprintln!("skipped: the npm package @actions/expressions is not installed");
        return;
    };
    let expressions = generate(3000);
    let script = folder.join("referee.mjs");
    std::fs::write(&script, SCRIPT).expect("the script is written");
    let mut node = Command::new("node")
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let input = serde_json::json!({"contexts": contexts(), "expressions": expressions}).to_string();
    node.stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("node reads");
    let output = node.wait_with_output().expect("node ends");
    let theirs: Vec<String> = serde_json::from_slice(&output.stdout).expect("a list");
    let short = |value: String| {
        value
            .split(':')
            .next()
            .filter(|it| ["parse", "error"].contains(it))
            .map(str::to_owned)
            .unwrap_or(value)
    };
    let differences: Vec<_> = expressions
        .iter()
        .zip(theirs)
        .map(|(text, theirs)| (text, short(value_of(text)), theirs))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(text, ours, theirs)| format!("{text}\n  ours   {ours}\n  theirs {theirs}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {} differ\n{}",
        differences.len(),
        expressions.len(),
        differences.join("\n")
    );
}

/// The package is written in JavaScript and prints numbers as JavaScript does; the
/// runner prints 15 digits, reads hex as 32 bits with a sign, and that is what counts.
fn is_known_difference(text: &str) -> bool {
    let number = [
        "100000000000000000000",
        "1e-7",
        "123456789012345678",
        "0xffffffff",
    ]
    .iter()
    .any(|it| text.contains(it));
    number || text.contains("toJSON(") && (text.contains("NaN") || text.contains("Infinity"))
}

/// A fixed sequence of numbers, so that every run compares the same expressions.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const LEAVES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2.5",
    "0x1f",
    "0o17",
    "1e3",
    ".5",
    "''",
    "'a'",
    "'A'",
    "'abc'",
    "' 12 '",
    "'0x1f'",
    "'1e2'",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "'true'",
    "'null'",
    "'ß'",
    "'Σ'",
    "'ς'",
    "'it''s'",
    "NaN",
    "Infinity",
    "-Infinity",
    "github.ref",
    "github.event.number",
    "github.event.labels",
    "github.event.labels.*.name",
    "github.event.labels[*].id",
    "github.event.flags",
    "github.event.flags.*",
    "env.Greek",
    "env.empty",
    "env.num",
    "matrix.os",
    "matrix.os[0]",
    "matrix.os['1']",
    "matrix.deep",
    "matrix.deep.*",
    "matrix.deep.*.*",
    "matrix.deep[0][1]",
    "matrix.map",
    "matrix.map.*.v",
    "matrix.map['x'].v",
    "matrix.n",
    "inputs.flag",
    "inputs.count",
    "inputs.none",
    "inputs.missing",
    "matrix.os[true]",
    "matrix.os[2.7]",
    "matrix.missing.*",
    "fromJSON('[1, \"x\", null]')",
    "fromJSON('{\"a\": {\"b\": 1}}').a.b",
    "'🚀'",
    "1.",
    "+1",
    "--1",
    "0xZ",
    "'",
    "a",
    "1 2",
    "True",
    "100000000000000000000",
    "0.1",
    "1e-7",
    "123456789012345678",
    "0x",
    "1e",
    "'1_000'",
    "'.5'",
    "'+3'",
    "'1.'",
    "-0x1",
    "'-0x1'",
    "0xffffffff",
];

fn generate(count: usize) -> Vec<String> {
    let mut dice = Dice(42);
    let mut all: Vec<String> = LEAVES.iter().map(|it| (*it).to_owned()).collect();
    all.extend(LEAVES.iter().map(|it| format!("format('{{0}}', {it})")));
    all.extend(LEAVES.iter().map(|it| format!("toJSON({it})")));
    all.extend(LEAVES.iter().map(|it| format!("!{it}")));
    while all.len() < count {
        let depth = dice.roll(4);
        all.push(expression(&mut dice, depth));
    }
    all.retain(|text| !is_known_difference(text));
    all
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return dice.pick(LEAVES).to_owned();
    }
    let part = |dice: &mut Dice| expression(dice, depth - 1);
    match dice.roll(12) {
        0..4 => {
            let (left, right) = (part(dice), part(dice));
            let operator = dice.pick(&["==", "!=", "<", "<=", ">", ">=", "&&", "||"]);
            format!("{left} {operator} {right}")
        }
        4 => format!("({})", part(dice)),
        5 => format!("!{}", part(dice)),
        6 => format!("contains({}, {})", part(dice), part(dice)),
        7 => format!(
            "{}({}, {})",
            dice.pick(&["startsWith", "endsWith", "STARTSWITH"]),
            part(dice),
            part(dice)
        ),
        8 => format!(
            "format('{}', {}, {})",
            dice.pick(&["{0}-{1}", "{{{1}}}", "{0}", "{2}", "{", "{0", "}}", "{a}"]),
            part(dice),
            part(dice)
        ),
        9 => format!("join({}, {})", part(dice), part(dice)),
        10 => format!("toJSON({})", part(dice)),
        _ => format!(
            "fromJSON(toJSON({})){}",
            part(dice),
            dice.pick(&["", ".a", "[0]", ".*", "['x']"])
        ),
    }
}
