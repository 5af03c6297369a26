//! Cache entries, for people and for actions that clean up.

use api::{CacheEntry, Permission};
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    page::Page,
    runs,
};

/// `GET actions/caches`
pub async fn list(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let mut all = ask.toolkit.caches.list(&ask.project).await?;
    let (key, scope) = (ask.query.get("key"), ask.query.get("ref"));
    all.retain(|it| it.key.starts_with(key) && (scope.is_empty() || it.scope == scope));
    match ask.query.get("sort") {
        "created_at" => all.sort_by_key(|it| it.created),
        "size_in_bytes" => all.sort_by_key(|it| it.size_bytes),
        _ => all.sort_by_key(|it| it.used),
    }
    if ask.query.get("direction") != "asc" {
        all.reverse();
    }
    let page = Page::of(ask);
    let total = all.len();
    let shown: Vec<Value> = page.cut(all).iter().map(of).collect();
    Ok(page.answer(ask, total, json!({ "total_count": total, "actions_caches": shown })))
}

/// `DELETE actions/caches?key=KEY`: the key in full, of one ref or of all
pub async fn delete_by_key(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Write)?;
    let (key, scope) = (ask.query.get("key"), ask.query.get("ref"));
    if key.is_empty() {
        return Err(Problem::invalid("`key` is missing"));
    }
    let mut all = ask.toolkit.caches.list(&ask.project).await?;
    all.retain(|it| it.key == key && (scope.is_empty() || it.scope == scope));
    if all.is_empty() {
        return Err(Problem::not_found());
    }
    for entry in &all {
        ask.toolkit.caches.delete(entry).await?;
    }
    let shown: Vec<Value> = all.iter().map(of).collect();
    Ok(Answer::json(json!({ "total_count": shown.len(), "actions_caches": shown })))
}

/// `DELETE actions/caches/NUMBER`
pub async fn delete(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Write)?;
    let number: u64 = number.parse().map_err(|_| Problem::not_found())?;
    let all = ask.toolkit.caches.list(&ask.project).await?;
    let entry = all.iter().find(|it| it.number() == number).ok_or_else(Problem::not_found)?;
    ask.toolkit.caches.delete(entry).await?;
    Ok(runs::gone())
}

/// `GET actions/cache/usage`
pub async fn usage(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let all = ask.toolkit.caches.list(&ask.project).await?;
    Ok(Answer::json(json!({
        "full_name": ask.repository,
        "active_caches_size_in_bytes": all.iter().map(|it| it.size_bytes).sum::<u64>(),
        "active_caches_count": all.len(),
    })))
}

fn of(entry: &CacheEntry) -> Value {
    json!({
        "id": entry.number(), "ref": entry.scope, "key": entry.key, "version": entry.version,
        "last_accessed_at": entry.used, "created_at": entry.created, "size_in_bytes": entry.size_bytes,
    })
}
