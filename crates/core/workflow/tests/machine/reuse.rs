//! Jobs that name their inputs: what they ask, and what becomes of them when an earlier job stands for them.

use names::Timestamp;
use serde_json::json;
use workflow::{Effect, Event, JobStart, Run, Secrets, Start, parse};

const SOURCE: &str = r#"
on: push
env: {LANDFALL_INPUTS: "src/**"}
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {sum: "${{ steps.x.outputs.sum }}"}
    steps: [{id: x, run: "make ${{ github.ref_name }}"}]
  use:
    needs: build
    runs-on: ubuntu-latest
    env: {LANDFALL_INPUTS: ""}
    steps: [{run: "echo ${{ needs.build.outputs.sum }}"}]
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{run: ship}]
  legs:
    needs: build
    runs-on: ubuntu-latest
    strategy: {matrix: {leg: [one]}}
    steps: [{uses: ./.github/actions/a}]
"#;

/// The jobs that start now.
fn starts(run: &mut Run, secrets: &Secrets) -> Vec<JobStart> {
    let mut started = Vec::new();
    while let Some(effect) = run.next_effect(secrets) {
        match effect {
            Effect::StartJob(start) => started.push(*start),
            Effect::RequestApproval { job, .. } => {
                run.handle(Event::Approved { job, not_before: None }, secrets, Timestamp::from_micros(2));
            }
            _ => {}
        }
    }
    started
}

#[test]
fn a_job_that_is_reused_succeeds_with_the_outputs_of_the_other() {
    let workflow = parse(SOURCE, "ci.yml").workflow.expect("a workflow");
    let github = json!({"ref": "refs/heads/main", "ref_name": "main", "sha": "abc", "event_name": "push", "repository": "a/b"});
    let start = Start { github, vars: json!({}), inputs: json!({}), ..Start::default() };
    let secrets = Secrets::new(Vec::<(String, String)>::new());
    let mut run = Run::new(workflow, start, Timestamp::from_micros(1));

    let first = starts(&mut run, &secrets);
    let told: Vec<_> = first
        .iter()
        .map(|it| {
            let asked = it.reuse.as_ref().map(|ask| match &ask.facts {
                Ok(facts) => facts.values.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
                Err(why) => why.clone(),
            });
            format!("{}: {}", it.job, asked.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [
            "build: definition, leg of the matrix, values of `github`",
            "ship: it uses an environment, and what it does there must happen each time",
        ]
    );

    let build = &first[0];
    let event = Event::JobReused {
        job: build.job.clone(),
        attempt: build.attempt,
        reason: "reused from shop#1/build".to_owned(),
        outputs: vec![("sum".to_owned(), "42".to_owned())],
    };
    run.handle(event, &secrets, Timestamp::from_micros(3));
    let view = run.jobs().into_iter().next().expect("a job");
    assert_eq!(view.reason.map(|it| it.to_string()).as_deref(), Some("reused from shop#1/build"));
    assert_eq!(run.outputs("build"), [("sum".to_owned(), "42".to_owned())]);

    let then = starts(&mut run, &secrets);
    let told: Vec<_> = then.iter().map(|it| (it.job.to_string(), it.reuse.is_some())).collect();
    assert_eq!(told, [("use".to_owned(), false), ("legs".to_owned(), true)]);
    let facts = then[1].reuse.as_ref().and_then(|it| it.facts.as_ref().ok()).expect("facts");
    assert_eq!(facts.folders, [".github/actions/a"]);
    let needed = facts.values.iter().find(|(name, _)| name == "needed jobs").map(|(_, value)| value);
    assert_eq!(needed, Some(&json!({"build": {"result": "success", "outputs": {"sum": "42"}}})));
}
