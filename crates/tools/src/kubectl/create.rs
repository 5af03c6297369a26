//! `kubectl create`: from files, and the few kinds that are made from a command line.

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    Command,
    apply::{self, DryRun},
    manifests::{self, Manifest},
    output::{self, Output},
    session::Ask,
};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("filename").short('f'),
    switch("recursive").short('R'),
    value("output").short('o'),
    value("template"),
    value("dry-run").or("client"),
    value("validate").or("true"),
    switch("save-config"),
    value("from-literal"),
    value("from-file"),
    value("from-env-file"),
    value("type"),
    value("docker-server"),
    value("docker-username"),
    value("docker-password"),
    value("docker-email"),
    value("cert"),
    value("key"),
    value("image"),
    value("replicas").short('r'),
    value("port"),
    value("field-manager").idle(),
    switch("show-managed-fields").idle(),
    switch("append-hash").refused("apply a manifest with a name of your own"),
    switch("edit").refused("a job has nobody to ask"),
    value("raw").refused("name the object"),
    value("kustomize").short('k').refused("`kubectl kustomize DIR` prints the files; hand them over with -f -"),
];

/// Where Docker's own registry is kept.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Runs `kubectl create`.
pub async fn create(mut command: Command<'_>, sub: &str) -> Result<(), Failure> {
    let (output, dry_run) = (Output::of(&command.line)?, DryRun::of(&command.line)?);
    let validation = apply::validation(&command.line)?;
    let manifests = match sub {
        "" => manifests::read(&command.line, command.console)?,
        kind => vec![Manifest { object: made(kind, &command.line, command.console)?, source: String::new() }],
    };
    if manifests.is_empty() {
        return Err(Failure::new("error: must specify one of -f and -k"));
    }
    // What only is to be printed needs no server.
    let local = dry_run == DryRun::Client && !sub.is_empty();
    if local && output.wants_objects() && command.line.last("output") != Some("name") {
        for Manifest { mut object, .. } in manifests {
            if let Some(namespace) = command.line.last("namespace").filter(|_| object["kind"] != "Namespace") {
                object["metadata"]["namespace"] = namespace.into();
            }
            output.show(&object, command.console)?;
        }
        return Ok(());
    }
    let session = command.session().await?;
    let Command { line, console } = &mut command;
    let mut failures = Vec::new();
    for manifest in manifests {
        let placed = manifests::place(&session, manifest).await?;
        let mut object = if line.is_on("save-config") { apply::with_last_applied(&placed.object) } else { placed.object };
        if dry_run != DryRun::Client {
            let path = format!("{}?fieldManager=kubectl-create&{validation}{}", placed.resource.path(Some(&placed.namespace)), dry_run.query());
            match session.json(Ask::post(path, &object)).await {
                Ok(answer) => object = answer,
                Err(fault) => {
                    let what = format!("error when creating \"{}\"", placed.source);
                    let fault = if placed.source.is_empty() { fault.while_doing_kind(sub) } else { fault.while_doing(&what) };
                    failures.push(Failure::from(fault).message);
                    continue;
                }
            }
        }
        output::told(&output, &placed.resource, &mut object, &format!("created{}", dry_run.note()), console)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

/// An object made from the words and flags of the command line.
fn made(kind: &str, line: &Parsed, console: &mut Console) -> Result<Value, Failure> {
    let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
    let metadata = |name: &str| json!({ "creationTimestamp": null, "name": name });
    match (kind, words.as_slice()) {
        ("namespace" | "ns", [name]) => Ok(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name), "spec": {}, "status": {} })),
        ("serviceaccount" | "sa", [name]) => Ok(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name) })),
        ("configmap" | "cm", [name]) => {
            let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name) });
            for (key, bytes) in data(line, console)? {
                match String::from_utf8(bytes) {
                    Ok(text) => place(&mut object, "data", &key, text),
                    Err(error) => place(&mut object, "binaryData", &key, STANDARD.encode(error.into_bytes())),
                }
            }
            Ok(object)
        }
        ("secret", ["generic", name]) => {
            let mut object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata(name) });
            for (key, bytes) in data(line, console)? {
                place(&mut object, "data", &key, STANDARD.encode(bytes));
            }
            if let Some(kind) = line.last("type") {
                object["type"] = kind.into();
            }
            Ok(object)
        }
        ("secret", ["docker-registry", name]) => {
            let (Some(user), Some(password)) = (line.last("docker-username"), line.last("docker-password")) else {
                return Err(Failure::new("error: either --from-file or the combination of --docker-username, --docker-password and --docker-server is required"));
            };
            let mut auth = json!({ "username": user, "password": password, "auth": STANDARD.encode(format!("{user}:{password}")) });
            if let Some(email) = line.last("docker-email") {
                auth["email"] = email.into();
            }
            let config = json!({ "auths": { line.last("docker-server").unwrap_or(DOCKER_HUB): auth } });
            let data = json!({ ".dockerconfigjson": STANDARD.encode(config.to_string()) });
            Ok(json!({ "apiVersion": "v1", "data": data, "kind": "Secret", "metadata": metadata(name), "type": "kubernetes.io/dockerconfigjson" }))
        }
        ("secret", ["tls", name]) => {
            let (Some(cert), Some(key)) = (line.last("cert"), line.last("key")) else {
                return Err(Failure::new("error: cert and key must be specified"));
            };
            let data = json!({ "tls.crt": STANDARD.encode(content(cert, console)?), "tls.key": STANDARD.encode(content(key, console)?) });
            Ok(json!({ "apiVersion": "v1", "data": data, "kind": "Secret", "metadata": metadata(name), "type": "kubernetes.io/tls" }))
        }
        ("deployment" | "deploy", [name]) => deployment(name, line),
        ("secret", _) => Err(Failure::new("error: expected `create secret generic|docker-registry|tls NAME`")),
        _ => Err(Failure::new(format!("error: exactly one NAME is required, got {}\nSee 'kubectl create {kind} -h' for help and examples", words.len()))),
    }
}

