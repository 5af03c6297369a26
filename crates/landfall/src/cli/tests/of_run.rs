//! What the tests of a run came to.

use std::{process::ExitCode, time::Duration};

use api::{TestCase, TestCounts, TestOutcome};
use names::{RunId, format_duration};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{
        Context, exit,
        output::{Output, print_json},
        run_name::{self, RunName},
        thread_answer::escape,
    },
    client::Client,
};

/// Which tests are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Those that somebody should look at.
    Bad,
    All,
}

/// What the server tells.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub counts: TestCounts,
    pub jobs: Vec<JobTests>,
}

#[derive(Debug, Deserialize)]
pub struct JobTests {
    pub job: String,
    pub attempt: u32,
    pub counts: TestCounts,
    #[serde(default)]
    pub partial: bool,
    #[serde(default)]
    pub from_earlier_attempt: bool,
    #[serde(default)]
    files: Vec<api::TestReportFile>,
    pub cases: Vec<KnownCase>,
}

/// A case, and whether the project knows it as flaky.
#[derive(Debug, Deserialize)]
pub struct KnownCase {
    #[serde(flatten)]
    pub case: TestCase,
    #[serde(default)]
    pub known_flaky: bool,
}

/// The tests of a run as the server has them.
pub async fn fetch(client: &Client, id: &RunId, job: Option<&str>) -> anyhow::Result<Value> {
    let job = job.map(|it| format!("?job={}", escape(it))).unwrap_or_default();
    client.get(&format!("runs/{}/tests{job}", run_name::path_of(id))).await
}

pub async fn show(run: &RunName, job: Option<&str>, shown: Shown, output: Output, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = run.resolve(&client).await?;
    let told = fetch(&client, &id, job).await?;
    match output {
        Output::Json => print_json(&told)?,
        Output::Table => {
            let answer: Answer = serde_json::from_value(told)?;
            println!("{}", text(&id, &answer, shown));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn text(id: &RunId, answer: &Answer, shown: Shown) -> String {
    if answer.jobs.is_empty() {
        return format!("{id} has told no tests; name their reports in LANDFALL_TEST_REPORTS, e.g. `env: {{LANDFALL_TEST_REPORTS: \"target/junit/*.xml\"}}`");
    }
    let mut lines = vec![format!("{id}: {}, {}", answer.counts, took(answer.counts.micros))];
    for job in &answer.jobs {
        let mut head = format!("\n{}: {}", job.job, job.counts);
        if job.attempt > 1 {
            head.push_str(&format!(" (attempt {})", job.attempt));
        }
        if job.partial {
            head.push_str(" (only the failed ones ran again; the others are those of the attempt before)");
        }
        if job.from_earlier_attempt {
            head.push_str(" (of an earlier attempt; the job has told none since it began again)");
        }
        lines.push(head);
        let bad = |it: &&KnownCase| it.case.outcome.is_bad() || it.case.flaky;
        let cases: Vec<_> = job.cases.iter().filter(|it| shown == Shown::All || bad(it)).collect();
        lines.extend(cases.iter().flat_map(|it| case_lines(it)));
        let problems = job.files.iter().filter_map(|it| Some(format!("  {}: {}", it.path, it.problem.as_ref()?)));
        lines.extend(problems);
    }
    lines.join("\n")
}

fn case_lines(known: &KnownCase) -> Vec<String> {
    let case = &known.case;
    let time = case.micros.map(|it| format!("  {}", took(it))).unwrap_or_default();
    let flaky = match (known.known_flaky || case.flaky, case.outcome) {
        (true, TestOutcome::Failed | TestOutcome::Errored) => "  (known to be flaky)",
        (true, _) => "  (flaky)",
        (false, _) => "",
    };
    let mut lines = vec![format!("  {:8} {}{}{time}{flaky}", case.outcome.to_string(), case.id, place(case))];
    if case.outcome.is_bad() {
        lines.extend(case.message.lines().take(3).map(|line| format!("           {line}")));
    }
    lines
}

/// `  (src/a.rs:3)`
pub fn place(case: &TestCase) -> String {
    match (&case.file, case.line) {
        (Some(file), Some(line)) => format!("  {file}:{line}"),
        (Some(file), None) => format!("  {file}"),
        (None, _) => String::new(),
    }
}

fn took(micros: u64) -> String {
    // A thousandth of a second is what reports tell.
    match micros {
        0..1_000_000 => format!("{} ms", micros.div_ceil(1000)),
        _ => format_duration(Duration::from_micros(micros)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_failed_is_told_with_its_place_and_message() {
        let answer = json!({
            "counts": {"passed": 1, "failed": 1, "errored": 0, "skipped": 0, "flaky": 0, "micros": 12000},
            "jobs": [{
                "job": "test", "attempt": 2, "partial": true,
                "counts": {"passed": 1, "failed": 1, "errored": 0, "skipped": 0, "flaky": 0, "micros": 12000},
                "cases": [
                    {"id": "a::b", "name": "b", "outcome": "failed", "micros": 2000, "message": "no\nnever", "file": "a.py", "line": 3, "known_flaky": true},
                    {"id": "a::c", "name": "c", "outcome": "passed"},
                ],
            }],
        });
        let answer: Answer = serde_json::from_value(answer).expect("an answer");
        let id: RunId = "shop#3".parse().expect("a run");
        let expected = "shop#3: 1 failed, 1 passed, 12 ms\n\n\
            test: 1 failed, 1 passed (attempt 2) (only the failed ones ran again; the others are those of the attempt before)\n  \
            failed   a::b  a.py:3  2 ms  (known to be flaky)\n           no\n           never";
        assert_eq!(text(&id, &answer, Shown::Bad), expected);
        assert_eq!(text(&id, &answer, Shown::All), format!("{expected}\n  passed   a::c"));
    }
}
