//! What steps print: commands, annotations, summaries, masks.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn annotations_and_summaries_are_kept_without_secrets() {
    let world = World::new().await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo '::add-mask::hunter2'
          echo 'the word is hunter2'
          echo '::error file=src/a.rs,line=3,title=Oh::broken hunter2'
          echo '::warning::careful'
          echo '::notice::by the way'
          echo '::debug::hidden'
          echo '::group::more'
          echo inside
          echo '::endgroup::'
          echo '# Result hunter2' >> $GITHUB_STEP_SUMMARY
      - run: echo 'later hunter2'
",
            &[],
        )
        .await;
    let told = world.succeeded(&run).await;
    let expected = "the word is ***\n##[error]src/a.rs:3: broken ***\n##[warning]careful\n##[notice]by the way\n##[group]more\ninside\n##[endgroup]\nlater ***";
    assert_eq!(told, expected);
    let step = &run.jobs[0].steps[0];
    let told: Vec<_> = step.annotations.iter().map(|it| {
        format!("{:?} {} {:?} {:?} {:?}", it.level, it.message, it.file, it.line, it.title)
    }).collect();
    let expected = [
        "Failure broken *** Some(\"src/a.rs\") Some(3) Some(\"Oh\")",
        "Warning careful None None None",
        "Notice by the way None None None",
    ];
    assert_eq!(told, expected);
    let summary = store::get_bytes(&*world.blobs, step.summary.expect("a summary"), 1000).await.expect("a blob");
    assert_eq!(summary, "# Result ***\n");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_variables_of_a_project_reach_its_jobs() {
    let world = World::new().await;
    let client = world.client();
    client.put("projects/shop/secrets/token", "{\"value\":\"s3cret-value\"}").await;
    client.put("projects/shop/variables/REGION", "{\"value\":\"north\"}").await;
    client.put("projects/shop/secrets/KEY?environment=production", "{\"value\":\"prod-key-1\"}").await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo \"${#TOKEN} $TOKEN ${{ vars.REGION }} [${{ secrets.KEY }}]\"
        env: {TOKEN: '${{ secrets.TOKEN }}'}
  deploy:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: test '${{ secrets.KEY }}' = prod-key-1 && echo there
",
            &[],
        )
        .await;
    assert_eq!(world.succeeded(&run).await, "12 *** north []");
    assert_eq!(world.printed(&run, "deploy").await, ["there"]);
    let stored = world.records.list("run", "").await.expect("runs");
    assert!(!stored.iter().any(|it| String::from_utf8_lossy(&it.value).contains("s3cret-value")));
    world.end().await;
}
