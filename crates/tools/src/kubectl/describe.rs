//! `kubectl describe`: an object for people, with what happened to it.

use std::time::SystemTime;

use names::Timestamp;
use serde_json::Value;

use super::{
    Command,
    discovery::encoded,
    fault::Fault,
    list, manifests, output,
    session::{Ask, Session},
    table,
    target::{self, Found},
    text,
};
use crate::{
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("selector").short('l'),
    switch("all-namespaces").short('A'),
    switch("show-events"),
    value("chunk-size").idle(),
    value("kustomize").short('k'),
];

/// Where values begin when their name is short.
const VALUES_AT: usize = 16;

/// Runs `kubectl describe`.
pub async fn describe(command: Command<'_>) -> Result<(), Failure> {
    let manifests = manifests::read(&command.line, command.console)?;
    if manifests.is_empty() && command.line.words.is_empty() {
        return Err(Failure::new("error: You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of supported resources."));
    }
    let session = command.session().await?;
    let found = match target::find(&session, &command.line, manifests).await {
        Err(fault) if fault.is_missing() && command.line.words.len() == 2 => begun(&session, &command, fault).await?,
        found => found?,
    };
    if found.is_empty() {
        command.console.err(format!("No resources found in {} namespace.", session.namespace));
    }
    for (index, it) in found.iter().enumerate() {
        if index > 0 {
            command.console.out("\n");
        }
        command.console.out(object(it).trim_end());
        if command.line.is_not_off("show-events") {
            let events = events(&session, it).await?;
            command.console.out(events);
        }
    }
    Ok(())
}

/// A name that is only the beginning of names means all of them.
async fn begun(session: &Session, command: &Command<'_>, missing: Fault) -> Result<Vec<Found>, Fault> {
    let mut line = command.line.clone();
    let Some(begin) = line.words.pop().filter(|_| !line.words.iter().any(|it| it.contains('/'))) else { return Err(missing) };
    line.words_before_dashes = line.words.len();
    let mut found = target::find(session, &line, Vec::new()).await?;
    found.retain(|it| it.name.starts_with(&begin));
    if found.is_empty() { Err(missing) } else { Ok(found) }
}

/// Lines of names and values, with more lines below them.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, depth: usize, name: &str, value: &str) {
        let label = format!("{}{name}:", " ".repeat(depth * 2));
        let pad = VALUES_AT.saturating_sub(label.chars().count()).max(1);
        let value = value.trim_end();
        self.text.push_str(&label);
        if !value.is_empty() {
            self.text.push_str(&" ".repeat(pad));
            self.text.push_str(value);
        }
        self.text.push('\n');
    }

    /// A map as `a=b`, one below the other.
    fn map(&mut self, depth: usize, name: &str, map: &Value, between: &str) {
        let mut pairs: Vec<String> = map.as_object().into_iter().flatten().map(|(name, value)| format!("{name}{between}{}", text(value))).collect();
        pairs.retain(|it| !it.starts_with("kubectl.kubernetes.io/last-applied-configuration"));
        pairs.sort();
        if pairs.is_empty() {
            self.line(depth, name, "<none>");
            return;
        }
        for (index, pair) in pairs.iter().enumerate() {
            if index == 0 {
                self.line(depth, name, pair);
            } else {
                self.text.push_str(&format!("{}{pair}\n", " ".repeat(VALUES_AT)));
            }
        }
    }

    /// Any value: fields below each other, lists one entry after the other.
    fn tree(&mut self, depth: usize, name: &str, value: &Value) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.line(depth, name, "");
                for (name, value) in output::sorted(value).as_object().into_iter().flatten() {
                    self.tree(depth + 1, &titled(name), value);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                self.line(depth, name, "");
                for item in items {
                    for (name, value) in output::sorted(item).as_object().into_iter().flatten() {
                        self.tree(depth + 1, &titled(name), value);
                    }
                }
            }
            Value::Array(items) => self.line(depth, name, &items.iter().map(super::json_path::shown).collect::<Vec<_>>().join(", ")),
            Value::Object(_) | Value::Null => self.line(depth, name, "<none>"),
            other => self.line(depth, name, &super::json_path::shown(other)),
        }
    }
}

