//! `landfall lint` on a repository as a web page prints it, through the real binary.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const FILES: [&str; 5] = [".github/workflows/ship.yml", "Dockerfile", "greeter.yaml", "package.json", "server.js"];

fn copy_of_printed() -> tempfile::TempDir {
    let printed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/greeter-as-printed");
    let copy = tempfile::tempdir().expect("a folder");
    for file in FILES {
        let target = copy.path().join(file);
        fs::create_dir_all(target.parent().expect("inside")).expect("a folder");
        fs::copy(printed.join(file), target).expect("a copy");
    }
    copy
}

fn lint(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("lint").args(arguments).current_dir(folder).env("LANDFALL_DATA", folder.join("no-data"));
    command.output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn findings_are_places_for_scripts() {
    let folder = copy_of_printed();
    let output = lint(folder.path(), &["--output", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let items = told["items"].as_array().expect("a list");
    let places: Vec<_> = items
        .iter()
        .map(|it| format!("{}:{}:{} {}", it["file"].as_str().unwrap_or_default(), it["line"], it["column"], it["code"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        ".github/workflows/ship.yml:1:6 LF-Y0010",
        ".github/workflows/ship.yml:12:27 LF-L0001",
        "Dockerfile:5:5 not-json",
        "greeter.yaml:1:12 LF-Y0010",
    ];
    assert_eq!(places, expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn repairs_are_written_once() {
    let folder = copy_of_printed();
    let first = lint(folder.path(), &["--fix"]);
    assert_eq!((first.status.code(), text(&first).lines().last()), (Some(0), Some("4 findings fixed, nothing is left")));
    let read = || FILES.map(|file| fs::read_to_string(folder.path().join(file)).expect("it is there"));
    let repaired = read();

    let second = lint(folder.path(), &["--fix"]);
    assert_eq!((second.status.code(), text(&second).as_str()), (Some(0), "nothing is wrong\n"));
    assert_eq!(read(), repaired);
}
