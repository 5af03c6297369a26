//! Expressions: their values, and where a wrong one is wrong.

use serde_json::json;
use workflow::expr::Expression;

use super::{ask, dice::Dice};
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
// They count UTF-16 units in lines and columns, we count bytes.
const place = (e, text) => {
  const told = /Located at position (\d+) within/.exec(e.message);
  if (told) return Buffer.byteLength(text.slice(0, told[1] - 1));
  return e.pos === undefined ? e.message : Buffer.byteLength(text.split("\n").slice(0, e.pos.line).join("\n") + text.slice(0, e.pos.column));
};
const context = from(contexts);
console.log(JSON.stringify(expressions.map(text => {
  let tree;
  try { tree = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), []).parse(); } catch (e) { return "syntax " + place(e, text); }
  try { return json(new Evaluator(tree, context).evaluate()); } catch (e) { return "error"; }
})));
"#;

#[test]
fn expressions_mean_what_they_mean_to_github() {
    let mut dice = Dice::new("expressions");
    let expressions = generate(&mut dice, super::cases(4000));
    let input = json!({"contexts": contexts(), "expressions": expressions});
    let theirs: Vec<String> =
        serde_json::from_value(ask("expressions", SCRIPT, &input)).expect("a list of texts");
    let differences: Vec<_> = expressions
        .iter()
        .zip(theirs)
        .map(|(text, theirs)| (text, judged(text), theirs))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(text, ours, theirs)| format!("{text}\n  ours   {ours}\n  theirs {theirs}"))
        .collect();
    println!("{}", differences.join("\n"));
    assert!(
        differences.len() <= super::allowed(expressions.len()),
        "{} of {} differ\n{}",
        differences.len(),
        expressions.len(),
        differences.join("\n")
    );
}

/// The value as JSON, `error` for a failed evaluation, and for a syntax error its place.
fn judged(text: &str) -> String {
    match Expression::parse(text) {
        Err(error) => format!("syntax {}", error.at),
        Ok(_) => match value_of(text) {
            failed if failed.starts_with("error:") => "error".to_owned(),
            value => value,
        },
    }
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
    // JavaScript writes ß as two letters in upper case, ordinal folding leaves it as it is.
    let sharp = text.contains('ß') && text.contains(['<', '>']);
    // `contains` of the package folds to lower case, where the two sigmas differ.
    let sigma = text.contains("contains(") && text.contains(['Σ', 'ς']);
    number
        || sharp
        || sigma
        || text.contains("toJSON(") && (text.contains("NaN") || text.contains("Infinity"))
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

fn generate(dice: &mut Dice, count: usize) -> Vec<String> {
    let mut all: Vec<String> = LEAVES.iter().map(|it| (*it).to_owned()).collect();
    all.extend(LEAVES.iter().map(|it| format!("format('{{0}}', {it})")));
    all.extend(LEAVES.iter().map(|it| format!("toJSON({it})")));
    all.extend(LEAVES.iter().map(|it| format!("!{it}")));
    while all.len() < count {
        let depth = dice.roll(4);
        all.push(expression(dice, depth));
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
