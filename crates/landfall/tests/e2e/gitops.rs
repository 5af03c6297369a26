//! Apps that follow Git: deployed, healed, taken back and held.

use serde_json::{Value, json};

use crate::{
    installation::Installation,
    repository::Repository,
    restart::{kill, server},
    wait::{until, until_ok},
};

/// What an app does by itself.
pub const ALONE: &str = "automated: {prune: true, selfHeal: true}\n    ";

/// An installation with the image of the tests, and the working copy of the project `shop`.
pub fn prepare() -> Option<(Installation, Repository)> {
    let landfall = Installation::start()?;
    landfall.import_busybox();
    let repository = landfall.repository("shop");
    Some((landfall, repository))
}

/// Follows the main branch of the project `shop` by an app of the same name.
pub fn follow(landfall: &Installation, path: &str, policy: &str) {
    follow_source(landfall, &format!("repoURL: shop, targetRevision: main, {path}"), policy);
}

fn follow_source(landfall: &Installation, source: &str, policy: &str) {
    let file = landfall.folder("apps").join("shop.yaml");
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: shop}}
spec:
  project: default
  source: {{{source}}}
  destination: {{name: in-cluster, namespace: shop}}
  syncPolicy:
    {policy}syncOptions: [CreateNamespace=true]
"
    );
    std::fs::write(&file, text).expect("a file can be written");
    landfall.landfall(&["app", "apply", "-f", file.to_str().expect("the path is text")]).ended_with(0);
}

pub fn app(landfall: &Installation) -> Value {
    landfall.landfall(&["app", "get", "shop", "--output", "json"]).json()
}

/// Waits until the app is so and nothing is under way; gives its record.
#[track_caller]
pub fn until_state(landfall: &Installation, commit: &str, expected: &str) -> Value {
    until_ok(&format!("the app is {expected} at {commit}"), || {
        let app = app(landfall);
        let status = &app["status"];
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let seen = word(&status["seen"]["commits"][0]);
        let found = format!("{} {} {}", word(&status["sync"]), word(&status["health"]), last(&app));
        if found == expected && seen == commit && status["operation"].is_null() { Ok(app) } else { Err(format!("{found}\n{app:#}")) }
    })
}

/// The state of the latest deployment.
fn last(app: &Value) -> String {
    let history = app["status"]["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    history.last().and_then(|it| it["state"].as_str()).unwrap_or("none").to_owned()
}

/// What all deployments so far are: number, state, and the one brought back.
fn history(app: &Value) -> Vec<String> {
    let entry = |it: &Value| {
        let back = it["back_to"].as_u64().map(|to| format!(" back to {to}")).unwrap_or_default();
        format!("{} {}{back}", it["id"], it["state"].as_str().unwrap_or("-"))
    };
    app["status"]["history"].as_array().expect("a list").iter().map(entry).collect()
}

/// A Deployment of one pod that gets ready, or one that never does.
pub fn deployment(name: &str, annotations: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations: {{{annotations}}}
spec:
  replicas: 1
  progressDeadlineSeconds: 5
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1
          command: [/bin/sh, -c, 'sleep 3600']
{more}
"
    )
}

/// A probe that never succeeds.
pub const NEVER_READY: &str = "          readinessProbe: {httpGet: {path: /, port: 9}, periodSeconds: 1}";

pub fn settings(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{GREETING: {value}}}\n")
}

pub fn greeting(landfall: &Installation, name: &str) -> Option<String> {
    Some(landfall.object("shop", "configmap", name)?["data"]["GREETING"].as_str()?.to_owned())
}

/// Pushes a good state and follows it until it is healthy; gives the commit.
pub fn good(landfall: &Installation, repository: &Repository) -> String {
    repository.write("k8s/web.yaml", deployment("web", "", "")).write("k8s/settings.yaml", settings("settings", "hello"));
    let commit = repository.push().commit;
    follow(landfall, "path: k8s", ALONE);
    until_state(landfall, &commit, "synced healthy healthy");
    commit
}

