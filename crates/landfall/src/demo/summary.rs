//! What is shown in the end: the thread of each commit, where the time went, the addresses.

use std::time::Duration;

use api::Run;
use names::{Timestamp, format_duration};

use super::{installation::Told, story::Act};

/// The headings of [`row`].
pub const HEADINGS: [&str; 7] = ["COMMIT", "RUN", "IMAGE", "RELEASE", "OUTCOME", "TOOK", "REQUESTS"];

/// The thread of one commit as a row of a table.
pub fn row(act: &Act) -> Vec<String> {
    let thread = &act.told.thread;
    let run = thread.runs.last();
    let release = thread.releases.last();
    let image = release.and_then(|it| it.images.first()).map(|it| format!("sha256:{}", it.digest.short()));
    let back_to = release.and_then(|it| it.rolled_back_to.as_ref()).map(|it| format!(" to {it}"));
    vec![
        thread.commit.short(),
        run.map_or_else(dash, |run| run.id.to_string()),
        image.unwrap_or_else(dash),
        release.map_or_else(dash, |release| release.id.to_string()),
        act.told.outcome.words().to_owned() + &back_to.unwrap_or_default(),
        format_duration(act.took),
        act.sent.to_string(),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

/// Where the time of a push went, e.g. `to the first step 0.1s, test 0.9s`.
pub fn parts(told: &Told) -> String {
    let Some(run) = told.thread.runs.last() else { return "nothing ran".to_owned() };
    let pushed = told.thread.pushes.last().map_or(run.created, |push| push.at);
    let mut parts = Vec::new();
    parts.extend(first_start(run).map(|start| part("to the first job", start.since(pushed))));
    for job in &run.jobs {
        if let (Some(from), Some(to)) = (job.started, job.finished) {
            parts.push(part(&format!("job {}", job.name), to.since(from)));
        }
    }
    for release in &told.thread.releases {
        if let Some(end) = release.finished {
            parts.push(part("release applied to judged", end.since(release.created)));
        }
    }
    parts.join(", ")
}

fn first_start(run: &Run) -> Option<Timestamp> {
    run.jobs.iter().filter_map(|job| job.started).min()
}

fn part(name: &str, took: Duration) -> String {
    format!("{name} {}", format_duration(took))
}
