//! Shares a list of tests out over the legs of a job, so that all take about the same time.

use std::cmp::Reverse;

/// A test and what it took, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<'a> {
    pub line: &'a str,
    pub micros: Option<u64>,
}

/// Why a share cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the total must be at least 1")]
    NoLegs,
    #[error("the index must be below the total {total}, found {index}; it counts from 0")]
    NoSuchLeg { index: usize, total: usize },
}

/// The part of `tests` that leg `index` of `total` runs, in the order of the list.
///
/// The longest go first, each to the leg with the least to do; a test that nobody timed counts
/// as the middle one of those that were. Legs that give the same list and the same times share
/// it without a gap and without a test that runs twice.
///
/// # Errors
///
/// When there is no such leg.
pub fn share<'a>(tests: &[Timed<'a>], index: usize, total: usize) -> Result<Vec<&'a str>, SplitError> {
    if total == 0 {
        return Err(SplitError::NoLegs);
    }
    if index >= total {
        return Err(SplitError::NoSuchLeg { index, total });
    }
    let unknown = median(tests);
    let mut order: Vec<_> = tests.iter().enumerate().map(|(at, it)| (it.micros.unwrap_or(unknown), it.line, at)).collect();
    // By name among equals, so that the order of the list does not matter.
    order.sort_by_key(|(micros, line, at)| (Reverse(*micros), *line, *at));
    order.dedup_by_key(|(_, line, _)| *line);
    let mut loads = vec![(0_u64, 0_usize); total];
    let mut own = Vec::new();
    for (micros, line, at) in order {
        let lightest = (0..total).min_by_key(|leg| (loads[*leg], *leg)).unwrap_or_default();
        let (sum, count) = &mut loads[lightest];
        *sum = sum.saturating_add(micros);
        *count += 1;
        if lightest == index {
            own.push((at, line));
        }
    }
    own.sort_unstable();
    Ok(own.into_iter().map(|(_, line)| line).collect())
}

/// What a test without a time counts as; where nothing is known, all count the same.
fn median(tests: &[Timed<'_>]) -> u64 {
    let mut known: Vec<_> = tests.iter().filter_map(|it| it.micros).collect();
    known.sort_unstable();
    known.get(known.len() / 2).copied().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(text: &str) -> Vec<Timed<'_>> {
        text.split(' ')
            .map(|it| match it.split_once('=') {
                Some((line, micros)) => Timed { line, micros: micros.parse().ok() },
                None => Timed { line: it, micros: None },
            })
            .collect()
    }

    #[track_caller]
    fn check(tests: &str, total: usize, expected: &str) {
        let tests = timed(tests);
        let legs = (0..total).map(|index| share(&tests, index, total).expect("a share").join(" "));
        assert_eq!(legs.collect::<Vec<_>>().join(" | "), expected);
    }

    #[test]
    fn the_legs_take_about_the_same_time() {
        check("a=9 b=4 c=3 d=2", 2, "a | b c d");
        check("a=5 b=5 c=5 d=5", 2, "a c | b d");
        check("a=1", 3, "a |  | ");
    }

    #[test]
    fn an_unknown_test_counts_as_the_middle_one() {
        check("a=10 b=4 c=2 x", 2, "a | b c x");
        check("a b c d e", 2, "a c e | b d");
        check("z=0 a=0 b=0", 2, "z a | b");
    }

    #[test]
    fn the_order_of_the_list_and_repetitions_do_not_matter() {
        check("d=2 c=3 b=4 a=9 a=9", 2, "a | d c b");
    }

    #[test]
    fn a_leg_that_is_not_there_is_refused() {
        assert_eq!(share(&[], 0, 0), Err(SplitError::NoLegs));
        assert_eq!(share(&[], 2, 2), Err(SplitError::NoSuchLeg { index: 2, total: 2 }));
    }

    #[test]
    fn every_test_runs_exactly_once_whatever_the_times() {
        let names: Vec<_> = (0..500).map(|it| format!("t{it}")).collect();
        let tests: Vec<_> = names.iter().enumerate().map(|(at, line)| Timed { line, micros: (at % 3 > 0).then_some((at as u64 * 7919) % 1000) }).collect();
        let mut all: Vec<_> = (0..7).flat_map(|leg| share(&tests, leg, 7).expect("a share")).collect();
        all.sort_unstable();
        let mut expected: Vec<_> = names.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(all, expected);
    }
}
