//! Actions that Landfall answers: caches, artifacts, tools.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_go_from_job_to_job() {
    let world = World::new().await;
    let run = world
        .run(
            "
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out/deep && echo one > out/a.txt && echo two > out/deep/b.txt && echo log > out/c.log
      - uses: actions/upload-artifact@v4
        id: up
        with: {name: files, path: \"out\\n!**/*.log\"}
      - uses: actions/upload-artifact@v4
        with: {name: other-1, path: out/a.txt, retention-days: 1}
      - run: test -n '${{ steps.up.outputs.artifact-id }}'
      - uses: actions/upload-artifact@v4
        with: {name: nothing, path: missing, if-no-files-found: ignore}
  test:
    needs: make
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: files, path: got}
      - uses: actions/download-artifact@v4
        with: {pattern: other-*, path: all, merge-multiple: true}
      - uses: actions/download-artifact@v4
        with: {path: every}
      - run: find got all every -type f | sort; cat got/deep/b.txt
",
            &[],
        )
        .await;
    let told = world.succeeded(&run).await;
    let own: Vec<_> = told.lines().filter(|line| !line.starts_with("Artifact ") && !line.starts_with("Total of")).collect();
    let expected = "all/a.txt\nevery/files/a.txt\nevery/files/deep/b.txt\nevery/other-1/a.txt\ngot/a.txt\ngot/deep/b.txt\ntwo";
    assert_eq!(own.join("\n"), expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_of_one_run_is_restored_in_the_next() {
    let world = World::new().await;
    let workflow = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache@v4
        id: cache
        with: {path: deps, key: deps-1, restore-keys: deps-}
      - run: echo 'hit=${{ steps.cache.outputs.cache-hit }}'; cat deps/x 2>/dev/null || { mkdir -p deps; echo built > deps/x; }
";
    let run = world.run(workflow, &[]).await;
    let told = world.succeeded(&run).await;
    let expected = "Cache not found for input keys: deps-1, deps-\nhit=\nCache saved with key: deps-1";
    assert_eq!(told, expected);
    let run = world.run(workflow, &[("more", "1")]).await;
    let told = world.succeeded(&run).await;
    let expected = "Cache restored from key: deps-1\nhit=true\nbuilt\nCache hit occurred on the primary key deps-1, not saving cache.";
    assert_eq!(told, expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_here_is_found_and_another_is_named() {
    let world = World::new().await;
    let workflow = |version: &str| {
        format!("
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/setup-node@v4
        id: node
        with: {{node-version: '{version}'}}
      - run: test \"$(node --version)\" = '${{{{ steps.node.outputs.node-version }}}}' && echo same
")
    };
    let run = world.run(&workflow(">=1"), &[]).await;
    let told = world.succeeded(&run).await;
    assert_eq!(told.lines().last(), Some("same"));
    let run = world.run(&workflow("3"), &[]).await;
    let told = world.printed(&run, "test").await.join("\n");
    assert!(told.starts_with("##[error]Node 3 is not on this machine; there is "), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matchers_turn_output_into_annotations() {
    let world = World::new().await;
    let matcher = r#"{"problemMatcher":[{"owner":"cc","pattern":[{"regexp":"^(.+):(\\d+): (error|warning): (.+)$","file":1,"line":2,"severity":3,"message":4}]}]}"#;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo '::add-matcher::matcher.json'
      - run: 'echo \"src/a.c:7: warning: odd\"; echo \"nowhere.c:1: error: gone\"'
",
            &[("matcher.json", matcher), ("src/a.c", "int x;\n")],
        )
        .await;
    world.succeeded(&run).await;
    let step = run.jobs[0].steps.iter().find(|step| !step.annotations.is_empty()).expect("annotations");
    let told: Vec<_> = step.annotations.iter().map(|it| format!("{:?} {:?} {:?} {}", it.level, it.file, it.line, it.message)).collect();
    assert_eq!(told, ["Warning Some(\"src/a.c\") Some(7) odd", "Failure None None gone"]);
    world.end().await;
}
