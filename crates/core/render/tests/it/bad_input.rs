//! What is wrong is told with its place; what the original takes is taken.

use files::MemoryFiles;
use render::{Chance, Request, Wanted};

const TWICE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"1\"\n  y: \"2\"\n  x: \"3\"\n";
const NAMELESS: &str = "apiVersion: v1\nkind: ConfigMap\n";

/// What a folder comes to: the text, or the lines of the error.
fn rendered(files: &[(&str, &str)], folder: &str, wanted: Wanted) -> Result<String, String> {
    let mut tree = MemoryFiles::new();
    for (path, text) in files {
        tree.insert(*path, text.as_bytes()).expect("clean path");
    }
    let mut request = Request::of(folder, Chance { now: 0, key: [0; 32] });
    request.wanted = wanted;
    render::render(&tree, &request).map(|it| it.text).map_err(|error| error.lines().join("\n"))
}

#[test]
fn a_key_that_stands_twice_is_told_with_both_lines() {
    let check = |folder: &str, files: &[(&str, &str)]| {
        let error = rendered(files, folder, Wanted::Objects).expect_err("twice");
        assert!(error.contains("a.yaml") && error.contains("`x`") && error.contains("line 5") && error.contains('7'), "{folder}: {error}");
    };
    check("plain", &[("plain/a.yaml", TWICE)]);
    check("kustomized", &[("kustomized/kustomization.yaml", "resources: [a.yaml]\n"), ("kustomized/a.yaml", TWICE)]);
}

#[test]
fn of_what_a_chart_writes_the_last_one_counts() {
    let chart = [("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"), ("c/templates/a.yaml", TWICE)];
    for wanted in [Wanted::Objects, Wanted::Text] {
        assert_eq!(rendered(&chart, "c", wanted), Ok(format!("---\n# Source: c/templates/a.yaml\n{TWICE}")));
    }
}

#[test]
fn only_objects_need_a_name() {
    let chart = [("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"), ("c/templates/a.yaml", NAMELESS)];
    assert_eq!(rendered(&chart, "c", Wanted::Text), Ok(format!("---\n# Source: c/templates/a.yaml\n{NAMELESS}")));
    let error = rendered(&chart, "c", Wanted::Objects).expect_err("no name");
    assert!(error.contains("the ConfigMap has no name"), "{error}");
}
