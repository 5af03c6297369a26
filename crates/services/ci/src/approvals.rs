//! Environments: who must approve a job that uses one, and how long it waits.

use std::time::Duration;

use api::{Approval, ApprovalState, EnvironmentRules, Record as _, Run, Status};
use names::RunId;
use store::{Revision, TypedError};
use tokio::sync::mpsc;
use workflow::{Event, JobKey, Pattern, PatternList};

use crate::{Ci, drive::Report, view};

/// The name by which people let code from a fork run, in place of an environment.
const FORK: &str = "fork";

/// Makes a run that is about to be stored wait for leave; tells why.
pub async fn hold(ci: &Ci, run: &RunId, why: &str) -> Result<String, TypedError> {
    let approval = Approval {
        run: run.clone(),
        job: Approval::RUN.to_owned(),
        environment: FORK.parse().expect("letters name an environment"),
        state: ApprovalState::Waiting,
        asked: store::now(),
        by: None,
        comment: None,
    };
    // A crash may have come after it was made, and somebody may have decided since.
    store::create(&*ci.records, &approval).await?;
    Ok(format!("it waits until somebody has looked at its code: {why}; `landfall approve {run} {FORK}` lets it run"))
}

/// Returns once a run may go on: at once, unless it is held.
pub async fn leave_to_run(ci: &Ci, run: &RunId) -> Result<(), TypedError> {
    let (key, run_key) = (format!("{}{}", Approval::prefix_of(run), Approval::RUN), Run::key_of(run));
    if store::find::<Approval>(&*ci.records, &key).await?.is_none() {
        return Ok(());
    }
    let mut decisions = ci.records.watch(Approval::KIND, Revision::LATEST).await?;
    let mut runs = ci.records.watch(Run::KIND, Revision::LATEST).await?;
    loop {
        let approval = store::find::<Approval>(&*ci.records, &key).await?;
        let by = approval.as_ref().and_then(|it| it.by.clone()).unwrap_or_else(|| "somebody".to_owned());
        match approval.map_or(ApprovalState::Approved, |it| it.state) {
            ApprovalState::Approved => {
                store::modify::<Run>(&*ci.records, &run_key, |run| {
                    if run.started.is_none() && !run.cancel {
                        run.reason = None;
                    }
                })
                .await?;
                return Ok(());
            }
            ApprovalState::Rejected => {
                store::modify::<Run>(&*ci.records, &run_key, |run| {
                    run.cancel = true;
                    run.reason = Some(format!("{by} refused to run its code"));
                })
                .await?;
                return Ok(());
            }
            ApprovalState::Waiting => {}
        }
        let wanted = store::find::<Run>(&*ci.records, &run_key).await?;
        if wanted.is_none_or(|run| run.cancel || run.status == Status::Completed) {
            return Ok(());
        }
        loop {
            let (changed, wanted) = tokio::select! {
                change = decisions.next() => (change?.key().to_owned(), &key),
                change = runs.next() => (change?.key().to_owned(), &run_key),
            };
            if changed == *wanted {
                break;
            }
        }
    }
}

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
