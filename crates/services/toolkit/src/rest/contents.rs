//! Files and folders of a commit.

use api::Permission;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use repo::Repository;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    git,
};

/// GitHub's own limits: larger files come without content, or only as they are.
const EMBEDDED_BYTES_MAX: u64 = 1024 * 1024;
const FILE_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// GitHub's own limit for a listing with everything below.
const ENTRIES_MAX: usize = 100_000;
/// As long as a line of base64 is in mail, where this form comes from.
const LINE_LENGTH: usize = 60;

struct Entry<'a> {
    mode: &'a str,
    kind: &'a str,
    object: &'a str,
    size: Option<u64>,
    path: &'a str,
}

/// `GET contents/PATH`
pub async fn read(ask: &Ask<'_>, path: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let commit = git::commit(&repository, ask.query.get("ref")).await?.to_string();
    show(ask, &repository, &commit, path).await
}

/// `GET readme`
pub async fn readme(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let commit = git::commit(&repository, ask.query.get("ref")).await?.to_string();
    let listed = git::text(&repository, &["ls-tree", "-z", "-l", &commit]).await?;
    let entries = parse(&listed);
    let is_readme = |it: &&Entry<'_>| it.kind == "blob" && it.path.to_lowercase().split('.').next() == Some("readme");
    let found = entries.iter().find(is_readme).ok_or_else(Problem::not_found)?;
    show(ask, &repository, &commit, found.path).await
}

async fn show(ask: &Ask<'_>, repository: &Repository, commit: &str, path: &str) -> Result<Answer, Problem> {
    let path = path.trim_matches('/');
    if path.split('/').any(|part| part == "..") {
        return Err(Problem::not_found());
    }
    if !path.is_empty() {
        let listed = git::text(repository, &["--literal-pathspecs", "ls-tree", "-z", "-l", commit, "--", path]).await?;
        let entries = parse(&listed);
        let entry = entries.first().ok_or_else(Problem::not_found)?;
        if entry.kind != "tree" {
            return file(ask, repository, commit, entry).await;
        }
    }
    let spec = format!("{commit}:{path}");
    let listed = git::text(repository, &["ls-tree", "-z", "-l", &spec]).await?;
    let shown: Vec<Value> = parse(&listed)
        .iter()
        .map(|entry| {
            let below = if path.is_empty() { entry.path.to_owned() } else { format!("{path}/{}", entry.path) };
            of_entry(ask, entry, &below, commit)
        })
        .collect();
    Ok(Answer::json(shown.into()))
}

async fn file(ask: &Ask<'_>, repository: &Repository, commit: &str, entry: &Entry<'_>) -> Result<Answer, Problem> {
    let mut shown = of_entry(ask, entry, entry.path, commit);
    let size = entry.size.unwrap_or_default();
    if size > FILE_BYTES_MAX {
        return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, format!("a file has at most {FILE_BYTES_MAX} bytes here; clone the repository")));
    }
    if entry.kind != "blob" {
        return Ok(Answer::json(shown));
    }
    let accept = ask.headers.get("accept").and_then(|it| it.to_str().ok()).unwrap_or_default();
    if accept.contains("raw") {
        return Ok(Answer::raw(git::output(repository, &["cat-file", "blob", entry.object]).await?));
    }
    if size > EMBEDDED_BYTES_MAX {
        shown["encoding"] = "none".into();
        shown["content"] = "".into();
    } else {
        shown["encoding"] = "base64".into();
        shown["content"] = lines(&git::output(repository, &["cat-file", "blob", entry.object]).await?).into();
    }
    Ok(Answer::json(shown))
}

/// `GET git/blobs/SHA`
pub async fn blob(ask: &Ask<'_>, id: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let bytes = git::output(&git::repository(ask)?, &["cat-file", "blob", git::object(id)?]).await?;
    Ok(Answer::json(json!({
        "sha": id, "node_id": id, "url": ask.url(&format!("/git/blobs/{id}")),
        "size": bytes.len(), "encoding": "base64", "content": lines(&bytes),
    })))
}

/// `GET git/trees/SHA`, with everything below if `recursive` is there
pub async fn tree(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let start = match git::object(name) {
        Ok(id) => id.to_owned(),
        Err(_) => git::commit(&repository, name).await?.to_string(),
    };
    let id = git::text(&repository, &["rev-parse", "--verify", "--quiet", &format!("{start}^{{tree}}")]).await?;
    let id = id.trim();
    let mut arguments = vec!["ls-tree", "-z", "-l"];
    if !ask.query.get("recursive").is_empty() {
        arguments.extend(["-r", "-t"]);
    }
    arguments.push(id);
    let listed = git::text(&repository, &arguments).await?;
    let mut entries = parse(&listed);
    let is_truncated = entries.len() > ENTRIES_MAX;
    entries.truncate(ENTRIES_MAX);
    let shown: Vec<Value> = entries
        .iter()
        .map(|it| {
            let mut shown = json!({ "path": it.path, "mode": it.mode, "type": it.kind, "sha": it.object });
            if let Some(size) = it.size {
                shown["size"] = size.into();
            }
            shown["url"] = ask.url(&format!("/git/{}s/{}", it.kind, it.object)).into();
            shown
        })
        .collect();
    Ok(Answer::json(json!({ "sha": id, "url": ask.url(&format!("/git/trees/{id}")), "tree": shown, "truncated": is_truncated })))
}

fn parse(listed: &str) -> Vec<Entry<'_>> {
    let entries = listed.split('\0').filter_map(|entry| {
        let (facts, path) = entry.split_once('\t')?;
        let mut facts = facts.split_whitespace();
        Some(Entry { mode: facts.next()?, kind: facts.next()?, object: facts.next()?, size: facts.next()?.parse().ok(), path })
    });
    entries.collect()
}

fn of_entry(ask: &Ask<'_>, entry: &Entry<'_>, path: &str, commit: &str) -> Value {
    let kind = match (entry.mode, entry.kind) {
        ("120000", _) => "symlink",
        (_, "tree") => "dir",
        (_, "commit") => "submodule",
        _ => "file",
    };
    let url = ask.url(&format!("/contents/{path}?ref={commit}"));
    json!({
        "type": kind, "name": path.rsplit('/').next(), "path": path, "sha": entry.object,
        "size": entry.size.unwrap_or_default(), "url": url,
        "git_url": ask.url(&format!("/git/{}s/{}", entry.kind, entry.object)),
        "html_url": null, "download_url": null,
        "_links": { "self": url },
    })
}

/// Base64 in lines, as GitHub sends it.
fn lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE_LENGTH + 1);
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % LINE_LENGTH == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines.push('\n');
    lines
}
