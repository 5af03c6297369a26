//! Cutting, joining and searching text. Lengths and positions are bytes, as in Go.

use gotemplate::{Answer, Functions, STRING_LIST, STRING_MAP, Signature, Text, Type, Value};

use crate::{
    arguments::{any, integer, room, room_for, string, text},
    show,
};

pub(crate) fn add(all: &mut Functions) {
    add_cuts(all);
    add_tests(all);
    add_quotes(all);
    add_blanks(all);
    add_lists(all);
}

fn add_cuts(all: &mut Functions) {
    let cut = Signature::new(&[Type::String, Type::String], Type::String);
    all.add(
        "trim",
        Signature::new(&[Type::String], Type::String),
        |_, arguments| Ok(text(arguments, 0).to_str().trim().into()),
    );
    for name in ["trimall", "trimAll"] {
        all.add(name, cut, |_, arguments| {
            let (set, whole) = (string(arguments, 0), string(arguments, 1));
            Ok(whole.trim_matches(|it| set.contains(it)).into())
        });
    }
    all.add("trimSuffix", cut, |_, arguments| {
        let (end, whole) = (text(arguments, 0), text(arguments, 1));
        Ok(match whole.as_bytes().strip_suffix(end.as_bytes()) {
            Some(rest) if !end.is_empty() => Text::from_bytes(rest).into(),
            _ => any(arguments, 1).clone(),
        })
    });
    all.add("trimPrefix", cut, |_, arguments| {
        let (start, whole) = (text(arguments, 0), text(arguments, 1));
        Ok(match whole.as_bytes().strip_prefix(start.as_bytes()) {
            Some(rest) if !start.is_empty() => Text::from_bytes(rest).into(),
            _ => any(arguments, 1).clone(),
        })
    });
    all.add(
        "trunc",
        Signature::new(&[Type::Int, Type::String], Type::String),
        |_, arguments| Ok(truncate(integer(arguments, 0), any(arguments, 1))),
    );
    all.add(
        "substr",
        Signature::new(&[Type::Int, Type::Int, Type::String], Type::String),
        |_, arguments| {
            substring(
                integer(arguments, 0),
                integer(arguments, 1),
                text(arguments, 2),
            )
        },
    );
    all.add(
        "replace",
        Signature::new(&[Type::String, Type::String, Type::String], Type::String),
        |call, arguments| {
            let (old, new, whole) = (
                string(arguments, 0),
                string(arguments, 1),
                string(arguments, 2),
            );
            if !whole.contains(&*old) {
                return Ok(any(arguments, 2).clone());
            }
            room(call, whole.matches(&*old).count().saturating_mul(new.len()))?;
            Ok(whole.replace(&*old, &new).into())
        },
    );
    all.add(
        "repeat",
        Signature::new(&[Type::Int, Type::String], Type::String),
        |call, arguments| {
            let Ok(count) = usize::try_from(integer(arguments, 0)) else {
                return Err("strings: negative Repeat count".into());
            };
            let whole = text(arguments, 1).as_bytes();
            room(call, count.saturating_mul(whole.len()))?;
            Ok(Text::from_bytes(&whole.repeat(count)).into())
        },
    );
}

fn truncate(length: i64, value: &Value) -> Value {
    let Some(text) = value.as_text() else {
        return value.clone();
    };
    let bytes = text.as_bytes();
    let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted >= bytes.len() {
        return value.clone();
    }
    let (head, tail) = bytes.split_at(if length < 0 {
        bytes.len() - wanted
    } else {
        wanted
    });
    Text::from_bytes(if length < 0 { tail } else { head }).into()
}

fn substring(start: i64, end: i64, whole: &Text) -> Answer {
    let bytes = whole.as_bytes();
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let out_of_range =
        |range: String| Err(format!("runtime error: slice bounds out of range {range}").into());
    let (from, to) = if start < 0 {
        if end < 0 {
            return out_of_range(format!("[:{end}]"));
        }
        if end > length {
            return out_of_range(format!("[:{end}] with length {length}"));
        }
        (0, end)
    } else if end < 0 || end > length {
        if start > length {
            return out_of_range(format!("[{start}:{length}]"));
        }
        (start, length)
    } else if start > end {
        return out_of_range(format!("[{start}:{end}]"));
    } else {
        (start, end)
    };
    let place = |it: i64| usize::try_from(it).unwrap_or(0);
    let part = bytes.get(place(from)..place(to)).unwrap_or_default();
    Ok(Text::from_bytes(part).into())
}

