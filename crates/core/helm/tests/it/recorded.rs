//! Charts of our own, with what Helm 3 and Helm 4 make of them.
//!
//! `LANDFALL_RECORD=1` records anew with the real tools, `new` only what has no record yet;
//! `LANDFALL_CASE` picks cases by a part of their name.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use helm::Compat;

use crate::{
    case::Case,
    compare::{Agreement, outcomes},
    ours,
    tool::{self, Outcome},
};

const MODES: [(Compat, &str); 2] = [(Compat::Helm4, "helm4"), (Compat::Helm3, "helm3")];
const HEADER: &str = "# Written by `helm template r chart ARGUMENTS`, helm4 = v4.3.1, helm3 = v3.19.0; record anew with LANDFALL_RECORD=1.\n";
const MARK: &str = "=====";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder("charts"))
        .expect("tests/charts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "txtar"))
        .collect();
    paths.sort();
    let only = env::var("LANDFALL_CASE").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&only));
    paths
        .iter()
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            Case::parse(&name, &fs::read_to_string(path).expect("text"))
        })
        .collect()
}

fn golden_path(case: &Case) -> PathBuf {
    folder("goldens").join(format!("{}.golden", case.name))
}

/// What was recorded, by mode and number of the run.
fn read_golden(case: &Case) -> BTreeMap<(String, usize), Outcome> {
    let path = golden_path(case);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("no {}: record it with LANDFALL_RECORD=1", path.display()));
    let mut found = BTreeMap::new();
    for section in text.split(&format!("{MARK} ")).skip(1) {
        let (head, body) = section.split_once('\n').expect("a head");
        let mut words = head.split(' ');
        let mode = words.next().expect("a mode").to_owned();
        let run = words.next().and_then(|it| it.parse().ok()).expect("a run");
        let outcome = match words.next() {
            Some("ok") => Ok(body.to_owned()),
            _ => Err(body.strip_suffix('\n').unwrap_or(body).to_owned()),
        };
        found.insert((mode, run), outcome);
    }
    found
}

fn record(case: &Case) {
    let place = tempfile::tempdir().expect("a folder");
    case.write(place.path());
    let mut text = HEADER.to_owned();
    for (compat, mode) in MODES {
        for (run, arguments) in case.runs.iter().enumerate() {
            let (word, body) = match tool::template(compat, place.path(), arguments) {
                Ok(body) => ("ok", body),
                Err(body) => {
                    let here = place.path().join("chart").display().to_string();
                    ("error", format!("{}\n", body.replace(&here, "CHART")))
                }
            };
            text.push_str(&format!("{MARK} {mode} {run} {word}\n{body}"));
        }
    }
    fs::write(golden_path(case), text).expect("write a golden");
}

#[test]
fn charts_render_as_recorded() {
    let (mut bytes, mut meaning, mut wrong) = (0, 0, Vec::new());
    let cases = cases();
    for case in &cases {
        match env::var("LANDFALL_RECORD").as_deref() {
            Ok("new") if golden_path(case).exists() => {}
            Ok(_) => record(case),
            Err(_) => {}
        }
        let golden = read_golden(case);
        for (compat, mode) in MODES {
            for (run, arguments) in case.runs.iter().enumerate() {
                let theirs = &golden[&(mode.to_owned(), run)];
                let ours = ours::template(case, compat, arguments);
                if case.words_differ && theirs.is_err() && ours.is_err() {
                    meaning += 1;
                    continue;
                }
                match outcomes(theirs, &ours) {
                    (Agreement::ToTheByte, _) => bytes += 1,
                    (Agreement::InMeaning, _) => meaning += 1,
                    (Agreement::No, why) => {
                        wrong.push(format!("{} {mode} {}: {why}", case.name, arguments.join(" ")));
                    }
                }
            }
        }
    }
    println!("{} charts: {bytes} to the byte, {meaning} in meaning, {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
