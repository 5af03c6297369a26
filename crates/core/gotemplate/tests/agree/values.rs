//! The data that generated templates are run with.

use super::{
    data::{Data, Element},
    random::Random,
    verbs,
};

/// What the templates are run with.
pub fn values(random: &mut Random) -> Data {
    let mut entries: Vec<(String, Data)> = [
        ("name", Data::text("web")),
        ("empty", Data::text("")),
        ("n", Data::Float64(3.0)),
        ("i", Data::Int("int", 5)),
        ("big", Data::Int("int64", 7)),
        ("u", Data::Int("uint8", 9)),
        ("yes", Data::Bool(true)),
        ("no", Data::Bool(false)),
        ("nil", Data::Nil),
        (
            "list",
            Data::List(
                Element::Any,
                vec![
                    Data::Int("int", 1),
                    Data::text("two"),
                    Data::Nil,
                    Data::Float64(4.5),
                ],
            ),
        ),
        (
            "strings",
            Data::List(Element::String, vec![Data::text("x"), Data::text("y")]),
        ),
        (
            "ints",
            Data::List(Element::Int, vec![Data::Int("int", 3), Data::Int("int", 0)]),
        ),
        ("none", Data::List(Element::Any, Vec::new())),
        ("bytes", Data::Bytes(b"raw".to_vec())),
        (
            "m",
            Data::map([
                ("a", Data::Int("int", 1)),
                (
                    "b",
                    Data::map([("c", Data::text("deep")), ("d", Data::Nil)]),
                ),
                (
                    "z",
                    Data::List(
                        Element::Any,
                        vec![Data::map([("name", Data::text("first"))])],
                    ),
                ),
            ]),
        ),
        (
            "labels",
            Data::Map(
                Element::String,
                vec![
                    ("app".to_owned(), Data::text("web")),
                    ("b".to_owned(), Data::text("2")),
                ],
            ),
        ),
        (
            "named",
            Data::Map(
                Element::Values,
                vec![
                    ("k".to_owned(), Data::text("v")),
                    ("Keys".to_owned(), Data::Nil),
                ],
            ),
        ),
        ("server", Data::Server("s1".to_owned())),
        ("pointer", Data::Pointer("p1".to_owned())),
        ("level", Data::Level(2)),
        ("upper", Data::Function("upper")),
        ("sum", Data::Function("sum")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    entries.push(("any".to_owned(), small(verbs::operand(random, 1))));
    Data::map([
        ("Values", Data::Map(Element::Any, entries)),
        ("Name", Data::text("rel")),
    ])
}

/// Keeps integers small: a template may range over them, one loop in another.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only what holds integers changes"
)]
fn small(data: Data) -> Data {
    match data {
        Data::Int(kind, value) => Data::Int(kind, value % 20),
        Data::Level(value) => Data::Level(value % 20),
        Data::Bytes(bytes) => Data::Bytes(bytes.into_iter().map(|byte| byte % 20).collect()),
        Data::List(element, items) => Data::List(element, items.into_iter().map(small).collect()),
        Data::Map(element, entries) => Data::Map(
            element,
            entries
                .into_iter()
                .map(|(key, value)| (key, small(value)))
                .collect(),
        ),
        other => other,
    }
}
