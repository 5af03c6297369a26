//! Releases that our helm and the real one hand to each other.

use serde_json::{Value, json};

use crate::home::{Home, words};

fn write_chart(home: &Home) {
    home.write("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: \"7\"\n");
    home.write("web/values.yaml", "replicas: 1\nextra: true\nselector: web\n");
    home.write(
        "web/templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: {{ .Values.selector }}}}\n    spec: {containers: [{name: web, image: \"shop/web:1\"}]}\n",
    );
    home.write(
        "web/templates/extra.yaml",
        "{{ if .Values.extra }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {found: {{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"before\").data | toJson | quote }}}\n{{ end }}\n",
    );
    home.write(
        "web/templates/hook.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: before, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}\ndata: {a: b}\n",
    );
    home.write("web/templates/NOTES.txt", "Web is {{ .Release.Name }}.\n");
}

struct Both<'a>(&'a Home);

impl Both<'_> {
    #[track_caller]
    fn ours<'a>(&'a self, line: &'a str) -> impl Future<Output = String> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let (code, out, err) = self.0.tool("helm", &words(line), "").await;
            assert_eq!(code, 0, "our helm {line} at {place}\n{out}{err}");
            out
        }
    }

    #[track_caller]
    fn real<'a>(&'a self, line: &'a str) -> impl Future<Output = String> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let (code, out, err) = self.0.real_helm(&words(line)).await;
            assert_eq!(code, 0, "the real helm {line} at {place}\n{out}{err}");
            out
        }
    }

    /// Revision, status and description of each revision, as the one or the other tells.
    fn revisions(told: &str) -> Value {
        let all: Value = serde_json::from_str(told).expect("JSON");
        let one = |it: &Value| json!([it["revision"], it["status"], it["chart"], it["app_version"], it["description"]]);
        all.as_array().expect("a list").iter().map(one).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_from_hand_to_hand() {
    let home = Home::start().await;
    write_chart(&home);
    let both = Both(&home);
    let told = both.ours("upgrade --install shop web --set replicas=2 --wait --timeout 40s").await;
    assert!(told.starts_with("Release \"shop\" does not exist. Installing it now.\nNAME: shop\n"), "{told}");
    assert!(told.ends_with("STATUS: deployed\nREVISION: 1\nDESCRIPTION: Install complete\nNOTES:\nWeb is shop.\n"), "{told}");

    let listed: Value = serde_json::from_str(&both.real("list -o json").await).expect("JSON");
    let one = &listed[0];
    let seen = json!([one["name"], one["namespace"], one["revision"], one["status"], one["chart"], one["app_version"]]);
    assert_eq!(seen, json!(["shop", "ours", "1", "deployed", "web-1.0.0", "7"]));
    assert_eq!(both.real("get values shop -o json").await.trim(), r#"{"replicas":2}"#);
    assert_eq!(both.real("get manifest shop").await, both.ours("get manifest shop").await);
    assert_eq!(both.real("get hooks shop").await, both.ours("get hooks shop").await);

    // The real one goes on, then ours goes back, then the real one.
    both.real("upgrade shop web --set replicas=1 --set extra=false").await;
    let (code, ..) = home.tool("kubectl", &words("get configmap extra"), "").await;
    assert_eq!(code, 1, "what is rendered no more is gone");
    both.ours("upgrade shop web --set replicas=3").await;
    let rolled = both.ours("rollback shop 2").await;
    assert_eq!(rolled, "Rollback was a success! Happy Helming!\n");
    both.real("rollback shop 1").await;
    let expected = json!([
        [1, "superseded", "web-1.0.0", "7", "Install complete"],
        [2, "superseded", "web-1.0.0", "7", "Upgrade complete"],
        [3, "superseded", "web-1.0.0", "7", "Upgrade complete"],
        [4, "superseded", "web-1.0.0", "7", "Rollback to 2"],
        [5, "deployed", "web-1.0.0", "7", "Rollback to 1"],
    ]);
    assert_eq!(Both::revisions(&both.real("history shop -o json").await), expected);
    assert_eq!(Both::revisions(&both.ours("history shop -o json").await), expected);
    let (_, replicas, _) = home.tool("kubectl", &words("get deploy shop -o jsonpath={.spec.replicas}"), "").await;
    assert_eq!(replicas, "2");

    assert_eq!(both.ours("uninstall shop").await, "release \"shop\" uninstalled\n");
    assert_eq!(both.real("list -q").await, "");
    let (_, left, _) = home.tool("kubectl", &words("get deploy -o name"), "").await;
    assert_eq!(left, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_is_undone_when_that_is_asked() {
    let home = Home::start().await;
    write_chart(&home);
    let both = Both(&home);
    both.real("install shop web --set extra=false").await;
    // The server refuses the Deployment.
    let (code, out, err) = home.tool("helm", &words("upgrade shop web --set replicas=many --atomic --timeout 30s"), "").await;
    assert!(code == 1 && err.starts_with("Error: UPGRADE FAILED: release shop failed, and has been rolled back due to rollback-on-failure being set: "), "{code} {out}{err}");
    let told = Both::revisions(&both.real("history shop -o json").await);
    let statuses: Vec<&str> = told.as_array().expect("a list").iter().filter_map(|it| it[1].as_str()).collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);

    let (code, _, err) = home.tool("helm", &words("install shop web"), "").await;
    assert_eq!((code, err.trim()), (1, "Error: INSTALLATION FAILED: release name check failed: cannot reuse a name that is still in use"));
    let (code, _, err) = home.tool("helm", &words("upgrade none web"), "").await;
    assert_eq!((code, err.trim()), (1, "Error: UPGRADE FAILED: \"none\" has no deployed releases"));
    // A map of somebody else's stays as it is.
    home.tool("kubectl", &words("create configmap extra --from-literal=a=b"), "").await;
    let (code, _, err) = home.tool("helm", &words("upgrade shop web --set extra=true"), "").await;
    assert!(code == 1 && err.contains("ConfigMap \"extra\" in namespace \"ours\" exists and cannot be imported into the current release"), "{err}");
}
