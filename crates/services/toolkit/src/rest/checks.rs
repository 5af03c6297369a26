//! Check runs: what a tool found, with places in files.

use api::{CheckAnnotation, CheckConclusion, CheckRun, CheckStatus, Permission, Record as _};
use names::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    git,
    page::Page,
    shape,
};

/// GitHub's own limit for one request.
const ANNOTATIONS_OF_REQUEST_MAX: usize = 50;
/// Requests may follow each other; a page with more helps nobody.
const ANNOTATIONS_MAX: usize = 5000;
/// GitHub's own limit for summary and text.
const TEXT_LENGTH_MAX: usize = 65_535;

#[derive(Deserialize)]
struct Create {
    name: String,
    head_sha: String,
    #[serde(flatten)]
    change: Change,
}

/// What may be told at the beginning and later.
#[derive(Default, Deserialize)]
struct Change {
    #[serde(default)]
    status: Option<CheckStatus>,
    #[serde(default)]
    conclusion: Option<CheckConclusion>,
    #[serde(default)]
    details_url: Option<String>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    completed_at: Option<Timestamp>,
    #[serde(default)]
    output: Option<Output>,
}

#[derive(Clone, Deserialize)]
struct Output {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    annotations: Vec<CheckAnnotation>,
}

impl Change {
    fn check(&self) -> Result<(), Problem> {
        let Some(output) = &self.output else { return Ok(()) };
        if output.annotations.len() > ANNOTATIONS_OF_REQUEST_MAX {
            return Err(Problem::invalid(format!("a request has at most {ANNOTATIONS_OF_REQUEST_MAX} annotations")));
        }
        for (name, text) in [("summary", &output.summary), ("text", &output.text)] {
            if text.as_ref().is_some_and(|it| it.chars().count() > TEXT_LENGTH_MAX) {
                return Err(Problem::invalid(format!("`{name}` has at most {TEXT_LENGTH_MAX} characters")));
            }
        }
        Ok(())
    }

    /// What is not told stays; annotations are added to those that are there.
    fn apply(&self, check: &mut CheckRun, now: Timestamp) {
        let set = |place: &mut Option<String>, told: &Option<String>| {
            if told.is_some() {
                place.clone_from(told);
            }
        };
        set(&mut check.details_url, &self.details_url);
        set(&mut check.external_id, &self.external_id);
        check.started = self.started_at.unwrap_or(check.started);
        check.status = self.status.unwrap_or(check.status);
        if let Some(conclusion) = self.conclusion {
            check.conclusion = Some(conclusion);
            check.status = CheckStatus::Completed;
        }
        if check.status == CheckStatus::Completed {
            check.completed = self.completed_at.or(check.completed).or(Some(now));
        }
        if let Some(output) = &self.output {
            set(&mut check.title, &output.title);
            set(&mut check.summary, &output.summary);
            set(&mut check.text, &output.text);
            check.annotations.extend(output.annotations.iter().cloned());
            check.annotations.truncate(ANNOTATIONS_MAX);
        }
    }
}

/// `POST check-runs`
pub async fn create(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("checks", Permission::Write)?;
    let new: Create = ask.read()?;
    new.change.check()?;
    let commit = git::commit(&git::repository(ask)?, git::object(&new.head_sha)?).await?;
    let now = store::now();
    let mut check = CheckRun {
        project: ask.project.clone(),
        commit,
        number: keep::number(now),
        name: new.name,
        status: CheckStatus::Queued,
        conclusion: None,
        details_url: None,
        external_id: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        run: ask.caller.grant().map(|grant| grant.run.clone()),
        started: now,
        completed: None,
    };
    new.change.apply(&mut check, now);
    store::put(&*ask.toolkit.records, &check).await?;
    Ok(Answer::created(shown(ask, &check)))
}

/// `PATCH check-runs/NUMBER`
pub async fn update(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("checks", Permission::Write)?;
    let change: Change = ask.read()?;
    change.check()?;
    let found = find(ask, number).await?;
    let now = store::now();
    let key = found.key();
    let changed = store::modify::<CheckRun>(&*ask.toolkit.records, &key, |check| change.apply(check, now)).await?;
    Ok(Answer::json(shown(ask, &changed)))
}

/// `GET check-runs/NUMBER`
pub async fn one(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("checks", Permission::Read)?;
    Ok(Answer::json(shown(ask, &find(ask, number).await?)))
}

/// `GET check-runs/NUMBER/annotations`
pub async fn annotations(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("checks", Permission::Read)?;
    let check = find(ask, number).await?;
    let page = Page::of(ask);
    let total = check.annotations.len();
    let shown: Vec<Value> = page.cut(check.annotations).iter().map(|it| json!(it)).collect();
    Ok(page.answer(ask, total, shown.into()))
}

/// `GET commits/REF/check-runs`
pub async fn list(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("checks", Permission::Read)?;
    let commit = git::commit(&git::repository(ask)?, name).await?;
    let mut all = store::list::<CheckRun>(&*ask.toolkit.records, &format!("{}/", ask.project)).await?;
    let wanted = ask.query.get("check_name");
    all.retain(|it| it.commit == commit && (wanted.is_empty() || it.name == wanted));
    all.reverse();
    let page = Page::of(ask);
    let total = all.len();
    let shown: Vec<Value> = page.cut(all).iter().map(|it| shown(ask, it)).collect();
    Ok(page.answer(ask, total, json!({ "total_count": total, "check_runs": shown })))
}

async fn find(ask: &Ask<'_>, number: &str) -> Result<CheckRun, Problem> {
    let number = number.parse().map_err(|_| Problem::not_found())?;
    let key = CheckRun::key_of(&ask.project, number);
    store::find::<CheckRun>(&*ask.toolkit.records, &key).await?.ok_or_else(Problem::not_found)
}

fn shown(ask: &Ask<'_>, check: &CheckRun) -> Value {
    let url = ask.url(&format!("/check-runs/{}", check.number));
    json!({
        "id": check.number, "node_id": check.number.to_string(), "name": check.name, "head_sha": check.commit,
        "external_id": check.external_id, "details_url": check.details_url,
        "status": check.status, "conclusion": check.conclusion,
        "started_at": check.started.to_seconds_text(), "completed_at": check.completed.map(Timestamp::to_seconds_text),
        "output": {
            "title": check.title, "summary": check.summary, "text": check.text,
            "annotations_count": check.annotations.len(), "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": { "id": check.number }, "app": shape::app(), "pull_requests": [],
        "url": url, "html_url": ask.toolkit.config.url,
    })
}
