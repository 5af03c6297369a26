//! `@actions/github` against the REST interface, with a real repository behind it.

use api::{JobGrant, Permission, Run, Trust};
use names::CommitId;
use serde_json::json;

use crate::stage::Stage;

const SCOPES: [&str; 4] = ["actions", "checks", "contents", "statuses"];

/// Two commits on `main`, one more on `feature/x`, a tag; and the run `shop#1`.
async fn prepare(stage: &Stage) -> (String, String) {
    let repository = stage.repositories.create(&"shop".parse().expect("a name")).await.expect("create");
    let work = stage.folder.path().join("clone");
    std::fs::create_dir(&work).expect("make");
    let git = async |arguments: &[&str]| {
        let mut command = repo::git_command(&work);
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(arguments);
        let output = command.output().await.expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let write = |path: &str, text: &str| {
        let path = work.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make");
        std::fs::write(path, text).expect("write");
    };
    git(&["init", "--quiet", "--initial-branch=main"]).await;
    write("README.md", "# Shop\n");
    write("src/a.txt", "one\n");
    write(".github/workflows/ci.yml", "on: push\n");
    git(&["add", "."]).await;
    git(&["commit", "--quiet", "-m", "first"]).await;
    write("src/a.txt", "one\ntwo\n");
    git(&["commit", "--quiet", "-am", "second"]).await;
    git(&["tag", "v1"]).await;
    let main = git(&["rev-parse", "HEAD"]).await;
    git(&["checkout", "--quiet", "-b", "feature/x"]).await;
    write("src/b é.txt", "new\n");
    git(&["add", "."]).await;
    git(&["commit", "--quiet", "-m", "third\n\nwith a body"]).await;
    let topic = git(&["rev-parse", "HEAD"]).await;
    git(&["push", "--quiet", &repository.path().to_string_lossy(), "--all"]).await;
    git(&["push", "--quiet", &repository.path().to_string_lossy(), "--tags"]).await;
    let run = run(main.parse().expect("a commit"));
    store::put(&*stage.records, &run).await.expect("put");
    (main, topic)
}

fn run(commit: CommitId) -> Run {
    serde_json::from_value(json!({
        "id": "shop#1", "push": 1, "workflow": ".github/workflows/ci.yml", "name": "CI", "event": "push",
        "git_ref": "refs/heads/main", "commit": commit, "subject": "second", "author": "Ada",
        "status": "running", "conclusion": null, "created": "2026-11-22T10:00:00Z",
        "jobs": [{
            "id": "build", "name": "Build it", "status": "running", "conclusion": null,
            "steps": [{ "name": "Compile", "status": "running", "conclusion": null }],
        }],
    }))
    .expect("a run")
}

#[tokio::test]
async fn common_requests_are_answered_and_others_are_refused_by_name() {
    let stage = Stage::new().await;
    let (main, topic) = prepare(&stage).await;
    let grant = stage.grant(|grant| allow(grant, Permission::Write)).await;
    let told = stage.run(&grant, "rest.mjs", &[("MAIN", &main), ("TOPIC", &topic)]).await;
    let expected = json!({
        "repository": ["landfall/shop", "main", true],
        "branches": ["feature/x", "main"],
        "branch": "TOPIC",
        "tags": ["v1 MAIN"],
        "ref": "MAIN",
        "matching": ["refs/heads/feature/x"],
        "commits": ["third\n\nwith a body", "second", "first"],
        "paginated": ["third\n\nwith a body", "second", "first"],
        "commit": ["Ada", ["MAIN"], { "additions": 1, "deletions": 0, "total": 1 }],
        "files": ["added src/b é.txt +1 -0"],
        "compared": ["ahead", 1, 0, ["src/b é.txt"], 1],
        "file": ["file", 8, "one\ntwo\n"],
        "raw": "one\ntwo\n",
        "folder": ["dir .github", "file README.md", "dir src"],
        "tree": [
            "tree .github",
            "tree .github/workflows",
            "blob .github/workflows/ci.yml",
            "blob README.md",
            "tree src",
            "blob src/a.txt",
        ],
        "missing": "404 Not Found",
        "status": ["success", ["ci/x success all good"]],
        "check": ["completed", "neutral", "two", 2],
        "annotations": 2,
        "checks": ["lint"],
        "run": ["in_progress", null, "main", ".github/workflows/ci.yml", 1],
        "runs": 1,
        "workflows": ["CI .github/workflows/ci.yml"],
        "runsOfWorkflow": [true],
        "jobs": ["Build it in_progress Compile"],
        "job": "Build it",
        "artifact": [true, false, "one"],
        "artifacts": ["results"],
        "deleted": true,
        "caches": 0,
        "rate": 5000,
        "comment": "501 Landfall does not support issues and pull requests",
        "release": "501 Landfall does not support releases of the code host",
        "push": "501 Landfall does not support changing the repository this way; `git push` with the job's token does it",
        "unknown": "404 Not Found: Landfall has no `GET /api/v3/repos/landfall/shop/stargazers`",
        "other": "404 Not Found",
        "graphql": "501 Landfall does not support the GraphQL interface",
        "stranger": "401 Bad credentials: this needs the token of a running job",
        "hash": 64,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_permissions_of_the_job_count() {
    let stage = Stage::new().await;
    let (main, _) = prepare(&stage).await;
    let needs = |scope: &str, level: &str| {
        let message = format!("Resource not accessible by integration: the job needs `permissions: {scope}: {level}`");
        format!("403 {message} ({scope}={level})")
    };
    let none = stage.grant(|grant| grant.permissions.clear()).await;
    let told = stage.run(&none, "rights.mjs", &[("MAIN", &main)]).await;
    let expected = json!({
        "repository": "accepted",
        "contents": needs("contents", "read"),
        "runs": needs("actions", "read"),
        "cancel": needs("actions", "write"),
        "status": needs("statuses", "write"),
        "check": needs("checks", "write"),
    });
    assert_eq!(told, expected);

    // Whatever a workflow says, code of a fork writes nothing.
    let fork = stage
        .grant(|grant| {
            allow(grant, Permission::Write);
            grant.trust = Trust::Foreign;
        })
        .await;
    let told = stage.run(&fork, "rights.mjs", &[("MAIN", &main)]).await;
    let expected = json!({
        "repository": "accepted",
        "contents": "accepted",
        "runs": "accepted",
        "cancel": needs("actions", "write"),
        "status": needs("statuses", "write"),
        "check": needs("checks", "write"),
    });
    assert_eq!(told, expected);
}

fn allow(grant: &mut JobGrant, permission: Permission) {
    grant.permissions = SCOPES.map(|scope| (scope.to_owned(), permission)).into();
}
