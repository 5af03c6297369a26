//! Hand-written trees, their outcomes recorded from the original.
//!
//! `LANDFALL_RECORD=1` asks the original anew.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use crate::{
    case::{self, Case},
    referee::{self, Verdict},
};

const HEAD: &str = "# Recorded from kubectl 1.37 (kustomize 5.8.1): kubectl kustomize FOLDER\n";

#[test]
fn every_case_comes_out_as_in_the_original() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let record = std::env::var_os("LANDFALL_RECORD").is_some();
    let mut names: Vec<_> = std::fs::read_dir(folder.join("cases"))
        .expect("cases")
        .map(|it| it.expect("entry").file_name())
        .collect();
    names.sort();
    let mut wrong = String::new();
    let mut count = 0;
    for name in names {
        let text = std::fs::read_to_string(folder.join("cases").join(&name)).expect("cases");
        let golden = folder.join("golden").join(&name);
        let cases = case::parse(&text);
        if record {
            std::fs::write(&golden, recorded(&cases)).expect("golden");
        }
        let golden =
            std::fs::read_to_string(&golden).expect("golden; record with LANDFALL_RECORD=1");
        let verdicts = verdicts(&golden);
        for case in &cases {
            count += 1;
            let expected = verdicts
                .get(case.name.as_str())
                .unwrap_or_else(|| panic!("no golden for `{}`", case.name));
            if let Some(difference) = difference(case, expected) {
                let _ = writeln!(
                    wrong,
                    "=== {} ({})\n{difference}",
                    case.name,
                    name.display()
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 0, "there are cases");
}

/// What differs between our outcome and the original's, when anything does.
pub fn difference(case: &Case, expected: &Verdict) -> Option<String> {
    // A crash of the original is nobody's rule.
    if expected.as_ref().is_err_and(|it| it.starts_with("panic:")) {
        return None;
    }
    match (case.build(), expected) {
        (Ok(built), Ok(expected)) => {
            let found = built.text();
            (found != *expected).then(|| first_difference(&found, expected))
        }
        (Err(_), Err(_)) => None,
        (Ok(built), Err(error)) => Some(format!(
            "the original fails: {error}\nours gives:\n{}",
            built.text()
        )),
        (Err(error), Ok(expected)) => Some(format!(
            "ours fails: {error}\nthe original gives:\n{expected}"
        )),
    }
}

fn first_difference(found: &str, expected: &str) -> String {
    let mut out = String::new();
    let (ours, theirs): (Vec<_>, Vec<_>) = (found.lines().collect(), expected.lines().collect());
    let at = ours
        .iter()
        .zip(&theirs)
        .position(|(left, right)| left != right)
        .unwrap_or_else(|| ours.len().min(theirs.len()));
    for index in at.saturating_sub(6)..at {
        let _ = writeln!(out, "  {}", ours.get(index).unwrap_or(&""));
    }
    for (sign, lines) in [("-", &theirs), ("+", &ours)] {
        for line in lines.iter().skip(at).take(8) {
            let _ = writeln!(out, "{sign} {line}");
        }
    }
    out
}

fn recorded(cases: &[Case]) -> String {
    let scratch = tempfile::tempdir().expect("scratch");
    let mut text = HEAD.to_owned();
    for case in cases {
        let _ = match referee::ask(case, scratch.path()) {
            Ok(output) => write!(text, "=== {}\n--- builds\n{output}", case.name),
            Err(error) => writeln!(text, "=== {}\n--- fails\n{}", case.name, error.trim_end()),
        };
    }
    text
}

fn verdicts(golden: &str) -> BTreeMap<&str, Verdict> {
    let mut found = BTreeMap::new();
    for part in golden.split("=== ").skip(1) {
        let (name, rest) = part.split_once('\n').expect("a name stands alone");
        let verdict = match rest.strip_prefix("--- builds\n") {
            Some(text) => Ok(text.to_owned()),
            None => Err(rest.trim_start_matches("--- fails\n").to_owned()),
        };
        found.insert(name, verdict);
    }
    found
}
