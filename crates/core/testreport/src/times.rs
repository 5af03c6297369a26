//! What earlier runs took, by test, class, module and file.

use std::collections::BTreeMap;

use api::{TestCase, TestOutcome};
use serde::{Deserialize, Serialize};

/// The mean of so many newest observations counts: enough to even out, few enough to follow a change.
const OBSERVATIONS: u64 = 3;

/// Times in microseconds by what a list of tests may call them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times(BTreeMap<String, u64>);

impl Times {
    /// Learns from reports, the newest first.
    pub fn learn<'a>(reports: impl IntoIterator<Item = &'a [TestCase]>) -> Self {
        let mut seen: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for cases in reports {
            let mut sums: BTreeMap<String, u64> = BTreeMap::new();
            for case in cases.iter().filter(|it| it.outcome != TestOutcome::Skipped) {
                let Some(micros) = case.micros else { continue };
                for handle in handles(case) {
                    let sum = sums.entry(handle).or_default();
                    *sum = sum.saturating_add(micros);
                }
            }
            for (handle, micros) in sums {
                let (sum, count) = seen.entry(handle).or_default();
                if *count < OBSERVATIONS {
                    *sum = sum.saturating_add(micros);
                    *count += 1;
                }
            }
        }
        Self(seen.into_iter().map(|(handle, (sum, count))| (handle, sum / count.max(1))).collect())
    }

    /// What one line of a list of tests takes: a test, a class, a module, a package or a file.
    pub fn of(&self, line: &str) -> Option<u64> {
        spellings(line).iter().find_map(|it| self.0.get(it)).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All that a case counts for.
fn handles(case: &TestCase) -> Vec<String> {
    let mut all = vec![case.id.clone(), case.name.clone()];
    all.extend(case.file.iter().map(|it| plain_path(it).to_owned()));
    if !case.suite.is_empty() {
        all.push(case.suite.clone());
    }
    if !case.class.is_empty() {
        for between in [".", "#", "::", "/"] {
            all.push(format!("{}{between}{}", case.class, case.name));
        }
        // A package counts for the modules below it.
        all.push(case.class.clone());
        let dots = case.class.match_indices('.').map(|(at, _)| at);
        all.extend(dots.filter_map(|at| case.class.get(..at)).filter(|it| !it.contains('/')).map(str::to_owned));
    }
    all.sort();
    all.dedup();
    all
}

/// The ways in which a report may spell what a line names.
fn spellings(line: &str) -> Vec<String> {
    let line = plain_path(line.trim());
    let mut all = vec![line.to_owned()];
    // A node id of pytest: its report has dots.
    let module = line.replace(".py::", "::").replace('/', ".").replace("::", ".");
    all.push(module.clone());
    let file = line.rsplit_once('.').filter(|(stem, ending)| !stem.is_empty() && !ending.contains('/'));
    if let Some((stem, _)) = file {
        let dotted = stem.replace('/', ".");
        let mut rest = dotted.as_str();
        all.push(rest.to_owned());
        // Sources of Java lie below folders that the class does not name.
        while let Some((_, below)) = rest.split_once('.') {
            all.push(below.to_owned());
            rest = below;
        }
    }
    all
}

fn plain_path(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(class: &str, name: &str, file: Option<&str>, micros: u64) -> TestCase {
        let id = format!("{class}::{name}");
        let (class, name, file) = (class.to_owned(), name.to_owned(), file.map(str::to_owned));
        TestCase { id, class, name, file, micros: Some(micros), ..TestCase::default() }
    }

    #[test]
    fn a_line_may_name_a_test_a_class_a_module_or_a_file() {
        let cases = [
            case("tests.test_a", "one", None, 1),
            case("tests.test_a.TestB", "two", None, 2),
            case("com.shop.CartTest", "sum", None, 4),
            case("ex.org/shop/cart", "TestSum", None, 8),
            case("x", "y", Some("./web/a.test.js"), 16),
        ];
        let times = Times::learn([&cases[..]]);
        for (line, expected) in [
            ("tests/test_a.py", Some(3)),
            ("./tests/test_a.py", Some(3)),
            ("tests/test_a.py::one", Some(1)),
            ("tests/test_a.py::TestB::two", Some(2)),
            ("tests.test_a.TestB", Some(2)),
            ("src/test/java/com/shop/CartTest.java", Some(4)),
            ("com.shop.CartTest#sum", Some(4)),
            ("com.shop", Some(4)),
            ("ex.org/shop/cart", Some(8)),
            ("TestSum", Some(8)),
            ("web/a.test.js", Some(16)),
            ("tests/test_new.py", None),
        ] {
            assert_eq!(times.of(line), expected, "{line}");
        }
    }

    #[test]
    fn newer_times_count_and_old_ones_do_not() {
        let reports: Vec<_> = [10, 20, 30, 1000].map(|micros| vec![case("a", "b", None, micros)]).into();
        assert_eq!(Times::learn(reports.iter().map(Vec::as_slice)).of("a::b"), Some(20));
    }
}
