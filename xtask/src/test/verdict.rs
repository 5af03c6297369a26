//! What the output of one test binary says about its tests.
//!
//! The summary line of the standard harness counts, for children of a test may
//! write between its other lines. A binary with a harness of its own prints the
//! same `test NAME ... ok` lines and no summary. A test that cannot run where it
//! is prints `skipped: REASON` and passes; it is counted as skipped.

/// How the tests of one binary went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub passed: usize,
    pub failed: Vec<String>,
    pub skipped: Vec<String>,
    /// Failed at first and passed when run once more, alone: not sound, and told so.
    pub flaky: Vec<String>,
}

/// How a test binary ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Succeeded,
    Failed,
    /// By a signal.
    Crashed,
    TimedOut,
}

impl Verdict {
    /// Reads `output`, in which standard output and error are one.
    pub fn read(output: &str, ending: Ending) -> Self {
        let mut verdict = Self::default();
        let mut summary = None;
        for line in output.lines() {
            verdict.read_line(line);
            summary = read_summary(line).or(summary);
        }
        if let Some(passed) = summary {
            verdict.passed = passed;
        }
        let skips = skips(output, summary.is_some());
        verdict.passed = verdict.passed.saturating_sub(skips.len());
        verdict.skipped.extend(skips);
        match ending {
            Ending::Succeeded => {}
            Ending::Failed if !verdict.failed.is_empty() => {}
            Ending::Failed => verdict.failed.push("(the binary failed and named no test)".to_owned()),
            Ending::Crashed => verdict.failed.push("(the binary ended before its tests did)".to_owned()),
            Ending::TimedOut => verdict.failed.push("(the binary was stopped: over its time)".to_owned()),
        }
        verdict
    }

    fn read_line(&mut self, line: &str) {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            return;
        };
        let name = name.trim_end_matches(" - should panic").to_owned();
        match result.split([' ', ',']).next() {
            Some("ok") => self.passed += 1,
            Some("FAILED") => self.failed.push(name),
            Some("ignored") => self.skipped.push(name),
            _ => {}
        }
    }

    /// Adds another verdict to this one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.flaky.extend(other.flaky);
    }

    /// Whether the tests that failed are known by their names, so that they alone can run again.
    pub fn names_its_failures(&self) -> bool {
        !self.failed.is_empty() && self.failed.iter().all(|name| !name.starts_with('('))
    }

    /// Takes in how the failed tests went when they ran once more.
    pub fn take_second_try(&mut self, second: &Self) {
        let is_whole = second.passed + second.failed.len() == self.failed.len();
        if !is_whole || !(second.failed.is_empty() || second.names_its_failures()) {
            // A run that broke off or ran something else says nothing for anybody.
            return;
        }
        let (failed, flaky) = std::mem::take(&mut self.failed).into_iter().partition(|name| second.failed.contains(name));
        self.failed = failed;
        self.passed += Vec::len(&flaky);
        self.flaky = flaky;
    }
}

/// How many tests passed, from `test result: ok. 3 passed; 0 failed; …`.
fn read_summary(line: &str) -> Option<usize> {
    let counts = line.split_once("test result: ")?.1.split_once(". ")?.1;
    counts.split("; ").find_map(|count| count.strip_suffix(" passed"))?.parse().ok()
}

/// The tests that said they cannot run here, with their reasons.
fn skips(output: &str, has_sections: bool) -> Vec<String> {
    let mut section = None;
    let mut skips: Vec<String> = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            section = Some(name);
        }
        let Some(reason) = line.strip_prefix("skipped: ") else { continue };
        match section.take() {
            Some(name) => skips.push(format!("{name} ({reason})")),
            // Without sections the whole binary has one reason.
            None if !has_sections => skips.push(reason.to_owned()),
            None => {}
        }
    }
    skips
}

/// The part of the output that a person needs after a failure.
pub fn evidence(output: &str) -> String {
    /// A crash says what matters at its end.
    const LINES_MAX: usize = 120;
    let lines: Vec<_> = output.lines().collect();
    let failures = lines.iter().position(|line| *line == "failures:");
    let first = failures.unwrap_or_else(|| lines.len().saturating_sub(LINES_MAX));
    lines[first..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_summary_win() {
        check(
            "\nrunning 3 tests\nchattertest a ... ok\ntest b ... ignored, a measurement\ntest c ... ok\n\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
            Ending::Succeeded,
            "2 passed, failed [], skipped [b]",
        );
    }

    #[test]
    fn failed_tests_are_named() {
        check(
            "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nboom\n\n\
             failures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
            Ending::Failed,
            "1 passed, failed [b], skipped []",
        );
    }

    #[test]
    fn test_that_says_so_is_skipped() {
        check(
            "running 1 test\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: needs root\nskipped: needs root\n\n\nsuccesses:\n    a\n\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
            Ending::Succeeded,
            "0 passed, failed [], skipped [a (needs root)]",
        );
    }

    #[test]
    fn harness_of_its_own_needs_no_summary() {
        check("test copies ... ok (1.2s)\ntest links ... FAILED (3ms)\n", Ending::Failed, "1 passed, failed [links], skipped []");
        check("skipped: building needs root\n", Ending::Succeeded, "0 passed, failed [], skipped [building needs root]");
    }

    #[test]
    fn crash_and_timeout_fail() {
        check(
            "running 2 tests\ntest a ... ok\n",
            Ending::Crashed,
            "1 passed, failed [(the binary ended before its tests did)], skipped []",
        );
        check("", Ending::TimedOut, "0 passed, failed [(the binary was stopped: over its time)], skipped []");
    }

    #[test]
    fn second_try_that_passes_is_told_as_flaky() {
        for (passed, failed, expected) in [
            (2, &[][..], "3 passed, failed [], flaky [a, b]"),
            (1, &["b"], "2 passed, failed [b], flaky [a]"),
            (0, &[], "1 passed, failed [a, b], flaky []"),
            (1, &["(the binary ended before its tests did)"], "1 passed, failed [a, b], flaky []"),
        ] {
            let named = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
            let mut first = Verdict { passed: 1, failed: named(&["a", "b"]), ..Verdict::default() };
            first.take_second_try(&Verdict { passed, failed: named(failed), ..Verdict::default() });
            let found = format!("{} passed, failed [{}], flaky [{}]", first.passed, first.failed.join(", "), first.flaky.join(", "));
            assert_eq!(found, expected);
        }
    }

    #[track_caller]
    fn check(output: &str, ending: Ending, expected: &str) {
        let it = Verdict::read(output, ending);
        let found =
            format!("{} passed, failed [{}], skipped [{}]", it.passed, it.failed.join(", "), it.skipped.join(", "));
        assert_eq!(found, expected);
    }
}
