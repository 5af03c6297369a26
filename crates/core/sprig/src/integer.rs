//! Whole numbers: arithmetic that wraps as Go's does, and rows of numbers.

use gotemplate::{Answer, Call, Functions, INT_LIST, Signature, Type, Value};

use crate::{
    arguments::{any, integer, room_for, string},
    cast, show,
};

pub(crate) fn add(all: &mut Functions) {
    add_conversions(all);
    add_arithmetic(all);
    add_rows(all);
}

fn add_conversions(all: &mut Functions) {
    all.add(
        "atoi",
        Signature::new(&[Type::String], Type::Int),
        |_, arguments| {
            let text = string(arguments, 0);
            Ok(Value::Int(
                cast::parse_in_base(&text, 10).unwrap_or_else(|| overflow(&text)),
            ))
        },
    );
    all.add(
        "int",
        Signature::new(&[Type::Any], Type::Int),
        |_, arguments| Ok(Value::Int(cast::integer(any(arguments, 0)))),
    );
    all.add(
        "int64",
        Signature::new(&[Type::Any], Type::Int64),
        |_, arguments| Ok(Value::Int64(cast::integer(any(arguments, 0)))),
    );
    all.add(
        "toDecimal",
        Signature::new(&[Type::Any], Type::Int64),
        |_, arguments| {
            let text = show::verb_v(any(arguments, 0));
            let number = text.as_str().and_then(|it| cast::parse_in_base(it, 8));
            Ok(Value::Int64(number.unwrap_or(0)))
        },
    );
}

/// Go's `Atoi` gives the nearest number along with its error, and the error is dropped.
fn overflow(text: &str) -> i64 {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = !unsigned.is_empty() && unsigned.bytes().all(|it| it.is_ascii_digit());
    match (digits, text.starts_with('-')) {
        (false, _) => 0,
        (true, true) => i64::MIN,
        (true, false) => i64::MAX,
    }
}

fn add_arithmetic(all: &mut Functions) {
    let one = Signature::new(&[Type::Any], Type::Int64);
    let two = Signature::new(&[Type::Any, Type::Any], Type::Int64);
    let more = Signature::variadic(&[Type::Any, Type::Any], Type::Int64);
    all.add("add1", one, |_, arguments| {
        Ok(Value::Int64(
            cast::integer(any(arguments, 0)).wrapping_add(1),
        ))
    });
    all.add(
        "add",
        Signature::variadic(&[Type::Any], Type::Int64),
        |_, arguments| {
            let numbers = arguments.iter().map(cast::integer);
            Ok(Value::Int64(numbers.fold(0, i64::wrapping_add)))
        },
    );
    all.add("sub", two, |_, arguments| {
        let (left, right) = pair(arguments);
        Ok(Value::Int64(left.wrapping_sub(right)))
    });
    all.add("div", two, |_, arguments| match pair(arguments) {
        (_, 0) => Err("runtime error: integer divide by zero".into()),
        (left, right) => Ok(Value::Int64(left.wrapping_div(right))),
    });
    all.add("mod", two, |_, arguments| match pair(arguments) {
        (_, 0) => Err("runtime error: integer divide by zero".into()),
        (left, right) => Ok(Value::Int64(left.wrapping_rem(right))),
    });
    all.add("mul", more, |_, arguments| {
        let numbers = arguments.iter().map(cast::integer);
        Ok(Value::Int64(numbers.fold(1, i64::wrapping_mul)))
    });
    for name in ["max", "biggest"] {
        all.add(name, more, |_, arguments| {
            let greatest = arguments.iter().map(cast::integer).max();
            Ok(Value::Int64(greatest.unwrap_or(0)))
        });
    }
    all.add("min", more, |_, arguments| {
        let least = arguments.iter().map(cast::integer).min();
        Ok(Value::Int64(least.unwrap_or(0)))
    });
}

fn pair(arguments: &[Value]) -> (i64, i64) {
    (
        cast::integer(any(arguments, 0)),
        cast::integer(any(arguments, 1)),
    )
}

fn add_rows(all: &mut Functions) {
    all.add(
        "until",
        Signature::new(&[Type::Int], INT_LIST),
        |call, arguments| {
            let stop = integer(arguments, 0);
            numbers(call, 0, stop, if stop < 0 { -1 } else { 1 })
        },
    );
    all.add(
        "untilStep",
        Signature::new(&[Type::Int, Type::Int, Type::Int], INT_LIST),
        |call, arguments| {
            let [start, stop, step] = [0, 1, 2].map(|at| integer(arguments, at));
            numbers(call, start, stop, step)
        },
    );
    all.add(
        "seq",
        Signature::variadic(&[Type::Int], Type::String),
        |call, arguments| {
            let given: Vec<i64> = (0..arguments.len())
                .map(|at| integer(arguments, at))
                .collect();
            let (start, end, step) = match *given {
                [end] => (1, end, if end < 1 { -1 } else { 1 }),
                [start, end] => (start, end, if end < start { -1 } else { 1 }),
                [start, step, end] if end < start && step > 0 => return Ok(Value::text("")),
                [start, step, end] => (start, end, step),
                _ => return Ok(Value::text("")),
            };
            let past = if end < start {
                end.wrapping_sub(1)
            } else {
                end.wrapping_add(1)
            };
            let row = row(call, start, past, step)?;
            let row: Vec<String> = row.iter().map(i64::to_string).collect();
            Ok(row.join(" ").into())
        },
    );
}

fn numbers(call: &mut Call<'_>, start: i64, stop: i64, step: i64) -> Answer {
    let row = row(call, start, stop, step)?;
    let items = row.into_iter().map(Value::Int).collect();
    Ok(Value::typed_list(INT_LIST, items))
}

/// From `start` on, until `stop` is reached or passed; nothing when the step leads away from it.
fn row(
    call: &mut Call<'_>,
    start: i64,
    stop: i64,
    step: i64,
) -> Result<Vec<i64>, gotemplate::FunctionError> {
    let leads_there = if stop < start { step < 0 } else { step > 0 };
    if !leads_there {
        return Ok(Vec::new());
    }
    let distance = start.abs_diff(stop).div_ceil(step.unsigned_abs());
    room_for(call, usize::try_from(distance).unwrap_or(usize::MAX))?;
    let next = |it: &i64| {
        it.checked_add(step)
            .filter(|next| (stop < start) == (*next > stop))
    };
    let first = Some(start).filter(|_| start != stop);
    Ok(std::iter::successors(first, |it| next(it).filter(|next| *next != stop)).collect())
}
