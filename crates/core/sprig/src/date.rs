//! Dates by Go's layouts, and durations.

use std::rc::Rc;

use gotemplate::{Answer, FunctionError, Functions, Signature, Type, Value};

use crate::{
    Edition, Source,
    arguments::{any, string},
    cast,
    gotime::{DURATION, Duration, TIME, Time, Zone, parse},
};

pub(crate) fn add(all: &mut Functions, edition: Edition, source: &Rc<dyn Source>) {
    add_dates(all, source);
    add_changes(all);
    add_spans(all, source);
    if edition == Edition::Helm4 {
        add_durations(all);
    }
}

fn now(source: &Rc<dyn Source>) -> Time {
    Time::from_nanoseconds(source.now())
}

/// A time, or a number of seconds since 1970; anything else is now.
fn moment(value: &Value, source: &Rc<dyn Source>) -> Time {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Time::from_unix(*seconds),
        Value::Int32(seconds) => Time::from_unix(i64::from(*seconds)),
        _ => value
            .downcast::<Time>()
            .cloned()
            .unwrap_or_else(|| now(source)),
    }
}

fn add_dates(all: &mut Functions, source: &Rc<dyn Source>) {
    let clock = source.clone();
    all.add("now", Signature::new(&[], TIME), move |_, _| {
        Ok(Value::object(now(&clock)))
    });
    let clock = source.clone();
    all.add(
        "date",
        Signature::new(&[Type::String, Type::Any], Type::String),
        move |_, arguments| {
            let time = moment(any(arguments, 1), &clock).in_zone(Zone::Utc);
            Ok(time.format(&string(arguments, 0)).into())
        },
    );
    for name in ["dateInZone", "date_in_zone"] {
        let clock = source.clone();
        all.add(
            name,
            Signature::new(&[Type::String, Type::Any, Type::String], Type::String),
            move |_, arguments| {
                let zone = Zone::named(&string(arguments, 2)).unwrap_or(Zone::Utc);
                let time = moment(any(arguments, 1), &clock).in_zone(zone);
                Ok(time.format(&string(arguments, 0)).into())
            },
        );
    }
    let clock = source.clone();
    all.add(
        "htmlDate",
        Signature::new(&[Type::Any], Type::String),
        move |_, arguments| {
            let time = moment(any(arguments, 0), &clock).in_zone(Zone::Utc);
            Ok(time.format("2006-01-02").into())
        },
    );
    let clock = source.clone();
    all.add(
        "htmlDateInZone",
        Signature::new(&[Type::Any, Type::String], Type::String),
        move |_, arguments| {
            let zone = Zone::named(&string(arguments, 1)).unwrap_or(Zone::Utc);
            let time = moment(any(arguments, 0), &clock).in_zone(zone);
            Ok(time.format("2006-01-02").into())
        },
    );
    all.add(
        "unixEpoch",
        Signature::new(&[TIME], Type::String),
        |_, arguments| {
            let time = any(arguments, 0).downcast::<Time>();
            Ok(time.map_or(0, |it| it.seconds).to_string().into())
        },
    );
}

fn add_changes(all: &mut Functions) {
    let changed = Signature::new(&[Type::String, TIME], TIME);
    let read = Signature::new(&[Type::String, Type::String], TIME);
    fn modify(arguments: &[Value]) -> Answer {
        let time = any(arguments, 1)
            .downcast::<Time>()
            .cloned()
            .unwrap_or(Time::ZERO);
        let by = Duration::parse(&string(arguments, 0))?;
        Ok(Value::object(time.plus(by)))
    }
    for name in ["dateModify", "date_modify"] {
        all.add(name, changed, |_, arguments| {
            Ok(modify(arguments).unwrap_or_else(|_| any(arguments, 1).clone()))
        });
    }
    for name in ["mustDateModify", "must_date_modify"] {
        all.add(name, changed, |_, arguments| modify(arguments));
    }
    all.add("toDate", read, |_, arguments| {
        let time = parse(&string(arguments, 0), &string(arguments, 1));
        Ok(Value::object(time.unwrap_or(Time::ZERO)))
    });
    all.add("mustToDate", read, |_, arguments| {
        let time = parse(&string(arguments, 0), &string(arguments, 1))?;
        Ok(Value::object(time))
    });
}

