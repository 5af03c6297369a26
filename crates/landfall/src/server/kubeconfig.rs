//! Kubeconfigs: the file that tells kubectl where a cluster is and who asks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A kubeconfig for the holder of `token`; JSON is YAML, so every client reads it.
pub fn kubeconfig(server: &str, ca_pem: &str, token: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "landfall", "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(ca_pem),
        }}],
        "users": [{"name": "landfall", "user": {"token": token}}],
        "contexts": [{"name": "landfall", "context": {
            "cluster": "landfall", "user": "landfall", "namespace": namespace,
        }}],
        "current-context": "landfall",
    })
}
