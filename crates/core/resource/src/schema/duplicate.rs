//! Finds keys that stand twice in one JSON object; a parsed value no longer shows them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fmt,
};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::FieldProblem;

/// The keys that stand twice in one object of a JSON text; an unreadable text has none.
pub fn duplicates(json: &[u8]) -> Vec<FieldProblem> {
    let again = |(path, place): (String, Place)| {
        (place == Place::Again).then_some(FieldProblem::Duplicate { path })
    };
    keys(json).into_iter().filter_map(again).collect()
}

/// Puts unknown fields among the duplicates of the same text, in the order of the text, as the real
/// decoder reports them. A key that is unknown is not also a duplicate.
pub fn in_order(json: &[u8], mut problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
    let unknown: HashSet<String> = problems
        .iter()
        .filter_map(|it| match it {
            FieldProblem::Unknown { path } => Some(path.clone()),
            FieldProblem::Duplicate { .. } | FieldProblem::WrongType { .. } => None,
        })
        .collect();
    let mut order = HashMap::new();
    let mut duplicates = Vec::new();
    for (index, (path, place)) in keys(json).into_iter().enumerate() {
        if place == Place::Again && !unknown.contains(&path) {
            duplicates.push((index, FieldProblem::Duplicate { path }));
        } else {
            order.entry(path).or_insert(index);
        }
    }
    let mut numbered: Vec<(usize, FieldProblem)> = duplicates;
    numbered.extend(problems.drain(..).map(|it| {
        let index = match &it {
            FieldProblem::Unknown { path } => order.get(path).copied().unwrap_or(usize::MAX),
            FieldProblem::Duplicate { .. } | FieldProblem::WrongType { .. } => usize::MAX,
        };
        (index, it)
    }));
    numbered.sort_by_key(|(index, _)| *index);
    numbered.into_iter().map(|(_, it)| it).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Again,
}

/// Every key of a text with its path, in order.
fn keys(json: &[u8]) -> Vec<(String, Place)> {
    let found = RefCell::new(Vec::new());
    let seed = Walk {
        path: String::new(),
        found: &found,
    };
    let mut reader = serde_json::Deserializer::from_slice(json);
    match seed.deserialize(&mut reader) {
        Ok(()) => found.into_inner(),
        Err(_) => Vec::new(),
    }
}

struct Walk<'a> {
    path: String,
    found: &'a RefCell<Vec<(String, Place)>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", self.path)
            };
            let place = if seen.insert(key) {
                Place::First
            } else {
                Place::Again
            };
            self.found.borrow_mut().push((path.clone(), place));
            map.next_value_seed(Walk {
                path,
                found: self.found,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let path = format!("{}[{index}]", self.path);
            if list
                .next_element_seed(Walk {
                    path,
                    found: self.found,
                })?
                .is_none()
            {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_keys_are_named_with_their_path() {
        check(
            r#"{"spec":{"replicas":1,"replicas":2,"list":[{"a":1},{"a":1,"a":{"b":null}}]},"kind":"x"}"#,
            &[
                r#"duplicate field "spec.replicas""#,
                r#"duplicate field "spec.list[1].a""#,
            ],
        );
    }

    #[test]
    fn equal_keys_of_different_objects_are_fine() {
        check(r#"{"a":{"x":1},"b":{"x":1}}"#, &[]);
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = duplicates(text.as_bytes())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected);
    }
}
