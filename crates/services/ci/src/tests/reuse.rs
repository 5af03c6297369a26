//! Leaves out jobs that an earlier one with the same inputs proves to succeed.

use api::{Artifact, JobClaim, JobGrant, JobProof, JobProofOutcome, Record as _, Run};
use names::RunId;
use serde_json::{Value, json};
use store::TypedError;
use testreport::reuse::{self, Entry, Inputs};
use workflow::{JobStart, ReuseAsk, ReuseFacts};

use crate::Ci;

/// Artifacts must last at least this much longer for those who need them in the new run.
const LASTS: std::time::Duration = std::time::Duration::from_hours(1);

/// So many proofs of a project are kept, the newest.
const PROOFS_MAX: usize = 300;

/// What becomes of a job that is about to start.
#[derive(Debug, Default)]
pub struct Claimed {
    /// What it need not run for, if it need not.
    pub reused: Option<Reused>,
    /// What its log says otherwise.
    pub told: Vec<String>,
}

/// The job that stands for this one.
#[derive(Debug)]
pub struct Reused {
    pub reason: String,
    pub outputs: Vec<(String, String)>,
}

/// Looks whether a job must run, and notes what it will prove if it does.
pub async fn claim(ci: &Ci, run: &Run, start: &JobStart) -> Claimed {
    let Some(ask) = &start.reuse else { return Claimed::default() };
    match look(ci, run, start, ask).await {
        Ok(claimed) => claimed,
        Err(why) => Claimed { reused: None, told: vec![format!("Whether its inputs changed is not known, so the job runs: {why}")] },
    }
}

async fn look(ci: &Ci, run: &Run, start: &JobStart, ask: &ReuseAsk) -> Result<Claimed, String> {
    let runs = |why: String| Ok(Claimed { reused: None, told: vec![why] });
    let facts = match &ask.facts {
        Ok(facts) => facts,
        Err(why) => return runs(format!("LANDFALL_INPUTS is set, but the job runs: {why}")),
    };
    if !start.trust.is_trusted() {
        return runs("LANDFALL_INPUTS is set, but the job runs: its code is not trusted".to_owned());
    }
    let inputs = Inputs::parse(&ask.inputs).map_err(|error| format!("LANDFALL_INPUTS: {error}"))?;
    let files = files(ci, run, &inputs, facts).await?;
    if files.is_empty() {
        return runs(format!("LANDFALL_INPUTS names no file of this commit, so the job runs: {}", inputs.source()));
    }
    let mut values = facts.values.clone();
    values.push(("runner".to_owned(), runner(start)));
    let key = reuse::key(&files, &values);
    let claim = JobProof {
        run: run.id.clone(),
        job: start.job.to_string(),
        commit: run.commit,
        key_digest: key.digest,
        parts: key.parts,
        files: files.iter().take(JobProof::FILES_MAX).map(|it| (it.path.clone(), it.content.clone())).collect(),
        file_count: files.len() as u64,
        outcome: None,
        created: store::now(),
    };
    let record = JobProof::key_of(&run.id.project, key.digest);
    let proof = store::find::<JobProof>(&*ci.records, &record).await.map_err(words)?;
    if let Some((proof, outcome)) = proof.and_then(|it| it.outcome.clone().map(|outcome| (it, outcome))) {
        match artifacts(ci, run, start, &outcome).await.map_err(words)? {
            Ok(count) => return Ok(Claimed { reused: Some(reused(&proof, outcome, &inputs, count)), told: Vec::new() }),
            Err(gone) => {
                store::put(&*ci.records, &JobClaim(claim)).await.map_err(words)?;
                return runs(format!("{}/{} had the same inputs, but the job runs: {gone}", proof.run, proof.job));
            }
        }
    }
    let told = difference(ci, &claim).await.map_err(words)?;
    store::put(&*ci.records, &JobClaim(claim)).await.map_err(words)?;
    runs(told)
}

// Used as a function: `map_err` gives the value away.
#[allow(clippy::needless_pass_by_value)]
fn words(error: TypedError) -> String {
    error.to_string()
}

/// The files of the commit that are inputs, with those of the actions that the job takes from it.
async fn files(ci: &Ci, run: &Run, inputs: &Inputs, facts: &ReuseFacts) -> Result<Vec<Entry>, String> {
    let repository = ci.repositories.find(&run.id.project).ok_or("the repository is gone")?;
    let listed = repository.entries(run.commit).await.map_err(|error| error.to_string())?;
    let of_action = |path: &str| {
        let below = |folder: &String| folder.is_empty() || path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        facts.folders.iter().any(below)
    };
    let wanted = listed.into_iter().filter(|(path, _)| inputs.takes(path) || of_action(path));
    Ok(wanted.map(|(path, content)| Entry { path, content }).collect())
}

