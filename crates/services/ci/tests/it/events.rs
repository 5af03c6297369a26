//! What jobs do to their own repository, who they are to others, and when they may start.

use api::{Conclusion, Push, Run};
use serde_json::{Value, json};

use crate::world::World;

fn pushing(permissions: &str) -> String {
    format!(
        "
on: push
permissions: {permissions}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          git config user.name bot && git config user.email bot@example.org
          echo made > made.txt && git add made.txt && git commit -q -m made
          git push -q origin HEAD:main 2>&1 | sed -n 's/^/> /;/may not/p' && echo \"> ${{PIPESTATUS[0]}}\"
          to=http://x-access-token:$TOKEN@${{LANDFALL_URL#http://}}/git
          code=0; git push -q $to/shop.git HEAD:refs/tags/v1 2>/dev/null || code=$?; echo \"> $code\"
          code=0; git push -q $to/other.git HEAD:main 2>/dev/null || code=$?; echo \"> $code\"
        env: {{TOKEN: '${{{{ github.token }}}}'}}
"
    )
}

async fn marked(world: &World, run: &Run, job: &str) -> String {
    let lines = world.printed(run, job).await;
    lines.iter().filter_map(|line| line.strip_prefix("> ")).collect::<Vec<_>>().join("|")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_pushes_to_its_own_repository_if_it_may_and_starts_nothing() {
    let world = World::new().await;
    let run = world.run(&pushing("{contents: write}"), &[]).await;
    world.succeeded(&run).await;
    assert_eq!(marked(&world, &run, "test").await, "0|0|128", "{}", world.told(&run).await);
    let made = world.taken_up(2).await;
    assert_eq!((made.git_ref.as_str(), made.runs, made.pusher.as_str()), ("refs/heads/main", Some(Vec::new()), "job:shop#1/test"));
    assert_eq!(made.notes, ["no workflow starts: job:shop#1/test pushed with the token of a job"]);
    assert_eq!(world.taken_up(3).await.git_ref, "refs/tags/v1");
    world.end().await;

    let world = World::new().await;
    let run = world.run(&pushing("{contents: read}"), &[]).await;
    let refused = "remote: `job:shop#1/test` may not push to the repository `shop`: the job lacks `permissions: contents: write`|128|128|128";
    assert_eq!(marked(&world, &run, "test").await, refused, "{}", world.told(&run).await);
    assert_eq!(store::list::<Push>(&*world.records, "").await.expect("pushes").len(), 1);
    world.end().await;
}

/// Prints the claims of the job's identity, sorted and without those that differ each time.
const IDENTITY: &str = "
          curl -s -H \"Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" \"$ACTIONS_ID_TOKEN_REQUEST_URL&audience=me\" |
            python3 -c '
          import base64, json, sys
          claims = json.load(sys.stdin)[\"value\"].split(\".\")[1]
          claims = json.loads(base64.urlsafe_b64decode(claims + \"===\"))
          print(\"> \" + \" \".join(str(claims.get(name)) for name in [\"sub\", \"environment\", \"job_workflow_ref\", \"workflow_ref\"]))
          '
";

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_names_the_environment_and_the_file_that_holds_the_job() {
    let world = World::new().await;
    let run = world
        .run(
            &format!(
                "
on: push
permissions: {{id-token: write}}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |{IDENTITY}
  named:
    runs-on: ubuntu-latest
    environment: Production EU
    steps:
      - run: |{IDENTITY}
  call:
    uses: ./.github/workflows/called.yml
  without:
    runs-on: ubuntu-latest
    permissions: {{contents: read}}
    steps:
      - run: echo \"> [$ACTIONS_ID_TOKEN_REQUEST_URL]\"
"
            ),
            &[(
                ".github/workflows/called.yml",
                &format!("on: workflow_call\njobs:\n  inner:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |{IDENTITY}"),
            )],
        )
        .await;
    let told = world.told(&run).await;
    let own = "landfall/shop/.github/workflows/ci.yml@refs/heads/main";
    for (job, expected) in [
        ("test", format!("repo:landfall/shop:ref:refs/heads/main None {own} {own}")),
        ("named", format!("repo:landfall/shop:environment:Production EU Production EU {own} {own}")),
        ("call/inner", format!("repo:landfall/shop:ref:refs/heads/main None landfall/shop/.github/workflows/called.yml@refs/heads/main {own}")),
        ("without", "[]".to_owned()),
    ] {
        let job = run.jobs.iter().find(|it| it.id == job || it.name.replace(" / ", "/") == job).map(|it| it.id.clone());
        let job = job.unwrap_or_else(|| panic!("{told}"));
        assert_eq!(marked(&world, &run, &job).await, expected, "{told}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_an_environment_hold_for_branches_and_give_it_values() {
    let world = World::new().await;
    let client = world.client();
    client.put("projects/shop/environments/production", "{\"branches\":[\"release/*\",\"v*\"]}").await;
    client.put("projects/shop/environments/staging", "{\"wait_minutes\":60,\"branches\":[\"ma*\"]}").await;
    client.put("projects/shop/variables/WHERE", "{\"value\":\"anywhere\"}").await;
    client.put("projects/shop/variables/SHARED", "{\"value\":\"shared\"}").await;
    client.put("projects/shop/variables/WHERE?environment=other", "{\"value\":\"other\"}").await;
    client.put("projects/shop/secrets/KEY", "{\"value\":\"of-project\"}").await;
    client.put("projects/shop/secrets/KEY?environment=other", "{\"value\":\"of-other\"}").await;
    let workflow = "
on: push
env: {WHERE: '${{ vars.WHERE }}'}
jobs:
  production: {runs-on: ubuntu-latest, environment: production, steps: [{run: 'true'}]}
  staging: {runs-on: ubuntu-latest, environment: staging, steps: [{run: 'true'}]}
  other:
    runs-on: ubuntu-latest
    environment: {name: Other, url: 'https://example.org/${{ vars.WHERE }}'}
    steps:
      - run: echo \"> $WHERE ${{ vars.where }} ${{ vars.SHARED }} ${{ secrets.KEY == 'of-other' }}\"
  plain:
    runs-on: ubuntu-latest
    steps:
      - run: echo \"> $WHERE ${{ secrets.KEY == 'of-project' }}\"
";
    let (number, _) = world.push(&[(".github/workflows/ci.yml", workflow)]).await;
    world.taken_up(number).await;
    let others_are_over = |run: &Run| ["production", "other", "plain"].iter().all(|id| run.jobs.iter().any(|job| job.id == *id && job.conclusion.is_some()));
    let run = world.is(1, |run| others_are_over(run) && run.jobs[1].reason.is_some()).await;
    let refused = "`refs/heads/main` may not use the environment `production`: release/*, v*";
    let reason = run.jobs[0].reason.clone().unwrap_or_default();
    assert!(run.jobs[0].conclusion == Some(Conclusion::Failure) && reason.contains(refused), "{reason}");
    let waits = run.jobs[1].reason.clone().unwrap_or_default();
    assert!(waits.starts_with("it waits for the wait timer of its environment, until "), "{waits}");
    assert_eq!(marked(&world, &run, "other").await, "other other shared true", "{}", world.told(&run).await);
    assert_eq!(marked(&world, &run, "plain").await, "anywhere true", "{}", world.told(&run).await);
    client.post("runs/shop/1/cancel", "").await;
    let run = world.over(1).await;
    assert_eq!(run.jobs[1].conclusion, Some(Conclusion::Cancelled));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_a_group_keeps_all_in_their_order() {
    let world = World::new().await;
    let workflow = "
on: {workflow_dispatch: {inputs: {n: {}}}}
concurrency: {group: 'Deploy', queue: max}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ inputs.n }}; sleep ${{ inputs.n == '1' && '100' || '0' }}
";
    let (number, _) = world.push(&[(".github/workflows/ci.yml", workflow)]).await;
    world.taken_up(number).await;
    let client = world.client();
    for n in 1..=4 {
        let body = json!({"inputs": {"n": n.to_string()}}).to_string();
        client.post("projects/shop/workflows/ci.yml/dispatches", &body).await;
        let before = if n == 1 { None } else { Some(format!("it waits for the concurrency group `Deploy` of its workflow: shop#{} comes first", n - 1)) };
        world.is(n, |run| match &before {
            None => run.jobs.iter().any(|job| job.started.is_some()),
            Some(_) => run.jobs.first().is_some_and(|job| job.reason == before),
        }).await;
    }
    client.post("runs/shop/1/cancel", "").await;
    let mut ends = Vec::new();
    for n in 2..=4 {
        let run = world.over(n).await;
        assert_eq!(world.succeeded(&run).await, n.to_string());
        ends.push((run.jobs[0].started, run.jobs[0].finished));
    }
    assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ends:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_start_one_another_see_what_the_first_was_about() {
    let world = World::new().await;
    let client = world.client();
    let first = "name: First\nrun-name: Made of ${{ github.event.client_payload.word }}\non: {repository_dispatch: {types: [go, other]}}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: test '${{ github.event.client_payload.word }}' = good\n";
    let next = "
on: {workflow_run: {workflows: [First], types: [completed], branches: [main]}}
jobs:
  test:
    if: github.event.workflow_run.conclusion == 'failure'
    runs-on: ubuntu-latest
    steps:
      - run: 'echo \"> ${{ github.event.workflow_run.head_branch }} ${{ github.event.workflow_run.event }} ${{ github.ref }} ${{ github.sha == github.event.workflow_run.head_sha }}\"'
";
    let (number, _) = world.push(&[(".github/workflows/first.yml", first), (".github/workflows/next.yml", next)]).await;
    assert_eq!(world.taken_up(number).await.runs, Some(Vec::new()));
    let send = async |kind: &str, word: &str| {
        let body = json!({"event_type": kind, "client_payload": {"word": word}}).to_string();
        let told: Value = serde_json::from_str(&client.post("projects/shop/dispatches", &body).await).expect("JSON");
        told["runs"].as_array().expect("runs").len()
    };
    assert_eq!(send("unknown", "good").await, 0);
    assert_eq!(send("go", "good").await, 1);
    let run = world.over(1).await;
    assert_eq!((run.conclusion, run.name.as_str()), (Some(Conclusion::Success), "Made of good"));
    assert_eq!(world.over(2).await.jobs[0].conclusion, Some(Conclusion::Skipped));
    assert_eq!(send("other", "bad").await, 1);
    assert_eq!(world.over(3).await.conclusion, Some(Conclusion::Failure));
    let run = world.over(4).await;
    assert_eq!(marked(&world, &run, "test").await, "main repository_dispatch refs/heads/main true", "{}", world.told(&run).await);
    world.end().await;
}
