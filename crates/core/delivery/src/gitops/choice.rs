//! Whether an app is to be synced now, to what, and when to try again.

use std::time::Duration;

use api::{App, AppRequest, DeploymentState, Quarantine, Retry, Revision, SyncState};
use names::Timestamp;

/// After a self-heal the next one of the same revision waits this long, then three times as long each time.
const HEAL_WAIT: Duration = Duration::from_secs(2);
const HEAL_WAIT_MAX: Duration = Duration::from_secs(300);

/// What is known when the choice is made.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What Git says, rendered.
    pub seen: &'a Revision,
    /// Objects that differ from it.
    pub differing: usize,
    /// Objects that left Git and are still there.
    pub extra: usize,
    /// Self-heals of the same revision so far, and when the last one was.
    pub heals: u32,
    pub last_heal: Option<Timestamp>,
}

/// What an app does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing, for this reason.
    Rest(String),
    /// Bring everything that was rendered to the cluster.
    Sync { prune: bool, confirmed: bool },
    /// Change back only what differs; hooks do not run.
    Heal,
    Wait(Timestamp),
    /// Back to an earlier deployment.
    Back { deployment: u64 },
    /// The rendered state is quarantined; the older deployment is kept as it is.
    Hold { deployment: u64, quarantined: u64 },
}

/// Decides what the app does now.
pub fn choose(app: &App, standing: &Standing<'_>, now: Timestamp) -> Choice {
    if let Some(request) = &app.request {
        match request {
            AppRequest::Rollback { deployment } => return Choice::Back { deployment: *deployment },
            AppRequest::Sync { prune, confirmed, .. } => {
                // A person may try a quarantined state again by asking for it.
                return Choice::Sync { prune: *prune, confirmed: *confirmed };
            }
            AppRequest::Promote { .. } | AppRequest::Abort | AppRequest::Release | AppRequest::Refresh | AppRequest::Remove => {}
        }
    }
    if let Some(quarantine) = quarantine_of(app, standing.seen) {
        let back_to = app.status.deployed.map_or(0, |id| super::origin(app, id));
        return Choice::Hold { deployment: back_to, quarantined: quarantine.deployment };
    }
    let Some(automated) = app.spec.automated else {
        return Choice::Rest("sync is not automated".to_owned());
    };
    if standing.differing == 0 && (standing.extra == 0 || !automated.prune) {
        let why = if standing.extra == 0 { "the cluster holds what Git says" } else { "only objects that left Git differ, and pruning is off" };
        return Choice::Rest(why.to_owned());
    }
    let last = app.status.history.last();
    let tried = last.filter(|it| it.revision.rendered == standing.seen.rendered);
    match tried.map(|it| it.state) {
        None | Some(DeploymentState::Superseded) => Choice::Sync { prune: automated.prune, confirmed: false },
        Some(DeploymentState::Syncing | DeploymentState::Waiting) => Choice::Rest("a sync is under way".to_owned()),
        Some(DeploymentState::Failed | DeploymentState::RolledBack) => {
            Choice::Rest("this state was tried and failed; it is tried again when Git changes or a person asks".to_owned())
        }
        Some(DeploymentState::Healthy) if !automated.self_heal => Choice::Rest("healing is off".to_owned()),
        Some(DeploymentState::Healthy) => heal(standing, now),
    }
}

fn heal(standing: &Standing<'_>, now: Timestamp) -> Choice {
    let (Some(last), heals @ 1..) = (standing.last_heal, standing.heals) else { return Choice::Heal };
    let wait = HEAL_WAIT.saturating_mul(3_u32.saturating_pow(heals.min(8) - 1)).min(HEAL_WAIT_MAX);
    let due = last + wait;
    if due <= now { Choice::Heal } else { Choice::Wait(due) }
}

/// The quarantine that keeps a rendered state from being chosen.
fn quarantine_of<'a>(app: &'a App, seen: &Revision) -> Option<&'a Quarantine> {
    app.status.quarantined.iter().find(|it| it.rendered == seen.rendered)
}

/// When a failed sync is tried again; `None` when it was tried often enough.
pub fn next_retry(retry: &Retry, attempt: u32, now: Timestamp) -> Option<Timestamp> {
    if retry.limit >= 0 && i64::from(attempt) > retry.limit {
        return None;
    }
    let factor = retry.factor.max(1).saturating_pow(attempt.saturating_sub(1));
    let seconds = retry.seconds.saturating_mul(factor).min(retry.seconds_max.max(1));
    Some(now + Duration::from_secs(seconds))
}

/// The word for an app whose choice was this.
pub fn sync_state(choice: &Choice, standing: &Standing<'_>) -> SyncState {
    match choice {
        Choice::Hold { .. } => SyncState::Held,
        Choice::Rest(_) | Choice::Sync { .. } | Choice::Heal | Choice::Wait(_) | Choice::Back { .. } => {
            if standing.differing == 0 && standing.extra == 0 { SyncState::Synced } else { SyncState::OutOfSync }
        }
    }
}

