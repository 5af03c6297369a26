//! Times, durations, months and weekdays as templates see them.

use std::any::Any;

use gotemplate::{Answer, Call, Kind, Method, Object, Signature, Text, Type, Value};

use super::{
    Civil, Duration, Time, Zone,
    duration::SECOND,
    format::RFC_3339_NANO,
    layout::{MONTHS, WEEKDAYS},
};
use crate::arguments::{any, integer, string};

pub(crate) const TIME: Type = Type::Object("time.Time");
pub(crate) const DURATION: Type = Type::Object("time.Duration");
const MONTH: Type = Type::Object("time.Month");
const WEEKDAY: Type = Type::Object("time.Weekday");

impl Object for Time {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn methods(&self) -> &'static [Method] {
        TIME_METHODS
    }

    fn display(&self) -> Option<Text> {
        Some(self.text().into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Self>();
        other.is_some_and(|it| {
            it.nanoseconds_since_1970() == self.nanoseconds_since_1970()
                && it.zone.name() == self.zone.name()
        })
    }

    fn json(&self) -> Option<Value> {
        Some(self.format(RFC_3339_NANO).into())
    }
}

impl Object for Duration {
    fn type_name(&self) -> &'static str {
        "time.Duration"
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::Int64(self.0))
    }

    fn methods(&self) -> &'static [Method] {
        DURATION_METHODS
    }

    fn display(&self) -> Option<Text> {
        Some(self.to_string().into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        (other as &dyn Any).downcast_ref::<Self>() == Some(self)
    }

    fn json(&self) -> Option<Value> {
        Some(Value::Int64(self.0))
    }
}

/// A month or a weekday: a number with a name.
struct Named {
    type_name: &'static str,
    names: &'static [&'static str],
    number: i64,
    first: i64,
}

impl Object for Named {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        Kind::Int
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::Int(self.number))
    }

    fn methods(&self) -> &'static [Method] {
        NAMED_METHODS
    }

    fn display(&self) -> Option<Text> {
        let at = usize::try_from(self.number - self.first).ok()?;
        self.names.get(at).map(|it| Text::from_static(it))
    }

    fn equals(&self, other: &dyn Object) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Self>();
        other.is_some_and(|it| (it.type_name, it.number) == (self.type_name, self.number))
    }

    fn json(&self) -> Option<Value> {
        self.underlying()
    }
}

static NAMED_METHODS: &[Method] = &[method("String", &[], Type::String, |_, it, _| {
    let named = it.downcast::<Named>();
    Ok(named.and_then(Object::display).unwrap_or_default().into())
})];

fn time(value: &Value) -> Time {
    value.downcast::<Time>().cloned().unwrap_or(Time::ZERO)
}

fn duration(value: &Value) -> Duration {
    value
        .downcast::<Duration>()
        .copied()
        .unwrap_or_else(|| Duration(crate::cast::integer(value)))
}

