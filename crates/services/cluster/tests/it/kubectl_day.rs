//! The real kubectl through a day: looking, waiting, talking to pods, tidying up.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{home::Home, kubectl::DEPLOYMENT};

#[tokio::test(flavor = "multi_thread")]
async fn waiting_and_watching_see_changes() {
    let home = Home::start().await;
    home.check("apply -f -", DEPLOYMENT, 0, "deployment.apps/web created\n")
        .await;
    let mut watch = home
        .command(&[
            "get",
            "deployments",
            "-w",
            "-o",
            "jsonpath={.metadata.name} {.spec.replicas}{\"\\n\"}",
        ])
        .stderr(Stdio::inherit())
        .spawn()
        .expect("kubectl");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    assert_eq!(
        lines.next_line().await.expect("a line"),
        Some("web 2".to_owned())
    );
    home.check(
        "scale deployment web --replicas=4",
        "",
        0,
        "deployment.apps/web scaled\n",
    )
    .await;
    assert_eq!(
        lines.next_line().await.expect("a line"),
        Some("web 4".to_owned())
    );
    watch.kill().await.expect("killed");

    let waiting = home.kubectl(
        "wait deployment/web --for=condition=Available --timeout=30s",
        "",
    );
    let changing = async {
        let patch = r#"{"status":{"observedGeneration":2,"conditions":[{"type":"Available","status":"True"}]}}"#;
        let words = [
            "patch",
            "deployment",
            "web",
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        ];
        home.kubectl_words(&words, "").await
    };
    let (waited, changed) = tokio::join!(waiting, changing);
    assert_eq!(changed, (0, "deployment.apps/web patched\n".to_owned()));
    assert_eq!(
        waited,
        (0, "deployment.apps/web condition met\n".to_owned())
    );
    home.check(
        "wait deployment/web --for=jsonpath={.spec.replicas}=4 --timeout=30s",
        "",
        0,
        "deployment.apps/web condition met\n",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_discovered_and_explained() {
    let home = Home::start().await;
    let (code, kinds) = home.kubectl("api-resources -o name", "").await;
    let kinds: Vec<&str> = kinds.lines().collect();
    assert_eq!(code, 0);
    for expected in [
        "pods",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "events.events.k8s.io",
    ] {
        assert!(kinds.contains(&expected), "{expected} in {kinds:?}");
    }
    let (code, text) = home.kubectl("explain deployment.spec.replicas", "").await;
    assert_eq!(
        (code, text.lines().take(2).collect::<Vec<_>>().join(" ")),
        (0, "GROUP:      apps KIND:       Deployment".to_owned())
    );
    let (code, text) = home.kubectl("version", "").await;
    let server = text
        .lines()
        .find(|line| line.starts_with("Server Version: v1.34."));
    assert_eq!(
        (code, server),
        (0, Some("Server Version: v1.34.2+landfall")),
        "{text}"
    );
    home.check(
        "get statefulsets",
        "",
        1,
        "error: the server doesn't have a resource type \"statefulsets\"\n",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_get_an_account_a_node_and_speak() {
    let home = Home::start().await;
    home.check(
        "run p --image=busybox --restart=Never",
        "",
        0,
        "pod/p created\n",
    )
    .await;
    home.check(
        "get pod p -o jsonpath={.spec.serviceAccountName}/{.spec.containers[0].volumeMounts[0].mountPath}/{.spec.volumes[0].projected.sources[1].configMap.name}/{.status.phase}",
        "",
        0,
        "default//var/run/secrets/kubernetes.io/serviceaccount/kube-root-ca.crt/Pending",
    )
    .await;
    home.check("logs p", "", 0, "").await;
    let binding = r#"{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"apiVersion":"v1","kind":"Node","name":"node-1"}}"#;
    let (code, said) = home
        .kubectl(
            "create --raw /api/v1/namespaces/default/pods/p/binding -f -",
            binding,
        )
        .await;
    assert_eq!(code, 0, "{said}");
    home.check("get pod p -o jsonpath={.spec.nodeName}", "", 0, "node-1")
        .await;
    home.check("logs p", "", 0, "first line\nsecond line\n")
        .await;
    home.check("exec p -- true", "", 0, "hello from the pod\n")
        .await;
    home.check("delete pod p --wait=false", "", 0, "pod \"p\" deleted\n")
        .await;
    home.check(
        "get pod p -o jsonpath={.metadata.deletionGracePeriodSeconds}",
        "",
        0,
        "30",
    )
    .await;
    home.check(
        "delete pod p --force --grace-period=0",
        "",
        0,
        "pod \"p\" force deleted\nWarning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n",
    )
    .await;
    home.check(
        "get pods",
        "",
        0,
        "No resources found in default namespace.\n",
    )
    .await;
    home.check("create token default", "", 0, "default/default")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_prints_without_complaint() {
    let home = Home::start().await;
    home.check("run p --image=busybox", "", 0, "pod/p created\n")
        .await;
    home.check("apply -f -", DEPLOYMENT, 0, "deployment.apps/web created\n")
        .await;
    for what in [
        "pod p",
        "deployment web",
        "service kubernetes",
        "namespace default",
        "serviceaccount default",
    ] {
        let (code, text) = home.kubectl(&format!("describe {what}"), "").await;
        let first = text
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .next();
        assert_eq!((code, first), (0, Some("Name:")), "{what}: {text}");
    }
    home.check("delete pod p", "", 0, "pod \"p\" deleted\n")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_loses_its_pods() {
    let home = Home::start().await;
    home.check(
        "apply -f -",
        "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n",
        0,
        "node/node-1 created\n",
    )
    .await;
    home.check(
        "run p --image=busybox --restart=Never",
        "",
        0,
        "pod/p created\n",
    )
    .await;
    let binding = r#"{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"apiVersion":"v1","kind":"Node","name":"node-1"}}"#;
    let (code, said) = home
        .kubectl(
            "create --raw /api/v1/namespaces/default/pods/p/binding -f -",
            binding,
        )
        .await;
    assert_eq!(code, 0, "{said}");
    home.check("cordon node-1", "", 0, "node/node-1 cordoned\n")
        .await;
    // A grace of nothing stands for the node's agent, which is not here to end the pod.
    let (code, said) = home
        .kubectl("drain node-1 --force --grace-period=0 --timeout=30s", "")
        .await;
    let done: Vec<&str> = said.lines().filter(|line| line.ends_with("ed")).collect();
    assert_eq!(
        (code, done),
        (
            0,
            vec![
                "node/node-1 already cordoned",
                "pod/p evicted",
                "node/node-1 drained"
            ]
        ),
        "{said}"
    );
    home.check(
        "get pods",
        "",
        0,
        "No resources found in default namespace.\n",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_watched() {
    let home = Home::start().await;
    let mut watch = home
        .command(&["get", "namespaces", "--watch-only", "--no-headers"])
        .spawn()
        .expect("kubectl");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    // The watch starts some time after kubectl does; each new namespace is one more chance to be seen.
    let mut made = 0;
    let seen = loop {
        home.kubectl(&format!("create namespace n{made}"), "").await;
        made += 1;
        let next =
            tokio::time::timeout(std::time::Duration::from_millis(500), lines.next_line()).await;
        if let Ok(line) = next {
            break line.expect("a line").expect("more to come");
        }
    };
    let words: Vec<&str> = seen.split_whitespace().collect();
    assert_eq!((words[0].starts_with('n'), words[1]), (true, "Active"));
    watch.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn everyday_commands_work() {
    let home = Home::start().await;
    home.check(
        "create -f -",
        DEPLOYMENT,
        0,
        "deployment.apps/web created\n",
    )
    .await;
    home.check(
        "replace -f -",
        &DEPLOYMENT.replace("replicas: 2", "replicas: 4"),
        0,
        "deployment.apps/web replaced\n",
    )
    .await;
    home.check(
        "expose deployment web --port=80 --target-port=8080",
        "",
        0,
        "service/web exposed\n",
    )
    .await;
    home.check(
        "get service web -o jsonpath={.spec.selector.app}/{.spec.ports[0].targetPort}",
        "",
        0,
        "web/8080",
    )
    .await;
    home.check(
        "rollout restart deployment/web",
        "",
        0,
        "deployment.apps/web restarted\n",
    )
    .await;
    home.check(
        "get deployment -l app=web -o name",
        "",
        0,
        "deployment.apps/web\n",
    )
    .await;
    home.check(
        "get deployment -l app!=web",
        "",
        0,
        "No resources found in default namespace.\n",
    )
    .await;
    home.check(
        "get all -o name",
        "",
        0,
        "service/kubernetes\nservice/web\ndeployment.apps/web\n",
    )
    .await;
    home.check("events", "", 0, "No events found in default namespace.\n")
        .await;
    home.check(
        "get events",
        "",
        0,
        "No resources found in default namespace.\n",
    )
    .await;
    home.check("auth can-i get pods --subresource=log", "", 0, "yes\n")
        .await;
    let (code, said) = home
        .kubectl("auth whoami -o jsonpath={.status.userInfo.username}", "")
        .await;
    assert_eq!((code, said.as_str()), (0, "kubernetes-admin"));
    home.check(
        "set env deployment/web COLOR=blue",
        "",
        0,
        "deployment.apps/web env updated\n",
    )
    .await;
    home.check(
        "set resources deployment web --limits=cpu=200m,memory=64Mi",
        "",
        0,
        "deployment.apps/web resource requirements updated\n",
    )
    .await;
    home.check(
        "delete deployment web --cascade=orphan --wait=false",
        "",
        0,
        "deployment.apps \"web\" deleted\n",
    )
    .await;
    home.check(
        "get deployment web -o jsonpath={.metadata.finalizers}",
        "",
        0,
        "[\"orphan\"]",
    )
    .await;
    home.check(
        "create configmap a --from-literal=x=y",
        "",
        0,
        "configmap/a created\n",
    )
    .await;
    home.check(
        "create configmap b --from-literal=x=y",
        "",
        0,
        "configmap/b created\n",
    )
    .await;
    home.check(
        "delete configmap --all",
        "",
        0,
        "configmap \"a\" deleted\nconfigmap \"b\" deleted\nconfigmap \"kube-root-ca.crt\" deleted\n",
    )
    .await;
    home.check("delete namespace default", "", 1, "Error from server (Forbidden): namespaces \"default\" is forbidden: this namespace may not be deleted\n").await;
    let (code, said) = home.kubectl("cluster-info", "").await;
    assert_eq!((code, said.contains("CoreDNS")), (0, true), "{said}");
}
