//! Concurrency groups: who holds one, who waits for it, and who is cancelled for it.

use api::{ConcurrencyGroup, GroupMember, JobCancel, Record as _, Run, Status};
use names::RunId;
use store::{Revision, TypedError};
use tokio::sync::mpsc;
use workflow::{Event, GroupHolder, GroupRequest, InProgress, JobKey, Queue};

use crate::{Ci, drive::Report};

/// GitHub's own limit on those that wait for a group.
const WAITING_MAX: usize = 100;

/// A holder as the record names it.
fn name_of(holder: &GroupHolder) -> String {
    match holder {
        GroupHolder::Run => String::new(),
        GroupHolder::Job(job) => format!("job {job}"),
        GroupHolder::Called(job) => format!("called {job}"),
    }
}

/// How one that wants a group stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Holds,
    /// Behind this one.
    Waits(GroupMember),
    Replaced(String),
}

/// Waits for a group and reports how that goes.
pub async fn acquire(ci: &Ci, run: &RunId, request: GroupRequest, out: &mpsc::Sender<Report>) {
    let holder = request.holder.clone();
    let event = match wait(ci, run, &request, out).await {
        Ok(None) => Event::GroupGranted { holder },
        Ok(Some(reason)) => Event::GroupReplaced { holder, reason },
        Err(error) => {
            tracing::error!(%error, "a concurrency group could not be asked for");
            Event::GroupReplaced { holder, reason: format!("the group could not be asked for: {error}") }
        }
    };
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Event(event)).await;
}

/// `None` once the group is held, else why it never will be.
async fn wait(
    ci: &Ci,
    run: &RunId,
    request: &GroupRequest,
    out: &mpsc::Sender<Report>,
) -> Result<Option<String>, TypedError> {
    let group = request.group.to_lowercase();
    let key = ConcurrencyGroup::key_of(&run.project, &group);
    let me = GroupMember { run: run.clone(), holder: name_of(&request.holder), since: store::now() };
    let mut changes = ci.records.watch(ConcurrencyGroup::KIND, Revision::LATEST).await?;
    let empty = ConcurrencyGroup { project: run.project.clone(), name: group, holder: None, waiting: Vec::new() };
    store::create(&*ci.records, &empty).await?;
    let mut told = String::new();
    let mut asked = false;
    loop {
        let gone = gone(ci, &key).await?;
        let mut standing = Standing::Holds;
        store::modify::<ConcurrencyGroup>(&*ci.records, &key, |record| {
            standing = take_place(record, &me, request.queue, asked, &gone);
        })
        .await?;
        asked = true;
        match standing {
            Standing::Holds => return Ok(None),
            Standing::Replaced(reason) => return Ok(Some(reason)),
            Standing::Waits(before) => {
                if request.running == InProgress::IsCancelled {
                    cancel(ci, &before, &request.group, run).await?;
                }
                let reason = format!("{} comes first", before.run);
                if reason != told {
                    told.clone_from(&reason);
                    let event = Event::GroupWaits { holder: request.holder.clone(), reason };
                    let _ = out.send(Report::Event(event)).await;
                }
            }
        }
        loop {
            if changes.next().await?.key() == key {
                break;
            }
        }
    }
}

/// The runs in a group that are over, and so hold and want nothing.
async fn gone(ci: &Ci, key: &str) -> Result<Vec<RunId>, TypedError> {
    let Some(record) = store::find::<ConcurrencyGroup>(&*ci.records, key).await? else { return Ok(Vec::new()) };
    let mut gone = Vec::new();
    for member in record.holder.iter().chain(&record.waiting) {
        let run = store::find::<Run>(&*ci.records, &Run::key_of(&member.run)).await?;
        if run.is_none_or(|run| run.status == Status::Completed) {
            gone.push(member.run.clone());
        }
    }
    Ok(gone)
}

/// Gives `me` the group, or a place in its queue.
fn take_place(record: &mut ConcurrencyGroup, me: &GroupMember, queue: Queue, asked: bool, gone: &[RunId]) -> Standing {
    let is_me = |other: &GroupMember| other.run == me.run && other.holder == me.holder;
    record.holder.take_if(|it| gone.contains(&it.run));
    record.waiting.retain(|it| !gone.contains(&it.run));
    if record.holder.as_ref().is_some_and(is_me) {
        return Standing::Holds;
    }
    let place = record.waiting.iter().position(is_me);
    if record.holder.is_none() && (place == Some(0) || record.waiting.is_empty()) {
        record.waiting.retain(|it| !is_me(it));
        record.holder = Some(me.clone());
        return Standing::Holds;
    }
    if place.is_none() {
        if asked {
            return Standing::Replaced(format!("a newer run of the group `{}` took its place", record.name));
        }
        match queue {
            Queue::Single => record.waiting.clear(),
            Queue::Max if record.waiting.len() >= WAITING_MAX => {
                return Standing::Replaced(format!("{WAITING_MAX} wait for the group `{}` already", record.name));
            }
            Queue::Max => {}
        }
        record.waiting.push(me.clone());
    }
    let before = place.unwrap_or(record.waiting.len() - 1).checked_sub(1).and_then(|at| record.waiting.get(at));
    let before = before.or(record.holder.as_ref()).unwrap_or(me).clone();
    Standing::Waits(before)
}

