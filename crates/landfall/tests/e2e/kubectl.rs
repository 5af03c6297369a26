//! The cluster through the machine's own kubectl.

use crate::shop::{self, GOOD_ANSWER};

#[test]
fn people_find_their_way_with_kubectl() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let kubectl = |line: &str| landfall.kubectl(&[&["-n", "shop"], &line.split(' ').collect::<Vec<_>>()[..]].concat());

    kubectl("get deployments").ended_with(0).told("READY").told("2/2");
    kubectl("get pods -o wide").ended_with(0).told("Running");
    kubectl("describe deployment shop").ended_with(0).told("2 available");
    kubectl("describe pods -l app=shop").ended_with(0).told("Readiness").told("Started container shop");
    kubectl("exec deployment/shop -- cat /www/index.html").ended_with(0).told(GOOD_ANSWER);
    kubectl("exec deployment/shop -- sh -c false").ended_with(1);
    kubectl("logs deployment/shop --tail=5").ended_with(0);
    kubectl("auth can-i create deployments").ended_with(0).told("yes");
    kubectl("explain deployment.spec.replicas").ended_with(0).told("integer");
}

#[test]
fn a_deployment_is_changed_and_taken_back_with_kubectl() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let kubectl = |line: &str| landfall.kubectl(&[&["-n", "shop"], &line.split(' ').collect::<Vec<_>>()[..]].concat());
    let address = landfall.address("shop", "shop");

    kubectl("scale deployment shop --replicas=3").ended_with(0);
    kubectl("rollout status deployment/shop --timeout=60s").ended_with(0);
    kubectl("wait --for=jsonpath={.status.readyReplicas}=3 deployment/shop --timeout=60s").ended_with(0);

    kubectl("set env deployment/shop GREETING=changed").ended_with(0);
    kubectl("rollout status deployment/shop --timeout=60s").ended_with(0);
    landfall.answers(&address, "changed first");
    kubectl("rollout history deployment/shop").ended_with(0).told("2");
    kubectl("rollout undo deployment/shop").ended_with(0);
    kubectl("rollout status deployment/shop --timeout=60s").ended_with(0);
    landfall.answers(&address, GOOD_ANSWER);

    kubectl("delete deployment shop --wait=true").ended_with(0);
    kubectl("wait --for=delete pods -l app=shop --timeout=60s").ended_with(0);
    assert_eq!(landfall.pods("shop"), Vec::<String>::new());
}

#[test]
fn pods_reach_services_by_name() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    for name in ["shop", "shop.shop", "shop.shop.svc.cluster.local"] {
        let url = format!("http://{name}/");
        let asked = landfall.kubectl(&["-n", "shop", "exec", "deployment/shop", "--", "wget", "-q", "-O", "-", &url]);
        assert_eq!(asked.succeeded().trim(), GOOD_ANSWER, "{name}");
    }
}

#[test]
fn a_deleted_pod_comes_back() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let before = landfall.pods("shop");
    landfall.kubectl(&["-n", "shop", "delete", &before[0], "--wait=true"]).ended_with(0);
    crate::wait::until("two pods are ready again", || {
        let pods = landfall.object("shop", "deployment", "shop")?;
        (pods["status"]["readyReplicas"] == 2 && !landfall.pods("shop").contains(&before[0])).then_some(())
    });
    landfall.answers(&landfall.address("shop", "shop"), GOOD_ANSWER);
}
