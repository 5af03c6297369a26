//! Which known ids come nearest to one that is not known.

/// More suggestions would be a list to search in.
const SUGGESTIONS_MAX: usize = 3;

/// The known ids nearest to `wanted`, the nearest first; equally near ones stay in order.
pub fn nearest(wanted: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut known: Vec<_> = known.into_iter().map(|id| (distance(wanted, &id), id)).collect();
    known.sort_by_key(|(distance, _)| *distance);
    known.into_iter().take(SUGGESTIONS_MAX).map(|(_, id)| id).collect()
}

/// How many letters of `wanted` must change, go or come to begin like `known`.
///
/// What `known` has beyond that is free, because ids may be cut short.
fn distance(wanted: &str, known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, letter) in wanted.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in known.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.into_iter().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first() {
        let known = ["bank#1", "shop#7", "shop#12", "shelf#9"].map(str::to_owned);
        assert_eq!(nearest("shop#8", known.clone()), ["shop#7", "shop#12", "shelf#9"]);
        assert_eq!(nearest("bank#9", known), ["bank#1", "shop#7", "shop#12"]);
        assert_eq!(nearest("0ab5", ["ffff".to_owned(), "0ab43f1c9d8e".to_owned()])[0], "0ab43f1c9d8e");
    }
}
