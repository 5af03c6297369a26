//! Expressions: one line each, with the value as JSON or the error as text.

use serde_json::json;
use workflow::expr::{Expression, Scope, StatusFunctions, Template, Value, format_number};

/// The contexts all expressions of this file and of the referee see.
pub(crate) fn contexts() -> serde_json::Value {
    json!({
        "github": {"ref": "refs/heads/main", "event": {"number": 7, "labels": [{"name": "bug", "id": 1}, {"id": 2}, {"name": "ui"}], "flags": {"a": true, "b": false}}},
        "env": {"Greek": "ΣΑΣ", "path": "/bin", "empty": "", "num": "0x1f"},
        "matrix": {"os": ["linux", "mac"], "deep": [[1, 2], [3]], "map": {"x": {"v": 1}, "y": {"v": 2}}, "n": 3.5},
        "inputs": {"flag": true, "count": 3, "none": null},
    })
}

struct Fine;

impl StatusFunctions for Fine {
    fn success(&self, _: &[String]) -> bool {
        true
    }
    fn failure(&self, _: &[String]) -> bool {
        false
    }
    fn cancelled(&self) -> bool {
        false
    }
}

/// The value as compact JSON, or the error.
pub(crate) fn value_of(text: &str) -> String {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => return format!("parse: {error}"),
    };
    let contexts = contexts();
    let mut scope = Scope::new();
    for name in ["github", "matrix", "inputs"] {
        scope.set(name, contexts[name].clone());
    }
    let env: Vec<_> = contexts["env"]
        .as_object()
        .expect("a mapping")
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    scope.set_env(
        env.iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    scope.set_status(&Fine);
    match expression.evaluate(&scope) {
        Ok(Value::Number(number)) => format_number(number),
        Ok(value) => value.to_json().to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(value_of(text), *expected, "{text}");
    }
}

#[test]
fn literals_and_precedence() {
    check(&[
        ("'it''s'", "\"it's\""),
        ("0x1f", "31"),
        (
            "-0o17",
            "parse: unexpected symbol `-0o17` at position 1 of `-0o17`",
        ),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("3 < 2 < 1", "true"),
        ("1 == 1 != 0", "true"),
        ("false || true && false", "false"),
        ("!true == false", "true"),
        ("(1 || 0) && 'x'", "\"x\""),
        ("NaN == NaN", "false"),
        ("-Infinity < 0", "true"),
    ]);
}

#[test]
fn syntax_errors_say_where() {
    check(&[
        (
            "github.ref == \"x\"",
            "parse: text takes single quotes, found `\"x\"` at position 15 of `github.ref == \"x\"`",
        ),
        (
            "gitub.ref",
            "parse: unknown context `gitub` at position 1 of `gitub.ref`",
        ),
        (
            "false && nope(1)",
            "parse: unknown function `nope` at position 10 of `false && nope(1)`",
        ),
        (
            "contains('a')",
            "parse: `contains` takes 2 arguments, found 1 at position 1 of `contains('a')`",
        ),
        (
            "'open",
            "parse: unclosed text `'open` at position 1 of `'open`",
        ),
        ("1 +", "parse: unexpected symbol `+` at position 3 of `1 +`"),
        (
            "github.",
            "parse: unexpected end at position 7 of `github.`",
        ),
        ("(1", "parse: unexpected end at position 2 of `(1`"),
        (
            "True",
            "parse: unknown context `True` at position 1 of `True`",
        ),
    ]);
}

#[test]
fn equality_is_abstract_and_without_case() {
    check(&[
        ("null == 0", "true"),
        ("'' == 0", "true"),
        ("'0x1f' == 31", "true"),
        ("'true' != true", "true"),
        ("true == 1", "true"),
        ("'ABC' == 'abc'", "true"),
        ("'σ' == 'ς'", "true"),
        ("'ü' == 'Ü'", "true"),
        ("'i' == 'İ'", "false"),
        ("'ı' == 'I'", "false"),
        ("matrix.os == matrix.os", "true"),
        ("matrix.os == fromJSON('[\"linux\",\"mac\"]')", "false"),
        ("'a' < 'B'", "true"),
        ("'10' > 9", "true"),
        ("'x' > 1", "false"),
        ("matrix.os > 1", "false"),
        ("null >= 0", "true"),
    ]);
}

