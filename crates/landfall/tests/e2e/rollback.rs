//! A bad release is rolled back with its configuration.

use serde_json::Value;

use crate::{
    installation::Installation,
    shop::{self, GOOD, GOOD_ANSWER, Shop},
    wait::until,
};

#[test]
fn a_bad_release_is_taken_back_with_all_it_changed() {
    let Some((landfall, repository)) = shop::serving("shop") else { return };
    let (before, pods) = (configuration(&landfall), landfall.pods("shop"));
    let bad = Shop {
        greeting: "goodbye",
        secret: "second",
        health: "/not-there",
        added: "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: added\ndata: {A: b}\n",
        ..GOOD
    };
    let pushed = bad.push("shop", &repository);

    landfall.watch(&pushed.commit).ended_with(10);
    assert_eq!(configuration(&landfall), before);
    assert_eq!(landfall.object("shop", "configmap", "added"), None);
    until("the bad pods are gone, and those that served go on", || (landfall.pods("shop") == pods).then_some(()));
    landfall.answers(&landfall.address("shop", "shop"), GOOD_ANSWER);

    pushed.git.told("rolled back").told("LF-D0103");
    let releases = landfall.thread(&pushed.commit)["releases"].take();
    assert_eq!(releases[0]["state"], "rolled_back");
    assert_eq!(releases[0]["rolled_back_to"], "shop/production@1");
    assert_eq!(releases[0]["leftovers"], serde_json::json!([]));
    landfall.landfall(&["explain", &pushed.commit]).ended_with(0).told("LF-D0103").told("404").told("shop/production@1");
}

#[test]
fn a_person_can_go_back() {
    let Some((landfall, repository)) = shop::serving("shop") else { return };
    let second = Shop { greeting: "welcome", secret: "second", ..GOOD }.push("shop", &repository);
    landfall.watch(&second.commit).ended_with(0);

    landfall.landfall(&["rollback", "shop"]).ended_with(0);
    assert_eq!(configuration(&landfall)[0], serde_json::json!({"GREETING": "hello"}));
    let explained = landfall.landfall(&["explain", &second.commit]);
    explained.told("LF-D0110");
}

/// What the release changes of the objects that were there before.
fn configuration(landfall: &Installation) -> [Value; 3] {
    let part = |kind: &str, pointer: &str| {
        let object = landfall.object("shop", kind, "shop").expect("the object is there");
        object.pointer(pointer).cloned().unwrap_or_default()
    };
    [part("configmap", "/data"), part("secret", "/data"), part("deployment", "/spec")]
}
