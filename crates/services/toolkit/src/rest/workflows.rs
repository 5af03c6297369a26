//! The workflow files of the default branch.

use api::Permission;
use names::Digest;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    git,
    page::Page,
    runs,
};

/// Where GitHub looks for workflows.
const FOLDER: &str = ".github/workflows";

/// A workflow file.
pub struct File {
    pub path: String,
    name: String,
}

/// `GET actions/workflows`
pub async fn list(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let files = files(ask).await?;
    let page = Page::of(ask);
    let total = files.len();
    let shown: Vec<Value> = page.cut(files).iter().map(|file| shown(ask, file)).collect();
    Ok(page.answer(ask, total, json!({ "total_count": total, "workflows": shown })))
}

/// `GET actions/workflows/WORKFLOW`
pub async fn one(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    Ok(Answer::json(shown(ask, &find(ask, name).await?)))
}

/// The workflow that a caller names by its number or its file.
pub async fn find(ask: &Ask<'_>, name: &str) -> Result<File, Problem> {
    let is_named = |file: &File| {
        file.path == name || file.path.rsplit('/').next() == Some(name) || number(&file.path).to_string() == name
    };
    files(ask).await?.into_iter().find(is_named).ok_or_else(Problem::not_found)
}

/// The files, with the names that their newest runs had.
async fn files(ask: &Ask<'_>) -> Result<Vec<File>, Problem> {
    let repository = git::repository(ask)?;
    let commit = git::commit(&repository, "").await?;
    let listed = repository.files_in(commit, FOLDER).await?;
    let runs = runs::all(ask).await?;
    let is_workflow = |path: &str| path.ends_with(".yml") || path.ends_with(".yaml");
    let files = listed.into_iter().filter(|file| is_workflow(&file.path)).map(|file| {
        let newest = runs.iter().find(|run| run.workflow == file.path);
        // A workflow that never ran goes by its file.
        let name = newest.map_or_else(|| file.path.clone(), |run| run.name.clone());
        File { path: file.path, name }
    });
    Ok(files.collect())
}

/// A number for a file that has none of its own.
pub fn number(path: &str) -> u64 {
    let hex = Digest::of(path.as_bytes()).hex();
    // Eight hex digits, as large as GitHub's own numbers.
    u64::from_str_radix(&hex[..8], 16).unwrap_or_default()
}

fn shown(ask: &Ask<'_>, file: &File) -> Value {
    let number = number(&file.path);
    json!({
        "id": number, "node_id": number.to_string(), "name": file.name, "path": file.path, "state": "active",
        "url": ask.url(&format!("/actions/workflows/{number}")), "html_url": ask.toolkit.config.url, "badge_url": null,
    })
}
