//! Canaries and blue-green changes of apps that follow Git, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use serde_json::Value;

use crate::{
    installation::{Installation, curl},
    repository::Repository,
    restart::{kill, server},
    wait::{until, until_ok},
};

/// An installation with the image of the tests, and the working copy of the project `shop`.
fn prepare() -> Option<(Installation, Repository)> {
    let landfall = Installation::start()?;
    landfall.import_busybox();
    let repository = landfall.repository("shop");
    let file = landfall.folder("apps").join("shop.yaml");
    let text = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  project: default
  source: {repoURL: shop, targetRevision: main, path: k8s}
  destination: {name: in-cluster, namespace: shop}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [CreateNamespace=true]
";
    std::fs::write(&file, text).expect("a file can be written");
    write(&repository, "rolling", "one", 200);
    let commit = repository.push().commit;
    landfall.landfall(&["app", "apply", "-f", file.to_str().expect("the path is text")]).ended_with(0);
    until_state(&landfall, &commit, "synced healthy 1 healthy");
    Some((landfall, repository))
}

/// A pod that runs once, before or after everything else.
fn hook(repository: &Repository, name: &str, phase: &str) {
    let text = format!(
        "apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {{argocd.argoproj.io/hook: {phase}}}
spec:
  restartPolicy: Never
  containers: [{{name: main, image: 'busybox:1', command: [/bin/sh, -c, 'exit 0']}}]
"
    );
    repository.write(&format!("k8s/{name}.yaml"), text);
}

/// A Deployment of two pods that answer with `answer` and `status`, and its Service.
fn write(repository: &Repository, plan: &str, answer: &str, status: u16) {
    let text = format!(
        r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {{landfall.dev/rollout: '{plan}'}}
spec:
  replicas: 2
  progressDeadlineSeconds: 60
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1
          env: [{{name: ANSWER, value: '{answer}'}}, {{name: STATUS, value: '{status}'}}]
          command:
            - /bin/sh
            - -c
            - |
              mkdir -p /www/cgi-bin
              echo ready > /www/index.html
              {{
                echo '#!/bin/sh'
                echo "echo 'Status: $STATUS Told'"
                echo "echo 'Content-Type: text/plain'"
                echo "echo"
                echo "echo $ANSWER"
              }} > /www/cgi-bin/answer
              /bin/busybox chmod 755 /www/cgi-bin/answer
              exec httpd -f -p 8080 -h /www
          readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"#
    );
    repository.write("k8s/web.yaml", text);
}

fn app(landfall: &Installation) -> Value {
    landfall.landfall(&["app", "get", "shop", "--output", "json"]).json()
}

/// Waits until the app is so at a commit: sync, health, number and state of the latest deployment.
#[track_caller]
fn until_state(landfall: &Installation, commit: &str, expected: &str) -> Value {
    until_ok(&format!("the app is {expected} at {commit}"), || {
        let app = app(landfall);
        let status = &app["status"];
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let last = status["history"].as_array().and_then(|it| it.last()).cloned().unwrap_or_default();
        let found = format!("{} {} {} {}", word(&status["sync"]), word(&status["health"]), last["id"], word(&last["state"]));
        let is_there = found == expected && word(&status["seen"]["commits"][0]) == commit && status["operation"].is_null();
        if is_there { Ok(app) } else { Err(format!("{found}\n{app:#}")) }
    })
}

/// Waits until the one roll-out of the app is in this phase at this weight.
#[track_caller]
fn until_rollout(landfall: &Installation, expected: &str) -> Value {
    until_ok(&format!("the roll-out is {expected}"), || {
        let app = app(landfall);
        let it = &app["status"]["rollout"]["workloads"][0];
        let found = format!("{} {} {}", it["phase"].as_str().unwrap_or("-"), it["weight"], if it["paused"] == true { "paused" } else { "moves" });
        if found == expected { Ok(it.clone()) } else { Err(format!("{found}\n{app:#}")) }
    })
}

/// The second Deployment and the division of requests are gone.
#[track_caller]
fn nothing_is_left(landfall: &Installation) {
    until("the second Deployment is gone", || landfall.object("shop", "deployment", "web-canary").is_none().then_some(()));
    until_ok("requests are not divided any more", || {
        let service = landfall.object("shop", "service", "web").expect("the Service is there");
        let said = &service["metadata"]["annotations"]["landfall.dev/traffic"];
        if said.is_null() { Ok(()) } else { Err(said.to_string()) }
    });
}

