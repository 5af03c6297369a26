//! Floats: rounding, and arithmetic on decimals.

use gotemplate::{Functions, Signature, Type, Value};

use crate::{
    arguments::{any, integer},
    cast,
    decimal::Decimal,
};

pub(crate) fn add(all: &mut Functions) {
    add_rounding(all);
    let more = Signature::variadic(&[Type::Any, Type::Any], Type::Float64);
    all.add("maxf", more, |_, arguments| {
        let numbers = arguments.iter().map(cast::float);
        Ok(numbers.reduce(greater).unwrap_or(0.0).into())
    });
    all.add("minf", more, |_, arguments| {
        let numbers = arguments.iter().map(cast::float);
        Ok(numbers.reduce(lesser).unwrap_or(0.0).into())
    });
    all.add(
        "add1f",
        Signature::new(&[Type::Any], Type::Float64),
        |_, arguments| {
            let sum = Decimal::from_float(cast::float(any(arguments, 0)))?
                .plus(&Decimal::from_float(1.0)?);
            Ok(sum.to_float().into())
        },
    );
    all.add(
        "addf",
        Signature::variadic(&[Type::Any], Type::Float64),
        |_, arguments| {
            let mut sum = Decimal::from_float(0.0)?;
            for number in arguments {
                sum = sum.plus(&Decimal::from_float(cast::float(number))?);
            }
            Ok(sum.to_float().into())
        },
    );
    all.add("subf", more, |_, arguments| {
        fold(arguments, |left, right| Ok(left.minus(right)))
    });
    all.add("mulf", more, |_, arguments| {
        fold(arguments, |left, right| Ok(left.times(right)))
    });
    all.add("divf", more, |_, arguments| {
        fold(arguments, |left, right| {
            left.over(right)
                .ok_or_else(|| "decimal division by 0".into())
        })
    });
}

fn fold(
    arguments: &[Value],
    step: impl Fn(&Decimal, &Decimal) -> Result<Decimal, gotemplate::FunctionError>,
) -> gotemplate::Answer {
    let mut result = Decimal::from_float(cast::float(any(arguments, 0)))?;
    for number in arguments.iter().skip(1) {
        result = step(&result, &Decimal::from_float(cast::float(number))?)?;
    }
    Ok(result.to_float().into())
}

fn add_rounding(all: &mut Functions) {
    let one = Signature::new(&[Type::Any], Type::Float64);
    all.add("float64", one, |_, arguments| {
        Ok(cast::float(any(arguments, 0)).into())
    });
    all.add("floor", one, |_, arguments| {
        Ok(cast::float(any(arguments, 0)).floor().into())
    });
    all.add("ceil", one, |_, arguments| {
        Ok(cast::float(any(arguments, 0)).ceil().into())
    });
    all.add(
        "round",
        Signature::variadic(&[Type::Any, Type::Int, Type::Float64], Type::Float64),
        |_, arguments| {
            let bound = arguments.get(2).and_then(Value::as_float).unwrap_or(0.5);
            #[expect(clippy::cast_precision_loss, reason = "no double has that many places")]
            let power = 10.0_f64.powf(integer(arguments, 1) as f64);
            let scaled = power * cast::float(any(arguments, 0));
            let rounded = if scaled.fract() >= bound {
                scaled.ceil()
            } else {
                scaled.floor()
            };
            Ok((rounded / power).into())
        },
    );
}

/// Go's `math.Max`, in which no number wins over any other.
fn greater(left: f64, right: f64) -> f64 {
    if left.is_infinite() && left > 0.0 || right.is_infinite() && right > 0.0 {
        f64::INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.max(right)
    }
}

fn lesser(left: f64, right: f64) -> f64 {
    -greater(-left, -right)
}
