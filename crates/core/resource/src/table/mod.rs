//! What `kubectl get` prints: column definitions and the cells of one object.
//!
//! `data/columns.json` holds the columns as the real server defines them; columns of priority 1
//! are those of `-o wide`.

mod network;
mod pod;

use std::{collections::HashMap, sync::LazyLock};

use names::Timestamp;
use serde_json::{Map, Value, json};

use crate::{kinds::Kind, selector::LabelSelector};

static COLUMNS: LazyLock<HashMap<String, Vec<Value>>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/columns.json"))
        .expect("embedded columns are JSON")
});

/// What a row carries beside its cells, by the query parameter `includeObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// Reads the query parameter; absent means metadata.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("" | "Metadata") => Some(Self::Metadata),
            Some("None") => Some(Self::None),
            Some("Object") => Some(Self::Object),
            Some(_) => None,
        }
    }
}

/// The `columnDefinitions` of a kind's table.
pub fn columns(kind: &Kind) -> &'static [Value] {
    let key = format!("{} {}", kind.api_version(), kind.kind);
    COLUMNS
        .get(&key)
        .or_else(|| COLUMNS.get("default"))
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// One row of a table.
pub fn row(kind: &Kind, object: &Value, now: Timestamp, include: Include) -> Value {
    let mut row = json!({ "cells": cells(kind, object, now) });
    match include {
        Include::None => {}
        Include::Metadata => row["object"] = metadata_only(object),
        Include::Object => row["object"] = object.clone(),
    }
    row
}

/// A whole table; `metadata` is that of the list (resource version, continue token).
pub fn table(kind: &Kind, rows: Vec<Value>, metadata: Value) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns(kind),
        "rows": rows,
    })
}

/// The object without all but its metadata, as `PartialObjectMetadata`.
pub fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

/// The `cells` of one object's row; as many as [`columns`] has.
pub fn cells(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = text(&object["metadata"]["name"]);
    let age = since(&object["metadata"]["creationTimestamp"], now);
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::cells(object, now),
        ("apps", "Deployment") => deployment(object, name, &age),
        ("apps", "ReplicaSet") => replica_set(object, name, &age),
        ("", "Service") => network::service(object, name, &age),
        ("", "Endpoints") => vec![json!(name), json!(network::endpoints(object)), json!(age)],
        ("discovery.k8s.io", "EndpointSlice") => network::slice(object, name, &age),
        ("", "Node") => node(object, name, &age),
        ("", "Namespace") => vec![
            json!(name),
            json!(text(&object["status"]["phase"])),
            json!(age),
        ],
        ("", "ConfigMap") => {
            let count = length(&object["data"]) + length(&object["binaryData"]);
            vec![json!(name), json!(count), json!(age)]
        }
        ("", "Secret") => {
            vec![
                json!(name),
                json!(text(&object["type"])),
                json!(length(&object["data"])),
                json!(age),
            ]
        }
        ("", "ServiceAccount") => vec![json!(name), json!(length(&object["secrets"])), json!(age)],
        ("", "Event") => event(object, &EventNames::CORE, now),
        ("events.k8s.io", "Event") => event(object, &EventNames::EVENTS, now),
        ("coordination.k8s.io", "Lease") => {
            vec![
                json!(name),
                json!(text(&object["spec"]["holderIdentity"])),
                json!(age),
            ]
        }
        _ => vec![json!(name), object["metadata"]["creationTimestamp"].clone()],
    }
}

/// The text of a string, and nothing for what is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn length(value: &Value) -> usize {
    value
        .as_object()
        .map_or_else(|| value.as_array().map_or(0, Vec::len), Map::len)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, or a word in its place when it is empty.
fn or<'v>(value: &'v str, word: &'v str) -> &'v str {
    if value.is_empty() { word } else { value }
}

/// The time since a timestamp in the short form, e.g. `5d3h`; `<unknown>` for none.
fn since(time: &Value, now: Timestamp) -> String {
    match text(time).parse::<Timestamp>() {
        Ok(time) => short_duration((now.as_micros() - time.as_micros()).div_euclid(1_000_000)),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// Two units at most, and fewer the longer the span: nobody asks for the seconds of a day.
fn short_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let pair = |whole: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 {
            format!("{whole}{unit}")
        } else {
            format!("{whole}{unit}{rest}{small}")
        }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(hours / 24, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        _ if hours < 24 * 365 * 8 => pair(hours / 24 / 365, "y", hours / 24 % 365, "d"),
        _ => format!("{}y", hours / 24 / 365),
    }
}

/// Names and images of the containers of a template, comma-separated.
fn containers(object: &Value) -> (String, String) {
    let containers = list(&object["spec"]["template"]["spec"]["containers"]);
    let join = |field: &str| {
        containers
            .iter()
            .map(|it| text(&it[field]))
            .collect::<Vec<_>>()
            .join(",")
    };
    (join("name"), join("image"))
}

fn deployment(object: &Value, name: &str, age: &str) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ready = format!(
        "{}/{}",
        number(&status["readyReplicas"]),
        number(&spec["replicas"])
    );
    let (names, images) = containers(object);
    let selector = LabelSelector::from_value(&spec["selector"]).map(|it| it.to_string());
    vec![
        json!(name),
        json!(ready),
        json!(number(&status["updatedReplicas"])),
        json!(number(&status["availableReplicas"])),
        json!(age),
        json!(names),
        json!(images),
        json!(selector.unwrap_or_else(|_| "<invalid>".to_owned())),
    ]
}

