//! A Node app as a web page prints it: three slips, each found exactly and repaired.

use std::{fs, path::Path};

use lint::Tree;

const ACTIONS: [&str; 1] = ["actions/checkout"];
const FILES: [&str; 5] = [".github/workflows/ship.yml", "Dockerfile", "greeter.yaml", "package.json", "server.js"];

fn printed() -> Tree {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../landfall/tests/fixtures/greeter-as-printed");
    let mut tree = Tree::default();
    for file in FILES {
        tree.add(file, Some(fs::read_to_string(folder.join(file)).expect("the fixture is there")));
    }
    tree
}

fn show(found: &[yaml::Diagnostic]) -> String {
    found.iter().map(|it| format!("{it}\n")).collect()
}

#[test]
fn every_slip_has_its_exact_place_in_one_pass() {
    let expected = "\
.github/workflows/ship.yml:1:6: error[LF-Y0010]: non-breaking space (U+00A0) at line 1, column 6
.github/workflows/ship.yml:12:27: error[LF-L0001]: `example/greeter:latest` is pushed, but no step of job `ship` builds or tags it
Dockerfile:5:5: warning[not-json]: `[\"npm\"\"start\"]` is not a JSON array, so Docker takes it as shell form and runs `/bin/sh -c '[\"npm\"\"start\"]'`, which exits 127 (command not found)
greeter.yaml:1:12: error[LF-Y0010]: non-breaking space (U+00A0) at line 1, column 12
";
    assert_eq!(show(&lint::check(&printed(), &ACTIONS)), expected);
}

#[test]
fn the_push_is_explained_with_what_was_built_instead() {
    let tree = printed();
    let found = lint::check(&tree, &ACTIONS);
    let push = found.iter().find(|it| it.code == "LF-L0001").expect("found");
    let expected = "\
error[LF-L0001]: `example/greeter:latest` is pushed, but no step of job `ship` builds or tags it
  --> .github/workflows/ship.yml:12:27
   |
12 |         run:  docker push example/greeter:latest
   |                           ^^^^^^^^^^^^^^^^^^^^^^ no image has this name
   |
   = help: line 10 builds `greeter:latest` instead (step `Make the image`)
   = help: write there `docker build -t example/greeter:latest .`
   = help: or name it again before the push: `docker tag greeter:latest example/greeter:latest`";
    assert_eq!(push.render(tree.text(&push.file).expect("read")).replace('\u{a0}', " "), expected);
}

#[test]
fn repairing_leaves_nothing_and_is_done_once() {
    let fixed = lint::fix(printed(), &ACTIONS);
    assert_eq!(show(&fixed.left), "");
    let workflow = fixed.tree.text(FILES[0]).expect("read");
    assert!(workflow.is_ascii() && workflow.contains("-t example/greeter:latest .\n"), "{workflow}");
    assert_eq!(fixed.tree.text("Dockerfile").and_then(|it| it.lines().last()), Some("CMD [\"npm\", \"start\"]"));
    assert_eq!(fixed.changed.len(), 3);

    let again = lint::fix(fixed.tree, &ACTIONS);
    assert_eq!((again.changed.len(), again.repaired.len()), (0, 0));
}
