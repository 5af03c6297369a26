//! An agent in a real cluster: restricted rights, a server that is killed, an agent that is killed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    control_plane::ControlPlane,
    home::Home,
    installation::Installation,
    program::{Ran, run},
    repository::Repository,
    restart::{kill, server},
    wait::{until, until_ok},
};

/// What the agent may do, and where.
const RIGHTS: &str = "apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: agent, namespace: shop}
rules:
  - {apiGroups: [''], resources: [configmaps, pods], verbs: ['*']}
  - {apiGroups: [apps], resources: [deployments, replicasets], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: agent, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: agent}
subjects: [{kind: ServiceAccount, name: agent, namespace: shop}]
";

const APP: &str = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  project: shop
  source: {repoURL: shop, targetRevision: main, path: k8s}
  destination: {name: east, namespace: shop}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
";

/// A server, a cluster that it cannot reach, and the agent between them.
struct World {
    agent: Option<Child>,
    server: Installation,
    cluster: ControlPlane,
    repository: Repository,
    token: PathBuf,
    kubeconfig: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        let server = Installation::prepare_at(|_| Home::Embedded)?;
        server.up(&[]).succeeded();
        let cluster = ControlPlane::start(&server.folder("east"));
        let files = server.folder("agent-files");
        fs::write(files.join("rights.yaml"), RIGHTS).expect("a file can be written");
        let (rights, kubeconfig, token) = (files.join("rights.yaml"), files.join("agent.conf"), files.join("token"));
        admin(&cluster, &["apply", "-f", text(&rights)]).ended_with(0);
        until_ok("the service account has a token", || {
            let made = admin(&cluster, &["create", "token", "agent", "-n", "shop"]);
            if made.code != Some(0) {
                return Err(made.to_string());
            }
            write_kubeconfig(&kubeconfig, cluster.kubeconfig(), made.out.trim());
            Ok(())
        });
        let made = server.landfall(&["agent", "token", "--project", "shop", "--cluster", "east"]).succeeded();
        fs::write(&token, made).expect("a file can be written");
        let repository = server.repository("shop");
        let mut it = Self { agent: None, server, cluster, repository, token, kubeconfig };
        it.start_agent();
        Some(it)
    }

    fn start_agent(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a file can be made");
        let url = self.server.told("web_url");
        // A killed test takes its agent with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_landfall"), "--data"]).arg(self.server.folder("agent-data"));
        command.args(["agent", "run", "--server", url.trim_end_matches('/'), "--token-file", text(&self.token)]);
        command.args(["--kubeconfig", text(&self.kubeconfig)]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.agent = Some(command.spawn().expect("the agent can be started"));
    }

    fn kill_agent(&mut self) {
        let mut agent = self.agent.take().expect("the agent runs");
        agent.kill().expect("the agent can be killed");
        agent.wait().expect("the agent can be waited for");
    }

    fn log(&self) -> PathBuf {
        self.server.folder("agent-files").join("agent.log")
    }

    fn apply_app(&self) -> Ran {
        let file = self.server.folder("agent-files").join("app.yaml");
        fs::write(&file, APP).expect("a file can be written");
        self.server.landfall(&["app", "apply", "-f", text(&file)])
    }

    fn app(&self) -> Value {
        self.server.landfall(&["app", "get", "shop", "--output", "json"]).json()
    }

    /// Waits until the server was told that the app is so at a commit.
    #[track_caller]
    fn until_state(&self, commit: &str, expected: &str) -> Value {
        until_ok(&format!("the app is {expected} at {commit}"), || {
            let app = self.app();
            let status = &app["status"];
            let last = status["history"].as_array().and_then(|it| it.last()).map_or(&Value::Null, |it| &it["state"]);
            let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let found = format!("{} {} {}", word(&status["sync"]), word(&status["health"]), word(last));
            let seen = word(&status["seen"]["commits"][0]);
            if found == expected && seen == commit && status["operation"].is_null() {
                return Ok(app);
            }
            Err(format!("{found}\n{app:#}\n{}", fs::read_to_string(self.log()).unwrap_or_default()))
        })
    }

    fn greeting(&self) -> Option<String> {
        let found = admin(&self.cluster, &["get", "configmap", "settings", "-n", "shop", "--ignore-not-found", "-o", "jsonpath={.data.GREETING}"]);
        Some(found.succeeded()).filter(|text| !text.is_empty())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.agent.is_some() {
            self.kill_agent();
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

fn admin(cluster: &ControlPlane, arguments: &[&str]) -> Ran {
    run(Command::new("kubectl").env("NO_PROXY", "*").arg("--kubeconfig").arg(cluster.kubeconfig()).args(arguments))
}

/// The administrator's kubeconfig with another user.
fn write_kubeconfig(file: &Path, from: &Path, token: &str) {
    let mut config: Value = serde_json::from_str(&fs::read_to_string(from).expect("the kubeconfig can be read")).expect("JSON");
    config["users"][0]["user"] = json!({"token": token});
    fs::write(file, config.to_string()).expect("a file can be written");
}

fn settings(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{GREETING: {value}}}\n")
}

/// There is no node, so only a Deployment of no pods is ready.
fn deployment(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: main, image: 'busybox:{replicas}'}}]}}
"
    )
}

