//! A server that deploys to a cluster that is there already: another installation's.

use crate::{
    installation::Installation,
    repository::Repository,
    shop::{GOOD, GOOD_ANSWER, Shop},
};

#[test]
fn a_pipeline_deploys_to_another_cluster_and_is_taken_back_there() {
    let Some(first) = Installation::start() else { return };
    first.import_busybox();
    let kubeconfig = first.told("kubeconfig");
    let registry = format!("{}/docker.io/library", first.told("registry"));
    let arguments = ["--kubeconfig", kubeconfig.as_str(), "--registry", registry.as_str()];
    let Some(second) = Installation::start_with(&arguments) else { return };
    let image: &'static str = format!("{registry}/busybox:1").leak();
    let good = Shop { image, ..GOOD };
    let repository: Repository = second.repository("shop");

    let pushed = good.push("shop", &repository);
    second.watch(&pushed.commit).ended_with(0);
    first.answers(&first.address("shop", "shop"), GOOD_ANSWER);
    second.landfall(&["ps"]).told("2/2");

    let pushed = Shop { greeting: "goodbye", health: "/not-there", ..good }.push("shop", &repository);
    second.watch(&pushed.commit).ended_with(10);
    second.landfall(&["explain", &pushed.commit]).told("LF-D0103");
    let map = first.object("shop", "configmap", "shop").expect("the ConfigMap is there");
    assert_eq!(map["data"]["GREETING"], "hello");
    first.answers(&first.address("shop", "shop"), GOOD_ANSWER);

    let releases = first.landfall(&["ps", "--output", "json"]).json();
    assert_eq!(releases["items"], serde_json::json!([]), "the first one deployed nothing itself");
}
