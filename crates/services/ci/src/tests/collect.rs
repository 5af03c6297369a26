//! Reads the test reports that a step left, and tells what they say.

use std::collections::HashMap;

use api::{TestCase, TestOutcome, TestReport};
use names::Digest;
use testreport::{collect::Collected, glob::Globs, junit, locate};
use workflow::{
    StepKey, StepReport, StepStart, StepWork,
    command::{ANNOTATIONS_MAX, Annotation, Level},
};

use super::{
    find::{FILES_MAX, Root},
    keep,
};
use crate::{Ci, caches, output, place::JobPlace};

/// Names the reports of a step, a job or a workflow.
pub const VARIABLE: &str = "LANDFALL_TEST_REPORTS";

/// The reports of one step have no more bytes together.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// So many failures are named in the log.
const TOLD_MAX: usize = 20;

/// Of a message so much is told as an annotation.
const ANNOTATION_CHARS: usize = 600;

/// The patterns of the reports that a step leaves; empty if it names none.
pub fn wanted(start: &StepStart) -> String {
    let mut patterns: Vec<String> = start.env.get(VARIABLE).map(str::to_owned).into_iter().collect();
    if let StepWork::Builtin(step) = &start.work {
        patterns.extend(crate::native::report_inputs(&step.entry, &step.inputs));
    }
    patterns.retain(|it| !it.trim().is_empty());
    patterns.join("\n")
}

/// What was read after a step.
struct Read {
    collected: Collected,
    /// Cases that this step told.
    fresh: Vec<TestCase>,
    files: usize,
    problems: Vec<String>,
}

/// Reads what a step left, keeps it, and adds failures to its annotations.
pub async fn after_step(ci: &Ci, place: &JobPlace, step: &StepKey, patterns: &str, report: &mut StepReport) {
    if patterns.is_empty() {
        return;
    }
    let known = keep::find(ci, place).await;
    let mut before = Collected::default();
    if let Some(known) = &known {
        before.files.clone_from(&known.files);
        match keep::cases(ci, known).await {
            Ok(cases) => before.cases = cases,
            Err(error) => tracing::error!(%error, "the tests of a job cannot be read"),
        }
    }
    let (job, patterns) = (place.clone(), patterns.to_owned());
    let read = tokio::task::spawn_blocking(move || read(&job, &patterns, before)).await;
    let read = match read {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            let told = format!("##[warning]The test reports cannot be looked for: {error}");
            return output::say(place, section(step), [told]).await;
        }
        Err(error) => return tracing::error!(%error, "reading test reports failed"),
    };
    if read.files == 0 && read.problems.is_empty() {
        return;
    }
    let told = tell(&read);
    output::say(place, section(step), told).await;
    annotate(&read.fresh, report);
    if read.files > 0
        && let Err(error) = keep::put(ci, place, known, read.collected).await
    {
        tracing::error!(%error, "the tests of a job cannot be kept");
    }
}

/// Reads all files that changed; secrets in them are masked.
fn read(place: &JobPlace, patterns: &str, mut collected: Collected) -> std::io::Result<Read> {
    let seen = caches::seen(place)?;
    let workspace = Root::open(&seen.path)?;
    let temp = Root::open(&place.folder.join("temp"))?;
    let within = |root: &str, path: &str| path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
    let in_workspace = Globs::parse(patterns, &|path| match path.starts_with('/') {
        true => within(&place.place.workspace, path),
        false => Some(path.to_owned()),
    });
    let in_temp = Globs::parse(patterns, &|path| within(&place.place.temp, path));
    let mut problems = Vec::new();
    let mut found: Vec<(String, &Root, String)> = Vec::new();
    for (root, globs, prefix) in [(&workspace, &in_workspace, ""), (&temp, &in_temp, "$RUNNER_TEMP/")] {
        found.extend(root.find(globs)?.into_iter().map(|path| (format!("{prefix}{path}"), root, path)));
    }
    if found.len() > FILES_MAX {
        problems.push(format!("{} files are named; only the first {FILES_MAX} are read", found.len()));
        found.truncate(FILES_MAX);
    }
    let before = collected.cases.clone();
    let (mut files, mut left) = (0, BYTES_MAX);
    for (name, root, path) in found {
        let bytes = match root.read(&path, junit::FILE_BYTES_MAX.min(left)) {
            Ok(bytes) => bytes,
            Err(error) => {
                problems.push(format!("`{name}` cannot be read: {error}"));
                continue;
            }
        };
        left = left.saturating_sub(bytes.len() as u64);
        let digest = Digest::of(&bytes);
        if collected.knows(&name, digest) {
            continue;
        }
        let mut parsed = junit::parse(&bytes);
        if let Some(problem) = &parsed.problem {
            problems.push(format!("`{name}`: {problem}"));
        }
        for case in &mut parsed.cases {
            mask(place, case);
            if case.outcome.is_bad() || case.file.is_some() || !case.message.is_empty() {
                let place_of = locate::locate(case, &format!("{}/", place.place.workspace), &|path| workspace.has(path));
                (case.file, case.line) = place_of.map_or((None, None), |(file, line)| (Some(file), line));
            }
        }
        files += 1;
        collected.add(&name, digest, parsed);
    }
    let old: HashMap<&str, &TestCase> = before.iter().map(|it| (it.id.as_str(), it)).collect();
    let fresh = collected.cases.iter().filter(|it| old.get(it.id.as_str()) != Some(it)).cloned().collect();
    Ok(Read { collected, fresh, files, problems })
}

