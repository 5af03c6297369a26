//! The repository itself, its branches, tags and refs.

use api::Permission;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    git,
    page::Page,
    shape,
};

/// `GET /repos/OWNER/NAME`
pub async fn repository(ask: &Ask<'_>) -> Result<Answer, Problem> {
    let head = git::repository(ask)?.head().await?;
    let mut shown = shape::repository(ask);
    shown["default_branch"] = head.trim_start_matches("refs/heads/").into();
    let may = |permission| ask.need("contents", permission).is_ok();
    shown["permissions"] = json!({
        "admin": ask.caller.grant().is_none(), "push": may(Permission::Write), "pull": may(Permission::Read),
    });
    Ok(Answer::json(shown))
}

/// `GET branches`
pub async fn branches(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let all: Vec<Value> = named(ask, "refs/heads/").await?.iter().map(|(name, id)| short(ask, name, id)).collect();
    let page = Page::of(ask);
    let total = all.len();
    Ok(page.answer(ask, total, page.cut(all).into()))
}

/// `GET branches/NAME`
pub async fn branch(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let all = named(ask, "refs/heads/").await?;
    let (name, id) = all.iter().find(|(found, _)| found == name).ok_or_else(Problem::not_found)?;
    let mut shown = short(ask, name, id);
    shown["_links"] = json!({ "self": ask.url(&format!("/branches/{name}")) });
    Ok(Answer::json(shown))
}

/// `GET tags`
pub async fn tags(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let all: Vec<Value> = named(ask, "refs/tags/").await?.iter().rev().map(|(name, id)| short(ask, name, id)).collect();
    let page = Page::of(ask);
    let total = all.len();
    Ok(page.answer(ask, total, page.cut(all).into()))
}

/// `GET git/ref/NAME`, the name without `refs/`
pub async fn one(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let wanted = format!("refs/{name}");
    let all = objects(ask).await?;
    let found = all.iter().find(|it| it.name == wanted).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(reference(ask, found)))
}

/// `GET git/matching-refs/BEGINNING`
pub async fn matching(ask: &Ask<'_>, beginning: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let wanted = format!("refs/{beginning}");
    let all = objects(ask).await?;
    let found: Vec<Value> = all.iter().filter(|it| it.name.starts_with(&wanted)).map(|it| reference(ask, it)).collect();
    let page = Page::of(ask);
    let total = found.len();
    Ok(page.answer(ask, total, page.cut(found).into()))
}

/// `GET git/tags/SHA`: a tag with a message
pub async fn annotated(ask: &Ask<'_>, id: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let text = git::text(&git::repository(ask)?, &["cat-file", "tag", git::object(id)?]).await?;
    let (head, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_default();
    let object = field("object");
    Ok(Answer::json(json!({
        "sha": id, "node_id": id, "tag": field("tag"), "message": message.trim_end(),
        "url": ask.url(&format!("/git/tags/{id}")),
        "object": { "sha": object, "type": field("type"), "url": ask.url(&format!("/git/commits/{object}")) },
    })))
}

struct Ref {
    name: String,
    object: String,
    kind: String,
}

/// All refs with what they name directly: a tag with a message is an object of its own.
async fn objects(ask: &Ask<'_>) -> Result<Vec<Ref>, Problem> {
    let format = "--format=%(refname)%00%(objectname)%00%(objecttype)";
    let listed = git::text(&git::repository(ask)?, &["for-each-ref", format, "refs/heads", "refs/tags", "refs/pull"]).await?;
    let parsed = listed.lines().filter_map(|line| {
        let mut parts = line.split('\0').map(str::to_owned);
        Some(Ref { name: parts.next()?, object: parts.next()?, kind: parts.next()? })
    });
    Ok(parsed.collect())
}

fn reference(ask: &Ask<'_>, found: &Ref) -> Value {
    let Ref { name, object, kind } = found;
    json!({
        "ref": name, "node_id": name, "url": ask.url(&format!("/git/{name}")),
        "object": { "sha": object, "type": kind, "url": ask.url(&format!("/git/{kind}s/{object}")) },
    })
}

/// The refs below `prefix` with the commits they lead to, without the prefix.
async fn named(ask: &Ask<'_>, prefix: &str) -> Result<Vec<(String, String)>, Problem> {
    let all = git::repository(ask)?.refs().await?;
    let below = all.into_iter().filter_map(|(name, id)| Some((name.strip_prefix(prefix)?.to_owned(), id.to_string())));
    Ok(below.collect())
}

fn short(ask: &Ask<'_>, name: &str, id: &str) -> Value {
    json!({ "name": name, "commit": { "sha": id, "url": ask.url(&format!("/commits/{id}")) }, "protected": false, "node_id": name })
}
