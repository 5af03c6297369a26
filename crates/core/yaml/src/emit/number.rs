//! Floats as Go writes them.

/// What a float becomes on its way through JSON to YAML: whole ones that fit 64 bits stand
/// as integers, the others as [`float`] writes them.
pub fn json_float(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&number)
    {
        return format!("{number}");
    }
    float(number)
}

/// The shortest text that reads back as `number`, as Go's `%g` and `goyaml` write it.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    shortest(&format!("{number:e}"), || format!("{number}"))
}

/// As [`float`], with the precision of a single: how Go writes floats that are keys.
pub(crate) fn float_key(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the original narrows too")]
    let narrow = number as f32;
    if narrow.is_finite() {
        shortest(&format!("{narrow:e}"), || format!("{narrow}"))
    } else {
        float(number)
    }
}

/// Chooses between digits and an exponent the way `%g` does for the shortest form.
fn shortest(scientific: &str, digits: impl Fn() -> String) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return digits();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}
