//! Turns the elements of a report into cases.

use api::{TestCase, TestOutcome};

use super::{CASES_MAX, ParseError, numbers};
use crate::clean;

/// A name that is longer is cut.
const NAME_MAX: usize = 1000;
/// Of a message so much is kept; the log has all of it.
pub const MESSAGE_MAX: usize = 4000;
/// So much of an element's text is looked at.
const TEXT_MAX: usize = 64 * 1024;

type Attributes = [(String, String)];

#[derive(Default)]
pub struct Builder {
    cases: Vec<TestCase>,
    suites: Vec<Suite>,
    case: Option<Open>,
    /// What is wrong with a whole suite.
    of_suite: Option<Trouble>,
    /// Output inside of a case or a trouble is passed over.
    ignored: usize,
}

#[derive(Default)]
struct Suite {
    name: String,
    file: Option<String>,
}

/// A case that is being read.
#[derive(Default)]
struct Open {
    case: TestCase,
    troubles: Vec<Trouble>,
    at_work: Option<Trouble>,
}

/// An element that says what became of a case.
struct Trouble {
    kind: Kind,
    message: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failure,
    Error,
    Skipped,
    /// A try that failed before one that passed.
    FlakyTry,
    /// A further try that failed.
    FailedTry,
    /// Something that does not decide.
    Remark,
}

impl Kind {
    fn of(element: &str) -> Option<Self> {
        Some(match element {
            "failure" | "failed" => Self::Failure,
            "error" => Self::Error,
            "skipped" | "skip" | "incomplete" | "disabled" => Self::Skipped,
            "flakyFailure" | "flakyError" => Self::FlakyTry,
            "rerunFailure" | "rerunError" => Self::FailedTry,
            "warning" | "risky" | "useless" => Self::Remark,
            _ => return None,
        })
    }
}

/// The value of the first of these attributes that is there and not empty.
fn of<'a>(attributes: &'a Attributes, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let found = attributes.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str()).filter(|it| !it.trim().is_empty())
    })
}

impl Builder {
    pub fn begin(&mut self, element: &str, attributes: &Attributes) -> Result<(), ParseError> {
        if self.ignored > 0 {
            self.ignored += 1;
            return Ok(());
        }
        let is_trouble_open = self.of_suite.is_some() || self.case.as_ref().is_some_and(|it| it.at_work.is_some());
        match element {
            "testsuites" | "testrun" if self.case.is_none() => {}
            "testsuite" if self.case.is_none() => self.suites.push(Suite {
                name: clean::name(of(attributes, &["name", "package", "id"]).unwrap_or_default(), NAME_MAX),
                file: of(attributes, &["file", "filepath"]).map(|it| clean::name(it, NAME_MAX)),
            }),
            "testcase" if self.case.is_none() => {
                if self.cases.len() >= CASES_MAX {
                    return Err(ParseError::TooMany);
                }
                self.case = Some(Open { case: self.case_of(attributes), ..Open::default() });
            }
            // Surefire puts the text of a further try into an element of its own.
            "stackTrace" if is_trouble_open => {}
            _ if is_trouble_open => self.ignored = 1,
            other => match Kind::of(other) {
                Some(kind) => self.trouble(kind, attributes),
                // A root is no child, and what else there is says nothing about outcomes.
                None => self.ignored = 1,
            },
        }
        Ok(())
    }

    fn case_of(&self, attributes: &Attributes) -> TestCase {
        let name = clean::name(of(attributes, &["name", "id"]).unwrap_or("(no name)"), NAME_MAX);
        let class = clean::name(of(attributes, &["classname", "class", "className"]).unwrap_or_default(), NAME_MAX);
        let suites: Vec<_> = self.suites.iter().map(|it| it.name.as_str()).filter(|it| !it.is_empty()).collect();
        let own_file = of(attributes, &["file", "filepath", "filename"]).map(|it| clean::name(it, NAME_MAX));
        let line = of(attributes, &["line", "lineno"]).and_then(|it| it.trim().parse().ok()).filter(|it| *it > 0);
        let status = of(attributes, &["status"]).unwrap_or_default().to_lowercase();
        let result = of(attributes, &["result"]).unwrap_or_default().to_lowercase();
        // Tools that say so here say it in a child, too; some say it here alone.
        let outcome = match (status.as_str(), result.as_str()) {
            ("notrun" | "disabled" | "skipped" | "skip" | "ignored" | "pending", _) => TestOutcome::Skipped,
            ("run", "suppressed" | "skipped") => TestOutcome::Skipped,
            ("failed" | "fail" | "failure", _) | (_, "failed" | "fail") => TestOutcome::Failed,
            ("error", _) => TestOutcome::Errored,
            _ => TestOutcome::Passed,
        };
        TestCase {
            id: String::new(),
            suite: suites.join(" > "),
            class,
            name,
            outcome,
            micros: of(attributes, &["time", "duration"]).and_then(numbers::micros),
            message: String::new(),
            line: line.filter(|_| own_file.is_some()),
            file: own_file.or_else(|| self.suites.iter().rev().find_map(|it| it.file.clone())),
            tries: 1,
            flaky: false,
            report: String::new(),
        }
    }

