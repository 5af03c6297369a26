//! `Set up job`: what the log says before the first step, and the actions that it makes ready.

use tokio::sync::mpsc;
use workflow::{ActionRef, Event, JobStart};

use crate::{
    Ci, actions,
    drive::Report,
    node, output,
    place::{JobPlace, SET_UP},
};

/// Says where the job runs and what it may do.
pub async fn tell_start(ci: &Ci, place: &JobPlace, start: &JobStart) {
    let mut lines = vec![format!("Current runner version: '{}'", env!("CARGO_PKG_VERSION"))];
    lines.push("##[group]Operating System".to_owned());
    lines.push(machine());
    lines.push("##[endgroup]".to_owned());
    if let Ok(node) = node::choose(&ci.config.env, 24) {
        lines.push(format!("Node for JavaScript actions: {} ({})", node.version, node.program.display()));
    }
    lines.push("##[group]GITHUB_TOKEN Permissions".to_owned());
    let permissions = place.grant.permissions.iter().filter(|(_, it)| **it != api::Permission::None);
    lines.extend(permissions.map(|(scope, access)| format!("{scope}: {}", format!("{access:?}").to_lowercase())));
    lines.push("##[endgroup]".to_owned());
    if let workflow::Trust::Untrusted { reason } = &start.trust {
        lines.push(format!("##[warning]The job gets no secrets and may write nothing: {reason}"));
    }
    lines.push(format!("Complete job name: {}", start.name));
    output::say(place, SET_UP, lines).await;
}

/// The name of the system, as it calls itself.
pub fn machine() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}

/// Makes actions ready and reports them.
pub async fn prepare(ci: &Ci, place: &JobPlace, wanted: Vec<ActionRef>, out: &mpsc::Sender<Report>) {
    let ready = futures_util::future::join_all(wanted.iter().map(|action| ci.actions.prepare(place, action))).await;
    let mut prepared = Vec::new();
    let mut lines = Vec::new();
    for (action, ready) in wanted.into_iter().zip(ready) {
        match ready {
            Ok(ready) => {
                lines.push(ready.told);
                if let Some(message) = ready.warning {
                    lines.push(format!("##[warning]{message}"));
                    // The receiver lives as long as the driver, here and below.
                    let _ = out.send(Report::Warning { job: place.key.clone(), message }).await;
                }
                prepared.push((action, Ok(ready.action)));
            }
            Err(why) => {
                lines.push(format!("##[error]{why}"));
                prepared.push((action, Err(why)));
            }
        }
    }
    output::say(place, SET_UP, lines).await;
    let (job, attempt) = (place.key.clone(), place.attempt);
    let _ = out.send(Report::Event(Event::ActionsPrepared { job, attempt, actions: prepared })).await;
}

/// Reads an action of the workspace and reports it.
pub async fn load(place: &JobPlace, path: String, out: &mpsc::Sender<Report>) {
    let action = actions::load_local(place, &path);
    let (job, attempt) = (place.key.clone(), place.attempt);
    let _ = out.send(Report::Event(Event::ActionLoaded { job, attempt, path, action })).await;
}