#[test]
fn a_folder_is_followed_and_what_leaves_it_is_pruned() {
    let Some((landfall, repository)) = prepare() else { return };
    let first = good(&landfall, &repository);
    landfall.landfall(&["app", "list"]).ended_with(0).told("shop").told("Synced").told("Healthy").told(&first[..7]);
    landfall.landfall(&["app", "get", "shop"]).ended_with(0).told("Deployment").told("settings").told("Synced");
    landfall.landfall(&["diff", "shop"]).ended_with(0).told("as Git says");

    let second = repository.write("k8s/settings.yaml", settings("settings", "welcome")).push().commit;
    until_state(&landfall, &second, "synced healthy healthy");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("welcome"));

    std::fs::remove_file(repository.folder().join("k8s/settings.yaml")).expect("the file is there");
    let third = repository.push().commit;
    let app = until_state(&landfall, &third, "synced healthy healthy");
    assert_eq!(landfall.object("shop", "configmap", "settings"), None);
    assert_eq!(history(&app), ["1 healthy", "2 healthy", "3 healthy"]);
    landfall.landfall(&["app", "history", "shop"]).ended_with(0).told(&third[..7]).told("A change").told("automatic");
}

#[test]
fn drift_is_healed_and_told_when_healing_is_off() {
    let Some((landfall, repository)) = prepare() else { return };
    let commit = good(&landfall, &repository);
    let patch = || {
        let changed = r#"{"data": {"GREETING": "changed"}}"#;
        landfall.kubectl(&["-n", "shop", "patch", "configmap", "settings", "--patch", changed]).ended_with(0);
    };
    let healed = || until("it is healed", || (greeting(&landfall, "settings").as_deref() == Some("hello")).then_some(()));

    patch();
    healed();
    landfall.kubectl(&["-n", "shop", "delete", "configmap", "settings"]).ended_with(0);
    healed();
    landfall.kubectl(&["-n", "shop", "delete", "deployment", "web"]).ended_with(0);
    until("it is made again", || landfall.object("shop", "deployment", "web"));
    assert_eq!(history(&until_state(&landfall, &commit, "synced healthy healthy")), ["1 healthy"], "healing is no deployment");

    follow(&landfall, "path: k8s", "automated: {prune: true}\n    ");
    patch();
    let diff = until("the difference is seen", || Some(landfall.landfall(&["diff", "shop"])).filter(|it| it.code == Some(1)));
    diff.told("ConfigMap").told(".data.GREETING").told("written by kubectl-patch").told("- \"changed\"").told("+ \"hello\"");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("changed"));

    landfall.landfall(&["app", "sync", "shop"]).ended_with(0).told("Synced");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("hello"));

    patch();
    until("the difference is seen", || (landfall.landfall(&["diff", "shop"]).code == Some(1)).then_some(()));
    landfall.landfall(&["app", "adopt", "shop"]).ended_with(0).told("ConfigMap/settings");
    until("Git says what the cluster holds", || (landfall.landfall(&["diff", "shop"]).code == Some(0)).then_some(()));
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("changed"));
    landfall.landfall(&["app", "adopt", "shop"]).ended_with(6).told("nothing of `shop` differs");
}

