//! Environments: who must approve a job that uses one, and how long it waits.

use std::time::Duration;

use api::{Approval, ApprovalState, EnvironmentRules, Record as _};
use names::RunId;
use store::{Revision, TypedError};
use tokio::sync::mpsc;
use workflow::{Event, JobKey, Pattern, PatternList};

use crate::{Ci, drive::Report, view};

/// Asks for leave to use an environment, and reports how that goes.
pub async fn request(
    ci: &Ci,
    run: &RunId,
    git_ref: &str,
    job: JobKey,
    environment: &str,
    out: &mpsc::Sender<Report>,
) {
    let event = match wait(ci, run, git_ref, &job, environment, out).await {
        Ok(event) => event,
        Err(error) => {
            let reason = format!("the rules of the environment `{environment}` could not be read: {error}");
            Event::Rejected { job, reason }
        }
    };
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Event(event)).await;
}

async fn wait(
    ci: &Ci,
    run: &RunId,
    git_ref: &str,
    job: &JobKey,
    environment: &str,
    out: &mpsc::Sender<Report>,
) -> Result<Event, TypedError> {
    let name = view::environment(environment);
    let rules = store::find::<EnvironmentRules>(&*ci.records, &EnvironmentRules::key_of(&run.project, &name)).await?;
    let Some(rules) = rules else { return Ok(Event::Approved { job: job.clone(), not_before: None }) };
    if !allows(&rules, git_ref) {
        let reason = format!("`{git_ref}` may not use the environment `{environment}`: {}", rules.branches.join(", "));
        return Ok(Event::Rejected { job: job.clone(), reason });
    }
    let asked = Approval {
        run: run.clone(),
        job: job.to_string(),
        environment: name,
        state: if rules.needs_approval { ApprovalState::Waiting } else { ApprovalState::Approved },
        asked: store::now(),
        by: None,
        comment: None,
    };
    let mut changes = ci.records.watch(Approval::KIND, Revision::LATEST).await?;
    store::create(&*ci.records, &asked).await?;
    let key = asked.key();
    let mut told = false;
    loop {
        let approval = store::find::<Approval>(&*ci.records, &key).await?.unwrap_or_else(|| asked.clone());
        match approval.state {
            ApprovalState::Approved => {
                let pause = Duration::from_secs(u64::from(rules.wait_minutes) * 60);
                let not_before = (!pause.is_zero()).then(|| approval.asked + pause);
                return Ok(Event::Approved { job: job.clone(), not_before });
            }
            ApprovalState::Rejected => {
                let by = approval.by.unwrap_or_else(|| "somebody".to_owned());
                let comment = approval.comment.map(|it| format!(": {it}")).unwrap_or_default();
                let reason = format!("{by} rejected the use of the environment `{environment}`{comment}");
                return Ok(Event::Rejected { job: job.clone(), reason });
            }
            ApprovalState::Waiting if !told => {
                told = true;
                let reason = format!("an approval of the environment `{environment}`");
                let _ = out.send(Report::Event(Event::ApprovalWaits { job: job.clone(), reason })).await;
            }
            ApprovalState::Waiting => {}
        }
        while changes.next().await?.key() != key {}
    }
}

/// Whether a branch or tag may use an environment; rules that name none allow all.
fn allows(rules: &EnvironmentRules, git_ref: &str) -> bool {
    if rules.branches.is_empty() {
        return true;
    }
    let short = git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/")).unwrap_or(git_ref);
    let patterns: Vec<_> = rules.branches.iter().filter_map(|it| Pattern::parse(it).ok()).collect();
    PatternList(patterns).matches(short)
}
