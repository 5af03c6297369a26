//! Finds the word that was probably meant.

/// The word of `known` nearest to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    let close = |it: &str| {
        let it = it.to_lowercase();
        // `timeout` is meant to be `timeout-minutes`, however far the ends lie apart.
        let begins = word.len() >= 4 && it.starts_with(&word);
        if begins { 1 } else { distance(&word, &it) }
    };
    let best = known.into_iter().map(|it| (close(it), it)).min()?;
    let most = (word.chars().count() / 3).clamp(1, 3);
    (best.0 <= most && best.0 < word.chars().count()).then_some(best.1)
}

/// How many letters must be inserted, dropped, changed or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<_> = left.chars().collect();
    let right: Vec<_> = right.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let above = rows.get(i).map(Vec::as_slice).unwrap_or_default();
            let mut best = (cell(above, j) + usize::from(a != b))
                .min(cell(above, j + 1) + 1)
                .min(cell(&row, j) + 1);
            let swapped =
                i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(a);
            if swapped {
                let before = rows.get(i - 1).map(Vec::as_slice).unwrap_or_default();
                best = best.min(cell(before, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}
