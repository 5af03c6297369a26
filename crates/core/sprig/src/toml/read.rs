//! Reads TOML into values: whole numbers stay whole, dates become times.

use gotemplate::{ANY_MAP, Entries, Text, Type, Value};
use toml::{Table, Value as Toml, value::Datetime};

use crate::gotime::{Civil, Time, Zone};

/// Reads a document.
///
/// # Errors
///
/// The place and the problem; the words are the parser's own, not the original's.
pub(crate) fn read(text: &str) -> Result<Entries, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |it| it.start);
        let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        format!("toml: line {line}: {}", error.message())
    })?;
    Ok(entries(table))
}

fn entries(table: Table) -> Entries {
    table
        .into_iter()
        .map(|(key, value)| (Text::from(key), value_of(value)))
        .collect()
}

fn value_of(value: Toml) -> Value {
    match value {
        Toml::String(text) => text.into(),
        Toml::Integer(number) => Value::Int64(number),
        Toml::Float(number) => Value::Float64(number),
        Toml::Boolean(flag) => Value::Bool(flag),
        Toml::Datetime(moment) => Value::object(time(&moment)),
        Toml::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(Toml::is_table);
            let items = items.into_iter().map(value_of).collect();
            match tables {
                true => Value::typed_list(Type::List(&ANY_MAP), items),
                false => Value::list(items),
            }
        }
        Toml::Table(table) => Value::map(entries(table)),
    }
}

fn time(moment: &Datetime) -> Time {
    let date = moment.date;
    let clock = moment.time;
    let number = |it: Option<u8>| i64::from(it.unwrap_or(0));
    let civil = Civil {
        year: date.map_or(0, |it| i64::from(it.year)),
        month: date.map_or(1, |it| i64::from(it.month)),
        day: date.map_or(1, |it| i64::from(it.day)),
        hour: number(clock.map(|it| it.hour)),
        minute: number(clock.map(|it| it.minute)),
        second: number(clock.and_then(|it| it.second)),
    };
    let minutes = match moment.offset {
        Some(toml::value::Offset::Custom { minutes }) => i32::from(minutes),
        Some(toml::value::Offset::Z) | None => 0,
    };
    Time {
        seconds: civil.seconds() - i64::from(minutes) * 60,
        nanoseconds: clock.and_then(|it| it.nanosecond).unwrap_or(0),
        zone: if minutes == 0 {
            Zone::Utc
        } else {
            Zone::Fixed(minutes * 60, "".into())
        },
    }
}
