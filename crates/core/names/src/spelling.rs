//! How far two words lie apart, for hints at the word that was probably meant.

/// How many letters must be inserted, dropped or changed to make one word of the other.
pub fn edits(left: &str, right: &str) -> usize {
    distance(left, right, Swap::IsTwoEdits)
}

/// As [`edits`], but neighbours that changed places count as one slip.
pub fn slips(left: &str, right: &str) -> usize {
    distance(left, right, Swap::IsOneEdit)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Swap {
    IsOneEdit,
    IsTwoEdits,
}

fn distance(left: &str, right: &str, swap: Swap) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // The last two rows of the table are all that a new one needs.
    let (mut older, mut row) = (Vec::new(), (0..=right.len()).collect::<Vec<usize>>());
    for i in 1..=left.len() {
        let mut next = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let replaced = row[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            next[j] = replaced.min(next[j - 1] + 1).min(row[j] + 1);
            let swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swap == Swap::IsOneEdit && swapped {
                next[j] = next[j].min(older[j - 2] + 1);
            }
        }
        older = std::mem::replace(&mut row, next);
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_one_slip_and_two_edits() {
        for (left, right, expected) in [
            ("", "", (0, 0)),
            ("abc", "", (3, 3)),
            ("step", "steps", (1, 1)),
            ("kitten", "sitting", (3, 3)),
            ("neesd", "needs", (2, 1)),
            ("ßa", "aß", (2, 1)),
        ] {
            assert_eq!((edits(left, right), slips(left, right)), expected, "{left} {right}");
            assert_eq!((edits(right, left), slips(right, left)), expected, "{right} {left}");
        }
    }
}