/// What of the machine decides what a job does.
fn runner(start: &JobStart) -> Value {
    json!({
        "labels": start.labels, "group": start.group, "arch": std::env::consts::ARCH, "system": crate::set_up::machine(),
    })
}

fn reused(proof: &JobProof, outcome: JobProofOutcome, inputs: &Inputs, artifacts: usize) -> Reused {
    let count = proof.file_count;
    let files = if count == 1 { "1 input file".to_owned() } else { format!("{count} input files") };
    let with = match artifacts {
        0 => String::new(),
        1 => "; its artifact is here, too".to_owned(),
        many => format!("; its {many} artifacts are here, too"),
    };
    let key: String = proof.key_digest.hex().chars().take(12).collect();
    Reused {
        reason: format!(
            "reused from {}/{}: it succeeded with commit {} and the same {files} ({}), definition, needs and runner (key {key}){with}",
            proof.run,
            proof.job,
            proof.commit.short(),
            inputs.source(),
        ),
        outputs: outcome.outputs,
    }
}

/// Makes the artifacts of the earlier job those of this run, or says what is gone.
async fn artifacts(ci: &Ci, run: &Run, start: &JobStart, outcome: &JobProofOutcome) -> Result<Result<usize, String>, TypedError> {
    let now = store::now();
    let mut found = Vec::new();
    for key in &outcome.artifacts {
        match store::find::<Artifact>(&*ci.records, key).await? {
            Some(artifact) if artifact.digest().is_some() && artifact.expires > now + LASTS => found.push(artifact),
            _ => {
                let name = key.rsplit('/').next().unwrap_or(key);
                return Ok(Err(format!("its artifact `{name}` is gone")));
            }
        }
    }
    let count = found.len();
    for artifact in found {
        let number = keep::number(now);
        let copy = Artifact { run: run.id.clone(), number, job: start.job.to_string(), attempt: run.attempt, created: now, ..artifact };
        // A server that was killed may have made it before.
        store::create(&*ci.records, &copy).await?;
    }
    Ok(Ok(count))
}

/// What differs from the last time that the job succeeded, in words.
async fn difference(ci: &Ci, claim: &JobProof) -> Result<String, TypedError> {
    let mut proofs = proofs(ci, claim).await?;
    proofs.retain(|it| it.job == claim.job && it.outcome.is_some());
    let Some(last) = proofs.last() else {
        return Ok("LANDFALL_INPUTS is set; no earlier job has succeeded with these inputs, so the job runs".to_owned());
    };
    let told = reuse::differences(last, claim);
    Ok(format!("Since {}/{} succeeded its inputs changed, so the job runs: {}", last.run, last.job, told.join(", ")))
}

/// The proofs of a project, the oldest first.
async fn proofs(ci: &Ci, claim: &JobProof) -> Result<Vec<JobProof>, TypedError> {
    let mut all = store::list::<JobProof>(&*ci.records, &format!("{}/", claim.run.project)).await?;
    all.sort_by_key(|it| it.created);
    Ok(all)
}

/// Turns what a job claimed into a proof if it succeeded; twice does no harm.
pub async fn prove(ci: &Ci, run: &RunId, end: &workflow::JobEnd, outputs: Vec<(String, String)>) {
    if let Err(error) = settle(ci, run, end, outputs).await {
        tracing::error!(%error, "that a job succeeded with its inputs cannot be noted");
    }
}

async fn settle(ci: &Ci, run: &RunId, end: &workflow::JobEnd, outputs: Vec<(String, String)>) -> Result<(), TypedError> {
    let job = end.job.to_string();
    let key = JobClaim::key_of(run, &job);
    let Some(JobClaim(mut proof)) = store::find::<JobClaim>(&*ci.records, &key).await? else { return Ok(()) };
    let grant = store::find::<JobGrant>(&*ci.records, &JobGrant::key_of(run, &job)).await?;
    // Without its grant nobody knows whether it was trusted to the end.
    let trusted = grant.is_some_and(|it| it.trust == api::Trust::Own);
    if end.conclusion == api::Conclusion::Success && trusted {
        let made = store::list::<Artifact>(&*ci.records, &Artifact::prefix_of(run)).await?;
        let artifacts = made.iter().filter(|it| it.job == job && it.digest().is_some()).map(Artifact::key).collect();
        proof.outcome = Some(JobProofOutcome { outputs, artifacts });
        proof.created = store::now();
        store::put(&*ci.records, &proof).await?;
        let all = proofs(ci, &proof).await?;
        for old in all.iter().take(all.len().saturating_sub(PROOFS_MAX)) {
            store::remove::<JobProof>(&*ci.records, &old.key()).await?;
        }
    }
    store::remove::<JobClaim>(&*ci.records, &key).await
}
