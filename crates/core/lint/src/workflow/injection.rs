//! Text that strangers write, pasted into a script: whoever opens an issue would run commands.

use workflow::expr::{Access, Step};

use super::{File, walk::Uses};

/// What anybody can write, without being let in first; `*` stands for any item.
const UNTRUSTED: &[&str] = &[
    "github.head_ref",
    "github.event.comment.body",
    "github.event.commits.*.author.email",
    "github.event.commits.*.author.name",
    "github.event.commits.*.message",
    "github.event.discussion.body",
    "github.event.discussion.title",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.head_commit.message",
    "github.event.issue.body",
    "github.event.issue.title",
    "github.event.pages.*.page_name",
    "github.event.pull_request.body",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.pull_request.head.repo.description",
    "github.event.pull_request.head.repo.homepage",
    "github.event.pull_request.title",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.workflow_run.display_title",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.author.email",
    "github.event.workflow_run.head_commit.author.name",
    "github.event.workflow_run.head_commit.message",
    "github.event.workflow_run.head_repository.description",
    "github.event.workflow_run.pull_requests.*.head.ref",
];

pub(super) fn check(file: &mut File<'_>, uses: &Uses<'_>) {
    for found in &uses.all {
        let Some((_, step)) = found.site.step else { continue };
        let action = step.get("uses").and_then(yaml::Node::text).unwrap_or_default();
        let is_script = found.site.key == "run"
            || found.site.inner == "script" && action.to_lowercase().starts_with("actions/github-script@");
        if !is_script {
            continue;
        }
        for access in found.expression.accesses() {
            let Some(source) = untrusted(&access) else { continue };
            let length = found.expression.text().get(access.at..).map_or(0, |it| it.trim_end().len());
            let span = uses.span(found, access.at, length.min(source.len()));
            let message = format!("`{source}` is written by strangers and becomes part of the script");
            file.warn(span, "LF-W0033", message)
                .help
                .push("put it into `env` of the step, and use the variable in quotes: \"$NAME\"".to_owned());
        }
    }
}

/// The untrusted text that an access reads: itself, or something that holds it.
fn untrusted(access: &Access<'_>) -> Option<String> {
    let mut path = vec![access.context.to_lowercase()];
    path.extend(access.path.iter().map(|it| match it {
        Step::Name(name) => name.to_lowercase(),
        Step::All => "*".to_owned(),
    }));
    let fits = |wanted: &&&str| {
        let wanted: Vec<_> = wanted.split('.').collect();
        path.len() == wanted.len()
            && path.iter().zip(&wanted).all(|(own, wanted)| own == wanted || *wanted == "*" || own == "*")
    };
    UNTRUSTED.iter().find(fits).map(|_| path.join("."))
}
