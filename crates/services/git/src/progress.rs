//! Tells a pusher what its push started.

use std::{sync::Arc, time::Duration};

use api::{Push, Record as _, Release, Run};
use bytes::Bytes;
use delivery::{Outcome, Thread};
use names::ProjectName;
use store::{Records, Revision, TypedError};
use tokio::{sync::mpsc, time::Instant};

use crate::pkt_line;

/// Sends the progress of a push as `remote:` lines until all is over or `patience` ends.
pub async fn tell(
    records: Arc<dyn Records>,
    project: ProjectName,
    numbers: Vec<u64>,
    patience: Duration,
    out: mpsc::Sender<std::io::Result<Bytes>>,
) {
    for number in numbers {
        if let Err(error) = follow(&*records, &project, number, patience, &out).await {
            tracing::error!(%error, %project, "the progress of a push could not be told");
        }
    }
    // A pusher that is gone needs no end.
    let _ = out.send(Ok(Bytes::from_static(pkt_line::FLUSH))).await;
}

async fn follow(
    records: &dyn Records,
    project: &ProjectName,
    number: u64,
    patience: Duration,
    out: &mpsc::Sender<std::io::Result<Bytes>>,
) -> Result<(), TypedError> {
    let deadline = Instant::now() + patience;
    let mut pushes = records.watch(Push::KIND, Revision::LATEST).await?;
    let mut runs = records.watch(Run::KIND, Revision::LATEST).await?;
    let mut releases = records.watch(Release::KIND, Revision::LATEST).await?;
    let mut told: Vec<String> = Vec::new();
    loop {
        let Some(thread) = thread(records, project, number).await? else { return Ok(()) };
        let lines = thread.lines();
        let fresh: Vec<_> = lines.iter().filter(|line| !told.contains(line)).collect();
        if !fresh.is_empty() {
            let text: String = fresh.iter().map(|line| format!("{line}\n")).collect();
            if out.send(Ok(pkt_line::remote_text(&text))).await.is_err() {
                return Ok(());
            }
        }
        told = lines;
        if thread.outcome() != Outcome::Pending {
            let text = format!("{}  landfall trace {}\n", thread.outcome().words(), thread.commit.short());
            let _ = out.send(Ok(pkt_line::remote_text(&text))).await;
            return Ok(());
        }
        tokio::select! {
            change = pushes.next() => drop(change?),
            change = runs.next() => drop(change?),
            change = releases.next() => drop(change?),
            () = tokio::time::sleep_until(deadline) => {
                let text = format!("it goes on; follow it with: landfall watch {}\n", thread.commit.short());
                let _ = out.send(Ok(pkt_line::remote_text(&text))).await;
                return Ok(());
            }
        }
    }
}

/// The thread of one push.
async fn thread(
    records: &dyn Records,
    project: &ProjectName,
    number: u64,
) -> Result<Option<Thread>, TypedError> {
    let Some(push) = store::find::<Push>(records, &Push::key_of(project, number)).await? else {
        return Ok(None);
    };
    let prefix = format!("{project}/");
    let mut runs = store::list::<Run>(records, &prefix).await?;
    runs.retain(|run| run.push == number);
    let mut releases = store::list::<Release>(records, &prefix).await?;
    releases.retain(|release| runs.iter().any(|run| run.id == release.run));
    let thread = Thread { commit: push.after, pushes: vec![push], runs, images: vec![], releases };
    Ok(Some(thread))
}
