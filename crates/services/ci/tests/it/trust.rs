//! Code from outside: what it gets, what it loses, and who must let it run.

use api::{CacheEntry, Conclusion, JobGrant, Run, Status};
use serde_json::{Value, json};

use crate::world::{World, git, write_all};

/// A forge with a project, and a pull request of a stranger's fork.
struct Forge {
    world: World,
    target: String,
}

impl Forge {
    async fn new(workflow: &str, hook: Value) -> Self {
        let world = World::new().await;
        let (forge, work) = (world.path("forge.git"), world.path("forge-work"));
        std::fs::create_dir_all(&forge).expect("a folder");
        std::fs::create_dir_all(&work).expect("a folder");
        git(&forge, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        write_all(&work, &[(".github/workflows/ci.yml", workflow), ("word", "base\n")]);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "-m", "base"]);
        let target = forge.display().to_string();
        git(&work, &["push", "--quiet", &target, "main"]);
        write_all(&work, &[("word", "foreign\n")]);
        git(&work, &["commit", "--quiet", "-a", "-m", "change"]);
        git(&work, &["push", "--quiet", &target, "HEAD:refs/pull/7/merge", "HEAD:refs/pull/7/head"]);
        let mut hook = hook;
        hook["secret"] = "hush".into();
        hook["clone_url"] = target.clone().into();
        let it = Self { world, target };
        let client = it.world.client();
        client.put("projects/shop/secrets/KEY", "{\"value\":\"k3y-of-shop\"}").await;
        client.put("projects/shop/hook", &hook.to_string()).await;
        it
    }

    fn head(&self) -> String {
        git(std::path::Path::new(&self.target), &["rev-parse", "refs/pull/7/head"])
    }

    /// Opens the pull request of a fork, or of a branch of the project itself.
    async fn opens(&self, from: &str) {
        let payload = json!({
            "action": "opened", "number": 7,
            "pull_request": {
                "number": 7, "title": "A change", "base": {"ref": "main"},
                "head": {"ref": "topic", "sha": self.head(), "repo": {"full_name": from}},
            },
            "repository": {"full_name": "acme/shop", "default_branch": "main"}, "sender": {"login": "eve"},
        });
        let status = self.world.client().hook("hooks/shop", "pull_request", "hush", &payload.to_string()).await;
        assert_eq!(status, 202);
    }

    /// The lines that begin with `>`.
    async fn marked(&self, run: &Run, job: &str) -> String {
        let lines = self.world.printed(run, job).await;
        lines.iter().filter_map(|line| line.strip_prefix("> ")).collect::<Vec<_>>().join("|")
    }
}

const TARGET: &str = "
on: pull_request_target
permissions: {contents: write, id-token: write, statuses: write}
env: {OF_FILE: '${{ secrets.KEY }}'}
jobs:
  test:
    runs-on: ubuntu-latest
    env: {OF_JOB: '${{ secrets.KEY }}'}
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo \"> $(cat word) [${{ secrets.KEY }}] [$OF_FILE] [$OF_JOB]\"
          echo 'KEPT=${{ secrets.KEY }}' >> $GITHUB_ENV
          echo \"> $(git push -q origin HEAD:refs/heads/before && echo pushed)\"
      - uses: actions/checkout@v4
        with: {ref: '${{ github.event.pull_request.head.sha }}'}
      - run: |
          echo \"> $(cat word) [${{ secrets.KEY }}] [$OF_FILE] [$OF_JOB] [$KEPT]\"
          git push -q origin HEAD:refs/heads/after 2>&1 | sed -n 's/^/> /;/may not/p' | head -1
          echo \"> token $(curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" \"$ACTIONS_ID_TOKEN_REQUEST_URL\")\"
          mkdir deps && echo 1 > deps/1
      - uses: actions/cache/save@v4
        with: {path: deps, key: poisoned}
  other:
    runs-on: ubuntu-latest
    steps:
      - run: 'echo \"> [${{ secrets.KEY }}]\"'