/// `containerPort` → `Container Port`
fn titled(name: &str) -> String {
    let mut title = String::new();
    for (at, symbol) in name.chars().enumerate() {
        if at == 0 {
            title.extend(symbol.to_uppercase());
        } else {
            if symbol.is_uppercase() && !title.ends_with(|it: char| it.is_uppercase()) {
                title.push(' ');
            }
            title.push(symbol);
        }
    }
    title
}

fn object(it: &Found) -> String {
    let (object, metadata) = (&it.object, &it.object["metadata"]);
    let mut page = Page::default();
    page.line(0, "Name", &it.name);
    if it.resource.namespaced {
        page.line(0, "Namespace", &it.namespace);
    }
    if it.resource.kind != "Pod" {
        page.line(0, "CreationTimestamp", text(&metadata["creationTimestamp"]));
    }
    page.map(0, "Labels", &metadata["labels"], "=");
    page.map(0, "Annotations", &metadata["annotations"], ": ");
    match it.resource.kind.as_str() {
        "Pod" => pod(&mut page, object),
        "Deployment" | "ReplicaSet" => workload(&mut page, object),
        "Service" => service(&mut page, object),
        "Secret" => {
            page.line(0, "Type", text(&object["type"]));
            page.text.push_str("\nData\n====\n");
            for (name, value) in object["data"].as_object().into_iter().flatten() {
                // Base64 of three bytes has four signs.
                let coded = text(value);
                let bytes = coded.len() / 4 * 3 - coded.bytes().rev().take_while(|it| *it == b'=').count();
                page.line(0, name, &format!("{bytes} bytes"));
            }
        }
        "ConfigMap" => {
            page.text.push_str("\nData\n====\n");
            for (name, value) in object["data"].as_object().into_iter().flatten() {
                page.text.push_str(&format!("{name}:\n----\n{}\n\n", text(value)));
            }
        }
        _ => {
            for field in object.as_object().into_iter().flatten().map(|(name, _)| name) {
                if !matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
                    page.tree(0, &titled(field), &object[field]);
                }
            }
        }
    }
    page.text
}

fn pod(page: &mut Page, pod: &Value) {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    page.line(0, "Service Account", text(&spec["serviceAccountName"]));
    let node = format!("{}/{}", text(&spec["nodeName"]), text(&status["hostIP"]));
    page.line(0, "Node", if node == "/" { "<none>" } else { &node });
    page.line(0, "Start Time", text(&status["startTime"]));
    let going = &pod["metadata"]["deletionTimestamp"];
    page.line(0, "Status", if going.is_null() { text(&status["phase"]) } else { "Terminating" });
    for (name, field) in [("Reason", "reason"), ("Message", "message")] {
        if let Some(value) = status[field].as_str() {
            page.line(0, name, value);
        }
    }
    page.line(0, "IP", text(&status["podIP"]));
    let owner = list(&pod["metadata"]["ownerReferences"]).iter().find(|it| it["controller"] == true);
    if let Some(owner) = owner {
        page.line(0, "Controlled By", &format!("{}/{}", text(&owner["kind"]), text(&owner["name"])));
    }
    for (title, field, statuses) in [("Init Containers", "initContainers", "initContainerStatuses"), ("Containers", "containers", "containerStatuses")] {
        if list(&spec[field]).is_empty() {
            continue;
        }
        page.line(0, title, "");
        for it in list(&spec[field]) {
            container(page, it);
            if let Some(status) = list(&status[statuses]).iter().find(|status| status["name"] == it["name"]) {
                state(page, status);
            }
        }
    }
    conditions(page, status);
    volumes(page, spec);
    page.line(0, "QoS Class", text(&status["qosClass"]));
}