/// Asks again and again until dropped.
struct Load {
    ends: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn on(url: &str) -> Self {
        let (ends, asked, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let load = (url.to_owned(), ends.clone(), asked.clone(), failed.clone());
        let thread = std::thread::spawn(move || {
            let (url, ends, asked, failed) = load;
            while !ends.load(SeqCst) {
                let status = curl(&["--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}", &url]).out;
                asked.fetch_add(1, SeqCst);
                if status != "200" {
                    failed.fetch_add(1, SeqCst);
                }
            }
        });
        Self { ends, asked, failed, thread: Some(thread) }
    }

    /// Waits until so many more requests are answered.
    fn more(&self, count: u64) {
        let before = self.asked.load(SeqCst);
        until("requests are answered", || (self.asked.load(SeqCst) >= before + count).then_some(()));
    }

    /// Ends it; gives how many requests failed.
    fn end(mut self) -> u64 {
        self.stop();
        self.failed.load(SeqCst)
    }

    fn stop(&mut self) {
        self.ends.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the load ends");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(landfall: &Installation) -> String {
    format!("{}cgi-bin/answer", landfall.address("shop", "web"))
}

/// How many of the next hundred requests each version answers.
fn shares(url: &str, one: &str, two: &str) -> (usize, usize) {
    let answers: Vec<_> = (0..100).map(|_| curl(&["--max-time", "10", url]).out.trim().to_owned()).collect();
    let count = |wanted: &str| answers.iter().filter(|it| *it == wanted).count();
    (count(one), count(two))
}

#[test]
fn a_canary_goes_by_steps_and_pauses_until_a_person_goes_on() {
    let Some((landfall, repository)) = prepare() else { return };
    let url = answer(&landfall);
    let load = Load::on(&url);
    write(&repository, "canary 10, pause, 50, pause", "two", 200);
    hook(&repository, "before", "PreSync");
    hook(&repository, "after", "PostSync");
    let commit = repository.push().commit;

    until_rollout(&landfall, "stepping 10 paused");
    let there = |name: &str| landfall.object("shop", "pod", name).is_some();
    assert_eq!((there("before"), there("after")), (true, false), "what comes after everything waits for the last request to change over");
    load.more(20);
    assert_eq!(load.end(), 0);
    let (one, two) = shares(&url, "one", "two");
    assert!(one + two == 100 && (6..=14).contains(&two), "{one} {two}");
    landfall.landfall(&["app", "get", "shop"]).ended_with(0).told("canary 10%, pause, 50%, pause, step 2 of 4, 10% of requests").told("RolloutPaused").told("landfall app promote shop");

    landfall.landfall(&["app", "promote", "shop"]).ended_with(0);
    until_rollout(&landfall, "stepping 50 paused");
    kill(server(&landfall));
    landfall.up(&[]).succeeded();
    landfall.answers(&landfall.address("shop", "web"), "ready");
    let load = Load::on(&url);
    until_rollout(&landfall, "stepping 50 paused");

    landfall.landfall(&["app", "promote", "shop"]).ended_with(0);
    until_state(&landfall, &commit, "synced healthy 2 healthy");
    assert!(there("after"), "what comes after everything has come");
    nothing_is_left(&landfall);
    load.more(20);
    assert_eq!((load.end(), shares(&url, "one", "two")), (0, (0, 100)));
    landfall.landfall(&["app", "promote", "shop"]).ended_with(6).told("no roll-out of `shop` is under way");
}

#[test]
fn a_bad_canary_goes_back_by_itself_and_is_held() {
    let Some((landfall, repository)) = prepare() else { return };
    let url = answer(&landfall);
    let load = Load::on(&url);
    write(&repository, "canary 50, pause errors<10% every=3s requests>=3", "broken", 500);
    let bad = repository.push().commit;
    let reverted = until("the revert is on the branch", || {
        repository.git(&["fetch", "--quiet", &format!("{}/shop.git", landfall.told("git_url")), "main"]).succeeded();
        let head = repository.git(&["rev-parse", "FETCH_HEAD"]).succeeded().trim().to_owned();
        (head != bad).then_some(head)
    });
    let app = until_state(&landfall, &reverted, "synced healthy 3 healthy");
    let failed = &app["status"]["history"][1];
    assert_eq!((failed["state"].as_str(), failed["cause"]["code"].as_str()), (Some("rolled_back"), Some("LF-D0203")), "{app:#}");
    let evidence = failed["cause"]["evidence"][0].as_str().unwrap_or_default();
    assert!(evidence.starts_with("errors 100% of "), "{evidence}");
    nothing_is_left(&landfall);
    drop(load);
    assert_eq!(shares(&url, "one", "broken"), (100, 0));
    let message = repository.git(&["show", "--no-patch", "--format=%B", &reverted]).succeeded();
    assert!(message.contains("Landfall-Evidence: errors 100% of "), "{message}");
}

#[test]
fn missing_evidence_pauses_and_a_person_goes_back() {
    let Some((landfall, repository)) = prepare() else { return };
    write(&repository, "canary 50, 100 errors<10% every=1s requests>=5", "two", 200);
    let commit = repository.push().commit;
    let it = until_rollout(&landfall, "stepping 50 paused");
    let message = it["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("pauses at 50%: the analysis is inconclusive: "), "{message}");
    landfall.landfall(&["app", "get", "shop"]).ended_with(0).told("AnalysisInconclusive").told("landfall app abort shop");

    landfall.landfall(&["app", "abort", "shop"]).ended_with(0).told("Held at 1 (2 quarantined)");
    until_state(&landfall, &commit, "held healthy 3 healthy");
    nothing_is_left(&landfall);
    assert_eq!(shares(&answer(&landfall), "one", "two"), (100, 0));

    landfall.landfall(&["app", "sync", "shop", "--no-wait"]).ended_with(0);
    until_rollout(&landfall, "stepping 50 paused");
    landfall.landfall(&["app", "promote", "shop", "--full"]).ended_with(0);
    until_state(&landfall, &commit, "synced healthy 4 healthy");
}

#[test]
fn git_goes_back_to_what_there_was_before_a_canary_ends() {
    let Some((landfall, repository)) = prepare() else { return };
    write(&repository, "canary 50, pause", "two", 200);
    repository.push();
    until_rollout(&landfall, "stepping 50 paused");
    write(&repository, "rolling", "one", 200);
    let back = repository.push().commit;
    until_state(&landfall, &back, "synced healthy 3 healthy");
    nothing_is_left(&landfall);
    assert_eq!(shares(&answer(&landfall), "one", "two"), (100, 0));
}

#[test]
fn a_blue_green_change_is_shown_then_switched_and_switched_back() {
    let Some((landfall, repository)) = prepare() else { return };
    let url = answer(&landfall);
    let load = Load::on(&url);
    write(&repository, "blue-green preview=web-preview pause keep=1h", "two", 200);
    let commit = repository.push().commit;
    until_rollout(&landfall, "stepping 0 paused");
    until("the preview is there", || landfall.object("shop", "service", "web-preview"));
    let preview = format!("{}cgi-bin/answer", landfall.address("shop", "web-preview"));
    landfall.answers(&preview, "two");
    assert_eq!(shares(&url, "one", "two"), (100, 0));

    landfall.landfall(&["app", "promote", "shop"]).ended_with(0);
    until_rollout(&landfall, "stepping 100 moves");
    until("all requests are switched", || (curl(&["--max-time", "10", &url]).out.trim() == "two").then_some(()));
    assert_eq!(shares(&url, "one", "two"), (0, 100));

    landfall.landfall(&["app", "undo", "shop"]).ended_with(0).told("Held at 1 (2 quarantined)");
    assert_eq!(shares(&url, "one", "two"), (100, 0));
    nothing_is_left(&landfall);

    landfall.landfall(&["app", "release", "shop"]).ended_with(0);
    until_rollout(&landfall, "stepping 0 paused");
    landfall.landfall(&["app", "promote", "shop", "--full"]).ended_with(0);
    until_state(&landfall, &commit, "synced healthy 4 healthy");
    nothing_is_left(&landfall);
    assert_eq!((load.end(), shares(&url, "one", "two")), (0, (0, 100)));
    until("the preview is gone", || landfall.object("shop", "service", "web-preview").is_none().then_some(()));
}

#[test]
fn a_newer_state_replaces_a_canary_and_a_wrong_plan_is_refused() {
    let Some((landfall, repository)) = prepare() else { return };
    let url = answer(&landfall);
    write(&repository, "canary 50, pause", "two", 200);
    repository.push();
    until_rollout(&landfall, "stepping 50 paused");
    write(&repository, "canary 20, pause", "three", 200);
    let third = repository.push().commit;
    until_rollout(&landfall, "stepping 20 paused");
    let (one, three) = shares(&url, "one", "three");
    assert!(one + three == 100 && (14..=26).contains(&three), "{one} {three}");
    landfall.landfall(&["app", "promote", "shop"]).ended_with(0);
    until_state(&landfall, &third, "synced healthy 3 healthy");

    write(&repository, "canary soon", "four", 200);
    repository.push();
    until_ok("the plan is refused", || {
        let app = app(&landfall);
        let found = app["status"]["quarantined"][0]["cause"]["summary"].as_str().unwrap_or_default().to_owned();
        let expected = "Deployment/web: `landfall.dev/rollout`: `soon` is no step";
        if found.starts_with(expected) { Ok(()) } else { Err(format!("{app:#}")) }
    });
    assert_eq!(shares(&url, "three", "four"), (100, 0));
}
