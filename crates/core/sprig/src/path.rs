//! Paths as text: Go's `path` and, for the `os` names, `path/filepath` of Unix, which is the same.

use gotemplate::{Functions, Signature, Type, Value};

use crate::arguments::string;

pub(crate) fn add(all: &mut Functions) {
    let mapped = Signature::new(&[Type::String], Type::String);
    for name in ["base", "osBase"] {
        all.add(name, mapped, |_, arguments| {
            Ok(base(&string(arguments, 0)).into())
        });
    }
    for name in ["dir", "osDir"] {
        all.add(name, mapped, |_, arguments| {
            let path = string(arguments, 0);
            let end = path.rfind('/').map_or(0, |it| it + 1);
            Ok(clean(path.get(..end).unwrap_or_default()).into())
        });
    }
    for name in ["clean", "osClean"] {
        all.add(name, mapped, |_, arguments| {
            Ok(clean(&string(arguments, 0)).into())
        });
    }
    for name in ["ext", "osExt"] {
        all.add(name, mapped, |_, arguments| {
            let path = string(arguments, 0);
            let name = path.rsplit('/').next().unwrap_or_default();
            Ok(name
                .rfind('.')
                .and_then(|it| name.get(it..))
                .unwrap_or_default()
                .into())
        });
    }
    let test = Signature::new(&[Type::String], Type::Bool);
    for name in ["isAbs", "osIsAbs"] {
        all.add(name, test, |_, arguments| {
            Ok(Value::Bool(string(arguments, 0).starts_with('/')))
        });
    }
}

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/') {
        "" => "/",
        rest => rest.rsplit('/').next().unwrap_or(rest),
    }
}

/// The shortest path that means the same, by its text alone.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