fn add_tests(all: &mut Functions) {
    let test = Signature::new(&[Type::String, Type::String], Type::Bool);
    all.add("contains", test, |_, arguments| {
        let (part, whole) = (text(arguments, 0), text(arguments, 1));
        let found = match (part.as_str(), whole.as_str()) {
            (Some(part), Some(whole)) => whole.contains(part),
            _ => {
                let part = part.as_bytes();
                part.is_empty() || whole.as_bytes().windows(part.len()).any(|it| it == part)
            }
        };
        Ok(Value::Bool(found))
    });
    all.add("hasPrefix", test, |_, arguments| {
        let (part, whole) = (text(arguments, 0), text(arguments, 1));
        Ok(Value::Bool(whole.as_bytes().starts_with(part.as_bytes())))
    });
    all.add("hasSuffix", test, |_, arguments| {
        let (part, whole) = (text(arguments, 0), text(arguments, 1));
        Ok(Value::Bool(whole.as_bytes().ends_with(part.as_bytes())))
    });
}

fn add_quotes(all: &mut Functions) {
    let anything = Signature::variadic(&[Type::Any], Type::String);
    let blank = Text::from_static(" ");
    let space = blank.clone();
    all.add("quote", anything, move |_, arguments| {
        let given = arguments.iter().filter(|it| !it.is_nil());
        let parts: Vec<Text> = given
            .map(|it| gotemplate::quoted(show::show(it).as_bytes()).into())
            .collect();
        Ok(show::join(&parts, &space).into())
    });
    let space = blank.clone();
    all.add("squote", anything, move |_, arguments| {
        let given = arguments.iter().filter(|it| !it.is_nil());
        let parts: Vec<Text> = given
            .map(|it| [b"'", show::verb_v(it).as_bytes(), b"'"].concat().into())
            .collect();
        Ok(show::join(&parts, &space).into())
    });
    all.add("cat", anything, move |_, arguments| {
        let given = arguments.iter().filter(|it| !it.is_nil());
        let parts: Vec<Text> = given.map(show::verb_v).collect();
        Ok(show::join(&parts, &blank).into())
    });
    all.add(
        "toString",
        Signature::new(&[Type::Any], Type::String),
        |_, arguments| match any(arguments, 0) {
            it @ Value::String(_) => Ok(it.clone()),
            it => Ok(show::show(it).into()),
        },
    );
    all.add(
        "plural",
        Signature::new(&[Type::String, Type::String, Type::Int], Type::String),
        |_, arguments| {
            let one = integer(arguments, 2) == 1;
            Ok(any(arguments, usize::from(!one)).clone())
        },
    );
}

fn add_blanks(all: &mut Functions) {
    let padded = Signature::new(&[Type::Int, Type::String], Type::String);
    all.add("indent", padded, |call, arguments| {
        indent(call, "", integer(arguments, 0), text(arguments, 1))
    });
    all.add("nindent", padded, |call, arguments| {
        indent(call, "\n", integer(arguments, 0), text(arguments, 1))
    });
}

fn indent(call: &mut gotemplate::Call<'_>, lead: &str, spaces: i64, whole: &Text) -> Answer {
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let bytes = whole.as_bytes();
    let breaks = bytes.iter().filter(|it| **it == b'\n').count();
    let size = (breaks + 1)
        .saturating_mul(spaces)
        .saturating_add(bytes.len() + lead.len());
    room(call, size)?;
    let pad = " ".repeat(spaces);
    if let Some(whole) = whole.as_str() {
        let mut out = String::with_capacity(size);
        out.push_str(lead);
        for line in whole.split_inclusive('\n') {
            out.push_str(&pad);
            out.push_str(line);
        }
        if whole.is_empty() || whole.ends_with('\n') {
            out.push_str(&pad);
        }
        return Ok(out.into());
    }
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(lead.as_bytes());
    out.extend_from_slice(pad.as_bytes());
    for byte in bytes {
        out.push(*byte);
        if *byte == b'\n' {
            out.extend_from_slice(pad.as_bytes());
        }
    }
    Ok(Text::from_bytes(&out).into())
}

