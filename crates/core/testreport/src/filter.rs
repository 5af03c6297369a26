//! Says to a runner which tests to run, in its own words.

use std::str::FromStr;

use api::TestCase;

/// A runner that takes a choice of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    Pytest,
    Go,
    Cargo,
    Nextest,
    Jest,
    Vitest,
    Node,
    Maven,
    Gradle,
    Gtest,
    Phpunit,
}

impl Runner {
    pub const ALL: [(&'static str, Self); 11] = [
        ("pytest", Self::Pytest),
        ("go", Self::Go),
        ("cargo", Self::Cargo),
        ("nextest", Self::Nextest),
        ("jest", Self::Jest),
        ("vitest", Self::Vitest),
        ("node", Self::Node),
        ("maven", Self::Maven),
        ("gradle", Self::Gradle),
        ("gtest", Self::Gtest),
        ("phpunit", Self::Phpunit),
    ];
}

/// Why a text names no runner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected pytest, go, cargo, nextest, jest, vitest, node, maven, gradle, gtest or phpunit, found `{0}`")]
pub struct ParseRunnerError(String);

impl FromStr for Runner {
    type Err = ParseRunnerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, runner)| *runner).ok_or_else(|| ParseRunnerError(text.to_owned()))
    }
}

/// What to give to the runner, and what could not be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The text; where nothing is chosen, the text with which the runner runs everything.
    pub text: String,
    /// Why everything runs although some tests were named.
    pub note: Option<String>,
}

/// The filter for these tests; `exists` knows the files of the working folder.
pub fn filter(runner: Runner, cases: &[TestCase], exists: &dyn Fn(&str) -> bool) -> Filter {
    if cases.is_empty() {
        return everything(runner, None);
    }
    let names = || cases.iter().map(|it| it.name.as_str());
    let text = match runner {
        Runner::Pytest => match cases.iter().map(|it| node_id(it, exists)).collect::<Option<Vec<_>>>() {
            Some(ids) => unique(ids).join("\n"),
            None => return everything(runner, Some("the file of a test is not found in this folder".to_owned())),
        },
        Runner::Go => {
            // Tests within a test run with it: a pattern for both levels would mix those of several.
            let tops = names().map(|it| literal(it.split('/').next().unwrap_or(it)));
            format!("^({})$", unique(tops).join("|"))
        }
        Runner::Cargo => {
            if let Some(odd) = names().find(|it| !is_word(it)) {
                return everything(runner, Some(format!("`{odd}` cannot be named on a command line (a test in documentation?)")));
            }
            format!("--exact {}", unique(names().map(str::to_owned)).join(" "))
        }
        Runner::Nextest => {
            let one = |case: &TestCase| match case.class.as_str() {
                "" => format!("test(={})", case.name),
                class => format!("(binary_id(={class}) & test(={}))", case.name),
            };
            unique(cases.iter().map(one)).join(" | ")
        }
        Runner::Jest | Runner::Vitest => {
            let full = |it: &str| literal(&it.replace(" > ", " "));
            format!("^({})$", unique(names().map(full)).join("|"))
        }
        Runner::Node => format!("^({})$", unique(names().map(literal)).join("|")),
        Runner::Maven => match maven(cases) {
            Some(text) => format!("-Dtest={text} -Dsurefire.failIfNoSpecifiedTests=false"),
            None => return everything(runner, Some("a test has no class".to_owned())),
        },
        Runner::Gradle => {
            let one = |case: &TestCase| Some(format!("--tests {}.{}", java_name(&case.class)?, java_name(&case.name)?));
            match cases.iter().map(one).collect::<Option<Vec<_>>>() {
                Some(flags) => unique(flags).join(" "),
                None => return everything(runner, Some("a test has a name that is no method".to_owned())),
            }
        }
        Runner::Gtest => {
            let one = |case: &TestCase| if case.class.is_empty() { case.name.clone() } else { format!("{}.{}", case.class, case.name) };
            unique(cases.iter().map(one)).join(":")
        }
        Runner::Phpunit => {
            let one = |case: &TestCase| {
                let method = case.name.split(" with data set").next().unwrap_or(&case.name);
                let class = case.class.rsplit(['.', '\\']).next().unwrap_or(&case.class);
                format!("{}::{}", literal(class), literal(method))
            };
            format!("/({})(\\s|$)/", unique(cases.iter().map(one)).join("|"))
        }
    };
    Filter { text, note: None }
}

fn everything(runner: Runner, note: Option<String>) -> Filter {
    let text = match runner {
        // An empty expression is an error to it.
        Runner::Nextest => "all()",
        Runner::Gtest => "*",
        Runner::Go | Runner::Jest | Runner::Vitest | Runner::Node | Runner::Phpunit => ".",
        Runner::Pytest | Runner::Cargo | Runner::Maven | Runner::Gradle => "",
    };
    Filter { text: text.to_owned(), note }
}

fn unique(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// `text` as a regular expression that matches it alone.
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '/') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Whether a shell takes it as one word without quotes.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | ':' | '.' | '-' | '#' | '+'))
}