/// `Held at 3 (4 quarantined)`, or the plain word.
pub fn sync_words(app: &App) -> String {
    let held = app.status.seen.as_ref().and_then(|seen| quarantine_of(app, seen));
    match (app.status.sync, held) {
        (SyncState::Held, Some(bad)) => {
            let at = app.status.deployed.map_or_else(|| "nothing".to_owned(), |it| super::origin(app, it).to_string());
            format!("Held at {at} ({} quarantined)", bad.deployment)
        }
        (state, _) => state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use api::{Automated, Cause, Deployment};
    use names::Digest;

    use super::*;

    fn revision(number: u8) -> Revision {
        Revision { commits: Vec::new(), rendered: Digest::of(&[number]) }
    }

    fn app(automated: Option<Automated>, history: &[(u8, DeploymentState)], quarantined: &[u8]) -> App {
        let mut app = App { name: "shop".into(), spec: api::AppSpec::default(), generation: 1, request: None, status: api::AppStatus::default() };
        app.spec.automated = automated;
        for (index, (number, state)) in history.iter().enumerate() {
            app.status.history.push(Deployment {
                id: index as u64 + 1,
                revision: revision(*number),
                inventory: Vec::new(),
                state: *state,
                started: Timestamp::default(),
                finished: None,
                cause: None,
                by: "automatic".into(),
                back_to: None,
                workloads: Vec::new(),
                subject: String::new(),
                irreversible: Vec::new(),
            });
        }
        app.status.deployed = Some(1);
        for number in quarantined {
            let cause = Cause { code: "LF-D0101".into(), summary: String::new(), evidence: Vec::new(), help: Vec::new() };
            app.status.quarantined.push(Quarantine {
                rendered: revision(*number).rendered,
                commits: Vec::new(),
                deployment: 2,
                since: Timestamp::default(),
                cause,
                reverted_by: None,
                revert_pending: None,
            });
        }
        app
    }

    #[track_caller]
    fn check(app: &App, seen: u8, differing: usize, extra: usize, expected: &str) {
        let seen = revision(seen);
        let standing = Standing { seen: &seen, differing, extra, heals: 1, last_heal: Some(Timestamp::from_micros(0)) };
        let found = match choose(app, &standing, Timestamp::from_micros(1_000_000)) {
            Choice::Rest(why) => format!("rest: {why}"),
            other @ (Choice::Sync { .. } | Choice::Heal | Choice::Wait(_) | Choice::Back { .. } | Choice::Hold { .. }) => format!("{other:?}"),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    const ALL: Automated = Automated { prune: true, self_heal: true, allow_empty: false };

    #[test]
    fn a_new_state_is_synced_and_an_old_one_is_not_tried_again() {
        use DeploymentState::{Failed, Healthy};
        check(&app(None, &[], &[]), 1, 1, 0, "rest: sync is not automated");
        check(&app(Some(ALL), &[(1, Healthy)], &[]), 2, 1, 0, "Sync { prune: true");
        check(&app(Some(ALL), &[(1, Healthy)], &[]), 1, 0, 0, "rest: the cluster holds");
        check(&app(Some(ALL), &[(1, Healthy), (2, Failed)], &[]), 2, 1, 0, "rest: this state was tried");
        check(&app(Some(Automated::default()), &[(1, Healthy)], &[]), 1, 1, 0, "rest: healing is off");
        check(&app(Some(Automated::default()), &[(1, Healthy)], &[]), 2, 0, 3, "rest: only objects that left Git");
    }

    #[test]
    fn healing_waits_longer_each_time() {
        let healthy = app(Some(ALL), &[(1, DeploymentState::Healthy)], &[]);
        check(&healthy, 1, 1, 0, "Wait(");
        let seen = revision(1);
        let standing = Standing { seen: &seen, differing: 1, extra: 0, heals: 0, last_heal: None };
        assert_eq!(choose(&healthy, &standing, Timestamp::default()), Choice::Heal);
    }

    #[test]
    fn a_quarantined_state_is_held_whatever_commit_renders_it() {
        use DeploymentState::{Healthy, RolledBack};
        let held = app(Some(ALL), &[(1, Healthy), (2, RolledBack)], &[2]);
        check(&held, 2, 4, 0, "Hold { deployment: 1, quarantined: 2 }");
        check(&held, 3, 4, 0, "Sync");
        let mut asked = held;
        asked.request = Some(AppRequest::Sync { revision: None, prune: false, confirmed: false });
        check(&asked, 2, 4, 0, "Sync { prune: false");
    }

    #[test]
    fn failed_syncs_are_tried_again_ever_later_and_not_for_ever() {
        let at = |attempt| next_retry(&Retry::default(), attempt, Timestamp::from_micros(0)).map(|time| time.as_micros() / 1_000_000);
        assert_eq!([1, 2, 3, 5, 6].map(at), [Some(5), Some(10), Some(20), Some(80), None]);
    }
}
