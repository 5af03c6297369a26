//! `actions/checkout` as the job sees it.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_of_the_run_is_checked_out() {
    let world = World::new().await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo old > left.txt
      - uses: actions/checkout@v4
        id: checkout
      - run: |
          cat hello.txt
          ls
          git branch --show-current
          test \"$(git rev-parse HEAD)\" = \"$GITHUB_SHA\" && echo same commit
          test '${{ steps.checkout.outputs.commit }}' = \"$GITHUB_SHA\" && echo same output
          git config --get-regexp extraheader > /dev/null && echo credentials are kept
          git rev-list --count HEAD
      - uses: actions/checkout@v4
        with: {path: side, fetch-depth: 0, persist-credentials: false, ref: main}
      - run: |
          git -C side rev-list --count HEAD
          git -C side config --get-regexp extraheader || echo no credentials
      - uses: actions/checkout@v4
        with: {path: part, sparse-checkout: docs}
      - run: cd part && find . -type f -not -path './.git/*' | sort
",
            &[("hello.txt", "hello\n"), ("docs/a.md", "a\n"), ("src/b.rs", "b\n")],
        )
        .await;
    let told = world.succeeded(&run).await;
    let own: Vec<_> = told.lines().filter(|line| !line.starts_with("[command]") && !line.starts_with("Syncing") && !line.starts_with("HEAD is")).collect();
    let expected = "hello\ndocs\nhello.txt\nsrc\nmain\nsame commit\nsame output\ncredentials are kept\n1\n1\nno credentials\n./docs/a.md\n./hello.txt";
    assert_eq!(own.join("\n"), expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_out_says_why() {
    let world = World::new().await;
    let workflow = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n        with: {ref: nothing}\n";
    let run = world.run(workflow, &[]).await;
    let told = world.printed(&run, "test").await;
    assert_eq!(told.last().map(String::as_str), Some("##[error]A branch or tag with the name 'nothing' could not be found"));
    world.end().await;
}