/// pytest's name of a test: its file, its classes, its function with parameters.
fn node_id(case: &TestCase, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let parts: Vec<_> = case.class.split('.').filter(|it| !it.is_empty()).collect();
    let split = |stem: &str| {
        let known = stem.strip_suffix(".py").unwrap_or(stem).replace('/', ".");
        let rest = case.class.strip_prefix(&known).unwrap_or_default();
        rest.split('.').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (file, classes) = match case.file.as_deref().filter(|it| it.ends_with(".py") && exists(it)) {
        Some(file) => (file.to_owned(), split(file)),
        None => (1..=parts.len()).rev().find_map(|end| {
            let file = format!("{}.py", parts.get(..end)?.join("/"));
            let classes = parts.get(end..)?.iter().map(|it| (*it).to_owned()).collect();
            exists(&file).then_some((file, classes))
        })?,
    };
    let mut id = file;
    for class in classes {
        id = format!("{id}::{class}");
    }
    Some(format!("{id}::{}", case.name))
}

/// A class or a method without parameters; nothing for what is no name in Java.
fn java_name(name: &str) -> Option<String> {
    let plain = name.split(['(', '[', '{']).next().unwrap_or_default().trim();
    let begins = plain.chars().next().is_some_and(|it| it.is_alphabetic() || it == '_');
    let is_name = begins && plain.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '$' | '.'));
    is_name.then(|| plain.to_owned())
}

/// `Class#method+method,Other`; a test whose name is no method brings its whole class.
fn maven(cases: &[TestCase]) -> Option<String> {
    let mut classes: Vec<(String, Vec<String>, bool)> = Vec::new();
    for case in cases {
        let class = java_name(&case.class)?;
        let method = java_name(&case.name);
        let at = classes.iter().position(|(it, ..)| *it == class);
        let at = at.unwrap_or_else(|| {
            classes.push((class, Vec::new(), false));
            classes.len() - 1
        });
        if let Some((_, methods, whole)) = classes.get_mut(at) {
            match method {
                Some(method) if !methods.contains(&method) => methods.push(method),
                Some(_) => {}
                None => *whole = true,
            }
        }
    }
    let told = classes.into_iter().map(|(class, methods, whole)| {
        if whole || methods.is_empty() { class } else { format!("{class}#{}", methods.join("+")) }
    });
    Some(told.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(class: &str, name: &str) -> TestCase {
        TestCase { class: class.to_owned(), name: name.to_owned(), ..TestCase::default() }
    }

    #[track_caller]
    fn check(runner: Runner, cases: &[(&str, &str)], expected: &str) {
        let cases: Vec<_> = cases.iter().map(|(class, name)| case(class, name)).collect();
        let found = filter(runner, &cases, &|file| matches!(file, "tests/test_a.py" | "test_b.py"));
        assert_eq!(found.text, expected, "{runner:?} {:?}", found.note);
    }

    #[test]
    fn each_runner_has_its_words() {
        let python = [("tests.test_a", "test_x[1-a b]"), ("tests.test_a.TestC", "test_y"), ("test_b", "test_z"), ("test_b", "test_z")];
        check(Runner::Pytest, &python, "tests/test_a.py::test_x[1-a b]\ntests/test_a.py::TestC::test_y\ntest_b.py::test_z");
        check(Runner::Go, &[("p", "TestA/sub_1"), ("p", "TestA"), ("q", "TestB")], "^(TestA|TestB)$");
        check(Runner::Cargo, &[("shop", "cart::a"), ("shop", "cart::b")], "--exact cart::a cart::b");
        check(Runner::Nextest, &[("shop", "cart::a"), ("shop::it", "b")], "(binary_id(=shop) & test(=cart::a)) | (binary_id(=shop::it) & test(=b))");
        check(Runner::Jest, &[("x", "cart adds (up)")], "^(cart adds \\(up\\))$");
        check(Runner::Vitest, &[("x", "cart > adds")], "^(cart adds)$");
        check(Runner::Node, &[("test", "adds up")], "^(adds up)$");
        let java = [("com.A", "one"), ("com.A", "two[1]"), ("com.A", "two[2]"), ("com.B", "a display name")];
        check(Runner::Maven, &java, "-Dtest=com.A#one+two,com.B -Dsurefire.failIfNoSpecifiedTests=false");
        check(Runner::Gradle, &[("com.A", "one()")], "--tests com.A.one");
        check(Runner::Gtest, &[("Small/Even", "Holds/0"), ("Cart", "A")], "Small/Even.Holds/0:Cart.A");
        check(Runner::Phpunit, &[("Tests.CartTest", "testSum with data set #1")], "/(CartTest::testSum)(\\s|$)/");
    }

    #[test]
    fn everything_runs_where_nothing_can_be_named() {
        check(Runner::Pytest, &[("gone", "test_x")], "");
        check(Runner::Cargo, &[("shop", "src/lib.rs - add (line 3)")], "");
        check(Runner::Maven, &[("", "x")], "");
        check(Runner::Nextest, &[], "all()");
        check(Runner::Go, &[], ".");
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_shell() {
        check(Runner::Cargo, &[("x", "a;rm")], "");
        check(Runner::Gradle, &[("com.A", "$(rm)")], "");
        check(Runner::Maven, &[("$(rm)", "x")], "");
        check(Runner::Maven, &[("com.A", "`rm`")], "-Dtest=com.A -Dsurefire.failIfNoSpecifiedTests=false");
    }
}
