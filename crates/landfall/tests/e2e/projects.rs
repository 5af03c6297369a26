//! Two projects at once, each in its own namespace.

use crate::{
    installation::Installation,
    shop::{GOOD, GOOD_ANSWER},
};

#[test]
fn two_projects_deploy_at_once() {
    let Some(landfall) = Installation::start() else { return };
    landfall.import_busybox();
    let names = ["apples", "pears"];
    let commits = std::thread::scope(|scope| {
        let push = |name: &'static str| {
            let landfall = &landfall;
            scope.spawn(move || GOOD.push(name, &landfall.repository(name)).commit)
        };
        names.map(push).map(|pushing| pushing.join().expect("the push ends"))
    });
    for (name, commit) in names.iter().zip(&commits) {
        landfall.watch(commit).ended_with(0);
        landfall.answers(&landfall.address(name, name), GOOD_ANSWER);
        assert_eq!(landfall.pods(name).len(), 2);
    }
}

#[test]
fn a_job_cannot_reach_into_another_project() {
    let Some(landfall) = Installation::start() else { return };
    let victim = landfall.repository("victim");
    victim.workflow("  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: kubectl create configmap own --from-literal=a=b\n");
    landfall.watch(&victim.push().commit).ended_with(0);
    assert!(landfall.object("victim", "configmap", "own").is_some());

    let thief = landfall.repository("thief");
    thief.workflow(
        "  a:
    runs-on: ubuntu-latest
    steps:
      - run: kubectl get configmap own -n victim || echo refused to read
      - run: kubectl create configmap foreign --from-literal=a=b -n victim || echo refused to write
      - run: kubectl delete configmap own -n victim || echo refused to delete
      - run: kubectl create namespace third || echo refused to make
",
    );
    let pushed = thief.push();
    landfall.watch(&pushed.commit).ended_with(0);
    let log = landfall.logs("thief#1");
    for refused in ["refused to read", "refused to write", "refused to delete", "refused to make"] {
        assert!(log.lines().any(|line| line == refused), "not {refused}:\n{log}");
    }
    assert!(log.contains("orbidden"), "{log}");
    assert!(landfall.object("victim", "configmap", "own").is_some());
    assert_eq!(landfall.object("victim", "configmap", "foreign"), None);
}
