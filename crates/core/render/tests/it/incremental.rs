//! A change renders anew only what read what has changed.

use std::cell::Cell;

use files::{FileEntry, Files, FilesError, MemoryFiles, Reads};
use render::{Chance, Request};

const TREE: &[(&str, &str)] = &[
    ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("chart/values.yaml", "replicas: 1\n"),
    ("chart/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {r: '{{ .Values.replicas }}'}\n"),
    ("base/kustomization.yaml", "resources: [a.yaml]\n"),
    ("base/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ("base/README.md", "base\n"),
    ("prod/kustomization.yaml", "resources: [../base]\nconfigMapGenerator: [{name: c, files: [c.txt]}]\n"),
    ("prod/c.txt", "c\n"),
    ("staging/kustomization.yaml", "resources: [../base]\n"),
    ("charted/kustomization.yaml", "helmGlobals: {chartHome: home}\nhelmCharts: [{name: web, releaseName: web}]\n"),
    ("charted/home/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("charted/home/web/values.yaml", "replicas: 1\n"),
    ("charted/home/web/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ("plain/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
];

const FOLDERS: [&str; 5] = ["chart", "charted", "plain", "prod", "staging"];

#[test]
fn only_what_read_a_changed_file_is_rendered_again() {
    check("base/a.yaml", Some("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"), "prod staging");
    check("base/README.md", Some("other\n"), "");
    check("README.md", Some("new\n"), "");
    check("chart/values.yaml", Some("replicas: 2\n"), "chart");
    check("chart/templates/b.yaml", Some("# new\n"), "chart");
    check("chart/templates/a.yaml", None, "chart");
    check("charted/home/web/values.yaml", Some("replicas: 2\n"), "charted");
    check("prod/c.txt", Some("d\n"), "prod");
    check("prod/kustomization.yml", Some("resources: []\n"), "prod");
    check("plain/b.yaml", Some("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"), "plain");
    check("elsewhere/plain/b.yaml", Some("a: 1\n"), "");
}

/// Changes one file and tells which folders must be rendered again.
#[track_caller]
fn check(path: &str, text: Option<&str>, expected: &str) {
    let before = tree();
    let reads: Vec<(&str, Reads)> = FOLDERS.iter().map(|it| (*it, render(&before, it))).collect();
    let mut after = tree();
    match text {
        Some(text) => after.insert(path, text.as_bytes()).expect("clean path"),
        None => drop(after.remove(path)),
    }
    let again: Vec<&str> = reads.iter().filter(|(_, reads)| !reads.still_hold(&after)).map(|(folder, _)| *folder).collect();
    assert_eq!(again.join(" "), expected, "after a change of {path}");
}

#[test]
fn asking_whether_reads_hold_reads_nothing_else() {
    let tree = tree();
    let reads = render(&tree, "staging");
    let counted = Counted { inner: &tree, asked: Cell::new(0) };
    assert!(reads.still_hold(&counted));
    let known = reads.files.len() + reads.folders.len() + reads.absent_files.len() + reads.absent_folders.len();
    assert_eq!(counted.asked.get(), known);
}

struct Counted<'a> {
    inner: &'a MemoryFiles,
    asked: Cell<usize>,
}

impl Files for Counted<'_> {
    fn read(&self, path: &str) -> Result<Option<std::sync::Arc<[u8]>>, FilesError> {
        self.asked.set(self.asked.get() + 1);
        self.inner.read(path)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        self.asked.set(self.asked.get() + 1);
        self.inner.list(folder)
    }
}

fn render(tree: &MemoryFiles, folder: &str) -> Reads {
    let request = Request::of(folder, Chance { now: 0, key: [0; 32] });
    render::render(tree, &request).unwrap_or_else(|error| panic!("{folder}: {error}")).reads
}

fn tree() -> MemoryFiles {
    let mut tree = MemoryFiles::new();
    for (path, text) in TREE {
        tree.insert(*path, text.as_bytes()).expect("clean path");
    }
    tree
}
