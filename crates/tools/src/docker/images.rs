//! `docker tag`, `docker inspect` and `docker rmi`.

use names::{Digest, ImageRef};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    server::{Refused, Server},
    usage, wrong_count,
};
use crate::{
    Console,
    failure::Failure,
    flags::{self, Until, switch, value},
    go_template::{Missing, Template},
};

/// Fills a `--format` for one value.
pub fn formatted(value: &Value, format: &str) -> Result<String, Failure> {
    let wrong = |error: crate::go_template::TemplateError| Failure::new(error.to_string());
    if format == "json" {
        return Ok(value.to_string());
    }
    Template::parse(format).map_err(wrong)?.fill(value, Missing::Error).map_err(wrong)
}

/// Runs `docker tag`.
pub async fn tag(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[], Until::End).map_err(|it| usage(&it, "tag"))?;
    let [source, target] = line.words.as_slice() else {
        return Err(wrong_count("tag", "2 arguments", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]"));
    };
    if target.parse::<ImageRef>().is_err() {
        return Err(Failure::new(format!("Error parsing reference: \"{target}\" is not a valid repository/tag: invalid reference format")));
    }
    let server = Server::of(console)?;
    let body = json!({ "source": source, "target": target });
    match server.post::<Value>("/landfall/v1/images/tag", &body).await {
        Ok(_) => Ok(()),
        Err(Refused::Complaint(mut complaint)) if complaint.code == "missing" => {
            complaint.message = format!("No such image: {}", with_tag(source));
            Err(Refused::Complaint(complaint).into())
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The name as Docker completes it in messages.
fn with_tag(name: &str) -> String {
    name.parse::<ImageRef>().map_or_else(|_| name.to_owned(), |it| it.familiar())
}

/// Runs `docker inspect`.
pub async fn inspect(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let flags = [value("format").short('f'), value("type"), switch("size").short('s').idle(), value("platform").idle()];
    let line = flags::parse("docker", args, &[&flags], Until::End).map_err(|it| usage(&it, "inspect"))?;
    if line.words.is_empty() {
        return Err(wrong_count("inspect", "at least 1 argument", "IMAGE [IMAGE...]"));
    }
    if let Some(kind) = line.last("type").filter(|it| *it != "image") {
        return Err(Failure::new(format!("docker: `--type {kind}` is not supported in Landfall jobs: there are images only")));
    }
    let server = Server::of(console)?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in &line.words {
        let request = server.request(Method::GET, "/landfall/v1/images/inspect").query(&[("name", name)]);
        match server.json::<Value>(request).await {
            Ok(image) => found.push(image),
            Err(Refused::Complaint(complaint)) if complaint.code == "missing" => missing.push(name),
            Err(refused) => return Err(refused.into()),
        }
    }
    match line.last("format") {
        Some(format) => {
            for image in &found {
                console.out(formatted(image, format)?);
            }
        }
        None => console.out(indented(&Value::Array(found))),
    }
    if missing.is_empty() {
        return Ok(());
    }
    let complaints = missing.iter().map(|name| format!("Error response from daemon: No such image: {}", with_tag(name)));
    Err(Failure::new(complaints.collect::<Vec<_>>().join("\n")))
}

/// JSON with four spaces, as Docker writes it.
fn indented(value: &Value) -> String {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, format);
    serde::Serialize::serialize(value, &mut writer).expect("a value is JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

#[derive(Deserialize)]
struct Untagged {
    name: String,
    digest: Digest,
    kept: bool,
}

/// Runs `docker rmi`.
pub async fn remove(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let flags = [switch("force").short('f'), switch("no-prune").idle(), value("platform").idle()];
    let line = flags::parse("docker", args, &[&flags], Until::End).map_err(|it| usage(&it, "rmi"))?;
    if line.words.is_empty() {
        return Err(wrong_count("rmi", "at least 1 argument", "IMAGE [IMAGE...]"));
    }
    let server = Server::of(console)?;
    let mut failed = Vec::new();
    for name in &line.words {
        for name in names_of(&server, name).await? {
            let request = server.request(Method::DELETE, "/landfall/v1/images").query(&[("name", &name)]);
            match server.json::<Untagged>(request).await {
                Ok(it) => {
                    console.out(format!("Untagged: {}", it.name));
                    if it.kept {
                        console.err(format!("landfall: {} was pushed and stays in the registry as {}", it.name, it.digest));
                    }
                }
                Err(Refused::Complaint(complaint)) if complaint.code == "missing" && line.is_on("force") => {}
                Err(Refused::Complaint(complaint)) if complaint.code == "missing" => {
                    failed.push(format!("Error response from daemon: No such image: {}", with_tag(&name)));
                }
                Err(refused) => failed.push(Failure::from(refused).message),
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("\n"))) }
}

/// An id means all its names; a name means itself.
async fn names_of(server: &Server, text: &str) -> Result<Vec<String>, Failure> {
    let images = server.images().await?;
    let wanted = text.parse::<ImageRef>().ok();
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_name = images.iter().any(|it| format!("{}:{}", it.repository, it.tag).parse().ok() == wanted);
    if is_name || hex.len() < 4 || !hex.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(vec![text.to_owned()]);
    }
    let names = images.iter().filter(|it| it.digest.hex().starts_with(hex)).map(|it| format!("{}:{}", it.repository, it.tag));
    let names: Vec<String> = names.collect();
    Ok(if names.is_empty() { vec![text.to_owned()] } else { names })
}
