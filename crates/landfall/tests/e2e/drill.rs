//! Ways back that are tried in a copy: proven, or what stands in the way is told.

use serde_json::Value;

use crate::{
    gitops::{ALONE, NEVER_READY, deployment, follow, good, prepare, settings, until_state},
    installation::{Installation, curl},
    program::Ran,
    shop::{self, GOOD, Shop},
    wait::{until, until_ok},
};

fn drill(landfall: &Installation, arguments: &[&str]) -> Ran {
    landfall.landfall(&[&["drill", "rollback", "--timeout", "100s", "--output", "json"], arguments].concat())
}

/// The codes of what was found, each with its weight.
fn codes(drill: &Ran) -> Vec<String> {
    let drill: Value = serde_json::from_str(&drill.out).unwrap_or_else(|error| panic!("no JSON: {error}\n{drill}"));
    let findings = drill["findings"].as_array().expect("a list");
    findings.iter().map(|it| format!("{} {}", it["weight"].as_str().unwrap_or("-"), it["code"].as_str().unwrap_or("-"))).collect()
}

/// No namespace of a drill is left.
fn check_clean(landfall: &Installation) {
    let told = landfall.kubectl(&["get", "namespaces", "-o", "name"]).succeeded();
    assert!(!told.contains("drill"), "{told}");
}

#[test]
fn the_way_back_of_an_app_is_proven_in_a_copy() {
    let Some((landfall, repository)) = prepare() else { return };
    let first = good(&landfall, &repository);
    drill(&landfall, &["shop"]).ended_with(1).told("LF-D0301");

    // What people made by hand is in the copy, too.
    landfall.kubectl(&["-n", "shop", "create", "secret", "generic", "by-hand", "--from-literal=KEY=x"]).ended_with(0);
    let with_secret = "          envFrom: [{secretRef: {name: by-hand}}, {configMapRef: {name: settings}}]";
    repository.write("k8s/web.yaml", deployment("web", "", with_secret)).write("k8s/added.yaml", settings("added", "new"));
    let second = repository.push().commit;
    until_state(&landfall, &second, "synced healthy healthy");
    assert_ne!(first, second);

    let found = drill(&landfall, &["shop"]).ended_with(0);
    let told: Value = serde_json::from_str(&found.out).expect("JSON");
    assert_eq!((told["state"].as_str(), told["from"].as_str(), told["to"].as_str()), (Some("proven"), Some("deployment 2"), Some("deployment 1")));
    let steps: Vec<_> = told["steps"].as_array().expect("a list").iter().map(|it| format!("{} {}", it["name"].as_str().unwrap_or("-"), it["state"].as_str().unwrap_or("-"))).collect();
    assert_eq!(
        steps,
        [
            "examine both states done",
            "make the copy done",
            "deploy deployment 1 done",
            "deploy deployment 2 done",
            "go back to deployment 1 done",
            "compare field by field done",
            "remove the copy done",
        ]
    );
    assert_eq!(codes(&found), Vec::<String>::new());
    check_clean(&landfall);
    landfall.landfall(&["drill", "rollback", "nobody"]).ended_with(5).told("no app and no environment");

    // An image that is gone.
    let image = landfall.landfall(&["image", "ls", "--output", "json"]).json();
    let digest = image["items"][0]["digest"].as_str().expect("a digest");
    let url = format!("http://{}/v2/docker.io/library/busybox/manifests/{digest}", landfall.told("registry"));
    let user = format!("landfall:{}", landfall.token());
    until_ok("the image is deleted", || {
        let asked = curl(&["--request", "DELETE", "--user", &user, "--write-out", "%{http_code}", &url]);
        if asked.out.ends_with("202") { Ok(()) } else { Err(asked.to_string()) }
    });
    let found = drill(&landfall, &["shop"]).ended_with(1);
    assert!(codes(&found).contains(&"blocks LF-D0304".to_owned()), "{found}");
    check_clean(&landfall);
}

#[test]
fn what_stands_in_the_way_is_told_before_it_is_deployed() {
    let Some((landfall, repository)) = prepare() else { return };
    good(&landfall, &repository);
    follow(&landfall, "path: k8s", "");
    let hook = "apiVersion: v1
kind: Pod
metadata:
  name: migrate
  annotations: {argocd.argoproj.io/hook: PreSync, landfall.dev/irreversible: 'true'}
spec:
  restartPolicy: Never
  containers: [{name: main, image: 'busybox:1', command: [/bin/sh, -c, 'exit 0']}]
";
    let other = deployment("web", "", "").replace("matchLabels: {app: web}", "matchLabels: {app: other}").replace("labels: {app: web}", "labels: {app: other}");
    repository.write("k8s/web.yaml", other).write("k8s/migrate.yaml", hook).push();
    until("the warning is told", || landfall.landfall(&["app", "get", "shop"]).out.contains("IrreversibleHook").then_some(()));

    let found = drill(&landfall, &["shop", "--next"]).ended_with(1);
    let codes = codes(&found);
    for code in ["blocks LF-D0302", "blocks LF-D0303", "note LF-D0305", "unproven LF-D0308"] {
        assert!(codes.iter().any(|it| it == code), "`{code}` is not told by\n{found}");
    }
    check_clean(&landfall);

    // Deployed all the same and bad: what the hook did keeps it from being taken back by itself.
    repository.write("k8s/web.yaml", deployment("web", "", NEVER_READY));
    let bad = repository.push().commit;
    follow(&landfall, "path: k8s", ALONE);
    let app = until_state(&landfall, &bad, "synced degraded failed");
    assert_eq!(app["status"]["conditions"][0]["kind"], "IrreversibleHook", "{app:#}");
    landfall.landfall(&["app", "rollback", "shop", "1"]).ended_with(0).told("Held at 1");
}

#[test]
fn the_way_back_of_an_environment_is_proven_in_a_copy() {
    let Some((landfall, repository)) = shop::serving("shop") else { return };
    let second = Shop { greeting: "welcome", secret: "second", ..GOOD }.push("shop", &repository);
    landfall.watch(&second.commit).ended_with(0);
    let found = landfall.landfall(&["drill", "rollback", "shop"]).ended_with(0);
    found.told("✓ compare field by field").told("the way back of shop/production from shop/production@2 to shop/production@1 is proven");
    check_clean(&landfall);
}
