//! `config.json` of Docker: the credentials of registries, kept as Docker keeps them.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{Console, failure::Failure};

/// How Docker's own registry is called in the file.
pub const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The file: `--config`, `$DOCKER_CONFIG` or `~/.docker`.
fn file(config: Option<&str>, console: &Console) -> Result<PathBuf, Failure> {
    let folder = match (config.or(console.env("DOCKER_CONFIG")), console.env("HOME")) {
        (Some(folder), _) => console.path(folder),
        (None, Some(home)) => console.path(home).join(".docker"),
        (None, None) => return Err(Failure::new("docker: neither DOCKER_CONFIG nor HOME is set")),
    };
    Ok(folder.join("config.json"))
}

fn read(config: Option<&str>, console: &Console) -> Result<Map<String, Value>, Failure> {
    let file = file(config, console)?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(Failure::new(format!("docker: {}: {error}", file.display()))),
    };
    // The text stays out of the message: it holds passwords.
    serde_json::from_str(&text).map_err(|_| Failure::new(format!("docker: {} is not a JSON object", file.display())))
}

/// The credentials to send along, if there are any.
pub fn load(config: Option<&str>, console: &Console) -> Result<Option<Value>, Failure> {
    if console.env("HOME").is_none() && config.is_none() && console.env("DOCKER_CONFIG").is_none() {
        return Ok(None);
    }
    let content = read(config, console)?;
    let auths = content.get("auths").and_then(Value::as_object).filter(|it| !it.is_empty());
    Ok(auths.map(|auths| json!({ "auths": auths })))
}

/// Keeps credentials; those of other registries stay.
pub fn store(registry: &str, user: &str, password: &str, config: Option<&str>, console: &Console) -> Result<PathBuf, Failure> {
    let mut content = read(config, console)?;
    let auths = content.entry("auths").or_insert_with(|| json!({}));
    auths[registry] = json!({ "auth": STANDARD.encode(format!("{user}:{password}")) });
    write(&content, config, console)
}

/// Forgets credentials; tells whether there were any.
pub fn forget(registry: &str, config: Option<&str>, console: &Console) -> Result<bool, Failure> {
    let mut content = read(config, console)?;
    let auths = content.get_mut("auths").and_then(Value::as_object_mut);
    let known = auths.is_some_and(|it| it.shift_remove(registry).is_some());
    if known {
        write(&content, config, console)?;
    }
    Ok(known)
}

/// Written beside and moved, so that nobody reads half of it.
fn write(content: &Map<String, Value>, config: Option<&str>, console: &Console) -> Result<PathBuf, Failure> {
    let file = file(config, console)?;
    let wrong = |error: io::Error| Failure::new(format!("Error saving credentials: {}: {error}", file.display()));
    let folder = file.parent().unwrap_or(&file);
    fs::create_dir_all(folder).map_err(wrong)?;
    let beside = folder.join(format!("config.json.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    // The name has this process' number, so what is there was left by one that is gone.
    let mut new = options.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(wrong)?;
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, format);
    serde::Serialize::serialize(content, &mut writer).expect("a JSON object is JSON");
    new.write_all(&text).map_err(wrong)?;
    fs::rename(&beside, &file).map_err(wrong)?;
    Ok(file)
}
