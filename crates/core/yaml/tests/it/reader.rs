//! The reader against Helm's `fromYaml`: values and messages.

use serde_json::{Map, Value, json};
use yaml::go_json;

use crate::{
    emitter::helm,
    generated::{self, Dice},
};

/// What `fromYaml` gives: a map with every number a double, or one with the error in it.
fn from_yaml(text: &str) -> Value {
    match go_json(text.as_bytes()) {
        Ok(Value::Object(map)) => doubles(&Value::Object(map)),
        Ok(Value::Null) => json!({}),
        Ok(other) => {
            let found = match other {
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Null | Value::Object(_) => "object",
            };
            json!({"Error": format!("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")})
        }
        Err(error) => json!({"Error": error.to_string()}),
    }
}

fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(doubles).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.clone(), doubles(value)))
                .collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

#[track_caller]
fn check(texts: &[String]) {
    let values: Vec<_> = texts.iter().map(|it| Value::String(it.clone())).collect();
    let theirs = helm("fromYaml | toJson", &values);
    assert_eq!(theirs.len(), texts.len(), "one answer for each text");
    let mut differing = texts.iter().zip(&theirs).filter_map(|(text, expected)| {
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        let (found, expected) = (from_yaml(text), doubles(&expected));
        // Which line of a broken text is told where lines end in a way that nobody uses is not followed.
        let both_refuse = found.get("Error").is_some() && expected.get("Error").is_some();
        let agree = found == expected || (both_refuse && text.contains(['\u{85}', '\u{2028}', '\u{2029}']));
        (!agree).then(|| format!("{text:?}\nexpected: {expected}\nfound:    {found}\n"))
    });
    let first: Vec<_> = differing.by_ref().take(8).collect();
    let rest = differing.count();
    assert!(first.is_empty(), "{}\nand {rest} more", first.join("\n"));
}

#[test]
fn generated_texts_are_read_as_helm_reads_them() {
    let mut dice = Dice::new();
    let texts: Vec<_> = (0..6000).map(|_| generated::yaml(&mut dice)).collect();
    check(&texts);
}

#[test]
fn whole_texts_are_read_as_helm_reads_them() {
    let long_key = format!("{}: 1", "k".repeat(1_030));
    let texts = [
        "",
        "\n",
        "---\n",
        "a: 1\n---\nb: [\n",
        "a: 1\n...\nb",
        "a: 1\n]",
        long_key.as_str(),
        "[1, 2]",
        "text",
        "12",
        "true",
        "a: &a [1]\nb: *a\nc: [*a, *a]",
        "a: \u{7f}",
        "a: \u{1}",
        "\u{feff}a: 1",
        "a: 18446744073709551615",
        "a: 18446744073709551616",
        "a: 9223372036854775808",
        "a: -9223372036854775808",
        "a: 0.1",
        "a: 1e400",
        "a: 1.7976931348623157e308",
        "a: 5e-324",
        "a: +.5",
        "a: -.5",
        "a: 0b101",
        "a: -0b101",
        "a: 0o17",
        "a: -0o17",
        "a: 0x_1F",
        "a: 1_2.3_4",
        "a: ._5",
        "a: .5_0",
        "a: 08",
        "a: 089",
        "a: 0_8",
        "a: 1__0",
        "x: 3\n<<: {x: 1}",
        "<<: {x: 1}\nx: 3",
        "<<: [{x: 1}, {x: 2}]",
        "<<: 1",
        "<<: [1]",
        "18446744073709551615: 1",
        "!!str <<: {a: 1}",
        "'<<': {a: 1}",
    ];
    check(&texts.map(str::to_owned));
}
