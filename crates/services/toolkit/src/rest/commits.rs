//! Commits: lists, one with its files, and the way between two.

use api::Permission;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    files, git,
    page::Page,
};

/// Id, tree, parents, author, committer, message; each ends with a zero byte.
const FORMAT: &str = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B";
const FIELDS: usize = 10;
/// GitHub's own limit for a comparison without pages.
const COMPARED_MAX: usize = 250;
/// With pages; the oldest come first, so all of them must be read.
const COMPARED_PAGED_MAX: usize = 10_000;

/// `GET commits`
pub async fn list(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let start = git::commit(&repository, ask.query.get("sha")).await?.to_string();
    let page = Page::of(ask);
    let (skip, count) = (format!("--skip={}", page.skipped()), format!("--max-count={}", page.size + 1));
    // A pattern of a stranger could keep Git busy for long.
    let mut arguments = vec!["log", "-z", FORMAT, "--fixed-strings", &skip, &count];
    let filters = ["since", "until", "author"].map(|name| (name, ask.query.get(name)));
    let filters: Vec<String> =
        filters.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("--{name}={value}")).collect();
    arguments.extend(filters.iter().map(String::as_str));
    arguments.extend([start.as_str(), "--"]);
    let path = format!(":(literal){}", ask.query.get("path"));
    if !ask.query.get("path").is_empty() {
        arguments.push(&path);
    }
    let mut found = parse(ask, &git::text(&repository, &arguments).await?);
    let more = found.len() > page.size;
    found.truncate(page.size);
    Ok(page.answer_open(ask, more, found.into()))
}

/// `GET commits/REF`
pub async fn one(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let commit = git::commit(&repository, name).await?;
    if ask.headers.get("accept").is_some_and(|it| it.as_bytes().ends_with(b"sha")) {
        return Ok(Answer::raw(commit.to_string().into_bytes()));
    }
    let id = commit.to_string();
    let mut shown = single(ask, &git::text(&repository, &["log", "-z", "-1", FORMAT, &id]).await?)?;
    let parent = shown["parents"][0]["sha"].as_str().map(str::to_owned);
    let files = files::between(ask, &repository, parent.as_deref(), &id).await?;
    let sum = |name: &str| files.iter().filter_map(|it| it[name].as_u64()).sum::<u64>();
    let (additions, deletions) = (sum("additions"), sum("deletions"));
    shown["stats"] = json!({ "additions": additions, "deletions": deletions, "total": additions + deletions });
    shown["files"] = files.into();
    Ok(Answer::json(shown))
}

/// `GET git/commits/SHA`
pub async fn bare(ask: &Ask<'_>, id: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let repository = git::repository(ask)?;
    let commit = git::commit(&repository, git::object(id)?).await?.to_string();
    let shown = single(ask, &git::text(&repository, &["log", "-z", "-1", FORMAT, &commit]).await?)?;
    let mut bare = shown["commit"].clone();
    for name in ["sha", "node_id", "parents"] {
        bare[name] = shown[name].clone();
    }
    bare["url"] = ask.url(&format!("/git/commits/{commit}")).into();
    Ok(Answer::json(bare))
}

/// `GET compare/BASE...HEAD`
pub async fn compare(ask: &Ask<'_>, range: &str) -> Result<Answer, Problem> {
    ask.need("contents", Permission::Read)?;
    let (base, head) = range.split_once("...").ok_or_else(Problem::not_found)?;
    let repository = git::repository(ask)?;
    let (base, head) = (git::commit(&repository, base).await?.to_string(), git::commit(&repository, head).await?.to_string());
    let merge_base = git::text(&repository, &["merge-base", &base, &head]).await?.trim().to_owned();
    let sides = git::text(&repository, &["rev-list", "--left-right", "--count", &format!("{base}...{head}")]).await?;
    let mut counts = sides.split_whitespace().map(|it| it.parse::<u64>().unwrap_or_default());
    let (behind, ahead) = (counts.next().unwrap_or_default(), counts.next().unwrap_or_default());
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let log = |from: String, to: &str| vec!["log".to_owned(), "-z".to_owned(), FORMAT.to_owned(), from, to.to_owned()];
    let page = Page::of(ask);
    let is_paged = !ask.query.get("page").is_empty();
    let mut arguments = log(format!("--max-count={}", if is_paged { COMPARED_PAGED_MAX } else { COMPARED_MAX }), &format!("{merge_base}..{head}"));
    // The oldest first, as a reader follows the change.
    arguments.push("--reverse".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut commits = parse(ask, &git::text(&repository, &arguments).await?);
    if is_paged {
        commits = page.cut(commits);
    }
    let at = async |id: &str| single(ask, &git::text(&repository, &["log", "-z", "-1", FORMAT, id]).await?);
    let files = files::between(ask, &repository, Some(&merge_base), &head).await?;
    Ok(Answer::json(json!({
        "url": ask.url(&format!("/compare/{base}...{head}")),
        "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead,
        "base_commit": at(&base).await?, "merge_base_commit": at(&merge_base).await?,
        "commits": commits, "files": files,
    })))
}

fn single(ask: &Ask<'_>, log: &str) -> Result<Value, Problem> {
    parse(ask, log).into_iter().next().ok_or_else(Problem::not_found)
}

fn parse(ask: &Ask<'_>, log: &str) -> Vec<Value> {
    let fields: Vec<&str> = log.split('\0').collect();
    fields.chunks_exact(FIELDS).map(|fields| shown(ask, fields)).collect()
}

/// One commit in GitHub's form.
fn shown(ask: &Ask<'_>, fields: &[&str]) -> Value {
    let field = |index: usize| fields.get(index).copied().unwrap_or_default();
    let (id, tree) = (field(0), field(1));
    let parents: Vec<Value> = field(2)
        .split_whitespace()
        .map(|id| json!({ "sha": id, "url": ask.url(&format!("/commits/{id}")) }))
        .collect();
    let person = |at: usize| json!({ "name": field(at), "email": field(at + 1), "date": field(at + 2) });
    json!({
        "sha": id, "node_id": id, "url": ask.url(&format!("/commits/{id}")),
        "html_url": format!("{}/threads/{}/{id}", ask.toolkit.config.url, ask.project),
        "commit": {
            "author": person(3), "committer": person(6),
            "message": field(9).trim_end_matches('\n'),
            "tree": { "sha": tree, "url": ask.url(&format!("/git/trees/{tree}")) },
            "comment_count": 0,
            "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null },
        },
        // Names in commits are no accounts of this server.
        "author": null, "committer": null,
        "parents": parents,
    })
}
