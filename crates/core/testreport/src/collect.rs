//! Puts the reports of one attempt at a job together, also where a later step writes a file anew.

use std::collections::{HashMap, HashSet};

use api::{TestCase, TestOutcome, TestReportFile};
use names::Digest;

use crate::{
    clean,
    junit::{self, CASES_MAX, Parsed},
};

/// The messages of one job have no more bytes together; later ones are cut.
const MESSAGES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of a message that comes too late so much is kept.
const LATE_MESSAGE_CHARS: usize = 100;

/// What was read in a job so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub files: Vec<TestReportFile>,
    pub cases: Vec<TestCase>,
}

/// Names a case within its file: suite, class, name, and which of equal ones it is.
type Place<'a> = (&'a str, &'a str, &'a str, usize);

impl Collected {
    /// Whether a file with this content is known already.
    pub fn knows(&self, path: &str, digest: Digest) -> bool {
        self.files.iter().any(|file| file.path == path && file.digest == digest)
    }

    /// Takes in a file; one that was read before is another try of the same tests, or of others.
    pub fn add(&mut self, path: &str, digest: Digest, parsed: Parsed) {
        let file = TestReportFile { path: path.to_owned(), digest, problem: parsed.problem.map(|it| it.to_string()) };
        match self.files.iter_mut().find(|it| it.path == path) {
            Some(known) => *known = file,
            None => self.files.push(file),
        }
        let (old, mut kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.cases).into_iter().partition(|it| it.report == path);
        let mut fresh = parsed.cases;
        for case in &mut fresh {
            path.clone_into(&mut case.report);
        }
        kept.extend(tried_again(old, fresh));
        kept.truncate(CASES_MAX);
        // Stable, so cases of one file stay in their order.
        kept.sort_by(|a, b| a.report.cmp(&b.report));
        name_all(&mut kept);
        cut_messages(&mut kept);
        self.cases = kept;
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

fn places(cases: &[TestCase]) -> Vec<Place<'_>> {
    let mut seen: HashMap<(&str, &str, &str), usize> = HashMap::new();
    cases
        .iter()
        .map(|case| {
            let count = seen.entry((&case.suite, &case.class, &case.name)).or_default();
            *count += 1;
            (case.suite.as_str(), case.class.as_str(), case.name.as_str(), *count)
        })
        .collect()
}

/// The cases of a file that was written anew, with what is known of their earlier tries.
fn tried_again(old: Vec<TestCase>, fresh: Vec<TestCase>) -> Vec<TestCase> {
    let earlier: HashMap<Place<'_>, &TestCase> = places(&old).into_iter().zip(&old).collect();
    let mut merged = fresh.clone();
    let mut again = HashSet::new();
    for (place, case) in places(&fresh).into_iter().zip(&mut merged) {
        if let Some(before) = earlier.get(&place) {
            *case = second_try(before, case);
            again.insert(place);
        }
    }
    let gone = places(&old).into_iter().zip(&old).filter(|(place, _)| !again.contains(place));
    let mut all: Vec<_> = gone.map(|(_, case)| case.clone()).collect();
    all.append(&mut merged);
    all
}

fn second_try(before: &TestCase, after: &TestCase) -> TestCase {
    // A tool that adds to its file writes what was there once more.
    if (before.outcome, before.micros) == (after.outcome, after.micros) {
        return before.clone();
    }
    let differ = before.outcome.is_bad() && after.outcome == TestOutcome::Passed
        || before.outcome == TestOutcome::Passed && after.outcome.is_bad();
    let mut case = after.clone();
    case.tries = before.tries.saturating_add(after.tries);
    case.flaky |= before.flaky || differ;
    if case.message.is_empty() {
        case.message.clone_from(&before.message);
    }
    case
}

fn cut_messages(cases: &mut [TestCase]) {
    let mut left = MESSAGES_BYTES_MAX;
    for case in cases {
        if case.message.len() > left {
            case.message = clean::lines(&case.message, LATE_MESSAGE_CHARS);
        }
        left = left.saturating_sub(case.message.len());
    }
}

/// Gives every case an id of its own; of equal ones the later have a number.
fn name_all(cases: &mut [TestCase]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for case in cases {
        let id = junit::id(case);
        let count = seen.entry(id.clone()).or_default();
        *count += 1;
        case.id = if *count == 1 { id } else { format!("{id} #{count}") };
    }
}

/// Cases in the order in which people want them: what failed, what is flaky, the rest.
pub fn sort_for_people(cases: &mut [TestCase]) {
    cases.sort_by_key(|case| match case.outcome {
        TestOutcome::Failed | TestOutcome::Errored => 0,
        TestOutcome::Passed if case.flaky => 1,
        TestOutcome::Passed => 2,
        TestOutcome::Skipped => 3,
    });
}

/// The cases of a whole job where a later attempt ran only those that had failed.
pub fn overlay(earlier: &[TestCase], later: &[TestCase]) -> Vec<TestCase> {
    let known: HashMap<&str, &TestCase> = later.iter().map(|it| (it.id.as_str(), it)).collect();
    let mut all: Vec<_> = earlier.iter().map(|it| (*known.get(it.id.as_str()).unwrap_or(&it)).clone()).collect();
    let old: HashSet<&str> = earlier.iter().map(|it| it.id.as_str()).collect();
    all.extend(later.iter().filter(|it| !old.contains(it.id.as_str())).cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Parsed {
        // `name outcome micros`, one case a line.
        let cases = text.split(';').filter(|it| !it.is_empty()).map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            let outcome = match words.next() {
                Some("failed") => TestOutcome::Failed,
                Some("skipped") => TestOutcome::Skipped,
                _ => TestOutcome::Passed,
            };
            let micros = words.next().and_then(|it| it.parse().ok());
            TestCase { name, outcome, micros, tries: 1, ..TestCase::default() }
        });
        Parsed { cases: cases.collect(), problem: None }
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &str) {
        let mut collected = Collected::default();
        for (path, text) in files {
            collected.add(path, Digest::of(text.as_bytes()), report(text));
        }
        let told = collected.cases.iter().map(|it| {
            let flaky = if it.flaky { " flaky" } else { "" };
            format!("{}: {} {} of {}{flaky}", it.report, it.id, it.outcome, it.tries)
        });
        assert_eq!(told.collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn files_lie_side_by_side() {
        check(&[("b", "x passed"), ("a", "y failed;x passed")], "a: y failed of 1, a: x passed of 1, b: x #2 passed of 1");
    }

    #[test]
    fn a_file_that_is_written_anew_is_another_try() {
        check(&[("a", "x failed 1;y passed 1"), ("a", "x passed 2")], "a: y passed of 1, a: x passed of 2 flaky");
        check(&[("a", "x passed 1"), ("a", "x failed 2")], "a: x failed of 2 flaky");
        check(&[("a", "x failed 1"), ("a", "x failed 2")], "a: x failed of 2");
    }

    #[test]
    fn a_file_that_grows_is_no_other_try() {
        check(&[("a", "x failed 1"), ("a", "x failed 1;y passed 1")], "a: x failed of 1, a: y passed of 1");
    }

    #[test]
    fn a_later_attempt_lies_over_the_earlier() {
        let (earlier, later) = (report("x failed;y passed").cases, report("x passed;z passed").cases);
        let id = |cases: Vec<TestCase>| cases.into_iter().map(|it| TestCase { id: it.name.clone(), ..it }).collect::<Vec<_>>();
        let all = overlay(&id(earlier), &id(later));
        let told: Vec<_> = all.iter().map(|it| format!("{} {}", it.id, it.outcome)).collect();
        assert_eq!(told, ["x passed", "y passed", "z passed"]);
    }
}
