//! Tests of both flavours, of diagnostics and of the emitter.

mod emitter;
mod generated;
mod reader;

use serde_json::{Value, json};
use yaml::{Flavor, apply_fixes, parse, render_all, to_string};

#[track_caller]
fn check(flavor: Flavor, source: &str, expected: &Value) {
    let documents = parse(source, "a.yaml", flavor);
    let found: Vec<_> = match documents {
        Ok(documents) => documents.iter().map(|it| it.root.to_json()).collect(),
        Err(problems) => problems
            .iter()
            .map(|it| Value::String(it.to_string()))
            .collect(),
    };
    assert_eq!(Value::Array(found), *expected, "{source}");
}

#[test]
fn core12_keeps_on_and_yes_as_text() {
    check(
        Flavor::Core12,
        "on: [push]\na: yes\nb: true\nc: 012\nd: 3.10\ne: 0x1f\nf: 0o17\ng: 12_345\nh: ~\ni:\nj: 2001-01-01\nk: 1e3\n",
        &json!([{"on": ["push"], "a": "yes", "b": true, "c": 12, "d": 3.1, "e": 31, "f": 15, "g": "12_345", "h": null, "i": null, "j": "2001-01-01", "k": 1000}]),
    );
    check(
        Flavor::Core12,
        "a: &x {b: 1}\nc: *x\n<<: *x\n",
        &json!([{"a": {"b": 1}, "c": {"b": 1}, "<<": {"b": 1}}]),
    );
    check(
        Flavor::Core12,
        "a: !!str 1\nb: !!int 2\n",
        &json!([{"a": "1", "b": 2}]),
    );
}

#[test]
fn core12_refuses_duplicates_and_a_second_document() {
    check(
        Flavor::Core12,
        "a: 1\nb: 2\nA: 3\n",
        &json!(["a.yaml:3:1: error[LF-Y0004]: `A` is already defined"]),
    );
    check(
        Flavor::Core12,
        "a: 1\n---\nb: 2\n",
        &json!(["a.yaml:2:1: error[LF-Y0007]: expected one document, found another"]),
    );
}

#[test]
fn go11_reads_as_kubernetes_does() {
    check(
        Flavor::Go11,
        "y: n\non: off\na: 010\nb: 0o10\nc: 08\nd: 0b11\ne: 1_000\nf: 190:20:30\ng: 1.5\nh: 1e400\ni: !foo x\n",
        &json!([{"true": false, "a": 8, "b": 8, "c": 8, "d": 3, "e": 1000, "f": "190:20:30", "g": 1.5, "h": "1e400", "i": "x"}]),
    );
    check(
        Flavor::Go11,
        "base: &b {x: 1, y2: 2}\nc:\n  <<: *b\n  x: 3\na: 1\na: 2\n",
        &json!([{"base": {"x": 1, "y2": 2}, "c": {"x": 3, "y2": 2}, "a": 2}]),
    );
    check(
        Flavor::Go11,
        "a: 1\n---\nb: 2\n---\n",
        &json!([{"a": 1}, {"b": 2}, null]),
    );
}

#[test]
fn pasted_spaces_are_named_and_mended() {
    let source = "name:\u{a0}CI\u{a0}Pipeline\non: [push]\njobs:\n\u{a0} build:\n    runs-on: x\u{a0}# a\u{a0}comment\n    name: \"kept\u{a0}here\"\n";
    let problems = parse(source, "ci.yml", Flavor::Core12).expect_err("wrong spaces");
    assert_eq!(
        render_all(&problems, source),
        "\
error[LF-Y0010]: non-breaking space (U+00A0) at line 1, column 6
 --> ci.yml:1:6
  |
1 | name:\u{a0}CI\u{a0}Pipeline
  |      ^ looks like a space, but is none to YAML
  |
  = help: text copied from a web page often carries it; replace it by a plain space
  = help: it also stands in line 4, 5
  = help: `landfall lint --fix` repairs all of them"
    );
    let mended = apply_fixes(source, &problems);
    assert_eq!(
        mended,
        "name: CI Pipeline\non: [push]\njobs:\n  build:\n    runs-on: x # a\u{a0}comment\n    name: \"kept\u{a0}here\"\n"
    );
    assert!(parse(&mended, "ci.yml", Flavor::Core12).is_ok());
}

#[test]
fn tabs_in_the_indentation_are_named_and_mended() {
    let source = "a:\n\tb: 1\n";
    let problems = parse(source, "a.yaml", Flavor::Core12).expect_err("a tab");
    assert_eq!(
        problems[0].to_string(),
        "a.yaml:2:1: error[LF-Y0013]: tab in the indentation at line 2, column 1"
    );
    assert_eq!(apply_fixes(source, &problems), "a:\n  b: 1\n");
}

#[test]
fn syntax_errors_carry_their_place() {
    for (source, place) in [
        ("a: [1, 2\nb: 3\n", "a.yaml:2"),
        ("a: \"x\n", "a.yaml:2:1"),
        ("a: *b\n", "a.yaml:1:4"),
        ("a: b: c\n", "a.yaml:1"),
    ] {
        let problems = parse(source, "a.yaml", Flavor::Core12).expect_err(source);
        assert!(
            problems[0].to_string().starts_with(place),
            "{source}: {}",
            problems[0]
        );
    }
}

#[test]
fn aliases_cannot_blow_up() {
    let mut source = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        source.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            [before.as_str(); 10].join(", ")
        ));
    }
    let problems = parse(&source, "a.yaml", Flavor::Core12).expect_err("too many nodes");
    assert_eq!(
        problems[0].message,
        "more than 50000 values once aliases are written out"
    );
}

#[test]
fn written_values_read_back_the_same_in_both_flavours() {
    let value = json!({
        "a10": 1, "a2": [1, [2, 3], {"k": "v", "l": []}], "text": "two\nlines\n", "keep": "two\nlines", "more": "x\ny\n\n",
        "odd": ["yes", "on", "y", "n", "~", "null", "", "1", "01", "1_000", "1:30", "2001-01-01", "0x1f", "1e3", ".5", "- a", "a: b", "a #b", "#", "'", "\"", "\\", "*x", "&x", "!t", "%", "@", "`", "{", "[", "é", "😀", "tab\t", " lead", "trail ", "<<", "=", "---", "...", "-", "?", ":", "true", "key:", "\u{7f}", "10.0.0.1", "v1.2.3"],
        "yes": null, "n": true, "empty": {}, "float": 1.5, "nested": {"deep": {"x": "y"}}, "multi\nline": 1, "lead": " a\nb", "trail": "a \nb",
    });
    let written = to_string(&value);
    for flavor in [Flavor::Core12, Flavor::Go11] {
        let back = parse(&written, "a.yaml", flavor)
            .unwrap_or_else(|it| panic!("{}", render_all(&it, &written)));
        assert_eq!(back[0].root.to_json(), value, "{written}");
    }
    assert!(
        written.starts_with("a2:\n- 1\n- - 2\n  - 3\n- k: v\n  l: []\na10: 1\n"),
        "{written}"
    );
}
