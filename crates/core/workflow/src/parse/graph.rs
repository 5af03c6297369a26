//! Checks that `needs` name jobs and form no circle.

use yaml::{Node, NodeValue};

use super::{
    nearest::nearest,
    reader::{Reader, is_refused, text_list},
};
use crate::Job;

pub(super) fn check(reader: &mut Reader<'_>, node: &Node, jobs: &[Job]) {
    if jobs.is_empty() && matches!(&node.value, NodeValue::Mapping(entries) if entries.is_empty()) {
        reader.error(node.span, "LF-W0005", "a workflow needs at least one job");
    }
    let mut sound = true;
    for job in jobs {
        let Some(needs) = node.get(&job.id).and_then(|it| it.get("needs")) else {
            continue;
        };
        for (wanted, at) in text_list(needs) {
            if jobs.iter().any(|it| it.id.eq_ignore_ascii_case(&wanted)) {
                continue;
            }
            sound = false;
            if is_refused(&wanted) {
                continue;
            }
            let near = nearest(&wanted, jobs.iter().map(|it| it.id.as_str())).map(str::to_owned);
            let found = reader.error(
                at.span,
                "LF-W0014",
                format!(
                    "job `{}` needs `{wanted}`, which is no job of this file",
                    job.id
                ),
            );
            found
                .help
                .extend(near.map(|it| format!("did you mean `{it}`?")));
        }
    }
    if !sound || jobs.is_empty() {
        return;
    }
    if let Some(circle) = circle(jobs) {
        let first = circle.first().map(String::as_str).unwrap_or_default();
        let span = node
            .get(first)
            .and_then(|it| it.get("needs"))
            .map_or(node.span, |it| it.span);
        reader.error(
            span,
            "LF-W0015",
            format!("jobs need one another in a circle: {}", circle.join(" → ")),
        );
    }
    check_contexts(reader, node, jobs);
}

/// The ids along a circle, the first again at the end.
fn circle(jobs: &[Job]) -> Option<Vec<String>> {
    let find = |id: &str| jobs.iter().position(|it| it.id.eq_ignore_ascii_case(id));
    let mut done = vec![false; jobs.len()];
    for start in 0..jobs.len() {
        let mut trail = vec![start];
        let mut open = vec![0];
        while let (Some(here), Some(next)) = (trail.last().copied(), open.last_mut()) {
            let needed = jobs
                .get(here)
                .and_then(|job| job.needs.get(*next))
                .and_then(|id| find(id));
            *next += 1;
            match needed {
                None => {
                    if jobs
                        .get(here)
                        .is_none_or(|job| *open.last().unwrap_or(&0) > job.needs.len())
                    {
                        if let Some(done) = done.get_mut(here) {
                            *done = true;
                        }
                        trail.pop();
                        open.pop();
                    }
                }
                Some(needed) => {
                    if let Some(at) = trail.iter().position(|it| *it == needed) {
                        let ids = trail.iter().skip(at).chain([&needed]);
                        return Some(
                            ids.filter_map(|it| jobs.get(*it))
                                .map(|it| it.id.clone())
                                .collect(),
                        );
                    }
                    if !done.get(needed).copied().unwrap_or(true) {
                        trail.push(needed);
                        open.push(0);
                    }
                }
            }
        }
    }
    None
}

/// `needs.x` in a condition must be one of the job's direct needs; otherwise it is always empty.
fn check_contexts(reader: &mut Reader<'_>, node: &Node, jobs: &[Job]) {
    for job in jobs {
        let Some(condition) = &job.condition else {
            continue;
        };
        for property in condition.properties_of("needs") {
            if job.needs.iter().any(|it| it.eq_ignore_ascii_case(property)) {
                continue;
            }
            let span = node
                .get(&job.id)
                .and_then(|it| it.get("if"))
                .map_or(node.span, |it| it.span);
            let message = format!(
                "`needs.{property}` is always empty: job `{}` does not need `{property}`",
                job.id
            );
            let found = reader.error(span, "LF-W0016", message);
            found.severity = yaml::Severity::Warning;
            found.help.push(format!("add `{property}` to `needs`"));
        }
    }
}
