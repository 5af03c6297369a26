//! Tables for the sandbox of a container.

use serde_json::{Value, json};

use super::*;

#[test]
fn command_and_args_override_the_image_as_documented() {
    check_args(json!({}), Ok("/entry serve"));
    check_args(json!({ "args": ["a"] }), Ok("/entry a"));
    check_args(json!({ "command": ["c"] }), Ok("c"));
    check_args(
        json!({ "command": ["c", "$(NAME)"], "args": ["$$(NAME)"] }),
        Ok("c pod $(NAME)"),
    );
}

#[test]
fn users_are_merged_and_root_is_refused_where_it_must_be() {
    check_user(json!({}), json!({}), Ok("app"));
    check_user(json!({ "runAsUser": 7 }), json!({}), Ok("7"));
    check_user(
        json!({ "runAsUser": 7, "runAsGroup": 8 }),
        json!({ "runAsUser": 9 }),
        Ok("9:8"),
    );
    check_user(json!({ "runAsGroup": 8 }), json!({}), Ok("app:8"));
    check_user(
        json!({ "runAsNonRoot": true, "runAsUser": 7 }),
        json!({}),
        Ok("7"),
    );
    check_user(
        json!({ "runAsNonRoot": true }),
        json!({}),
        Err(
            "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root (pod: \"p_ns(u)\", container: web)",
        ),
    );
    check_user(
        json!({ "runAsNonRoot": true }),
        json!({ "runAsUser": 0 }),
        Err("container's runAsUser breaks non-root policy (pod: \"p_ns(u)\", container: web)"),
    );
}

#[test]
fn limits_and_rights_reach_the_sandbox() {
    let spec = built(
        json!({}),
        json!({
            "resources": { "limits": { "cpu": "250m", "memory": "64Mi" } },
            "securityContext": {
                "readOnlyRootFilesystem": true,
                "allowPrivilegeEscalation": false,
                "capabilities": { "add": ["NET_ADMIN"], "drop": ["ALL"] },
            },
        }),
    );
    let spec = spec.expect("a spec");
    let limits = Limits {
        cpu_millis: Some(250),
        memory_bytes: Some(64 << 20),
        pids: Some(PIDS_PER_CONTAINER),
    };
    assert_eq!(spec.limits, limits);
    let security = Security {
        read_only_root: true,
        no_new_privileges: true,
        add_capabilities: vec!["NET_ADMIN".to_owned()],
        drop_capabilities: vec!["ALL".to_owned()],
        ..Security::default()
    };
    assert_eq!(spec.security, security);
}

#[test]
fn the_pods_variables_win_and_mounts_are_ordered() {
    let spec = built(
        json!({}),
        json!({ "volumeMounts": [{ "name": "v", "mountPath": "/data" }] }),
    )
    .expect("a spec");
    let Main::Process(process) = &spec.main else {
        panic!("no process")
    };
    let variables: Vec<_> = process
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(variables, ["PATH=/bin", "NAME=pod"]);
    let targets = spec.mounts.iter().map(|mount| match mount {
        Mount::Bind { target, access, .. } => format!("{} {access:?}", target.display()),
        Mount::Tmpfs { target, .. } => target.display().to_string(),
    });
    assert_eq!(
        targets.collect::<Vec<_>>(),
        ["/data ReadOnly", "/etc/hosts ReadWrite"]
    );
}

#[test]
fn what_the_node_cannot_do_is_refused_by_name() {
    for (spec, what) in [
        (
            json!({ "hostPID": true }),
            Err("`hostPID` is not supported by this node"),
        ),
        (
            json!({ "containers": [{ "name": "web", "ports": [{ "containerPort": 80, "hostPort": 80 }] }] }),
            Err("`hostPort` is not supported by this node"),
        ),
        (
            json!({ "hostNetwork": true, "containers": [{ "name": "web", "ports": [{ "containerPort": 80, "hostPort": 80 }] }] }),
            Ok(()),
        ),
    ] {
        let pod = Pod::read(json!({ "spec": spec })).expect("a pod");
        let container = pod.spec.containers.first().cloned().unwrap_or_default();
        assert_eq!(
            refuse(&pod, &container).map_err(|problem| problem.message),
            what.map_err(str::to_owned)
        );
    }
}

#[track_caller]
fn check_args(container: Value, expected: Result<&str, &str>) {
    let found = built(json!({}), container).map(|spec| match spec.main {
        Main::Process(process) => process.args.join(" "),
        Main::Idle => String::new(),
    });
    assert_eq!(
        found.map_err(|problem| problem.message),
        expected.map(str::to_owned).map_err(str::to_owned)
    );
}

#[track_caller]
fn check_user(common: Value, own: Value, expected: Result<&str, &str>) {
    let found = built(
        json!({ "securityContext": common }),
        json!({ "securityContext": own }),
    );
    let found = found.map(|spec| match spec.main {
        Main::Process(process) => process.user,
        Main::Idle => String::new(),
    });
    assert_eq!(
        found.map_err(|problem| problem.message),
        expected.map(str::to_owned).map_err(str::to_owned)
    );
}

fn built(mut spec: Value, mut container: Value) -> Result<Spec, Problem> {
    container["name"] = json!("web");
    spec["containers"] = json!([container]);
    let pod = Pod::read(
        json!({ "metadata": { "name": "p", "namespace": "ns", "uid": "u" }, "spec": spec }),
    )
    .expect("a pod");
    let prepared = Prepared {
        image: image::RunConfig {
            user: "app".to_owned(),
            entrypoint: Some(vec!["/entry".to_owned()]),
            cmd: Some(vec!["serve".to_owned()]),
            env: vec!["PATH=/bin".to_owned(), "NAME=image".to_owned()],
            ..image::RunConfig::default()
        },
        lower: vec![],
        scratch: PathBuf::from("/s"),
        variables: vec![("NAME".to_owned(), "pod".to_owned())],
        mounts: vec![Mounted {
            source: PathBuf::from("/v"),
            content: Content::Projected,
        }],
        files: vec![(PathBuf::from("/etc/hosts"), PathBuf::from("/h"))],
        network: Network::Host,
        hostname: None,
        labels: BTreeMap::new(),
        node_memory: 1 << 30,
    };
    super::spec(&pod, &pod.spec.containers[0], prepared)
}