fn add_lists(all: &mut Functions) {
    all.add(
        "splitList",
        Signature::new(&[Type::String, Type::String], STRING_LIST),
        |call, arguments| {
            let parts = split(text(arguments, 0), text(arguments, 1), None);
            room_for(call, parts.len())?;
            Ok(Value::strings(parts))
        },
    );
    all.add(
        "split",
        Signature::new(&[Type::String, Type::String], STRING_MAP),
        |call, arguments| {
            let parts = split(text(arguments, 0), text(arguments, 1), None);
            room_for(call, parts.len())?;
            Ok(numbered(parts))
        },
    );
    all.add(
        "splitn",
        Signature::new(&[Type::String, Type::Int, Type::String], STRING_MAP),
        |call, arguments| {
            let most = usize::try_from(integer(arguments, 1)).ok();
            let parts = split(text(arguments, 0), text(arguments, 2), most);
            room_for(call, parts.len())?;
            Ok(numbered(parts))
        },
    );
    all.add(
        "join",
        Signature::new(&[Type::String, Type::Any], Type::String),
        |call, arguments| {
            let parts = show::texts(any(arguments, 1));
            let separator = text(arguments, 0);
            room(call, parts.len().saturating_mul(separator.len()))?;
            Ok(show::join(&parts, separator).into())
        },
    );
    all.add(
        "toStrings",
        Signature::new(&[Type::Any], STRING_LIST),
        |_, arguments| Ok(Value::strings(show::texts(any(arguments, 0)))),
    );
    all.add(
        "sortAlpha",
        Signature::new(&[Type::Any], STRING_LIST),
        |_, arguments| {
            let list = any(arguments, 0);
            let mut parts = match list.is_nil() {
                true => vec![show::show(list)],
                false => show::texts(list),
            };
            parts.sort();
            Ok(Value::strings(parts))
        },
    );
}

/// Go's `SplitN`; no limit is `None`, an empty separator splits after each character.
fn split(separator: &Text, whole: &Text, most: Option<usize>) -> Vec<Text> {
    let most = most.unwrap_or(usize::MAX);
    if most == 0 {
        return Vec::new();
    }
    let Some((separator, whole)) = separator.as_str().zip(whole.as_str()) else {
        return split_bytes(separator.as_bytes(), whole.as_bytes(), most);
    };
    if !separator.is_empty() {
        return whole.splitn(most, separator).map(Text::from).collect();
    }
    let mut parts = Vec::new();
    let mut rest = whole;
    while let Some(first) = rest.chars().next() {
        if parts.len() + 1 == most {
            parts.push(rest.into());
            break;
        }
        let (head, tail) = rest.split_at(first.len_utf8());
        parts.push(head.into());
        rest = tail;
    }
    parts
}

fn split_bytes(separator: &[u8], whole: &[u8], most: usize) -> Vec<Text> {
    let mut parts = Vec::new();
    let mut rest = whole;
    while parts.len() + 1 < most {
        let width = separator.len().max(1);
        let found = match separator {
            [] => (rest.len() > 1).then_some(1),
            _ => rest.windows(width).position(|it| it == separator),
        };
        let Some(at) = found else { break };
        let (head, tail) = rest.split_at(at);
        parts.push(Text::from_bytes(head));
        rest = tail.get(separator.len()..).unwrap_or_default();
    }
    parts.push(Text::from_bytes(rest));
    parts
}

fn numbered(parts: Vec<Text>) -> Value {
    let entries = parts.into_iter().enumerate();
    Value::typed_map(
        STRING_MAP,
        entries
            .map(|(at, part)| (Text::from(format!("_{at}")), Value::String(part)))
            .collect(),
    )
}