";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_the_base_that_checks_out_a_foreign_head_loses_what_it_had() {
    let forge = Forge::new(TARGET, json!({})).await;
    forge.opens("eve/shop").await;
    let run = forge.world.over(1).await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{}", forge.world.told(&run).await);
    let told = forge.marked(&run, "test").await;
    let expected = "base [***] [***] [***]|pushed|foreign [] [] [] []|\
                    remote: `job:shop#1/test` may not push to the repository `shop`: code from outside runs with a token that only reads|token 403";
    assert_eq!(told, expected, "{}", forge.world.told(&run).await);
    // The other job of the run never had foreign code.
    assert_eq!(forge.marked(&run, "other").await, "[***]");
    assert_eq!(store::list::<CacheEntry>(&*forge.world.records, "").await.expect("entries"), []);
    let annotation = &run.jobs[0].annotations[0].message;
    assert_eq!(annotation, "no more secrets, and a token that only reads: the job fetched code that is not trusted: it comes from the fork `eve/shop`");
    forge.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_the_project_itself_is_trusted_and_a_plain_fetch_is_seen() {
    let workflow = "
on: pull_request_target
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git fetch -q origin refs/pull/7/head && git checkout -q FETCH_HEAD && git fetch -q origin main
      - run: 'echo \"> $(cat word) [${{ secrets.KEY }}]\"'
";
    let forge = Forge::new(workflow, json!({})).await;
    forge.opens("acme/shop").await;
    let run = forge.world.over(1).await;
    assert_eq!(forge.marked(&run, "test").await, "foreign [***]", "{}", forge.world.told(&run).await);
    forge.world.end().await;

    let forge = Forge::new(workflow, json!({})).await;
    forge.opens("eve/shop").await;
    let run = forge.world.over(1).await;
    assert_eq!(forge.marked(&run, "test").await, "foreign []", "{}", forge.world.told(&run).await);
    forge.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_of_the_fork_itself_is_seen() {
    let workflow = "
on: pull_request_target
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/checkout@v4
        continue-on-error: true
        with: {repository: '${{ github.event.pull_request.head.repo.full_name }}', path: theirs}
      - run: 'echo \"> [${{ secrets.KEY }}]\"'
";
    let forge = Forge::new(workflow, json!({})).await;
    forge.opens("eve/shop").await;
    let run = forge.world.over(1).await;
    assert_eq!(forge.marked(&run, "test").await, "[]", "{}", forge.world.told(&run).await);
    forge.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_fetches_from_elsewhere_is_seen_in_the_workspace() {
    let workflow = "
on: pull_request_target
jobs:
  fetched:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          git init -q /tmp/theirs && cd /tmp/theirs && echo foreign > word && git add word
          git -c user.name=e -c user.email=e@e commit -q -m theirs
      - run: 'echo \"> [${{ secrets.KEY }}]\"'
      - run: git fetch -q /tmp/theirs HEAD && git checkout -q FETCH_HEAD
      - run: 'echo \"> $(cat word) [${{ secrets.KEY }}]\"'
  beside:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git init -q theirs && git -C theirs remote add origin https://example.org/eve/shop.git
      - run: 'echo \"> [${{ secrets.KEY }}]\"'
  back:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git fetch -q origin main && git checkout -q FETCH_HEAD
      - run: 'echo \"> $(cat word) [${{ secrets.KEY }}]\"'
";
    let forge = Forge::new(workflow, json!({})).await;
    forge.opens("eve/shop").await;
    let run = forge.world.over(1).await;
    let told = forge.world.told(&run).await;
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{told}");
    assert_eq!(forge.marked(&run, "fetched").await, "[***]|foreign []", "{told}");
    assert_eq!(forge.marked(&run, "beside").await, "[]", "{told}");
    assert_eq!(forge.marked(&run, "back").await, "base [***]", "{told}");
    forge.world.end().await;
}

const PULL: &str = "
on: pull_request
permissions: write-all
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo \"> $(cat word) [${{ secrets.KEY }}] token [${{ secrets.GITHUB_TOKEN != '' }}] identity [$ACTIONS_ID_TOKEN_REQUEST_URL]\"
          git push -q origin HEAD:refs/heads/evil 2>/dev/null || echo '> not pushed'
          mkdir deps && echo 1 > deps/1
      - uses: actions/cache/save@v4
        with: {path: deps, key: poisoned}
  deploy:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo never
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_fork_reads_and_no_more() {
    let forge = Forge::new(PULL, json!({})).await;
    forge.opens("eve/shop").await;
    let run = forge.world.over(1).await;
    let told = forge.world.told(&run).await;
    assert_eq!(forge.marked(&run, "test").await, "foreign [] token [true] identity []|not pushed", "{told}");
    assert_eq!(run.jobs[0].conclusion, Some(Conclusion::Success), "{told}");
    let reason = run.jobs[1].reason.as_deref();
    assert_eq!(reason, Some("it uses the environment `production`, but the run is not trusted: the pull request comes from the fork `eve/shop`"));
    assert_eq!(store::list::<CacheEntry>(&*forge.world.records, "").await.expect("entries"), []);
    assert_eq!(store::list::<JobGrant>(&*forge.world.records, "").await.expect("grants"), []);
    forge.world.end().await;
}

const SMALL: &str = "on: pull_request\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ran\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_fork_can_be_held_until_somebody_looked() {
    let mut forge = Forge::new(SMALL, json!({"forks": "held"})).await;
    forge.opens("eve/shop").await;
    let reason = "it waits until somebody has looked at its code: the pull request comes from the fork `eve/shop`; `landfall approve shop#1 fork` lets it run";
    let held = forge.world.is(1, |run| run.reason.is_some()).await;
    assert_eq!((held.status, held.reason.as_deref()), (Status::Queued, Some(reason)));
    forge.world.restart().await;
    forge.world.client().post("runs/shop/1/approvals", "{\"state\":\"approved\",\"environment\":\"fork\"}").await;
    let run = forge.world.over(1).await;
    assert_eq!((forge.world.succeeded(&run).await.as_str(), run.reason), ("ran", None));
    forge.world.end().await;

    let forge = Forge::new(SMALL, json!({"forks": "held"})).await;
    forge.opens("eve/shop").await;
    forge.world.is(1, |run| run.reason.is_some()).await;
    forge.world.client().post("runs/shop/1/approvals", "{\"state\":\"rejected\"}").await;
    let run = forge.world.over(1).await;
    assert_eq!((run.conclusion, run.reason.as_deref()), (Some(Conclusion::Cancelled), Some("admin refused to run its code")));
    assert!(run.jobs.iter().all(|job| job.started.is_none()));
    forge.world.end().await;

    // Those of the project itself are not held.
    let forge = Forge::new(SMALL, json!({"forks": "held"})).await;
    forge.opens("acme/shop").await;
    let run = forge.world.over(1).await;
    assert_eq!(forge.world.succeeded(&run).await, "ran");
    forge.world.end().await;
}