fn replica_set(object: &Value, name: &str, age: &str) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let (names, images) = containers(object);
    let selector = LabelSelector::from_value(&spec["selector"]).map(|it| it.to_string());
    let selector = selector.unwrap_or_else(|_| "<error>".to_owned());
    vec![
        json!(name),
        json!(number(&spec["replicas"])),
        json!(number(&status["replicas"])),
        json!(number(&status["readyReplicas"])),
        json!(age),
        json!(names),
        json!(images),
        json!(or(&selector, "<none>")),
    ]
}

fn node(object: &Value, name: &str, age: &str) -> Vec<Value> {
    let status = &object["status"];
    let ready = list(&status["conditions"])
        .iter()
        .rev()
        .find(|it| it["type"] == "Ready");
    let mut states = vec![match ready {
        Some(condition) if condition["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if object["spec"]["unschedulable"] == true {
        states.push("SchedulingDisabled");
    }
    let address = |kind: &str| {
        let found = list(&status["addresses"])
            .iter()
            .find(|it| it["type"] == kind);
        found.map_or("<none>", |it| text(&it["address"])).to_owned()
    };
    let info = &status["nodeInfo"];
    let unknown = |field: &str| json!(or(text(&info[field]), "<unknown>"));
    vec![
        json!(name),
        json!(states.join(",")),
        json!(roles(&object["metadata"]["labels"])),
        json!(age),
        json!(text(&info["kubeletVersion"])),
        json!(address("InternalIP")),
        json!(address("ExternalIP")),
        unknown("osImage"),
        unknown("kernelVersion"),
        unknown("containerRuntimeVersion"),
    ]
}

fn roles(labels: &Value) -> String {
    let mut roles: Vec<&str> = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role),
                None if key == "kubernetes.io/role" => Some(text(value)),
                None => None,
            },
        )
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    or(&roles.join(","), "<none>").to_owned()
}

/// What the two API groups call the same fields of an event.
struct EventNames {
    object: &'static str,
    message: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    source: &'static str,
    component: &'static str,
}

impl EventNames {
    const CORE: Self = Self {
        object: "involvedObject",
        message: "message",
        first: "firstTimestamp",
        last: "lastTimestamp",
        count: "count",
        source: "source",
        component: "reportingComponent",
    };
    const EVENTS: Self = Self {
        object: "regarding",
        message: "note",
        first: "deprecatedFirstTimestamp",
        last: "deprecatedLastTimestamp",
        count: "deprecatedCount",
        source: "deprecatedSource",
        component: "reportingController",
    };
}

fn event(object: &Value, names: &EventNames, now: Timestamp) -> Vec<Value> {
    let set = |time: &Value| time.as_str().is_some();
    let first_time = &object[names.first];
    let first = since(
        if set(first_time) {
            first_time
        } else {
            &object["eventTime"]
        },
        now,
    );
    let mut last = if set(&object[names.last]) {
        since(&object[names.last], now)
    } else {
        first.clone()
    };
    let mut count = number(&object[names.count]).max(1);
    if object["series"].is_object() {
        last = since(&object["series"]["lastObservedTime"], now);
        count = number(&object["series"]["count"]);
    }
    let about = &object[names.object];
    let kind = text(&about["kind"]).to_lowercase();
    let target = match text(&about["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let source = &object[names.source];
    let component = or(text(&source["component"]), text(&object[names.component]));
    let instance = or(text(&source["host"]), text(&object["reportingInstance"]));
    let source = match instance {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    };
    vec![
        json!(last),
        json!(text(&object["type"])),
        json!(text(&object["reason"])),
        json!(target),
        json!(text(&about["fieldPath"])),
        json!(source),
        json!(text(&object[names.message]).trim()),
        json!(first),
        json!(count),
        json!(text(&object["metadata"]["name"])),
    ]
}