#[test]
fn properties_indexes_and_wildcards() {
    check(&[
        ("github.REF", "\"refs/heads/main\""),
        ("github['ref']", "\"refs/heads/main\""),
        ("github.event.nothing.more", "null"),
        ("env.PATH", "null"),
        ("env.path", "\"/bin\""),
        ("matrix.os[1]", "\"mac\""),
        ("matrix.os['1.9']", "\"mac\""),
        ("matrix.os[-1]", "null"),
        ("matrix.os[9]", "null"),
        ("matrix.os.x", "null"),
        ("github.event.labels.*.name", r#"["bug","ui"]"#),
        ("github.event.labels[*].id", "[1,2]"),
        ("matrix.deep.*.*", "[1,2,3]"),
        ("matrix.map.*.v", "[1,2]"),
        ("matrix.n.*", "[]"),
        ("join(matrix.map.*.v, '-')", "\"1-2\""),
        ("inputs[matrix.os]", "null"),
    ]);
}

#[test]
fn functions() {
    check(&[
        ("contains(fromJSON('[\"\"]'), null)", "true"),
        ("contains('Hello', 'ELL')", "true"),
        ("contains(matrix.map, 'x')", "false"),
        ("startsWith(github.ref, 'REFS/')", "true"),
        ("endsWith(matrix.os, 'x')", "false"),
        ("format('{{{0}}} {1}', 'a', 1.50)", "\"{a} 1.5\""),
        (
            "format('{2}', 1)",
            "error: format `{2}` asks for argument 2, which is not there",
        ),
        (
            "format('{', 1)",
            "error: `{` is no format: braces must enclose an index or be doubled",
        ),
        ("format(null, 1)", "\"\""),
        ("join(matrix.deep)", "\"Array,Array\""),
        ("join('x', '-')", "\"x\""),
        ("join(matrix.map)", "\"\""),
        (
            "toJSON(matrix.os)",
            "\"[\\n  \\\"linux\\\",\\n  \\\"mac\\\"\\n]\"",
        ),
        ("toJson(fromJSON('{}'))", "\"{}\""),
        (
            "fromJSON('1e400')",
            "error: `1e400` is no JSON: number out of range at line 1 column 5",
        ),
        (
            "fromJSON('{bad')",
            "error: `{bad` is no JSON: key must be a string at line 1 column 2",
        ),
        ("case(false, 1, true, 2, 3)", "2"),
        (
            "case(1, 1, 2)",
            "error: condition 1 of `case` is no boolean",
        ),
        ("case(true, 'a', fromJSON('x'))", "\"a\""),
        (
            "hashFiles('**/x')",
            "error: `hashFiles()` has no meaning here",
        ),
        (
            "always() && !cancelled() && success() && !failure()",
            "true",
        ),
    ]);
}

#[test]
fn numbers_print_with_fifteen_digits() {
    for (number, text) in [
        (3.10, "3.1"),
        (0.1 + 0.2, "0.3"),
        (-0.0, "0"),
        (1e15, "1E+15"),
        (123_456_789_012_345.0, "123456789012345"),
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (1.0 / 3.0, "0.333333333333333"),
        (1e100, "1E+100"),
        (-2.5, "-2.5"),
    ] {
        assert_eq!(format_number(number), text);
    }
}

#[test]
fn templates_keep_the_type_of_a_lone_expression() {
    let scope = Scope::new();
    let evaluate = |text: &str| {
        Template::parse(text)
            .map(|it| it.evaluate(&scope).expect("a value").to_json())
            .map_err(|it| it.to_string())
    };
    assert_eq!(evaluate("${{ 1 == 1 }}"), Ok(json!(true)));
    assert_eq!(evaluate("a-${{ 'x}}y' }}-${{ 2 }}"), Ok(json!("a-x}}y-2")));
    assert_eq!(evaluate("no expression"), Ok(json!("no expression")));
    assert_eq!(
        evaluate("a ${{ 1 "),
        Err("`${{` at position 3 is never closed by `}}`".to_owned())
    );
}
