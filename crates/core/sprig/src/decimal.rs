//! Decimal numbers of any length, on which `addf` and its kin compute.

use gotemplate::FunctionError;
use num_bigint::{BigInt, Sign};

/// How many digits after the point a quotient keeps.
const QUOTIENT_DIGITS: i32 = 16;

/// `digits * 10^exponent`
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    digits: BigInt,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that reads back as `number`.
    pub fn from_float(number: f64) -> Result<Self, FunctionError> {
        if !number.is_finite() {
            let shown = match (number.is_nan(), number > 0.0) {
                (true, _) => "NaN",
                (false, true) => "+Inf",
                (false, false) => "-Inf",
            };
            return Err(FunctionError::new(format!(
                "Cannot create a Decimal from {shown}"
            )));
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = mantissa
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        let exponent: i32 = exponent.parse().unwrap_or(0);
        Ok(Self {
            digits: mantissa.replace('.', "").parse().unwrap_or_default(),
            exponent: exponent - i32::try_from(places).unwrap_or(0),
        })
    }

    pub fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap_or(0.0)
    }

    pub fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let digits = self.scaled_to(exponent) + other.scaled_to(exponent);
        Self { digits, exponent }
    }

    pub fn minus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let digits = self.scaled_to(exponent) - other.scaled_to(exponent);
        Self { digits, exponent }
    }

    pub fn times(&self, other: &Self) -> Self {
        Self {
            digits: &self.digits * &other.digits,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient, rounded half away from zero; `None` when `other` is zero.
    pub fn over(&self, other: &Self) -> Option<Self> {
        if other.digits.sign() == Sign::NoSign {
            return None;
        }
        let shift = self.exponent - other.exponent + QUOTIENT_DIGITS;
        let (mut dividend, mut divisor) = (self.digits.clone(), other.digits.clone());
        if shift < 0 {
            divisor *= power_of_ten(shift.unsigned_abs());
        } else {
            dividend *= power_of_ten(shift.unsigned_abs());
        }
        let mut digits = &dividend / &divisor;
        let rest = &dividend % &divisor;
        let rest_twice: BigInt = rest.magnitude().clone().into();
        let rest_twice = rest_twice * 2;
        if rest_twice >= BigInt::from(divisor.magnitude().clone()) {
            digits += if dividend.sign() == divisor.sign() {
                1
            } else {
                -1
            };
        }
        Some(Self {
            digits,
            exponent: -QUOTIENT_DIGITS,
        })
    }

    fn scaled_to(&self, exponent: i32) -> BigInt {
        let shift = u32::try_from(self.exponent - exponent).unwrap_or(0);
        &self.digits * power_of_ten(shift)
    }
}

fn power_of_ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}
