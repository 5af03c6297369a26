//! How much of a resource a pod asks for or a node has, in thousandths.

/// Reads `500m`, `2`, `1.5`, `128Mi`, `1G`, `1e3` into thousandths; text that is no quantity counts as nothing.
///
/// The API server has validated what it stored, so a wrong text here is not a user's input.
pub fn thousandths(text: &str) -> i64 {
    let digits = text.find(|symbol: char| !(symbol.is_ascii_digit() || matches!(symbol, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let Ok(number) = number.parse::<f64>() else { return 0 };
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => match exponent.strip_prefix(['e', 'E']).and_then(|power| power.parse::<i32>().ok()) {
            Some(power) => 10f64.powi(power),
            None => return 0,
        },
    };
    // Rounding up never promises room that is not there; floats saturate in this cast.
    (number * factor * 1000.0).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_thousandths() {
        for (text, expected) in
            [("500m", 500), ("2", 2000), ("1.5", 1500), ("1Ki", 1_024_000), ("1M", 1_000_000_000), ("1e3", 1_000_000), ("?", 0)]
        {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
