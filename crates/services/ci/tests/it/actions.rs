//! Actions: JavaScript, composite, Docker; local, from a folder, from Git.

use crate::world::{Plan, World, git, write_all};

const NODE_ACTION: &str = "
name: Greet
inputs:
  who: {required: true, default: world}
outputs:
  greeting: {}
runs: {using: node20, pre: pre.js, main: main.js, post: post.js}
";

const PRE: &str = "console.log('pre ' + (process.env.INPUT_WHO || ''));\n";

const MAIN: &str = "
const fs = require('fs');
console.log('main ' + process.env.INPUT_WHO + ' in ' + __dirname);
fs.appendFileSync(process.env.GITHUB_OUTPUT, 'greeting=hello ' + process.env.INPUT_WHO + '\\n');
fs.appendFileSync(process.env.GITHUB_STATE, 'kept=' + process.env.INPUT_WHO + '\\n');
console.log('::save-state name=said::yes');
";

const POST: &str = "console.log('post ' + process.env.STATE_kept + ' ' + process.env.STATE_said);\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_action_runs_before_in_and_after_its_step() {
    let world = World::new().await;
    let action = world.path("greet");
    write_all(&action, &[("action.yml", NODE_ACTION), ("pre.js", PRE), ("main.js", MAIN), ("post.js", POST)]);
    world.end().await;
    let map = [("acme/greet".to_owned(), action.display().to_string())].into();
    let world = World::with(Plan { actions: map }).await;
    write_all(&action, &[("action.yml", NODE_ACTION), ("pre.js", PRE), ("main.js", MAIN), ("post.js", POST)]);
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo first
      - uses: acme/greet@v1
        id: greet
        with: {who: Ada}
      - run: echo '${{ steps.greet.outputs.greeting }}'
",
            &[],
        )
        .await;
    let told = world.succeeded(&run).await;
    let expected = "pre Ada\nfirst\nmain Ada in /home/runner/work/_actions/acme/greet/v1\n\
                    ##[warning]the command `save-state` is deprecated: write to the file that $GITHUB_STATE names\nhello Ada\npost Ada yes";
    assert_eq!(told, expected);
    let names: Vec<_> = run.jobs[0].steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["Pre Run acme/greet@v1", "Run echo first", "Run acme/greet@v1", "Run echo 'hello Ada'", "Post Run acme/greet@v1"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composite_action_of_the_workspace_has_steps_of_its_own() {
    let world = World::new().await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./build
        id: build
        with: {name: Ada}
      - run: echo '${{ steps.build.outputs.said }}'
",
            &[
                (
                    "build/action.yml",
                    "
name: Build
inputs: {name: {default: nobody}}
outputs: {said: {value: '${{ steps.say.outputs.said }}'}}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo \"building for ${{ inputs.name }}\"
        echo \"said=done for $NAME\" >> \"$GITHUB_OUTPUT\"
      env: {NAME: '${{ inputs.name }}'}
    - run: bash $GITHUB_ACTION_PATH/tool.sh
      shell: sh
",
                ),
                ("build/tool.sh", "echo tool of $(basename $GITHUB_ACTION_PATH)\n"),
            ],
        )
        .await;
    let told = world.succeeded(&run).await;
    let tail: Vec<_> = told.lines().rev().take(3).collect();
    assert_eq!(tail, ["done for Ada", "tool of build", "building for Ada"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_a_commit_and_a_tag_that_moves_is_told() {
    let world = World::new().await;
    let source = world.path("mirror/acme/tool");
    world.end().await;
    let map = [("*".to_owned(), source.parent().and_then(|it| it.parent()).expect("a folder").display().to_string())].into();
    let world = World::with(Plan { actions: map }).await;
    let work = world.path("tool-work");
    let bare = source.with_extension("git");
    std::fs::create_dir_all(&bare).expect("a folder");
    std::fs::create_dir_all(&work).expect("a folder");
    git(&bare, &["init", "--quiet", "--bare"]);
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    let release = |text: &str| {
        let manifest = format!("runs: {{using: composite, steps: [{{run: echo {text}, shell: sh}}]}}\n");
        write_all(&work, &[("action.yml", manifest.as_str())]);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "-m", text]);
        git(&work, &["tag", "--force", "v1"]);
        git(&work, &["push", "--quiet", "--force", &bare.display().to_string(), "main", "--tags"]);
        git(&work, &["rev-parse", "HEAD"])
    };
    let workflow = |version: &str| {
        format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/tool@{version}\n")
    };
    let first = release("one");
    let run = world.run(&workflow("v1"), &[]).await;
    assert_eq!(world.succeeded(&run).await, "one");
    assert_eq!(run.jobs[0].annotations, []);
    release("two");
    let run = world.run(&workflow(&first), &[]).await;
    assert_eq!(world.succeeded(&run).await, "one");
    let run = world.run(&workflow("v9"), &[]).await;
    let reason = run.jobs[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("has no branch, tag or commit `v9`"), "{reason}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_out_of_reach_names_the_ways_out() {
    let world = World::new().await;
    let workflow = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/far@v1\n";
    let run = world.run(workflow, &[]).await;
    let told = world.told(&run).await;
    assert!(told.contains("`acme/far@v1` cannot be fetched: `http://127.0.0.1:1/acme/far` cannot be reached"), "{told}");
    assert!(told.contains("`actions` map of the configuration"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_action_runs_in_its_image() {
    let world = World::new().await;
    world.image("tool:1", |_| {}, &[("usr/bin/tool", "")]).await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo made > file.txt
      - uses: docker://tool:1
        id: tool
        with:
          entrypoint: /bin/sh
          args: -c 'cat file.txt; pwd; echo \"$INPUT_NAME\"; echo told=yes >> \"$GITHUB_OUTPUT\"; echo A=b >> \"$GITHUB_ENV\"'
          name: Ada
      - run: echo '${{ steps.tool.outputs.told }}' $A
",
            &[],
        )
        .await;
    assert_eq!(world.succeeded(&run).await, "made\n/github/workspace\nAda\nyes b");
    world.end().await;
}