/// Ends what holds a group, for one that must not wait.
async fn cancel(ci: &Ci, holder: &GroupMember, group: &str, run: &RunId) -> Result<(), TypedError> {
    let reason = format!("a newer run of the group `{group}` took its place");
    if holder.run == *run && holder.holder.is_empty() {
        return Ok(());
    }
    store::modify::<Run>(&*ci.records, &Run::key_of(&holder.run), |run| {
        if run.status == Status::Completed {
            return;
        }
        match holder.holder.split_once(' ') {
            None => {
                run.cancel = true;
                run.reason = Some(reason.clone());
            }
            Some((_, job)) if !run.cancel_jobs.iter().any(|it| it.job == job) => {
                run.cancel_jobs.push(JobCancel { job: job.to_owned(), reason: reason.clone() });
            }
            Some(_) => {}
        }
    })
    .await
    .map(drop)
}

/// Gives back what a job holds.
pub async fn release(ci: &Ci, run: &RunId, job: &JobKey) {
    let names = [name_of(&GroupHolder::Job(job.clone())), name_of(&GroupHolder::Called(job.clone()))];
    give_back(ci, run, |member| names.contains(&member.holder)).await;
}

/// Gives back everything that a run holds or waits for.
pub async fn release_all(ci: &Ci, run: &RunId) {
    give_back(ci, run, |_| true).await;
}

async fn give_back(ci: &Ci, run: &RunId, which: impl Fn(&GroupMember) -> bool) {
    let its = |member: &GroupMember| member.run == *run && which(member);
    let groups = match store::list::<ConcurrencyGroup>(&*ci.records, &format!("{}/", run.project)).await {
        Ok(groups) => groups,
        Err(error) => return tracing::error!(%error, "concurrency groups could not be given back"),
    };
    for group in groups {
        if !group.holder.iter().chain(&group.waiting).any(its) {
            continue;
        }
        let key = group.key();
        let left = store::modify::<ConcurrencyGroup>(&*ci.records, &key, |group| {
            group.holder.take_if(|it| its(it));
            group.waiting.retain(|it| !its(it));
        });
        if let Err(error) = left.await {
            tracing::error!(%error, "a concurrency group could not be given back");
        }
    }
}


#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u64) -> GroupMember {
        let run = format!("shop#{number}").parse().expect("a run");
        GroupMember { run, holder: String::new(), since: names::Timestamp::from_micros(1) }
    }

    /// Runs ask in this order; tells who holds and who waits.
    #[track_caller]
    fn check(queue: Queue, asking: &[u64], expected: &str) {
        let project = "shop".parse().expect("a name");
        let mut record = ConcurrencyGroup { project, name: "g".to_owned(), holder: None, waiting: Vec::new() };
        for number in asking {
            take_place(&mut record, &member(*number), queue, false, &[]);
        }
        let holder = record.holder.map_or(0, |it| it.run.number);
        let waiting: Vec<_> = record.waiting.iter().map(|it| it.run.number).collect();
        assert_eq!(format!("{holder} {waiting:?}"), expected);
    }

    #[test]
    fn the_newest_takes_the_place_of_those_that_wait() {
        check(Queue::Single, &[1, 2, 3], "1 [3]");
        check(Queue::Max, &[1, 2, 3], "1 [2, 3]");
        check(Queue::Single, &[1, 1], "1 []");
    }

    #[test]
    fn a_run_that_is_over_holds_nothing() {
        let project = "shop".parse().expect("a name");
        let mut record =
            ConcurrencyGroup { project, name: "g".to_owned(), holder: Some(member(1)), waiting: vec![member(2)] };
        let standing = take_place(&mut record, &member(2), Queue::Single, true, &[member(1).run]);
        assert_eq!(standing, Standing::Holds);
        let standing = take_place(&mut record, &member(3), Queue::Single, true, &[]);
        assert!(matches!(standing, Standing::Replaced(_)));
    }
}