fn mask(place: &JobPlace, case: &mut TestCase) {
    for text in [&mut case.suite, &mut case.class, &mut case.name, &mut case.message] {
        *text = place.mask(text);
    }
    if let Some(file) = &mut case.file {
        *file = place.mask(file);
    }
}

/// What the log says.
fn tell(read: &Read) -> Vec<String> {
    let counts = api::TestCounts::of(&read.fresh);
    let files = if read.files == 1 { "1 report".to_owned() } else { format!("{} reports", read.files) };
    let mut lines = Vec::new();
    if read.files > 0 {
        lines.push(format!("##[group]Tests: {counts} ({files})"));
        let bad: Vec<_> = read.fresh.iter().filter(|it| it.outcome.is_bad() || it.flaky).collect();
        for case in bad.iter().take(TOLD_MAX) {
            let flaky = if case.flaky && case.outcome == TestOutcome::Passed { "flaky, passed at last" } else { "" };
            let outcome = if flaky.is_empty() { case.outcome.to_string() } else { flaky.to_owned() };
            let at = case.file.as_ref().map(|file| format!(" ({file}{})", case.line.map(|it| format!(":{it}")).unwrap_or_default()));
            lines.push(format!("{outcome}: {}{}", case.id, at.unwrap_or_default()));
        }
        if bad.len() > TOLD_MAX {
            lines.push(format!("and {} more; `landfall tests` lists them all", bad.len() - TOLD_MAX));
        }
        lines.push("##[endgroup]".to_owned());
    }
    lines.extend(read.problems.iter().take(TOLD_MAX).map(|it| format!("##[warning]{it}")));
    lines
}

/// The failures of a step, beside what it annotated itself.
fn annotate(fresh: &[TestCase], report: &mut StepReport) {
    let used = report.annotations.iter().filter(|it| it.level == Level::Error).count();
    let bad = fresh.iter().filter(|it| it.outcome.is_bad());
    report.annotations.extend(bad.take(ANNOTATIONS_MAX.saturating_sub(used)).map(|case| Annotation {
        level: Level::Error,
        message: match case.message.as_str() {
            "" => format!("{} {}", case.id, case.outcome),
            message => testreport::clean::lines(message, ANNOTATION_CHARS),
        },
        title: Some(format!("{} {}", case.id, case.outcome)),
        file: case.file.clone(),
        line: case.file.as_ref().and(case.line),
        end_line: None,
        column: None,
        end_column: None,
    }));
}

/// The report with what is shown of it in lists.
pub fn summarise(report: &mut TestReport, cases: &[TestCase]) {
    let bad: Vec<_> = cases.iter().filter(|it| it.outcome.is_bad()).collect();
    report.counts = api::TestCounts::of(cases);
    report.failed = bad.iter().take(keep::SHOWN_MAX).map(|it| (*it).clone()).collect();
    report.failed_more = (bad.len() - report.failed.len()) as u64;
    report.flaky = cases.iter().filter(|it| it.flaky).take(keep::SHOWN_MAX).cloned().collect();
}

/// The number of a step in the job's log.
fn section(step: &StepKey) -> u32 {
    u32::try_from(step.index).unwrap_or(u32::MAX >> 1)
}
