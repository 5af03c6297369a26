//! Findings about charts, beside those of the tool.

use std::process::Command;

use files::MemoryFiles;
use helm::{Compat, Release, RenderOptions, lint};

use crate::{case::Case, tool};

fn check(files: &str) {
    let case = Case::parse("linted", files);
    let place = tempfile::tempdir().expect("a folder");
    case.write(place.path());
    let output = Command::new(tool::path(Compat::Helm4))
        .args(["lint", "chart"])
        .current_dir(place.path())
        .env("HOME", place.path())
        .output()
        .expect("the referee starts");
    let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let here = place.path().join("chart").display().to_string();
    let theirs: Vec<String> = all
        .lines()
        .filter(|line| line.starts_with("[INFO]") || line.starts_with("[WARN") || line.starts_with("[ERR"))
        .map(|line| line.replace(&here, ""))
        .collect();

    let mut tree = MemoryFiles::new();
    for (path, content) in &case.files {
        tree.insert(path.as_str(), content.as_slice()).expect("a clean path");
    }
    let options = RenderOptions::new(Release::new("test-release", "default"), Compat::Helm4);
    let ours: Vec<String> = lint(&tree, "", &options)
        .iter()
        .map(|finding| finding.to_string().lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(ours, theirs, "{files}");
}

const GOOD: &str = "-- Chart.yaml --\napiVersion: v2\nname: l\nversion: 0.1.0\nicon: https://x/y.png\n-- values.yaml --\na: 1\n";

#[test]
fn findings_are_those_of_the_tool() {
    check("-- Chart.yaml --\napiVersion: v2\nname: l\nversion: 0.1.0\n-- templates/_h.tpl --\n");
    check(GOOD);
    check(&format!("{GOOD}-- templates/a.yaml --\nkind: {{{{ .Values.a.b }}}}\n"));
    check(&format!("{GOOD}-- templates/a.yaml --\nkind: A\nmetadata: {{name: ok}}\nx: {{{{ required \"x\" .Values.q }}}}{{{{ fail \"y\" }}}}\n"));
    check(&format!("{GOOD}-- templates/a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"A_b\"}}\n"));
    check(&format!("{GOOD}-- templates/a.yaml --\nkind: A\na: b: c\n"));
    check(&format!("{GOOD}-- templates/b.json --\n\n"));
    check(&format!("{GOOD}-- templates/_h.tpl --\n-- charts/k/Chart.yaml --\napiVersion: v2\nname: k\nversion: 0.1.0\n"));
    check("-- Chart.yaml --\napiVersion: v2\nname: l\nversion: 0.1.0\n-- values.yaml --\na: b: c\n-- templates/_h.tpl --\n");
}