fn container(page: &mut Page, it: &Value) {
    page.line(1, text(&it["name"]), "");
    page.line(2, "Image", text(&it["image"]));
    let ports = list(&it["ports"]).iter().map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        format!("{}/{protocol}", port["containerPort"])
    });
    let ports = ports.collect::<Vec<_>>().join(", ");
    page.line(2, "Port", if ports.is_empty() { "<none>" } else { &ports });
    for (title, field) in [("Command", "command"), ("Args", "args")] {
        if let Some(words) = it[field].as_array() {
            page.line(2, title, "");
            for word in words {
                page.text.push_str(&format!("      {}\n", text(word)));
            }
        }
    }
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        if it["resources"][field].as_object().is_some_and(|it| !it.is_empty()) {
            page.tree(2, title, &it["resources"][field]);
        }
    }
    for (title, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")] {
        if it[field].is_object() {
            page.line(2, title, &probe(&it[field]));
        }
    }
    if list(&it["env"]).is_empty() {
        page.line(2, "Environment", "<none>");
    } else {
        page.line(2, "Environment", "");
        for variable in list(&it["env"]) {
            let from = &variable["valueFrom"];
            let value = ["secretKeyRef", "configMapKeyRef"].into_iter().find(|it| from[*it].is_object()).map(|kind| {
                let what = if kind == "secretKeyRef" { "secret" } else { "config map" };
                format!("<set to the key '{}' in {what} '{}'>", text(&from[kind]["key"]), text(&from[kind]["name"]))
            });
            let value = value.or_else(|| from["fieldRef"]["fieldPath"].as_str().map(|it| format!(" ({it})")));
            page.line(3, text(&variable["name"]), &value.unwrap_or_else(|| text(&variable["value"]).to_owned()));
        }
    }
    let mounts = list(&it["volumeMounts"]);
    page.line(2, "Mounts", if mounts.is_empty() { "<none>" } else { "" });
    for mount in mounts {
        let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
        page.text.push_str(&format!("      {} from {} ({mode})\n", text(&mount["mountPath"]), text(&mount["name"])));
    }
}