const fn method(
    name: &'static str,
    params: &'static [Type],
    result: Type,
    call: fn(&mut Call<'_>, &Value, &[Value]) -> Answer,
) -> Method {
    Method {
        name,
        signature: Signature::new(params, result),
        call,
    }
}

/// A method that shows a number of the calendar or the clock.
macro_rules! shown {
    ($name:literal, $read:expr) => {
        method($name, &[], Type::Int, |_, it, _| {
            let read: fn(&Civil) -> i64 = $read;
            Ok(Value::Int(read(&time(it).civil())))
        })
    };
}

/// A method that counts since 1970 in units of so many nanoseconds.
macro_rules! counted {
    ($name:literal, $nanoseconds:literal) => {
        method($name, &[], Type::Int64, |_, it, _| {
            let count = time(it).nanoseconds_since_1970().div_euclid($nanoseconds);
            Ok(Value::Int64(i64::try_from(count).unwrap_or(0)))
        })
    };
}

static TIME_METHODS: &[Method] = &[
    shown!("Year", |it| it.year),
    shown!("Day", |it| it.day),
    shown!("Hour", |it| it.hour),
    shown!("Minute", |it| it.minute),
    shown!("Second", |it| it.second),
    shown!("YearDay", Civil::year_day),
    counted!("Unix", 1_000_000_000),
    counted!("UnixMilli", 1_000_000),
    counted!("UnixMicro", 1_000),
    counted!("UnixNano", 1),
    method("Nanosecond", &[], Type::Int, |_, it, _| {
        Ok(Value::Int(i64::from(time(it).nanoseconds)))
    }),
    method("Month", &[], MONTH, |_, it, _| {
        let number = time(it).civil().month;
        Ok(Value::object(Named {
            type_name: "time.Month",
            names: &MONTHS,
            number,
            first: 1,
        }))
    }),
    method("Weekday", &[], WEEKDAY, |_, it, _| {
        let number = time(it).civil().weekday();
        Ok(Value::object(Named {
            type_name: "time.Weekday",
            names: &WEEKDAYS,
            number,
            first: 0,
        }))
    }),
    method(
        "Format",
        &[Type::String],
        Type::String,
        |_, it, arguments| Ok(time(it).format(&string(arguments, 0)).into()),
    ),
    method("String", &[], Type::String, |_, it, _| {
        Ok(time(it).text().into())
    }),
    method("UTC", &[], TIME, |_, it, _| {
        Ok(Value::object(time(it).in_zone(Zone::Utc)))
    }),
    method("Local", &[], TIME, |_, it, _| {
        Ok(Value::object(time(it).in_zone(Zone::Utc)))
    }),
    method("IsZero", &[], Type::Bool, |_, it, _| {
        let zero = Time::ZERO.nanoseconds_since_1970();
        Ok(Value::Bool(time(it).nanoseconds_since_1970() == zero))
    }),
    method("Add", &[DURATION], TIME, |_, it, arguments| {
        Ok(Value::object(time(it).plus(duration(any(arguments, 0)))))
    }),
    method(
        "AddDate",
        &[Type::Int, Type::Int, Type::Int],
        TIME,
        |_, it, arguments| {
            Ok(Value::object(add_date(
                &time(it),
                [0, 1, 2].map(|at| integer(arguments, at)),
            )))
        },
    ),
    method("Sub", &[TIME], DURATION, |_, it, arguments| {
        Ok(Value::object(time(it).since(&time(any(arguments, 0)))))
    }),
    method("Before", &[TIME], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(instant(it) < instant(any(arguments, 0))))
    }),
    method("After", &[TIME], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(instant(it) > instant(any(arguments, 0))))
    }),
    method("Equal", &[TIME], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(instant(it) == instant(any(arguments, 0))))
    }),
    method("Compare", &[TIME], Type::Int, |_, it, arguments| {
        Ok(Value::Int(
            instant(it).cmp(&instant(any(arguments, 0))) as i64
        ))
    }),
    method("Truncate", &[DURATION], TIME, |_, it, arguments| {
        Ok(Value::object(cut(
            &time(it),
            duration(any(arguments, 0)),
            Cut::Down,
        )))
    }),
    method("Round", &[DURATION], TIME, |_, it, arguments| {
        Ok(Value::object(cut(
            &time(it),
            duration(any(arguments, 0)),
            Cut::Nearest,
        )))
    }),
];

fn instant(value: &Value) -> i128 {
    time(value).nanoseconds_since_1970()
}

fn add_date(time: &Time, [years, months, days]: [i64; 3]) -> Time {
    let mut civil = time.civil();
    civil.year += years;
    civil.month += months;
    civil.day += days;
    let shown = civil.seconds();
    // The offset may differ at the new date; two tries settle it.
    let (guess, _) = time
        .zone
        .at(shown - i64::from(time.zone.at(time.seconds).0));
    let mut moved = time.clone();
    moved.seconds = shown - i64::from(guess);
    moved
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Down,
    Nearest,
}

/// Multiples are counted from the zero time.
fn cut(time: &Time, multiple: Duration, how: Cut) -> Time {
    if multiple.0 <= 0 {
        return time.clone();
    }
    let multiple = i128::from(multiple.0);
    let since_zero = time.nanoseconds_since_1970() - Time::ZERO.nanoseconds_since_1970();
    let rest = since_zero.rem_euclid(multiple);
    let up = how == Cut::Nearest && rest * 2 >= multiple;
    let moved = time.nanoseconds_since_1970() - rest + if up { multiple } else { 0 };
    Time::from_nanoseconds(moved).in_zone(time.zone.clone())
}

static DURATION_METHODS: &[Method] = &[
    method("String", &[], Type::String, |_, it, _| {
        Ok(duration(it).to_string().into())
    }),
    method("Nanoseconds", &[], Type::Int64, |_, it, _| {
        Ok(Value::Int64(duration(it).0))
    }),
    method("Microseconds", &[], Type::Int64, |_, it, _| {
        Ok(Value::Int64(duration(it).0 / 1_000))
    }),
    method("Milliseconds", &[], Type::Int64, |_, it, _| {
        Ok(Value::Int64(duration(it).0 / 1_000_000))
    }),
    method("Seconds", &[], Type::Float64, |_, it, _| {
        Ok(duration(it).count(SECOND).into())
    }),
    method("Minutes", &[], Type::Float64, |_, it, _| {
        Ok(duration(it).count(60 * SECOND).into())
    }),
    method("Hours", &[], Type::Float64, |_, it, _| {
        Ok(duration(it).count(3_600 * SECOND).into())
    }),
    method("Abs", &[], DURATION, |_, it, _| {
        Ok(Value::object(Duration(duration(it).0.saturating_abs())))
    }),
    method("Round", &[DURATION], DURATION, |_, it, arguments| {
        Ok(Value::object(
            duration(it).round(duration(any(arguments, 0))),
        ))
    }),
    method("Truncate", &[DURATION], DURATION, |_, it, arguments| {
        Ok(Value::object(
            duration(it).truncate(duration(any(arguments, 0))),
        ))
    }),
];
