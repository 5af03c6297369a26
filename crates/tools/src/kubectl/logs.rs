//! `kubectl logs`: the output of containers.

use http_body_util::BodyExt as _;
use serde_json::Value;

use super::{
    Command,
    discovery::encoded,
    fault::Fault,
    list,
    session::{Ask, Session},
    target, text,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    switch("follow").short('f'),
    value("container").short('c'),
    value("tail"),
    switch("previous").short('p'),
    value("since"),
    value("since-time"),
    switch("timestamps"),
    value("limit-bytes"),
    value("selector").short('l'),
    switch("all-containers"),
    switch("all-pods"),
    switch("prefix"),
    switch("ignore-errors"),
    value("max-log-requests").idle(),
    value("pod-running-timeout").idle(),
    switch("insecure-skip-tls-verify-backend").idle(),
];

/// Lines of each pod when pods are chosen by labels, as for the original.
const TAIL_OF_MANY: &str = "10";

/// Runs `kubectl logs`.
pub async fn logs(command: Command<'_>) -> Result<(), Failure> {
    let session = command.session().await?;
    let Command { line, console } = command;
    let (pods, many) = pods(&session, &line, console).await?;
    let mut streams = Vec::new();
    for pod in &pods {
        for container in containers(pod, &line, console)? {
            streams.push((text(&pod["metadata"]["name"]).to_owned(), container));
        }
    }
    if streams.len() > 1 && line.is_on("follow") {
        return together(&session, &line, &streams, many, console).await;
    }
    for (pod, container) in &streams {
        let done = show(&session, &line, pod, container, many, console).await;
        match done {
            Err(fault) if line.is_on("ignore-errors") => console.err(Failure::from(fault).message),
            done => done?,
        }
    }
    Ok(())
}

/// The pods that are meant, and whether labels chose them.
async fn pods(session: &Session, line: &Parsed, console: &mut Console) -> Result<(Vec<Value>, bool), Failure> {
    let pods = session.discovery().await?.find("pods").cloned().ok_or_else(|| Failure::new("error: the server has no pods"))?;
    if line.last("selector").is_some() {
        if !line.words.is_empty() {
            return Err(Failure::new("error: only a selector (-l) or a POD name is allowed"));
        }
        let listed = session.json(Ask::get(format!("{}?{}", pods.path(Some(&session.namespace)), target::query(line)))).await?;
        let found = list(&listed["items"]).to_vec();
        if found.is_empty() {
            console.err(format!("No resources found in {} namespace.", session.namespace));
        }
        return Ok((found, true));
    }
    let Some(word) = line.words.first() else {
        return Err(Failure::new("error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples"));
    };
    let targets = if word.contains('/') {
        target::parse(session.discovery().await?, std::slice::from_ref(word))?
    } else {
        vec![target::Target { resource: pods.clone(), name: Some(word.clone()) }]
    };
    let [target] = targets.as_slice() else {
        return Err(Failure::new("error: expected one object"));
    };
    let name = target.name.as_deref().unwrap_or_default();
    let object = session.json(Ask::get(target.resource.object_path(&session.namespace, name))).await;
    let object = object.map_err(|fault| match Failure::from(fault) {
        // The original says it so, and scripts look for it.
        Failure { message, code } if message.starts_with("Error from server (NotFound)") => {
            Failure { message: format!("error: e{} in namespace \"{}\"", &message[1..], session.namespace), code }
        }
        failure => failure,
    })?;
    if target.resource.kind == "Pod" {
        return Ok((vec![object], false));
    }
    let found = pods_of(session, &object).await?;
    match found.as_slice() {
        [] => Err(Failure::new("error: timed out waiting for the condition")),
        all if line.is_on("all-pods") => Ok((all.to_vec(), true)),
        [only] => Ok((vec![only.clone()], false)),
        [first, ..] => {
            console.err(format!("Found {} pods, using pod/{}", found.len(), text(&first["metadata"]["name"])));
            Ok((vec![first.clone()], false))
        }
    }
}

/// The pods behind a workload or a service, those that run first.
pub async fn pods_of(session: &Session, object: &Value) -> Result<Vec<Value>, Fault> {
    let selector = &object["spec"]["selector"];
    let labels = if selector["matchLabels"].is_object() { &selector["matchLabels"] } else { selector };
    let Some(labels) = labels.as_object().filter(|it| !it.is_empty()) else {
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        return Err(Fault::here(format!("cannot get the logs from {kind} {name}: it selects no pods by labels")));
    };
    let wanted = labels.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(",");
    let namespace = text(&object["metadata"]["namespace"]);
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector={}", encoded(namespace), encoded(&wanted));
    let listed = session.json(Ask::get(path)).await?;
    let mut pods = list(&listed["items"]).to_vec();
    let ready = |pod: &Value| list(&pod["status"]["conditions"]).iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
    pods.sort_by_key(|pod| (text(&pod["status"]["phase"]) != "Running", !ready(pod), text(&pod["metadata"]["creationTimestamp"]).to_owned()));
    Ok(pods)
}

