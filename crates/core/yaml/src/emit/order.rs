//! The order of keys: `a2` comes before `a10`.

use std::cmp::Ordering;

use super::Layout;

/// Compares two keys as Go's emitter of that layout does.
pub fn natural(left: &str, right: &str, layout: Layout) -> Ordering {
    // Bytes that are equal up to here belong to equal characters.
    let shared = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let at = (0..=shared)
        .rev()
        .find(|it| left.is_char_boundary(*it) && right.is_char_boundary(*it))
        .unwrap_or(0);
    let (before, left) = left.split_at(at);
    let right = right.get(at..).unwrap_or_default();
    let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
        return left.len().cmp(&right.len());
    };
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        (false, false) => {}
        (letter, _) => {
            let after_digit = before.ends_with(is_digit) && layout == Layout::Indented;
            return if letter == after_digit {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
    }
    // A zero inside a number is a digit of it, at its start it is padding.
    let inside = (a == '0' || b == '0')
        && before
            .chars()
            .rev()
            .take_while(|it| is_digit(*it))
            .any(|it| it != '0');
    let (first, first_digits) = number(left, inside);
    let (second, second_digits) = number(right, inside);
    first
        .cmp(&second)
        .then(first_digits.cmp(&second_digits))
        .then(a.cmp(&b))
}

fn is_digit(symbol: char) -> bool {
    symbol.is_ascii_digit()
}

/// The number that `text` starts with, wrapping as the original does, and how long it is.
fn number(text: &str, inside: bool) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold((i64::from(inside), 0), |(number, count), digit| {
        let number = number
            .wrapping_mul(10)
            .wrapping_add(i64::from(digit - b'0'));
        (number, count + 1)
    })
}