    fn trouble(&mut self, kind: Kind, attributes: &Attributes) {
        let message = of(attributes, &["message", "type"]).unwrap_or_default().to_owned();
        let trouble = Trouble { kind, message, text: String::new() };
        match &mut self.case {
            Some(open) => open.at_work = Some(trouble),
            None if !self.suites.is_empty() => self.of_suite = Some(trouble),
            None => self.ignored = 1,
        }
    }

    pub fn text(&mut self, text: &str) {
        if self.ignored > 0 {
            return;
        }
        let open = self.case.as_mut().and_then(|it| it.at_work.as_mut()).or(self.of_suite.as_mut());
        if let Some(trouble) = open
            && trouble.text.len() < TEXT_MAX
        {
            trouble.text.push_str(text);
        }
    }

    pub fn end(&mut self, element: &str) -> Result<(), ParseError> {
        if self.ignored > 0 {
            self.ignored -= 1;
            return Ok(());
        }
        if Kind::of(element).is_some() {
            if let Some(trouble) = self.of_suite.take() {
                self.suite_trouble(&trouble);
            } else if let Some(open) = &mut self.case {
                open.troubles.extend(open.at_work.take());
            }
            return Ok(());
        }
        match element {
            "testcase" => {
                let done = self.case.take().map(Open::finish);
                self.cases.extend(done);
            }
            "testsuite" if self.case.is_none() => drop(self.suites.pop()),
            _ => {}
        }
        Ok(())
    }

    /// A suite that fails as a whole counts as a case, else nobody would see it.
    fn suite_trouble(&mut self, trouble: &Trouble) {
        let outcome = match trouble.kind {
            Kind::Failure => TestOutcome::Failed,
            Kind::Error => TestOutcome::Errored,
            Kind::Skipped | Kind::FlakyTry | Kind::FailedTry | Kind::Remark => return,
        };
        let mut case = self.case_of(&[("name".to_owned(), "(the suite itself)".to_owned())]);
        case.outcome = outcome;
        case.message = trouble.told();
        self.cases.push(case);
    }

    /// The cases with ids that are unique within the file.
    pub fn finish(mut self) -> Vec<TestCase> {
        // A case that a killed tool left open is one whose end nobody knows.
        if let Some(open) = self.case.take() {
            let mut case = open.finish();
            if case.outcome == TestOutcome::Passed {
                case.outcome = TestOutcome::Errored;
                case.message = "the report ends within this test".to_owned();
            }
            self.cases.push(case);
        }
        for case in &mut self.cases {
            case.id = id(case);
        }
        self.cases
    }
}

impl Open {
    fn finish(mut self) -> TestCase {
        self.troubles.extend(self.at_work.take());
        let mut case = self.case;
        let find = |kind: Kind| self.troubles.iter().find(|it| it.kind == kind);
        let tries = |kind: Kind| self.troubles.iter().filter(|it| it.kind == kind).count();
        let deciding = find(Kind::Error).or_else(|| find(Kind::Failure)).or_else(|| find(Kind::Skipped));
        if let Some(trouble) = deciding {
            case.outcome = match trouble.kind {
                Kind::Error => TestOutcome::Errored,
                Kind::Failure => TestOutcome::Failed,
                Kind::Skipped | Kind::FlakyTry | Kind::FailedTry | Kind::Remark => TestOutcome::Skipped,
            };
        }
        let shown = deciding.or_else(|| find(Kind::FlakyTry)).or_else(|| find(Kind::FailedTry)).or_else(|| find(Kind::Remark));
        case.message = shown.map(Trouble::told).unwrap_or_default();
        let further = tries(Kind::FlakyTry) + tries(Kind::FailedTry);
        case.tries = u32::try_from(further + 1).unwrap_or(u32::MAX);
        // Surefire puts `rerunFailure` without `failure` where a later try passed.
        case.flaky = further > 0 && case.outcome == TestOutcome::Passed;
        case
    }
}

impl Trouble {
    /// The message and the text, without what stands in both.
    fn told(&self) -> String {
        let (message, text) = (self.message.trim(), self.text.trim());
        let first = message.lines().next().unwrap_or_default().trim();
        let says_nothing = ["", "failed", "failure", "error", "skipped"].iter().any(|it| first.eq_ignore_ascii_case(it));
        let whole = match (says_nothing, text.is_empty()) {
            (_, true) => message.to_owned(),
            (true, false) => text.to_owned(),
            (false, false) if text.lines().next().is_some_and(|it| it.contains(first)) => text.to_owned(),
            // The summary comes first, because lists show the beginning.
            (false, false) => format!("{first}\n{text}"),
        };
        clean::lines(&whole, MESSAGE_MAX)
    }
}

/// What names a case: its class, where that says something, else its suites; then its own name.
pub fn id(case: &TestCase) -> String {
    let (class, name) = (case.class.as_str(), case.name.as_str());
    // Node's runner calls every class `test`, jest's repeats the name.
    let says_nothing = class.is_empty() || class == "test" || class == name;
    let prefix = match (says_nothing, case.suite.as_str()) {
        (false, _) => class,
        (true, suite) if name.starts_with(suite) || suite.is_empty() => case.file.as_deref().unwrap_or(suite),
        (true, suite) => suite,
    };
    let prefix = if prefix.is_empty() || says_nothing && name.starts_with(prefix) { "" } else { prefix };
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") }
}