#[test]
fn a_bad_push_is_taken_back_and_held_until_it_is_fixed() {
    let Some((landfall, repository)) = prepare() else { return };
    good(&landfall, &repository);
    let pods = landfall.pods("shop");

    repository.write("k8s/web.yaml", deployment("web", "", NEVER_READY));
    repository.write("k8s/settings.yaml", settings("settings", "goodbye")).write("k8s/added.yaml", settings("added", "new"));
    let bad = repository.push().commit;
    let reverted = until("the revert is on the branch", || {
        repository.git(&["fetch", "--quiet", &format!("{}/shop.git", landfall.told("git_url")), "main"]).succeeded();
        let head = repository.git(&["rev-parse", "FETCH_HEAD"]).succeeded().trim().to_owned();
        (head != bad).then_some(head)
    });
    let app = until_state(&landfall, &reverted, "synced healthy healthy");
    assert_eq!(history(&app), ["1 healthy", "2 rolled_back", "3 healthy back to 1"]);
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("hello"), "configuration went back with the pods");
    assert_eq!(greeting(&landfall, "added"), None, "what the failed try added is gone");
    until("only the pods from before are left", || (landfall.pods("shop") == pods).then_some(()));
    let message = repository.git(&["show", "--no-patch", "--format=%an%n%B", &reverted]).succeeded();
    for part in ["Landfall\nTake shop back to", "Landfall-App: shop", "Landfall-Quarantined: sha256:", &format!("Landfall-Commit: {bad}"), "Landfall-Evidence: "] {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }

    // Somebody insists.
    repository.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]).succeeded();
    repository.git(&["checkout", "--quiet", &bad, "--", "k8s"]).succeeded();
    let again = repository.push().commit;
    until_state(&landfall, &again, "held healthy healthy");
    let unrelated = repository.write("README.md", "Hello.\n").push().commit;
    let held = until_state(&landfall, &unrelated, "held healthy healthy");
    assert_eq!(history(&held), history(&app), "nothing was deployed");
    landfall.landfall(&["app", "get", "shop"]).ended_with(0).told("Held at 1 (2 quarantined)").told("LF-D0202").told("taken back in Git by");
    landfall.landfall(&["app", "list"]).told("Held at 1 (2 quarantined)");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("hello"));

    let fixed = repository.write("k8s/web.yaml", deployment("web", "", "")).push().commit;
    until_state(&landfall, &fixed, "synced healthy healthy");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("goodbye"));
    assert_eq!(greeting(&landfall, "added").as_deref(), Some("new"));
}

#[test]
fn a_newer_commit_replaces_a_stuck_one() {
    let Some((landfall, repository)) = prepare() else { return };
    good(&landfall, &repository);
    let slow = deployment("web", "", NEVER_READY).replace("progressDeadlineSeconds: 5", "progressDeadlineSeconds: 600");
    repository.write("k8s/web.yaml", slow).push();
    until("the bad state is on its way", || (last(&app(&landfall)) == "waiting").then_some(()));
    let fixed = repository.write("k8s/web.yaml", deployment("web", "team: a", "")).push().commit;
    let app = until_state(&landfall, &fixed, "synced healthy healthy");
    assert_eq!(history(&app), ["1 healthy", "2 superseded", "3 healthy"]);
}

#[test]
fn hooks_and_waves_keep_their_order() {
    let Some((landfall, repository)) = prepare() else { return };
    let hook = |name: &str, phase: &str, ends: &str| {
        format!(
            "apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {{argocd.argoproj.io/hook: {phase}{ends}}}
spec:
  restartPolicy: Never
  containers: [{{name: main, image: 'busybox:1', command: [/bin/sh, -c, 'sleep 1']}}]
"
        )
    };
    repository
        .write("k8s/before.yaml", hook("before", "PreSync", ""))
        .write("k8s/after.yaml", hook("after", "PostSync", ""))
        .write("k8s/gone.yaml", hook("gone", "PostSync", ", argocd.argoproj.io/hook-delete-policy: HookSucceeded"))
        .write("k8s/a.yaml", deployment("second", "argocd.argoproj.io/sync-wave: '2'", ""))
        .write("k8s/b.yaml", deployment("first", "argocd.argoproj.io/sync-wave: '-1'", ""));
    let commit = repository.push().commit;
    follow(&landfall, "path: k8s", ALONE);
    until_state(&landfall, &commit, "synced healthy healthy");

    let made = |kind: &str, name: &str| {
        let object = landfall.object("shop", kind, name).unwrap_or_else(|| panic!("{name} is there"));
        object["metadata"]["creationTimestamp"].as_str().expect("a time").to_owned()
    };
    let times = [made("pod", "before"), made("deployment", "first"), made("deployment", "second"), made("pod", "after")];
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[0] < times[1], "the first wave waits for the hook: {times:?}");
    assert_eq!(landfall.object("shop", "pod", "gone"), None, "a hook that succeeded is deleted as it asks");

    let broken = hook("before", "PreSync", "").replace("sleep 1", "exit 3");
    repository.write("k8s/before.yaml", broken).write("k8s/new.yaml", settings("new", "x"));
    repository.push();
    until("the failed hook ends the deployment", || (app(&landfall)["status"]["quarantined"][0]["deployment"] == 2).then_some(()));
    assert_eq!(greeting(&landfall, "new"), None, "nothing after the hook was written");
}