fn deployment(name: &str, line: &Parsed) -> Result<Value, Failure> {
    let images: Vec<&str> = line.all("image").collect();
    if images.is_empty() {
        return Err(Failure::new("error: required flag(s) \"image\" not set"));
    }
    let replicas = line.last("replicas").unwrap_or("1");
    let replicas: i64 = replicas.parse().map_err(|_| Failure::new(format!("error: invalid argument \"{replicas}\" for \"-r, --replicas\" flag")))?;
    let labels = json!({ "app": name });
    let mut containers = Vec::new();
    for image in images {
        // A container is called as its image, without registry, tag and digest.
        let last = image.rsplit('/').next().unwrap_or(image);
        let mut container = json!({ "image": image, "name": last.split([':', '@']).next().unwrap_or(last), "resources": {} });
        if let Some(port) = line.last("port") {
            let port: u16 = port.parse().map_err(|_| Failure::new(format!("error: invalid argument \"{port}\" for \"--port\" flag")))?;
            container["ports"] = json!([{ "containerPort": port }]);
        }
        containers.push(container);
    }
    Ok(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "creationTimestamp": null, "labels": labels, "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": labels }, "strategy": {},
            "template": { "metadata": { "creationTimestamp": null, "labels": labels }, "spec": { "containers": containers } },
        },
        "status": {},
    }))
}

fn place(object: &mut Value, field: &str, key: &str, value: String) {
    let map = object.as_object_mut().expect("a map was made");
    let data = map.entry(field).or_insert_with(|| Value::Object(Map::new()));
    data[key] = value.into();
}

fn content(file: &str, console: &mut Console) -> Result<Vec<u8>, Failure> {
    let path = console.path(file);
    fs::read(&path).map_err(|error| Failure::new(format!("error: error reading {file}: {error}")))
}

/// What `--from-literal`, `--from-file` and `--from-env-file` give.
fn data(line: &Parsed, console: &mut Console) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut data = BTreeMap::new();
    let mut add = |key: &str, bytes: Vec<u8>| {
        let valid = !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
        if !valid {
            return Err(Failure::new(format!("error: \"{key}\" is not a valid key name: a valid config key must consist of alphanumeric characters, '-', '_' or '.'")));
        }
        match data.insert(key.to_owned(), bytes) {
            None => Ok(()),
            Some(_) => Err(Failure::new(format!("error: cannot add key \"{key}\", another key by that name already exists"))),
        }
    };
    for literal in line.all("from-literal") {
        let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::new(format!("error: invalid literal source {literal}, expected key=value")));
        };
        // Quotes that the shell left are taken off, as the original does.
        let value = ['"', '\''].into_iter().find_map(|it| value.strip_prefix(it)?.strip_suffix(it)).unwrap_or(value);
        add(key, value.as_bytes().to_vec())?;
    }
    for source in line.all("from-file") {
        let (key, file) = source.split_once('=').map_or((None, source), |(key, file)| (Some(key), file));
        let path = console.path(file);
        if path.is_dir() {
            if key.is_some() {
                return Err(Failure::new("error: cannot give a key name for a directory path"));
            }
            let entries = fs::read_dir(&path).map_err(|error| Failure::new(format!("error: error reading {file}: {error}")))?;
            for entry in entries.flatten().filter(|it| it.path().is_file()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                add(&name, content(&entry.path().display().to_string(), console)?)?;
            }
            continue;
        }
        let name = Path::new(file).file_name().map_or_else(|| file.to_owned(), |it| it.to_string_lossy().into_owned());
        add(key.unwrap_or(&name), content(file, console)?)?;
    }
    for file in line.all("from-env-file") {
        let text = String::from_utf8(content(file, console)?).map_err(|_| Failure::new(format!("error: {file} is not UTF-8")))?;
        for entry in text.lines().map(str::trim_start).filter(|it| !it.is_empty() && !it.starts_with('#')) {
            match entry.split_once('=') {
                Some((key, value)) => add(key, value.as_bytes().to_vec())?,
                None => {
                    if let Some(value) = console.env(entry) {
                        add(entry, value.as_bytes().to_vec())?;
                    }
                }
            }
        }
    }
    Ok(data)
}
