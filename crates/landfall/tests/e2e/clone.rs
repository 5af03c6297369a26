//! The Git host as a remote that people fetch from.

use crate::installation::Installation;

#[test]
fn what_was_pushed_can_be_cloned() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    let first = repository.write("README", "one\n").push().commit;
    let second = repository.write("README", "two\n").push().commit;
    let url = format!("{}/shop.git", landfall.told("git_url"));

    let whole = landfall.folder("clones").join("whole");
    let whole = whole.to_str().expect("the path is text");
    repository.git(&["clone", "--quiet", &url, whole]).succeeded();
    let commits = repository.git(&["-C", whole, "log", "--format=%H"]).succeeded();
    assert_eq!(commits.lines().collect::<Vec<_>>(), [second.as_str(), first.as_str()]);

    let shallow = landfall.folder("clones").join("shallow");
    let shallow = shallow.to_str().expect("the path is text");
    repository.git(&["clone", "--quiet", "--depth", "1", &url, shallow]).succeeded();
    let commits = repository.git(&["-C", shallow, "log", "--format=%H"]).succeeded();
    assert_eq!(commits.trim(), second);
}

#[test]
fn a_push_without_a_workflow_starts_nothing_and_says_so() {
    let Some(landfall) = Installation::start() else { return };
    let pushed = landfall.repository("plain").write("README", "one\n").push();
    landfall.watch(&pushed.commit).ended_with(5).told(".github/workflows");
}
