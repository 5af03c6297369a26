//! Points of the workflow language that no other test touches, in whole files, by `landfall run`.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::{
    act::{Told, told_by_landfall},
    program::{Ran, run},
};

const FILES: [(&str, &str); 9] = [
    (".github/workflows/language.yml", include_str!("points/language.yml")),
    (".github/workflows/dispatched.yml", include_str!("points/dispatched.yml")),
    (".github/workflows/whole.yml", include_str!("points/whole.yml")),
    (".github/workflows/c.yml", include_str!("points/c.yml")),
    ("outer/action.yml", include_str!("points/outer.yml")),
    ("inner/action.yml", include_str!("points/inner.yml")),
    ("js/action.yml", include_str!("points/js.yml")),
    ("js/m.js", include_str!("points/m.js")),
    ("js/p.js", include_str!("points/p.js")),
];

struct Folder {
    place: TempDir,
}

impl Folder {
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "a local run makes sandboxes, so this test needs root");
        let it = Self { place: tempfile::Builder::new().prefix("landfall-points-").tempdir().expect("a folder") };
        for (path, text) in FILES.into_iter().chain([("f.txt", "x\n")]) {
            let file = it.path("shop").join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        fs::create_dir_all(it.path("tmp")).expect("a folder");
        let mut git = Command::new("git");
        run(git.args(["init", "--quiet", "--initial-branch=main"]).current_dir(it.path("shop"))).succeeded();
        it
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.arg("run").args(arguments).current_dir(self.path("shop"));
        command.env("TMPDIR", self.path("tmp")).env("LANDFALL_DATA", self.path("data"));
        run(&mut command)
    }
}

/// Jobs in their order, legs parted by `//`.
fn shown(told: &Told) -> String {
    let legs = |legs: &Vec<String>| legs.iter().map(|leg| leg.trim_end().replace("> ", "").replace('\n', " | ")).collect::<Vec<_>>().join(" // ");
    told.iter().map(|(job, all)| format!("{job}: {}\n", legs(all))).collect()
}

#[test]
fn the_language_to_the_letter() {
    let folder = Folder::new();
    let ran = folder.run(&["--workflow", "language.yml"]);
    let expected = "\
anchors: anchored 1 two | anchored 1 two | = success
background: before [] | after [1] | 1 2 | end | = success
commands: done | = success
expr: true true true true true | true true false | 0 1E+15 1E-05 1.1 255 5 0.5 | 1 2 Object | true {x} a 1,Array | x refs/heads/main refs/heads/main 20 | 1 [] [] | it's }} fine \"x\" Array | = success
file-commands: {  \"a\": \"1=2\",  \"b\": \"x\\n\\ny\"} | [] [1] | failure | = success
keys: job 1 2 | a kept end of line makes a text | = success
matrix: 1 p  0 of 3 false | = success // 2 p z 1 of 3 false | = success // 9   2 of 3 false | = success
outputs: = success
shells: /tmp pipefail on | [] | sh [e] | root kept | failure | = success
use-outputs: 1 yes success | = success
yaml: on no 3.1 1E+15 31 12 true [] 12_345 2001-01-01 | = success
";
    assert_eq!(shown(&told_by_landfall(&ran.out)), expected, "{ran}");
    for line in ["notice: f.txt:1: a % message", "warning: upper", "error: indented", "warning: legacy", "::unknown::plain"] {
        ran.told(line);
    }
}

#[test]
fn inputs_actions_timeouts_and_ends() {
    let folder = Folder::new();
    let ran = folder.run(&["--workflow", "dispatched.yml", "--input", "s=given"]);
    let expected = "\
after: after | = success
composite: in the workspace | main inner from-outer | main outer  | inner val-x from-outer|step|inner failure [] job /tmp | \
in the workspace | main inner from-outer | composite failed | failure | main last  | post last | post inner | post outer | post inner | = success
fail-fast: = failure
inputs: given false 3 b [] true true | = success
job-timeout: always after job timeout cancelled | cancelled
sum: [] true X64 success 1 90 | writable | = success
timeouts: failure success | = success
";
    assert_eq!(shown(&told_by_landfall(&ran.out)), expected, "{ran}");
    ran.ended_with(1).told("maintainers: failure in ");
}

#[test]
fn keys_of_every_kind_are_read_and_act() {
    let folder = Folder::new();
    let ran = folder.run(&["--workflow", "whole.yml"]);
    let expected = "\
Name main: success __run .github/workflows/whole.yml | acme/app:main | = success
b: 1 [] | = success // 2 [x] | = success
d: {\"o\":\"success-5-true-Whole\"} | = success
j: called success Whole .github/workflows/c.yml | = success // called success Whole .github/workflows/c.yml | = success
";
    assert_eq!(shown(&told_by_landfall(&ran.out)), expected, "{ran}");
    ran.ended_with(0);
}