fn probe(probe: &Value) -> String {
    let number = |field: &str, default: i64| probe[field].as_i64().unwrap_or(default);
    let shown = super::json_path::shown;
    let how = if probe["httpGet"].is_object() {
        let get = &probe["httpGet"];
        format!("http-get {}://{}:{}{}", text(&get["scheme"]).to_lowercase(), text(&get["host"]), shown(&get["port"]), text(&get["path"]))
    } else if probe["tcpSocket"].is_object() {
        format!("tcp-socket :{}", shown(&probe["tcpSocket"]["port"]))
    } else if probe["exec"].is_object() {
        let words: Vec<&str> = list(&probe["exec"]["command"]).iter().map(text).collect();
        format!("exec [{}]", words.join(" "))
    } else {
        "grpc".to_owned()
    };
    format!(
        "{how} delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    )
}

fn state(page: &mut Page, status: &Value) {
    for (title, state) in [("State", &status["state"]), ("Last State", &status["lastState"])] {
        let Some((name, detail)) = state.as_object().and_then(|it| it.iter().next()) else { continue };
        page.line(2, title, &titled(name));
        for (title, field) in [("Reason", "reason"), ("Message", "message"), ("Exit Code", "exitCode"), ("Signal", "signal"), ("Started", "startedAt"), ("Finished", "finishedAt")] {
            if !detail[field].is_null() {
                page.line(3, title, &super::json_path::shown(&detail[field]));
            }
        }
    }
    page.line(2, "Ready", if status["ready"] == true { "True" } else { "False" });
    page.line(2, "Restart Count", &status["restartCount"].as_i64().unwrap_or(0).to_string());
    page.line(2, "Image ID", text(&status["imageID"]));
}

fn conditions(page: &mut Page, status: &Value) {
    let all = list(&status["conditions"]);
    if all.is_empty() {
        return;
    }
    page.line(0, "Conditions", "");
    let mut lines = vec![["  Type", "Status", "Reason"].map(str::to_owned).to_vec()];
    for it in all {
        let reason = [text(&it["reason"]), text(&it["message"])].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(": ");
        lines.push(vec![format!("  {}", text(&it["type"])), text(&it["status"]).to_owned(), reason]);
    }
    for line in table::aligned(&lines) {
        page.text.push_str(line.trim_end());
        page.text.push('\n');
    }
}

fn volumes(page: &mut Page, spec: &Value) {
    for volume in list(&spec["volumes"]) {
        let kind = volume.as_object().into_iter().flatten().find(|(name, _)| *name != "name");
        if let Some((kind, detail)) = kind {
            page.line(0, &format!("Volume {}", text(&volume["name"])), &titled(kind));
            for (name, value) in detail.as_object().into_iter().flatten().filter(|(_, it)| !it.is_object() && !it.is_array()) {
                page.line(1, &titled(name), &super::json_path::shown(value));
            }
        }
    }
}

fn workload(page: &mut Page, object: &Value) {
    let (spec, status) = (&object["spec"], &object["status"]);
    page.map(0, "Selector", &spec["selector"]["matchLabels"], "=");
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    if object["kind"] == "Deployment" {
        let wanted = spec["replicas"].as_i64().unwrap_or(1);
        page.line(
            0,
            "Replicas",
            &format!(
                "{wanted} desired | {} updated | {} total | {} available | {} unavailable",
                count("updatedReplicas"),
                count("replicas"),
                count("availableReplicas"),
                count("unavailableReplicas")
            ),
        );
        page.line(0, "StrategyType", text(&spec["strategy"]["type"]));
    } else {
        page.line(0, "Replicas", &format!("{} current / {} desired", count("replicas"), spec["replicas"].as_i64().unwrap_or(1)));
    }
    page.text.push_str("Pod Template:\n");
    page.text.push_str(&template(&spec["template"]));
    page.text.push('\n');
    conditions(page, status);
}

/// The template of pods, indented.
pub fn template(template: &Value) -> String {
    let mut page = Page::default();
    page.map(1, "Labels", &template["metadata"]["labels"], "=");
    if template["metadata"]["annotations"].is_object() {
        page.map(1, "Annotations", &template["metadata"]["annotations"], ": ");
    }
    page.line(1, "Containers", "");
    for it in list(&template["spec"]["containers"]) {
        container(&mut page, it);
    }
    volumes(&mut page, &template["spec"]);
    page.text.trim_end().to_owned()
}

fn service(page: &mut Page, object: &Value) {
    let spec = &object["spec"];
    page.map(0, "Selector", &spec["selector"], "=");
    page.line(0, "Type", text(&spec["type"]));
    page.line(0, "IP", text(&spec["clusterIP"]));
    for port in list(&spec["ports"]) {
        let name = port["name"].as_str().unwrap_or("<unset>");
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        page.line(0, "Port", &format!("{name}  {}/{protocol}", port["port"]));
        page.line(0, "TargetPort", &format!("{}/{protocol}", super::json_path::shown(&port["targetPort"])));
        if let Some(number) = port["nodePort"].as_i64() {
            page.line(0, "NodePort", &format!("{name}  {number}/{protocol}"));
        }
    }
    page.line(0, "Session Affinity", spec["sessionAffinity"].as_str().unwrap_or("None"));
}

/// What the cluster noted about an object, the newest last.
async fn events(session: &Session, it: &Found) -> Result<String, Fault> {
    let selector = format!("involvedObject.name={},involvedObject.kind={}", it.name, it.resource.kind);
    let namespace = if it.namespace.is_empty() { "default" } else { &it.namespace };
    let path = format!("/api/v1/namespaces/{}/events?fieldSelector={}", encoded(namespace), encoded(&selector));
    let listed = match session.json(Ask::get(path)).await {
        Ok(listed) => listed,
        // Who may not see events still sees the object.
        Err(Fault::Status { code: 403 | 404, .. }) => return Ok("Events:  <unknown>".to_owned()),
        Err(fault) => return Err(fault),
    };
    let when = |event: &Value| -> Option<Timestamp> {
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]]
            .into_iter()
            .find_map(|it| it.as_str()?.parse().ok())
    };
    let mut all: Vec<&Value> = list(&listed["items"]).iter().collect();
    all.sort_by_key(|it| when(it));
    if all.is_empty() {
        return Ok("Events:         <none>".to_owned());
    }
    let now: Timestamp = SystemTime::now().into();
    let mut lines = vec![
        ["  Type", "Reason", "Age", "From", "Message"].map(str::to_owned).to_vec(),
        ["  ----", "------", "----", "----", "-------"].map(str::to_owned).to_vec(),
    ];
    for event in all {
        let age = when(event).map_or_else(|| "<unknown>".to_owned(), |it| short(now.since(it).as_secs()));
        let count = event["series"]["count"].as_i64().or(event["count"].as_i64()).unwrap_or(1);
        let age = if count > 1 { format!("{age} (x{count})") } else { age };
        let from = [&event["source"]["component"], &event["reportingComponent"]].into_iter().find_map(|it| it.as_str().filter(|it| !it.is_empty()));
        let message = text(&event["message"]).lines().next().unwrap_or_default();
        lines.push(vec![format!("  {}", text(&event["type"])), text(&event["reason"]).to_owned(), age, from.unwrap_or_default().to_owned(), message.to_owned()]);
    }
    Ok(format!("Events:\n{}", table::aligned_with(&lines, 2, 0).join("\n")))
}

/// An age as tables show it.
fn short(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if !seconds.is_multiple_of(60) => format!("{}m{}s", seconds / 60, seconds % 60),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