#[test]
fn what_cannot_be_rendered_is_told_and_deletes_nothing() {
    let Some((landfall, repository)) = prepare() else { return };
    good(&landfall, &repository);
    let web = landfall.object("shop", "deployment", "web").expect("it is there")["metadata"]["uid"].clone();
    let told = |texts: &[&str]| {
        until_ok(&format!("{texts:?} is told"), || {
            let got = landfall.landfall(&["app", "get", "shop"]);
            if texts.iter().all(|text| got.out.contains(text)) { Ok(()) } else { Err(got.to_string()) }
        });
        assert_eq!(landfall.object("shop", "deployment", "web").map(|it| it["metadata"]["uid"].clone()).as_ref(), Some(&web));
    };

    repository.write("k8s/broken.yaml", "kind: [\n").push();
    told(&["Unknown", "RenderError", "broken.yaml", "help:"]);
    landfall.landfall(&["app", "sync", "shop"]).ended_with(1).told("broken.yaml");

    repository.write("k8s/broken.yaml", "apiVersion: example.org/v1\nkind: Unheard\nmetadata: {name: a}\n").push();
    told(&["KindMissing", "`Unheard`", "help: apply the definition"]);

    std::fs::remove_file(repository.folder().join("k8s/broken.yaml")).expect("the file is there");
    let whole = repository.push().commit;
    until_state(&landfall, &whole, "synced healthy healthy");

    for (source, kind, text) in [
        ("repoURL: shop, path: nowhere", "RenderError", "nothing at `nowhere`"),
        ("repoURL: shop, path: k8s, targetRevision: gone", "RevisionMissing", "`gone` is no branch"),
        ("repoURL: nobody, path: k8s", "RepositoryMissing", "no repository `nobody`"),
        ("repoURL: 'http://127.0.0.1:1/a.git', path: k8s", "SourceUnreachable", "`http://127.0.0.1:1/a.git` cannot be read"),
    ] {
        follow_source(&landfall, source, ALONE);
        told(&["Unknown", kind, text, "help:"]);
    }
}

#[test]
fn deleting_most_objects_asks_first() {
    let Some((landfall, repository)) = prepare() else { return };
    for name in ["a", "b", "c"] {
        repository.write(&format!("k8s/{name}.yaml"), settings(name, "x"));
    }
    good(&landfall, &repository);
    for name in ["a", "b", "c"] {
        std::fs::remove_file(repository.folder().join(format!("k8s/{name}.yaml"))).expect("the file is there");
    }
    let commit = repository.push().commit;
    until("it is asked", || landfall.landfall(&["app", "get", "shop"]).out.contains("3 of 5 objects would be deleted").then_some(()));
    landfall.landfall(&["app", "sync", "shop", "--prune"]).ended_with(1).told("DeletionNeedsConfirmation");
    assert!(["a", "b", "c"].iter().all(|name| greeting(&landfall, name).is_some()), "all are still there");
    landfall.landfall(&["app", "sync", "shop", "--prune", "--confirm"]).ended_with(0);
    until_state(&landfall, &commit, "synced healthy healthy");
    assert!(["a", "b", "c"].iter().all(|name| greeting(&landfall, name).is_none()), "all are gone");
}

