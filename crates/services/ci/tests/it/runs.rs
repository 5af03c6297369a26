//! How runs start, wait, end and start again.

use api::{Conclusion, Run, Status};
use serde_json::json;

use crate::world::{World, git, write_all};

const WITH_INPUTS: &str = "
on:
  workflow_dispatch:
    inputs:
      who: {default: nobody}
      loud: {type: boolean, default: false}
  repository_dispatch: {types: [ping]}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo '${{ github.event_name }} ${{ inputs.who }} ${{ inputs.loud }} ${{ github.event.client_payload.text }}'
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_by_request_with_inputs() {
    let world = World::new().await;
    let (number, _) = world.push(&[(".github/workflows/ci.yml", WITH_INPUTS)]).await;
    assert_eq!(world.taken_up(number).await.runs, Some(Vec::new()));
    let client = world.client();
    let body = json!({"ref": "main", "inputs": {"who": "Ada", "loud": true}}).to_string();
    client.post("projects/shop/workflows/ci.yml/dispatches", &body).await;
    let run = world.over(1).await;
    assert_eq!(world.succeeded(&run).await, "workflow_dispatch Ada true ");
    let body = json!({"event_type": "ping", "client_payload": {"text": "hi"}}).to_string();
    client.post("projects/shop/dispatches", &body).await;
    let run = world.over(2).await;
    assert_eq!(world.succeeded(&run).await, "repository_dispatch   hi");
    let refused = client.try_post("projects/shop/workflows/ci.yml/dispatches", "{\"inputs\":{\"no\":1}}").await;
    assert_eq!(refused, (422, "{\"error\":\".github/workflows/ci.yml does not start: it has no input `no`\"}".to_owned()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_runs_again_and_what_succeeded_keeps_its_outputs() {
    let world = World::new().await;
    let flag = world.path("flag");
    let run = world
        .run(
            "
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    outputs: {stamp: '${{ steps.s.outputs.stamp }}'}
    steps:
      - id: s
        run: echo \"stamp=$(date +%N)\" >> $GITHUB_OUTPUT
  test:
    needs: good
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.run_attempt }} ${{ needs.good.outputs.stamp }}; test ${{ github.run_attempt }} = 2
",
            &[],
        )
        .await;
    drop(flag);
    assert_eq!(run.conclusion, Some(Conclusion::Failure), "{}", world.told(&run).await);
    let first = world.printed(&run, "test").await;
    world.client().post("runs/shop/1/rerun", "{\"what\":\"failed\"}").await;
    let run = world.is(1, |run| run.status == Status::Completed && run.attempt == 2).await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{}", world.told(&run).await);
    let second = world.printed(&run, "test").await;
    let stamp = |lines: &[String]| lines.last().and_then(|line| line.split(' ').nth(1)).map(str::to_owned);
    assert_eq!(stamp(&first), stamp(&second));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_group_follow_each_other() {
    let world = World::new().await;
    let workflow = "
on: {workflow_dispatch: {inputs: {n: {}}}}
concurrency: one
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ inputs.n }}; sleep ${{ inputs.n == '1' && '100' || '0' }}
";
    let (number, _) = world.push(&[(".github/workflows/ci.yml", workflow)]).await;
    world.taken_up(number).await;
    let client = world.client();
    let start = async |n: u32| client.post("projects/shop/workflows/ci.yml/dispatches", &json!({"inputs": {"n": n.to_string()}}).to_string()).await;
    start(1).await;
    world.is(1, |run| run.jobs.iter().any(|job| job.status == Status::Running)).await;
    start(2).await;
    world.is(2, |run| run.jobs[0].reason.as_deref() == Some("it waits for the concurrency group `one` of its workflow: shop#1 comes first")).await;
    start(3).await;
    let replaced = world.over(2).await;
    assert_eq!(replaced.conclusion, Some(Conclusion::Cancelled));
    client.post("runs/shop/1/cancel", "").await;
    let run = world.over(3).await;
    assert_eq!(world.succeeded(&run).await, "3");
    let cancelled: Run = world.over(1).await;
    assert_eq!(cancelled.conclusion, Some(Conclusion::Cancelled));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_waits_for_an_approval() {
    let world = World::new().await;
    let client = world.client();
    client.put("projects/shop/environments/production", "{\"needs_approval\":true}").await;
    let workflow = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    environment: production\n    steps:\n      - run: echo deployed\n";
    let (number, _) = world.push(&[(".github/workflows/ci.yml", workflow)]).await;
    world.taken_up(number).await;
    let waits = |run: &Run| run.jobs[0].reason.as_deref() == Some("it waits for an approval of the environment `production`");
    world.is(1, waits).await;
    client.post("runs/shop/1/approvals", "{\"state\":\"approved\"}").await;
    let run = world.over(1).await;
    assert_eq!(world.succeeded(&run).await, "deployed");
    let (number, _) = world.push(&[("again", "1")]).await;
    world.taken_up(number).await;
    world.is(2, waits).await;
    client.post("runs/shop/2/approvals", "{\"state\":\"rejected\",\"comment\":\"not today\"}").await;
    let run = world.over(2).await;
    let reason = run.jobs[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("rejected the use of the environment `production`: not today"), "{reason}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_run_starts_those_that_listen() {
    let world = World::new().await;
    let first = "name: First\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo one\n";
    let second = "on: {workflow_run: {workflows: [First], types: [completed]}}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo '${{ github.event.workflow_run.conclusion }} of ${{ github.event.workflow_run.name }}'\n";
    let run = world.run(first, &[(".github/workflows/next.yml", second)]).await;
    world.succeeded(&run).await;
    let run = world.over(2).await;
    assert_eq!(world.succeeded(&run).await, "success of First");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_workflow_is_part_of_the_run() {
    let world = World::new().await;
    let run = world
        .run(
            "
on: push
jobs:
  call:
    uses: ./.github/workflows/called.yml
    with: {who: Ada}
  test:
    needs: call
    runs-on: ubuntu-latest
    steps:
      - run: echo '${{ needs.call.outputs.said }}'
",
            &[(
                ".github/workflows/called.yml",
                "
on:
  workflow_call:
    inputs: {who: {type: string}}
    outputs: {said: {value: '${{ jobs.inner.outputs.said }}'}}
jobs:
  inner:
    runs-on: ubuntu-latest
    outputs: {said: '${{ steps.s.outputs.said }}'}
    steps:
      - id: s
        run: echo 'said=hello ${{ inputs.who }}' >> $GITHUB_OUTPUT
",
            )],
        )
        .await;
    assert_eq!(world.succeeded(&run).await, "hello Ada");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_of_another_forge_runs_what_would_be_merged() {
    let world = World::new().await;
    let client = world.client();
    let forge = world.path("forge.git");
    let work = world.path("forge-work");
    std::fs::create_dir_all(&forge).expect("a folder");
    std::fs::create_dir_all(&work).expect("a folder");
    git(&forge, &["init", "--quiet", "--bare", "--initial-branch=main"]);
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    let workflow = "
on: [pull_request, pull_request_target]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo \"$(cat word) ${{ github.event_name }} ${{ github.base_ref }} ${{ github.ref }} [${{ secrets.KEY }}]\"
";
    write_all(&work, &[(".github/workflows/ci.yml", workflow), ("word", "old\n")]);
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "-m", "base"]);
    let target = forge.display().to_string();
    git(&work, &["push", "--quiet", &target, "main"]);
    write_all(&work, &[("word", "new\n")]);
    git(&work, &["commit", "--quiet", "-a", "-m", "change"]);
    git(&work, &["push", "--quiet", &target, "HEAD:refs/pull/7/merge", "HEAD:refs/pull/7/head"]);
    client.put("projects/shop/secrets/KEY", "{\"value\":\"k3y-of-shop\"}").await;
    client.put("projects/shop/hook", &json!({"secret": "hush", "clone_url": target}).to_string()).await;
    let payload = json!({
        "action": "opened", "number": 7,
        "pull_request": {
            "title": "A change", "base": {"ref": "main"},
            "head": {"ref": "topic", "repo": {"full_name": "stranger/shop"}},
        },
        "repository": {"full_name": "acme/shop", "default_branch": "main"}, "sender": {"login": "stranger"},
    });
    let body = payload.to_string();
    assert_eq!(client.hook("hooks/shop", "pull_request", "wrong", &body).await, 403);
    assert_eq!(client.hook("hooks/shop", "pull_request", "hush", &body).await, 202);
    let own = async |number: u64| {
        let run = world.over(number).await;
        assert_eq!(run.conclusion, Some(Conclusion::Success), "{}", world.told(&run).await);
        world.printed(&run, "test").await.last().cloned().unwrap_or_default()
    };
    assert_eq!(own(1).await, "new pull_request main refs/pull/7/merge []");
    assert_eq!(own(2).await, "old pull_request_target main refs/heads/main [***]");
    // The same delivery again starts nothing.
    assert_eq!(client.hook("hooks/shop", "pull_request", "hush", &body).await, 202);
    let runs = store::list::<Run>(&*world.records, "").await.expect("runs");
    assert_eq!(runs.len(), 2);
    world.end().await;
}
