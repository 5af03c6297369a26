//! What is allowed and hardly meant: schedules that come too often, machines there are not, old commands.

use workflow::Cron;
use yaml::Node;

use super::{File, items, steps};

/// GitHub starts schedules at most this often.
const SHORTEST_GAP_MINUTES: u32 = 5;

/// Commands of standard output that gave way to files.
const OLD_COMMANDS: [(&str, &str); 4] = [
    ("::set-output ", "GITHUB_OUTPUT"),
    ("::save-state ", "GITHUB_STATE"),
    ("::set-env ", "GITHUB_ENV"),
    ("::add-path::", "GITHUB_PATH"),
];

pub(super) fn check(file: &mut File<'_>) {
    let root = file.root;
    for entry in items(root.get("on").and_then(|it| it.get("schedule"))) {
        schedule(file, entry);
    }
    for job in root.get("jobs").map(Node::entries).unwrap_or_default() {
        labels(file, &job.value);
        for (_, step) in steps(&job.value) {
            old_commands(file, step);
        }
    }
}

fn schedule(file: &mut File<'_>, entry: &Node) {
    let Some((node, text)) = entry.get("cron").and_then(|it| Some((it, it.text()?))) else { return };
    let Ok(cron) = text.parse::<Cron>() else { return };
    let gap = cron.shortest_gap_minutes();
    if gap < SHORTEST_GAP_MINUTES {
        let message = format!("`{text}` comes every {gap} minutes, and schedules start at most every {SHORTEST_GAP_MINUTES}");
        file.warn(node.span, "LF-W0036", message);
    }
}

/// Jobs run on Linux; what asks for another system would fail.
fn labels(file: &mut File<'_>, job: &Node) {
    let runs_on = job.get("runs-on");
    let labels = runs_on.and_then(|it| it.get("labels")).or(runs_on);
    let nodes = match labels {
        Some(node) if node.text().is_some() => std::slice::from_ref(node),
        node => items(node),
    };
    for node in nodes {
        let text = node.text().unwrap_or_default();
        let lower = text.to_lowercase();
        if ["windows", "macos"].iter().any(|it| lower.starts_with(it)) {
            file.warn(node.span, "LF-W0037", format!("no machine for `{text}`: jobs run on Linux here"));
        }
    }
}

fn old_commands(file: &mut File<'_>, step: &Node) {
    let Some((node, text)) = step.get("run").and_then(|it| Some((it, it.text()?))) else { return };
    for (command, replacement) in OLD_COMMANDS {
        if text.contains(command) {
            let name = command.trim_matches([':', ' ']);
            file.warn(node.span, "LF-W0038", format!("the command `{name}` is no longer accepted everywhere"))
                .help
                .push(format!("write a line to the file that `${replacement}` names"));
        }
    }
}
