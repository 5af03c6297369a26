//! Kubeconfigs, and what their users say about themselves.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const TWO: &str = "
apiVersion: v1
kind: Config
current-context: near
clusters:
- name: home
  cluster: {server: 'https://10.0.0.1:6443/under', certificate-authority: ca.pem, tls-server-name: kubernetes}
- name: away
  cluster: {server: away.example, insecure-skip-tls-verify: true, proxy-url: 'http://proxy:3128'}
contexts:
- {name: near, context: {cluster: home, user: me, namespace: shop}}
- {name: far, context: {cluster: away, user: nobody}}
- {name: lost, context: {cluster: nowhere}}
users:
- {name: me, user: {token: open}}
";

async fn of(text: &str, context: Option<&str>) -> Result<Config, KubeconfigError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(Kubeconfig::parse(text.as_bytes())?, &options).await
}

#[tokio::test]
async fn a_context_leads_to_its_cluster_and_user() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("ca.pem"), "authority").expect("written");
    fs::write(folder.path().join("config"), TWO).expect("written");
    let read = Kubeconfig::read_from(folder.path().join("config")).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.expect("a cluster");
    assert_eq!(config.cluster_url, "https://10.0.0.1:6443/under");
    assert_eq!(config.default_namespace, "shop");
    assert_eq!(config.root_cert.as_deref(), Some(&b"authority"[..]));
    assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
    assert_eq!(config.auth_info.token.as_ref().map(Secret::expose), Some("open"));
    assert!(!format!("{config:?}").contains("open"));

    let far = of(TWO, Some("far")).await.expect("a cluster");
    assert_eq!((far.cluster_url.to_string().as_str(), far.accept_invalid_certs), ("http://away.example/", true));
    assert_eq!(far.proxy_url.clone().expect("a proxy"), "http://proxy:3128/");
    assert_eq!(far.credentials().expect("nobody").authorization().await.expect("nobody"), None);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for (text, context, expected) in [
        (TWO, Some("lost"), "there is no cluster `nowhere`"),
        (TWO, Some("else"), "there is no context `else`"),
        ("clusters: []", None, "no context is chosen, and `current-context` is not set"),
        ("users: 3", None, "it is no kubeconfig: invalid type: integer `3`, expected a sequence"),
    ] {
        let error = of(text, context).await.expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    }
    let old = TWO.replace("{token: open}", "{auth-provider: {name: gcp}}").replace("certificate-authority: ca.pem, ", "");
    let error = of(&old, None).await.expect_err("it is too old");
    assert_eq!(error.to_string(), "`auth-provider` `gcp` is not supported; Kubernetes 1.26 dropped it for `exec`");
}

#[test]
fn of_several_files_the_first_wins() {
    let first = Kubeconfig::parse(b"users: [{name: me, user: {token: mine}}]\nclusters: null").expect("a kubeconfig");
    let all = first.merged(Kubeconfig::parse(TWO.as_bytes()).expect("a kubeconfig"));
    let names = |it: Vec<&str>| it.join(" ");
    assert_eq!(names(all.clusters.iter().map(|it| it.name.as_str()).collect()), "home away");
    assert_eq!(all.current_context.as_deref(), Some("near"));
    let user = all.auth_infos[0].auth_info.as_ref().expect("a user");
    assert_eq!((all.auth_infos.len(), user.token.as_ref().map(Secret::expose)), (1, Some("mine")));
}

#[tokio::test]
async fn users_say_who_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, "from-file\n").expect("written");
    for (user, expected) in [
        ("username: me, password: secret".to_owned(), "Basic bWU6c2VjcmV0"),
        ("token: open, tokenFile: /nowhere".to_owned(), "Bearer open"),
        (format!("tokenFile: {}", file.display()), "Bearer from-file"),
    ] {
        let text = format!(
            "current-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\nclusters: [{{name: a, cluster: {{server: 'http://a'}}}}]\nusers: [{{name: a, user: {{{user}}}}}]"
        );
        let config = of(&text, None).await.expect("a cluster");
        let words = config.credentials().expect("somebody").authorization().await.expect("somebody");
        assert_eq!(words.as_deref(), Some(expected));
    }
}

#[test]
fn who_acts_as_another_says_so() {
    let user: AuthInfo = serde_json::from_str(r#"{"as": "jane", "as-groups": ["a", "b"], "as-user-extra": {"Why": ["test"]}}"#).expect("a user");
    let found: Vec<String> = user.impersonation().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(found, ["impersonate-user: jane", "impersonate-group: a", "impersonate-group: b", "impersonate-extra-why: test"]);
}

#[test]
fn a_kubeconfig_is_written_as_it_was_read() {
    let value = yaml::go_json(b"clusters: [{name: a, cluster: {server: x, disable-compression: true}}]\nusers: [{name: a, user: {tokenFile: t, exec: {command: c, args: [], env: [{name: A, value: b}], provideClusterInfo: false}}}]\ncontexts: [{name: a, context: {cluster: a, extensions: []}}]").expect("YAML");
    let read: Kubeconfig = serde_json::from_value(value.clone()).expect("a kubeconfig");
    assert_eq!(serde_json::to_value(read).expect("JSON"), value);
}

#[tokio::test]
async fn a_program_gives_credentials_and_new_ones_when_they_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("who");
    // The first token is over at once, so that each request asks anew.
    let script = "#!/bin/sh\ncount=$(cat \"$1\" 2>/dev/null || echo 0)\ncount=$((count + 1))\necho $count > \"$1\"\ncat <<END\n{\"kind\": \"ExecCredential\", \"status\": {\"token\": \"$WORD-$count\", \"expirationTimestamp\": \"2020-01-01T00:00:00Z\"}, \"info\": $KUBERNETES_EXEC_INFO}\nEND\n";
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let user = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, args: [{}], env: [{{name: WORD, value: token}}], interactiveMode: Never}}",
        program.display(),
        folder.path().join("count").display()
    );
    let text = format!(
        "current-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\nclusters: [{{name: a, cluster: {{server: 'http://a'}}}}]\nusers: [{{name: a, user: {{{user}}}}}]"
    );
    let config = of(&text, None).await.expect("a cluster");
    let credentials = config.credentials().expect("somebody");
    let mut words = Vec::new();
    for _ in 0..2 {
        words.push(credentials.authorization().await.expect("somebody").expect("words"));
    }
    assert_eq!(words, ["Bearer token-2", "Bearer token-3"]);

    let text = text.replace(program.to_str().expect("a path"), "/nowhere/who");
    let error = of(&text, None).await.expect_err("there is no such program");
    assert!(error.to_string().starts_with("the program `/nowhere/who` that gives credentials cannot be started"), "{error}");
}
