//! Things that appear inside many answers.

use serde_json::{Value, json};

use super::Ask;

/// The repository, as far as it is known without looking into it.
pub fn repository(ask: &Ask<'_>) -> Value {
    let (owner, name) = ask.repository.split_once('/').unwrap_or(("", &ask.repository));
    let fact = |name: &str| ask.caller.grant().and_then(|grant| grant.github.get(name)?.parse::<u64>().ok());
    json!({
        "id": fact("repository_id").unwrap_or(1), "node_id": ask.repository, "name": name, "full_name": ask.repository,
        "private": true, "visibility": "private", "fork": false, "archived": false, "disabled": false,
        "owner": { "login": owner, "id": fact("repository_owner_id").unwrap_or(1), "type": "Organization" },
        "html_url": ask.toolkit.config.url,
        "url": ask.url(""),
        "clone_url": format!("{}/git/{}.git", ask.toolkit.config.url, ask.project),
    })
}

/// Who did something.
pub fn user(login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({ "login": login, "id": 1, "type": kind })
}

/// The app in whose name jobs act.
pub fn app() -> Value {
    json!({ "id": 15368, "slug": "github-actions", "name": "GitHub Actions", "owner": { "login": "github", "type": "Organization" } })
}