#[test]
fn a_chart_and_a_kustomization_are_deployed() {
    let Some((landfall, repository)) = prepare() else { return };
    let template = settings("{{ .Release.Name }}-chart", "{{ .Values.greeting | quote }}");
    repository
        .write("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        .write("chart/values.yaml", "greeting: hello\n")
        .write("chart/templates/settings.yaml", template)
        .write("base/kustomization.yaml", "resources: [settings.yaml]\n")
        .write("base/settings.yaml", settings("settings", "base"))
        .write("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\n");
    let commit = repository.push().commit;

    follow(&landfall, "path: chart, helm: {parameters: [{name: greeting, value: welcome}]}", ALONE);
    until_state(&landfall, &commit, "synced healthy healthy");
    assert_eq!(greeting(&landfall, "shop-chart").as_deref(), Some("welcome"));

    follow(&landfall, "path: prod", ALONE);
    until("the kustomization is there", || greeting(&landfall, "prod-settings").filter(|it| it == "base"));
    until_state(&landfall, &commit, "synced healthy healthy");
    assert_eq!(landfall.object("shop", "configmap", "shop-chart"), None, "what the app has left is pruned");
}

#[test]
fn a_sync_goes_on_after_the_server_was_killed() {
    let Some((landfall, repository)) = prepare() else { return };
    for number in 0..3 {
        let wave = format!("argocd.argoproj.io/sync-wave: '{number}'");
        repository.write(&format!("k8s/web-{number}.yaml"), deployment(&format!("web-{number}"), &wave, ""));
    }
    let commit = repository.push().commit;
    follow(&landfall, "path: k8s", ALONE);
    until("the second wave is written", || landfall.object("shop", "deployment", "web-1"));

    kill(server(&landfall));
    landfall.up(&[]).succeeded();

    let app = until_state(&landfall, &commit, "synced healthy healthy");
    assert_eq!(history(&app), ["1 healthy"], "it is the same deployment");
    until("there is one pod of each", || (landfall.pods("shop").len() == 3).then_some(()));
    for number in 0..3 {
        let web = landfall.object("shop", "deployment", &format!("web-{number}")).expect("it is there");
        assert_eq!(web["metadata"]["generation"], json!(1), "it was not changed again");
    }
}

#[test]
fn a_person_goes_back_and_it_holds_until_released() {
    let Some((landfall, repository)) = prepare() else { return };
    good(&landfall, &repository);
    let second = repository.write("k8s/settings.yaml", settings("settings", "welcome")).push().commit;
    until_state(&landfall, &second, "synced healthy healthy");

    landfall.landfall(&["app", "rollback", "shop", "1"]).ended_with(0).told("Held at 1 (2 quarantined)");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("hello"));
    landfall.kubectl(&["-n", "shop", "delete", "configmap", "settings"]).ended_with(0);
    until("what is held is healed", || (greeting(&landfall, "settings").as_deref() == Some("hello")).then_some(()));
    let unrelated = repository.write("README.md", "Hello.\n").push().commit;
    let app = until_state(&landfall, &unrelated, "held healthy healthy");
    assert_eq!(history(&app), ["1 healthy", "2 rolled_back", "3 healthy back to 1"]);
    landfall.landfall(&["app", "rollback", "shop", "9"]).ended_with(5).told("no deployment 9");
    landfall.landfall(&["app", "sync", "shop", "--revision", "HEAD"]).ended_with(6).told("follows its own revision");

    landfall.landfall(&["app", "release", "shop"]).ended_with(0);
    until_state(&landfall, &unrelated, "synced healthy healthy");
    assert_eq!(greeting(&landfall, "settings").as_deref(), Some("welcome"));

    landfall.landfall(&["app", "delete", "shop", "--cascade"]).ended_with(0);
    until("its objects are gone", || landfall.object("shop", "deployment", "web").is_none().then_some(()));
}
