//! Prints how long one render and one parse of a typical chart take; the referee's `speed` prints the same of Go.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use gotemplate::{
    Budget, Entries, Functions, MissingKey, Options, Signature, TemplateSet, Text, Type, Value,
};

const TEMPLATE: &str = include_str!("../tests/referee/speed.tpl");

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::map(
        entries
            .into_iter()
            .map(|(key, value)| (Text::from(key), value))
            .collect(),
    )
}

fn data() -> Value {
    let env: Entries = (0..12)
        .map(|i| {
            (
                Text::from(format!("VARIABLE_{i}")),
                Value::from(format!("value <{i}>")),
            )
        })
        .collect();
    let port = |name: &str, port: f64, protocol: &str| {
        map([
            ("name", name.into()),
            ("port", port.into()),
            ("protocol", protocol.into()),
        ])
    };
    map([
        (
            "Release",
            map([("Name", "release".into()), ("Service", "Helm".into())]),
        ),
        (
            "Chart",
            map([("Name", "web".into()), ("AppVersion", "1.2.3".into())]),
        ),
        (
            "Values",
            map([
                ("replicaCount", 2.0.into()),
                ("autoscaling", map([("enabled", false.into())])),
                (
                    "image",
                    map([
                        ("repository", "nginx".into()),
                        ("tag", "".into()),
                        ("pullPolicy", "Always".into()),
                    ]),
                ),
                (
                    "labels",
                    map([("team", "a".into()), ("tier", "front".into())]),
                ),
                (
                    "imagePullSecrets",
                    Value::list(vec![
                        map([("name", "one".into())]),
                        map([("name", "two".into())]),
                    ]),
                ),
                (
                    "ports",
                    Value::list(vec![port("http", 80.0, "TCP"), port("dns", 53.0, "UDP")]),
                ),
                ("env", Value::map(env)),
                (
                    "resources",
                    map([(
                        "limits",
                        map([("cpu", "100m".into()), ("memory", "1Gi".into())]),
                    )]),
                ),
                (
                    "extra",
                    Value::list((0..10).map(|i| Value::Float64(f64::from(i))).collect()),
                ),
            ]),
        ),
    ])
}

fn main() {
    let mut functions = Functions::builtins();
    functions.add(
        "include",
        Signature::new(&[Type::String, Type::Any], Type::String),
        |call, arguments| {
            let name = arguments[0].as_text().cloned().unwrap_or_default();
            Ok(Value::String(call.execute(&name.to_str(), &arguments[1])?))
        },
    );
    let mut set = TemplateSet::default();
    set.parse("a", TEMPLATE, &functions).expect("it parses");
    let data = data();
    let options = Options {
        missing_key: MissingKey::Zero,
        ..Options::default()
    };
    let mut length = 0;
    let render = fastest(|| {
        let out = set
            .execute("a", &data, &functions, options, &mut Budget::default())
            .expect("it runs");
        length = black_box(out).len();
    });
    if std::env::args().nth(1).as_deref() == Some("render") {
        return;
    }
    let parse = fastest(|| {
        black_box(TemplateSet::parse_only("a", TEMPLATE, &functions)).expect("it parses");
    });
    println!("ours: render {render:?}, parse {parse:?}, {length} bytes");
}

/// The time of one call in the fastest of many batches: what else the machine does counts little.
fn fastest(mut call: impl FnMut()) -> Duration {
    const BATCHES: u32 = 2000;
    const CALLS: u32 = 3;
    (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed() / CALLS
        })
        .min()
        .unwrap_or_default()
}
