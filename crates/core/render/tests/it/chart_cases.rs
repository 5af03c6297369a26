//! `helmCharts` of kustomizations, their outcomes recorded from the original.
//!
//! `LANDFALL_RECORD=1` asks the original anew: kubectl with the helm of either major.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use files::MemoryFiles;
use render::{Chance, Compat, Request};

const CASES: &str = include_str!("../helm_charts.txt");

/// The folder of a case that is built.
const FOLDER: &str = "app";

struct Case<'a> {
    name: &'a str,
    files: BTreeMap<&'a str, String>,
}

/// Reads cases: `=== name`, then files as `-- path --`.
fn cases() -> Vec<Case<'static>> {
    let parts = CASES.split("=== ").skip(1);
    let case = |part: &'static str| {
        let (name, rest) = part.split_once('\n').expect("a name stands alone");
        let files = rest.split("\n-- ").map(|it| it.trim_start_matches("-- ")).map(|file| {
            let (path, text) = file.split_once(" --\n").expect("a path and a text");
            (path, format!("{}\n", text.trim_end()))
        });
        Case { name, files: files.collect() }
    };
    parts.map(case).collect()
}

#[test]
fn charts_of_kustomizations_come_out_as_in_the_original() {
    let cases = cases();
    let mut wrong = String::new();
    for (compat, helm) in [(Compat::Helm4, "helm4"), (Compat::Helm3, "helm3")] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("helm_charts_{helm}.txt"));
        if std::env::var_os("LANDFALL_RECORD").is_some() {
            std::fs::write(&golden, recorded(&cases, helm)).expect("golden");
        }
        let golden = std::fs::read_to_string(&golden).expect("golden; record with LANDFALL_RECORD=1");
        let expected: BTreeMap<&str, &str> = golden.split("=== ").skip(1).filter_map(|it| it.split_once('\n')).collect();
        for case in &cases {
            let found = match case.render(compat) {
                Ok(text) => text,
                Err(_) => "fails\n".to_owned(),
            };
            let expected = expected.get(case.name).unwrap_or_else(|| panic!("no golden for `{}`", case.name));
            if found != *expected {
                let _ = writeln!(wrong, "=== {} ({helm})\n--- expected\n{expected}--- found\n{found}", case.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases.len() > 10, "there are cases");
}

impl Case<'_> {
    fn render(&self, compat: Compat) -> Result<String, String> {
        let mut files = MemoryFiles::new();
        for (path, text) in &self.files {
            files.insert(*path, text.as_bytes()).expect("paths of cases are clean");
        }
        let mut request = Request::of(FOLDER, Chance { now: 0, key: [0; 32] });
        request.chart.compat = compat;
        render::render(&files, &request).map(|it| it.text).map_err(|error| error.lines().join("\n"))
    }
}

fn recorded(cases: &[Case<'_>], helm: &str) -> String {
    let mut text = String::new();
    for case in cases {
        let scratch = tempfile::tempdir().expect("scratch");
        for (path, content) in &case.files {
            let path = scratch.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folder");
            std::fs::write(path, content).expect("file");
        }
        let output = Command::new(tool("kubectl-1.37"))
            .args(["kustomize", "--enable-helm", "--helm-command"])
            .arg(tool(helm))
            .arg(scratch.path().join(FOLDER))
            .env("HOME", scratch.path())
            .output()
            .expect("the referee starts");
        let told = if output.status.success() {
            String::from_utf8(output.stdout).expect("text")
        } else {
            "fails\n".to_owned()
        };
        let _ = write!(text, "=== {}\n{told}", case.name);
    }
    text
}

/// Where the tools of the referees lie.
fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("LANDFALL_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/bin"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "the referee {name} is missing: {} (set LANDFALL_TOOLS)", path.display());
    path
}
