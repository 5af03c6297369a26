//! One test as a report tells it.

use serde::{Deserialize, Serialize};

/// How a test ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    #[default]
    Passed,
    /// What it asserts does not hold.
    Failed,
    /// It could not be carried out to its end.
    Errored,
    Skipped,
}

impl TestOutcome {
    /// Whether somebody must look at it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Errored)
    }
}

impl std::fmt::Display for TestOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "error",
            Self::Skipped => "skipped",
        })
    }
}

/// One test. Its texts come from the tested code: no control characters, limited, never to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// Names it within a job, the same in every run.
    pub id: String,
    /// The suites it lies in, from the outermost, joined by ` > `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suite: String,
    /// The class, module or package, as the tool has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    pub name: String,
    pub outcome: TestOutcome,
    /// How long it took, where the report says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
    /// Why it failed or was skipped, cut to a length.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Relative to the top of the repository where the file is known to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// How often it was tried in the job, if more than once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub tries: u32,
    /// It failed and passed in the same job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
    /// The file that told it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report: String,
}

fn once() -> u32 {
    1
}

// serde asks for a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_once(tries: &u32) -> bool {
    *tries <= 1
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    pub passed: u64,
    pub failed: u64,
    pub errored: u64,
    pub skipped: u64,
    /// Those that failed and passed in one job; they are counted by their last outcome, too.
    #[serde(default)]
    pub flaky: u64,
    /// Of all together.
    #[serde(default)]
    pub micros: u64,
}

impl TestCounts {
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a TestCase>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            match case.outcome {
                TestOutcome::Passed => counts.passed += 1,
                TestOutcome::Failed => counts.failed += 1,
                TestOutcome::Errored => counts.errored += 1,
                TestOutcome::Skipped => counts.skipped += 1,
            }
            counts.flaky += u64::from(case.flaky);
            counts.micros = counts.micros.saturating_add(case.micros.unwrap_or_default());
        }
        counts
    }

    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.errored + self.skipped
    }

    /// Those that somebody must look at.
    pub fn bad(&self) -> u64 {
        self.failed + self.errored
    }

    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.errored += other.errored;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
        self.micros = self.micros.saturating_add(other.micros);
    }
}

impl std::fmt::Display for TestCounts {
    /// `3 failed, 1 error, 40 passed, 2 skipped, 1 flaky`; what there is none of is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.failed, "failed"),
            (self.errored, if self.errored == 1 { "error" } else { "errors" }),
            (self.passed, "passed"),
            (self.skipped, "skipped"),
            (self.flaky, "flaky"),
        ];
        let told: Vec<_> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if told.is_empty() {
            return f.write_str("no tests");
        }
        f.write_str(&told.join(", "))
    }
}
