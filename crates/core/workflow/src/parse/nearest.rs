//! Finds the word that was probably meant.

/// The word of `known` nearest to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    let close = |it: &str| {
        let it = it.to_lowercase();
        // `timeout` is meant to be `timeout-minutes`, however far the ends lie apart.
        let begins = word.len() >= 4 && it.starts_with(&word);
        if begins { 1 } else { names::slips(&word, &it) }
    };
    let best = known.into_iter().map(|it| (close(it), it)).min()?;
    let most = (word.chars().count() / 3).clamp(1, 3);
    (best.0 <= most && best.0 < word.chars().count()).then_some(best.1)
}
