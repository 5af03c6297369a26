//! The emitter against Helm, which writes with the same libraries as Kubernetes' tools.

use std::{fmt::Write as _, fs, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use yaml::{Emitter, Layout, json_float, natural, to_string};

use crate::generated::{self, Dice};

fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("LANDFALL_TOOLS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/bin"),
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.exists(),
        "the referee {} is missing; `cargo xtask tools` fetches it",
        path.display()
    );
    path
}

/// What `function` of Helm's templates makes of each value.
pub fn helm(function: &str, values: &[Value]) -> Vec<String> {
    let chart = tempfile::tempdir().expect("a folder");
    let mut list = String::from("list:\n");
    for value in values {
        writeln!(list, "- {}", flow(value)).expect("memory");
    }
    let template =
        format!("{{{{ range .Values.list }}}}\n#={{{{ . | {function} | b64enc }}}}{{{{ end }}}}");
    fs::create_dir(chart.path().join("templates")).expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("values.yaml", &list),
        ("templates/all.yaml", &template),
    ] {
        fs::write(chart.path().join(name), text).expect("a file");
    }
    let output = Command::new(tool("helm4"))
        .args(["template", "r"])
        .arg(chart.path())
        .output()
        .expect("helm runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .filter_map(|line| line.strip_prefix("#="))
        .map(|it| String::from_utf8(STANDARD.decode(it).expect("base64")).expect("text"))
        .collect()
}

/// A value in flow style, every odd character escaped, as any reader takes it.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(flow).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("? {} : {}", quoted(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for symbol in text.chars() {
        match symbol {
            'a'..='z' | 'A'..='Z' | '0'..='9' => out.push(symbol),
            _ => write!(out, "\\U{:08X}", u32::from(symbol)).expect("memory"),
        }
    }
    out.push('"');
    out
}

fn indented(emitter: &mut Emitter, value: &Value) {
    match value {
        Value::Null => emitter.null(),
        Value::Bool(flag) => emitter.boolean(*flag),
        Value::Number(it) => emitter.float(it.as_f64().expect("a double")),
        Value::String(it) => emitter.text(it),
        Value::Array(items) => {
            emitter.open_sequence(items.len());
            items.iter().for_each(|it| indented(emitter, it));
            emitter.close();
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| natural(left.0, right.0, Layout::Indented));
            emitter.open_mapping(entries.len());
            for (key, value) in entries {
                emitter.key(key);
                indented(emitter, value);
            }
            emitter.close();
        }
    }
}

#[track_caller]
fn check(function: &str, values: &[Value], ours: impl Fn(&Value) -> String) {
    let theirs = helm(function, values);
    assert_eq!(theirs.len(), values.len(), "one answer for each value");
    let mut differing = values.iter().zip(&theirs).filter_map(|(value, expected)| {
        let found = ours(value);
        let found = found.strip_suffix('\n').unwrap_or(&found);
        (found != expected)
            .then(|| format!("{value}\nexpected:\n{expected:?}\nfound:\n{found:?}\n"))
    });
    let first: Vec<_> = differing.by_ref().take(5).collect();
    let rest = differing.count();
    assert!(first.is_empty(), "{}\nand {rest} more", first.join("\n"));
}

fn values(layout: Layout) -> Vec<Value> {
    let mut dice = Dice::new();
    let values = (0..4000).map(|at| generated::value(&mut dice, at % 5));
    values.filter(|it| is_ordered(it, layout)).collect()
}

/// Go's order of keys runs in circles for some; then its maps come out in an order of chance.
fn is_ordered(value: &Value, layout: Layout) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(|it| is_ordered(it, layout)),
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort_by(|left, right| natural(left, right, layout));
            let mut pairs = (0..keys.len())
                .flat_map(|left| (left + 1..keys.len()).map(move |right| (left, right)));
            pairs.all(|(left, right)| natural(keys[left], keys[right], layout).is_lt())
                && map.values().all(|it| is_ordered(it, layout))
        }
    }
}

#[test]
fn generated_values_are_written_as_helm_writes_them() {
    check("toYaml", &values(Layout::Compact), to_string);
}

#[test]
fn generated_values_are_written_as_helm_writes_them_prettily() {
    check("toYamlPretty", &values(Layout::Indented), |value| {
        let mut emitter = Emitter::new(Layout::Indented);
        indented(&mut emitter, value);
        emitter.finish()
    });
}

#[test]
fn floats_go_through_json() {
    let written: Vec<_> = [
        1e6,
        1.5,
        1_234_567.5,
        1e20,
        1e-7,
        -0.0,
        12_345_678_901_234_567_890.0,
        1e30,
    ]
    .map(json_float)
    .to_vec();
    assert_eq!(
        written,
        [
            "1000000",
            "1.5",
            "1.2345675e+06",
            "1e+20",
            "1e-07",
            "0",
            "12345678901234567000",
            "1e+30"
        ]
    );
}