fn containers(pod: &Value, line: &Parsed, console: &mut Console) -> Result<Vec<String>, Failure> {
    let names = |field: &str| -> Vec<String> { list(&pod["spec"][field]).iter().map(|it| text(&it["name"]).to_owned()).collect() };
    let (regular, init) = (names("containers"), names("initContainers"));
    let pod_name = text(&pod["metadata"]["name"]);
    if line.is_on("all-containers") {
        return Ok(init.into_iter().chain(regular).collect());
    }
    if let Some(wanted) = line.last("container") {
        if regular.iter().chain(&init).any(|it| it == wanted) {
            return Ok(vec![wanted.to_owned()]);
        }
        return Err(Failure::new(format!("error: container {wanted} is not valid for pod {pod_name}")));
    }
    let chosen = text(&pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"]);
    let first = regular.iter().find(|it| *it == chosen).or(regular.first()).cloned().unwrap_or_default();
    if regular.len() + init.len() > 1 && chosen.is_empty() {
        let init = init.iter().map(|it| format!("{it} (init)"));
        let all: Vec<String> = regular.iter().cloned().chain(init).collect();
        console.err(format!("Defaulted container \"{first}\" out of: {}", all.join(", ")));
    }
    Ok(vec![first])
}

fn ask(session: &Session, line: &Parsed, pod: &str, container: &str, many: bool) -> Result<Ask, Fault> {
    let mut query = vec![format!("container={}", encoded(container))];
    for name in ["follow", "previous", "timestamps"] {
        query.extend(line.is_on(name).then(|| format!("{name}=true")));
    }
    let tail = line.last("tail").or(many.then_some(TAIL_OF_MANY)).filter(|it| !it.starts_with('-'));
    query.extend(tail.map(|it| format!("tailLines={}", encoded(it))));
    if let Some(since) = line.last("since") {
        query.push(format!("sinceSeconds={}", super::duration(since)?.as_secs().max(1)));
    }
    query.extend(line.last("since-time").map(|it| format!("sinceTime={}", encoded(it))));
    query.extend(line.last("limit-bytes").map(|it| format!("limitBytes={}", encoded(it))));
    let path = format!("/api/v1/namespaces/{}/pods/{}/log?{}", encoded(&session.namespace), encoded(pod), query.join("&"));
    Ok(Ask::get(path))
}

async fn show(session: &Session, line: &Parsed, pod: &str, container: &str, many: bool, console: &mut Console) -> Result<(), Fault> {
    let mut body = session.stream(ask(session, line, pod, container, many)?).await?;
    let prefix = line.is_on("prefix").then(|| format!("[pod/{pod}/{container}] "));
    let mut begins = true;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::here(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        match &prefix {
            None => console.write_out(&data),
            Some(prefix) => {
                for piece in data.split_inclusive(|it| *it == b'\n') {
                    if begins {
                        console.write_out(prefix.as_bytes());
                    }
                    console.write_out(piece);
                    begins = piece.ends_with(b"\n");
                }
            }
        }
        console.flush();
    }
    Ok(())
}

/// Follows several containers at once, line by line.
async fn together(session: &Session, line: &Parsed, streams: &[(String, String)], many: bool, console: &mut Console) -> Result<(), Failure> {
    use futures_util::StreamExt as _;
    let mut all = futures_util::stream::SelectAll::new();
    for (pod, container) in streams {
        let body = session.stream(ask(session, line, pod, container, many)?).await?;
        let prefix = if line.is_on("prefix") { format!("[pod/{pod}/{container}] ") } else { String::new() };
        let lines = futures_util::stream::unfold((body, Vec::new()), move |(mut body, mut rest): (_, Vec<u8>)| {
            let prefix = prefix.clone();
            async move {
                loop {
                    if let Some(end) = rest.iter().position(|it| *it == b'\n') {
                        let mut text = prefix.clone().into_bytes();
                        text.extend(rest.drain(..=end));
                        return Some((text, (body, rest)));
                    }
                    let frame: http_body::Frame<_> = kube::client::Body::frame(&mut body).await?.ok()?;
                    let data: bytes::Bytes = frame.into_data().unwrap_or_default();
                    rest.extend_from_slice(&data);
                }
            }
        });
        all.push(Box::pin(lines));
    }
    while let Some(text) = all.next().await {
        console.write_out(&text);
        console.flush();
    }
    Ok(())
}
