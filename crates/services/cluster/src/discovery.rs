//! What is served: the answers from which clients learn groups, versions and kinds.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use resource::{Kind, kinds};
use serde_json::{Value, json};

use crate::answer;

/// The version of Kubernetes whose behaviour is served.
const VERSION: &str = "v1.34.2";

/// A form of the aggregated lists: the version in its media type, and that media type.
struct Aggregated {
    version: &'static str,
    media_type: &'static str,
}

const AGGREGATED: &[Aggregated] = &[
    Aggregated {
        version: "v2",
        media_type: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    },
    Aggregated {
        version: "v2beta1",
        media_type: "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    },
];

/// Which of the two roots is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `/api`: the core group.
    Core,
    /// `/apis`: all others.
    Groups,
}

pub fn version() -> Response {
    let (major, minor) = ("1", "34");
    answer::json(
        StatusCode::OK,
        &json!({
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": "33",
            "gitVersion": format!("{VERSION}+landfall"),
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, architecture()),
        }),
    )
}

/// The machine's architecture in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub fn root(root: Root, headers: &HeaderMap, server_address: &str) -> Response {
    if let Some(form) = aggregated_form(headers) {
        let list = aggregated(root, form.version);
        let mut response = answer::with_type(
            StatusCode::OK,
            form.media_type,
            Body::from(list.to_string()),
        );
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("Accept"));
        return response;
    }
    let legacy = match root {
        Root::Core => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": server_address }],
        }),
        Root::Groups => {
            let groups: Vec<Value> = groups()
                .into_iter()
                .filter(|it| !it.is_empty())
                .map(group_value)
                .collect();
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
    };
    answer::json(StatusCode::OK, &legacy)
}

fn aggregated_form(headers: &HeaderMap) -> Option<&'static Aggregated> {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .collect();
    let accept = accept.join(",");
    accept.split(',').find_map(|range| {
        let parts: Vec<&str> = range.split(';').map(str::trim).collect();
        AGGREGATED.iter().find(|form| {
            parts.contains(&"application/json")
                && parts.contains(&"as=APIGroupDiscoveryList")
                && parts.contains(&"g=apidiscovery.k8s.io")
                && parts.contains(&format!("v={}", form.version).as_str())
        })
    })
}

/// `/apis/GROUP`
pub fn group(name: &str) -> Option<Response> {
    groups().contains(&name).then(|| {
        let mut group = group_value(name);
        group["kind"] = json!("APIGroup");
        group["apiVersion"] = json!("v1");
        answer::json(StatusCode::OK, &group)
    })
}

/// `/api/v1`, `/apis/GROUP/VERSION`
pub fn resources(group: &str, version: &str) -> Option<Response> {
    let kinds = in_group_version(group, version);
    let group_version = kinds.first()?.api_version();
    let mut resources = Vec::new();
    for kind in kinds {
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": kind.verbs,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            resource["categories"] = json!(kind.categories);
        }
        resources.push(resource);
        for subresource in kind.subresources {
            let part = part(kind, subresource);
            let mut resource = json!({
                "name": format!("{}/{subresource}", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": part.kind,
                "verbs": part.verbs,
            });
            if (part.group, part.version) != (kind.group, kind.version) {
                resource["group"] = json!(part.group);
                resource["version"] = json!(part.version);
            }
            resources.push(resource);
        }
    }
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    });
    Some(answer::json(StatusCode::OK, &list))
}

fn aggregated(root: Root, version: &str) -> Value {
    let wanted = |group: &&str| (root == Root::Core) == group.is_empty();
    let items: Vec<Value> = groups()
        .into_iter()
        .filter(wanted)
        .map(aggregated_group)
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_group(group: &str) -> Value {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|version| {
            let resources: Vec<Value> = in_group_version(group, version)
                .into_iter()
                .map(aggregated_kind)
                .collect();
            json!({ "version": version, "resources": resources, "freshness": "Current" })
        })
        .collect();
    let metadata = if group.is_empty() {
        json!({ "creationTimestamp": null })
    } else {
        json!({ "name": group, "creationTimestamp": null })
    };
    json!({ "metadata": metadata, "versions": versions })
}

fn aggregated_kind(kind: &Kind) -> Value {
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": { "group": kind.group, "version": kind.version, "kind": kind.kind },
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
    if !kind.subresources.is_empty() {
        let parts: Vec<Value> = kind
            .subresources
            .iter()
            .map(|subresource| {
                let part = part(kind, subresource);
                json!({
                    "subresource": subresource,
                    "responseKind": { "group": part.group, "version": part.version, "kind": part.kind },
                    "verbs": part.verbs,
                })
            })
            .collect();
        resource["subresources"] = Value::Array(parts);
    }
    resource
}

/// What a subresource speaks.
struct SubresourceForm {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    verbs: &'static [&'static str],
}

fn part(kind: &Kind, subresource: &str) -> SubresourceForm {
    const CHANGED: &[&str] = &["get", "patch", "update"];
    const CREATED: &[&str] = &["create"];
    const STREAMED: &[&str] = &["create", "get"];
    let form = |group, version, kind, verbs| SubresourceForm {
        group,
        version,
        kind,
        verbs,
    };
    match subresource {
        "scale" => form("autoscaling", "v1", "Scale", CHANGED),
        "binding" => form("", "v1", "Binding", CREATED),
        "eviction" => form("policy", "v1", "Eviction", CREATED),
        "token" => form("authentication.k8s.io", "v1", "TokenRequest", CREATED),
        "log" => form("", "v1", "Pod", &["get"]),
        "exec" => form("", "v1", "PodExecOptions", STREAMED),
        "attach" => form("", "v1", "PodAttachOptions", STREAMED),
        "portforward" => form("", "v1", "PodPortForwardOptions", STREAMED),
        "finalize" => form("", "v1", "Namespace", &["update"]),
        _ => form(kind.group, kind.version, kind.kind, CHANGED),
    }
}

/// Whether there is any kind of this group and version.
pub fn serves(group: &str, version: &str) -> bool {
    kinds::kinds().iter().any(|kind| kind.group == group && kind.version == version)
}

/// Of what lies in no group that is served, the real server speaks in plain text.
pub fn no_such_page() -> Response {
    answer::with_type(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        Body::from(Bytes::from_static(b"404 page not found\n")),
    )
}

/// All groups, each once, in the order of the table of kinds.
fn groups() -> Vec<&'static str> {
    let mut groups = Vec::new();
    for kind in kinds::kinds() {
        if !groups.contains(&kind.group) {
            groups.push(kind.group);
        }
    }
    groups
}

fn versions(group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for kind in kinds::kinds().iter().filter(|it| it.group == group) {
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    versions
}

fn in_group_version(group: &str, version: &str) -> Vec<&'static Kind> {
    kinds::kinds()
        .iter()
        .filter(|it| it.group == group && it.version == version)
        .collect()
}

fn group_value(group: &str) -> Value {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({ "name": group, "versions": versions, "preferredVersion": preferred })
}

/// Text for health checks.
pub fn healthy() -> Response {
    answer::with_type(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        Body::from(Bytes::from_static(b"ok")),
    )
}