fn add_spans(all: &mut Functions, source: &Rc<dyn Source>) {
    let shown = Signature::new(&[Type::Any], Type::String);
    let clock = source.clone();
    all.add("ago", shown, move |_, arguments| {
        let then = match any(arguments, 0) {
            // Of all whole numbers these two only.
            Value::Int32(_) => now(&clock),
            value => moment(value, &clock),
        };
        let span = now(&clock).since(&then).round(Duration(1_000_000_000));
        Ok(span.to_string().into())
    });
    all.add("duration", shown, |_, arguments| {
        let seconds = match any(arguments, 0) {
            Value::String(text) => text.as_str().and_then(|it| cast::parse_in_base(it, 10)),
            Value::Int64(seconds) => Some(*seconds),
            _ => None,
        };
        let nanoseconds = seconds.unwrap_or(0).wrapping_mul(1_000_000_000);
        Ok(Duration(nanoseconds).to_string().into())
    });
    let clock = source.clone();
    all.add("durationRound", shown, move |_, arguments| {
        let span = match any(arguments, 0) {
            Value::String(text) => Duration::parse(&text.to_str()).unwrap_or(Duration(0)),
            Value::Int64(nanoseconds) => Duration(*nanoseconds),
            value => match value.downcast::<Time>() {
                Some(time) => now(&clock).since(time),
                None => Duration(0),
            },
        };
        Ok(rounded(span).into())
    });
}

/// The greatest unit that fits more than once, and how often: `2d`.
fn rounded(span: Duration) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    let units = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3_600, "s"),
    ];
    let length = span.0.unsigned_abs();
    match units.iter().find(|(size, _)| length > *size) {
        Some((size, unit)) => format!("{}{unit}", length / size),
        None => "0s".to_owned(),
    }
}

fn add_durations(all: &mut Functions) {
    all.add(
        "mustToDuration",
        Signature::new(&[Type::Any], DURATION),
        |_, arguments| Ok(Value::object(span(any(arguments, 0))?)),
    );
    type Count = fn(Duration) -> Value;
    let counts: [(&str, Type, Count); 8] = [
        ("durationSeconds", Type::Float64, |it| {
            it.count(1_000_000_000).into()
        }),
        ("durationMilliseconds", Type::Int64, |it| {
            Value::Int64(it.0 / 1_000_000)
        }),
        ("durationMicroseconds", Type::Int64, |it| {
            Value::Int64(it.0 / 1_000)
        }),
        ("durationNanoseconds", Type::Int64, |it| Value::Int64(it.0)),
        ("durationMinutes", Type::Float64, |it| {
            it.count(60_000_000_000).into()
        }),
        ("durationHours", Type::Float64, |it| hours(it).into()),
        ("durationDays", Type::Float64, |it| {
            (hours(it) / 24.0).into()
        }),
        ("durationWeeks", Type::Float64, |it| {
            (hours(it) / 24.0 / 7.0).into()
        }),
    ];
    for (name, result, count) in counts {
        let params: &'static [Type] = &[Type::Any];
        all.add(name, Signature::new(params, result), move |_, arguments| {
            Ok(count(span(any(arguments, 0)).unwrap_or(Duration(0))))
        });
    }
    type Cut = fn(Duration, Duration) -> Duration;
    let cuts: [(&str, Cut); 2] = [
        ("durationRoundTo", Duration::round),
        ("durationTruncateTo", Duration::truncate),
    ];
    for (name, cut) in cuts {
        all.add(
            name,
            Signature::new(&[Type::Any, Type::Any], DURATION),
            move |_, arguments| {
                let Ok(whole) = span(any(arguments, 0)) else {
                    return Ok(Value::object(Duration(0)));
                };
                let part = span(any(arguments, 1));
                Ok(Value::object(part.map_or(whole, |it| cut(whole, it))))
            },
        );
    }
}

fn hours(span: Duration) -> f64 {
    span.count(3_600_000_000_000)
}

/// Durations, texts of durations, and numbers of seconds.
fn span(value: &Value) -> Result<Duration, FunctionError> {
    if let Some(span) = value.downcast::<Duration>() {
        return Ok(*span);
    }
    if let Value::String(text) = value {
        let text = text.to_str();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err("empty duration".into());
        }
        if let Ok(span) = Duration::parse(trimmed) {
            return Ok(span);
        }
        return match cast::parse_float(trimmed) {
            Some(seconds) => from_float(seconds),
            None => {
                let quoted = gotemplate::quoted(text.as_bytes());
                Err(format!("could not parse duration {quoted}").into())
            }
        };
    }
    if value.is_nil() {
        return Err("invalid duration".into());
    }
    if let Some(seconds) = value.as_float() {
        return from_float(seconds);
    }
    let signed = value.as_signed().map(i128::from);
    let seconds = signed.or_else(|| value.as_unsigned().map(i128::from));
    let Some(seconds) = seconds else {
        return Err(format!("unsupported duration type {}", value.type_name()).into());
    };
    let nanoseconds = i64::try_from(seconds * 1_000_000_000);
    nanoseconds
        .map(Duration)
        .map_err(|_| format!("duration seconds overflow: {seconds}").into())
}

fn from_float(seconds: f64) -> Result<Duration, FunctionError> {
    let shown = || crate::show::verb_v(&Value::Float64(seconds));
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown()).into());
    }
    /// The longest duration, in seconds.
    const SECONDS_MAX: f64 = 9_223_372_036.854_775;
    if seconds.abs() > SECONDS_MAX {
        return Err(format!("duration seconds overflow: {}", shown()).into());
    }
    Ok(Duration(cast::truncated(seconds * 1e9)))
}
