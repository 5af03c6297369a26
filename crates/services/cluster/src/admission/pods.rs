//! What a pod gets from the cluster: its service account with a token, tolerations, a priority.

use resource::status::{self, Status};
use serde_json::{Value, json};

use crate::{
    object, prepare,
    server::{Server, known},
};

/// Where programs look for their token.
const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Tokens in pods are renewed by the node's agent; a little over an hour is what Kubernetes gives.
const TOKEN_SECONDS: u32 = 3607;

/// How long a pod stays on a node that does not answer.
const TOLERATION_SECONDS: u32 = 300;

pub fn create(server: &Server, pod: &mut Value) -> Result<(), Status> {
    let spec = object::child(pod, "spec");
    spec.entry("priority").or_insert_with(|| json!(0));
    spec.entry("preemptionPolicy")
        .or_insert_with(|| json!("PreemptLowerPriority"));
    tolerate_short_absence(pod);
    serve_account(server, pod)
}

fn tolerate_short_absence(pod: &mut Value) {
    let spec = object::child(pod, "spec");
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else {
        return;
    };
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let is_tolerated = tolerations.iter().any(|it| {
            let (said, effect) = (object::text(it, &["key"]), object::text(it, &["effect"]));
            (said == key || said.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !is_tolerated {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS,
            }));
        }
    }
}

fn serve_account(server: &Server, pod: &mut Value) -> Result<(), Status> {
    let kind = known("v1", "Pod");
    let spec = object::child(pod, "spec");
    let named = spec
        .get("serviceAccountName")
        .or_else(|| spec.get("serviceAccount"))
        .and_then(Value::as_str);
    let account_name = named
        .filter(|name| !name.is_empty())
        .unwrap_or("default")
        .to_owned();
    spec.insert(
        "serviceAccountName".to_owned(),
        Value::from(account_name.as_str()),
    );
    spec.insert(
        "serviceAccount".to_owned(),
        Value::from(account_name.as_str()),
    );

    let (namespace, name) = (object::namespace(pod).to_owned(), shown_name(pod));
    if server
        .find(known("v1", "Namespace"), "", &namespace)
        .is_none()
    {
        return Err(status::not_found(known("v1", "Namespace"), &namespace));
    }
    let accounts = known("v1", "ServiceAccount");
    let Some(account) = server.find(accounts, &namespace, &account_name) else {
        return Err(status::forbidden(
            kind,
            &name,
            &format!(
                "error looking up service account {namespace}/{account_name}: serviceaccount \"{account_name}\" not found"
            ),
        ));
    };
    give_pull_secrets(pod, &account.value);
    let said = |value: &Value| {
        value
            .get("automountServiceAccountToken")
            .and_then(Value::as_bool)
    };
    if said(&pod["spec"])
        .or_else(|| said(&account.value))
        .unwrap_or(true)
    {
        mount_token(pod);
    }
    Ok(())
}

fn shown_name(pod: &Value) -> String {
    let name = object::name(pod);
    if name.is_empty() {
        object::text(pod, &["metadata", "generateName"]).to_owned()
    } else {
        name.to_owned()
    }
}

fn give_pull_secrets(pod: &mut Value, account: &Value) {
    let spec = object::child(pod, "spec");
    let has_own = spec
        .get("imagePullSecrets")
        .and_then(Value::as_array)
        .is_some_and(|it| !it.is_empty());
    if let Some(secrets) = account.get("imagePullSecrets").filter(|_| !has_own) {
        spec.insert("imagePullSecrets".to_owned(), secrets.clone());
    }
}

fn mount_token(pod: &mut Value) {
    let spec = object::child(pod, "spec");
    let mut volume = None;
    for list in ["initContainers", "containers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let mounts = object::members(container)
                .entry("volumeMounts")
                .or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else {
                continue;
            };
            if mounts
                .iter()
                .any(|mount| mount["mountPath"] == TOKEN_FOLDER)
            {
                continue;
            }
            let volume = volume.get_or_insert_with(|| prepare::generated_name("kube-api-access-"));
            mounts.push(json!({ "name": volume, "readOnly": true, "mountPath": TOKEN_FOLDER }));
        }
    }
    let Some(volume) = volume else { return };
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    let Some(volumes) = volumes.as_array_mut() else {
        return;
    };
    volumes.push(json!({
        "name": volume,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
                { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
                { "downwardAPI": { "items": [
                    { "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } }
                ] } },
            ],
        },
    }));
}