#[test]
fn an_agent_follows_git_in_a_cluster_that_the_server_cannot_reach() {
    let Some(mut world) = World::new() else { return };
    let first = world.repository.write("k8s/settings.yaml", settings("hello")).write("k8s/web.yaml", deployment(0)).push().commit;
    world.apply_app().ended_with(0);
    world.until_state(&first, "synced healthy healthy");
    assert_eq!(world.greeting().as_deref(), Some("hello"));
    assert_eq!(world.server.object("shop", "configmap", "settings"), None, "nothing is in the server's own cluster");
    world.server.landfall(&["agent", "list"]).ended_with(0).told("east");

    kill(server(&world.server));
    admin(&world.cluster, &["delete", "configmap", "settings", "-n", "shop"]).ended_with(0);
    until("the agent heals without the server", || (world.greeting().as_deref() == Some("hello")).then_some(()));
    world.server.up(&[]).succeeded();

    let second = world.repository.write("k8s/settings.yaml", settings("welcome")).push().commit;
    world.until_state(&second, "synced healthy healthy");
    assert_eq!(world.greeting().as_deref(), Some("welcome"));

    world.kill_agent();
    let third = world.repository.write("k8s/settings.yaml", settings("again")).push().commit;
    world.start_agent();
    let app = world.until_state(&third, "synced healthy healthy");
    assert_eq!(app["status"]["history"].as_array().map(Vec::len), Some(3), "it went on where it was: {app:#}");

    world.repository.write("k8s/settings.yaml", settings("bad")).write("k8s/web.yaml", deployment(1)).push();
    let app = until_ok("what is bad is taken back in Git", || {
        let app = world.app();
        if app["status"]["quarantined"][0]["reverted_by"].is_string() { Ok(app) } else { Err(format!("{app:#}")) }
    });
    assert_eq!(app["status"]["quarantined"][0]["deployment"], 4);
    until("the state before is back", || (world.greeting().as_deref() == Some("again")).then_some(()));

    world.server.landfall(&["app", "delete", "shop", "--cascade"]).ended_with(0).told("the agent in east deletes what shop brought");
    until("what it brought is gone", || world.greeting().is_none().then_some(()));
    until("the app is gone", || (world.server.landfall(&["app", "get", "shop"]).code == Some(5)).then_some(()));
}

#[test]
fn what_the_agent_may_not_do_is_told_and_nothing_else_is_in_its_reach() {
    let Some(world) = World::new() else { return };
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n";
    world.repository.write("k8s/secret.yaml", secret).push();
    world.apply_app().ended_with(0);
    until_ok("the refusal is told", || {
        let got = world.server.landfall(&["app", "get", "shop"]);
        if got.out.contains("is forbidden") && got.out.contains("system:serviceaccount:shop:agent") { Ok(()) } else { Err(got.to_string()) }
    });

    // A namespace that is not its own.
    let file = world.server.folder("agent-files").join("elsewhere.yaml");
    fs::write(&file, APP.replace("{name: shop}", "{name: elsewhere}").replace("namespace: shop}", "namespace: kube-system}")).expect("a file can be written");
    world.server.landfall(&["app", "apply", "-f", text(&file)]).ended_with(0);
    until_ok("the refusal is told with a way out", || {
        let got = world.server.landfall(&["app", "get", "elsewhere"]);
        let parts = ["LF-D0201", "is forbidden", "in the namespace \"kube-system\"", "choose another namespace"];
        if parts.iter().all(|part| got.out.contains(part)) { Ok(()) } else { Err(got.to_string()) }
    });

    let unknown = APP.replace("name: east", "name: west");
    let file = world.server.folder("agent-files").join("west.yaml");
    fs::write(&file, unknown).expect("a file can be written");
    world.server.landfall(&["app", "apply", "-f", text(&file)]).ended_with(1).told("the cluster `west` is not known");

    let token = fs::read_to_string(&world.token).expect("the token can be read");
    let url = world.server.told("web_url");
    for (path, code) in [("landfall/v1/apps", "403"), ("landfall/v1/agent/apps", "200"), ("git/shop.git/info/refs?service=git-upload-pack", "200"), ("git/other.git/info/refs?service=git-upload-pack", "403"), ("api/v1/namespaces", "403")] {
        let header = format!("Authorization: Bearer {}", token.trim());
        assert_eq!(crate::installation::status_of(&["--header", &header, &format!("{url}{path}")]), code, "{path}");
    }

    let renewed = world.server.landfall(&["agent", "token", "--project", "shop", "--cluster", "east", "--replace"]).succeeded();
    let asks = |token: &str| crate::installation::status_of(&["--header", &format!("Authorization: Bearer {}", token.trim()), &format!("{url}landfall/v1/agent/apps")]);
    assert_eq!((asks(&token), asks(&renewed)), ("401".to_owned(), "200".to_owned()));
    world.server.landfall(&["agent", "revoke", "--project", "shop", "--cluster", "east"]).ended_with(0).told("landfall app delete");
    assert_eq!(asks(&renewed), "401");
    world.server.landfall(&["agent", "revoke", "--project", "shop", "--cluster", "east"]).ended_with(5).told("has no agent in a cluster `east`");
}
