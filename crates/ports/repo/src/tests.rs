//! Reading a repository that the real `git` wrote.

use super::*;

struct Fixture {
    _folder: tempfile::TempDir,
    work: PathBuf,
    repository: Repository,
}

/// A repository with two commits: `a` and `ci/x.yml`, then `a` changed and `b` new.
async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = Repositories::open(folder.path().join("git")).expect("open");
    let project = "shop".parse().expect("a name");
    let repository = repositories.create(&project).await.expect("create");
    assert_eq!(repositories.projects().expect("projects"), [project]);
    let work = folder.path().join("work");
    std::fs::create_dir_all(work.join("ci")).expect("a folder");
    run(&work, ["init", "--quiet", "--initial-branch=main"]).await.expect("init");
    run(&work, ["config", "user.name", "Ada"]).await.expect("config");
    run(&work, ["config", "user.email", "ada@example.org"]).await.expect("config");
    for (number, files) in [[("a", "1"), ("ci/x.yml", "on: push")], [("a", "2"), ("b c", "1")]].iter().enumerate() {
        for (path, text) in files {
            std::fs::write(work.join(path), text).expect("write");
        }
        run(&work, ["add", "-A"]).await.expect("add");
        let message = format!("change {number}\n\nbody");
        run(&work, ["commit", "--quiet", "-m", &message]).await.expect("commit");
    }
    let target = repository.path().to_string_lossy().into_owned();
    run(&work, ["push", "--quiet", &target, "main"]).await.expect("push");
    Fixture { _folder: folder, work, repository }
}

#[tokio::test]
async fn commits_files_and_changes_are_read() {
    let fixture = fixture().await;
    let repository = &fixture.repository;
    let refs = repository.refs().await.expect("refs");
    let [(name, second)] = refs.as_slice() else { panic!("one ref, found {refs:?}") };
    assert_eq!(name, "refs/heads/main");
    let first = repository.resolve("refs/heads/main~1").await.expect("resolve").expect("a commit");
    assert_eq!(repository.resolve("refs/heads/no").await.expect("resolve"), None);
    assert_eq!(repository.resolve_prefix(&second.short()).await.expect("resolve"), Some(*second));

    let summary = repository.summary(*second).await.expect("summary");
    assert_eq!((summary.subject.as_str(), summary.author.as_str()), ("change 1", "Ada"));
    let files = repository.files_in(*second, "ci").await.expect("files");
    assert_eq!(files, [File { path: "ci/x.yml".into(), bytes: b"on: push".to_vec() }]);
    assert_eq!(repository.files_in(*second, "no").await.expect("files"), []);
    assert_eq!(repository.file(*second, "a").await.expect("file"), Some(b"2".to_vec()));

    let paths = |from, to| repository.changed_paths(from, to);
    let changed = paths(first, *second).await.expect("diff").expect("paths");
    assert_eq!(changed, ["a", "b c"]);
    let all = paths(CommitId::ZERO, first).await.expect("diff").expect("paths");
    assert_eq!(all, ["a", "ci/x.yml"]);
}

#[tokio::test]
async fn a_checkout_is_a_work_tree_at_the_commit() {
    let fixture = fixture().await;
    let Fixture { repository, work, .. } = &fixture;
    let commit = repository.resolve("refs/heads/main").await.expect("resolve").expect("a commit");
    let folder = work.with_file_name("out");
    let origin = "http://127.0.0.1/git/shop.git";
    let what = Checkout { commit, git_ref: "refs/heads/main", depth: Some(1), origin };
    repository.check_out(&folder, &what).await.expect("check out");
    std::fs::write(folder.join("stray"), "").expect("write");
    repository.check_out(&folder, &what).await.expect("check out again");
    assert!(!folder.join("stray").exists());
    assert_eq!(std::fs::read(folder.join("b c")).expect("read"), b"1");
    let log = text(&folder, ["log", "--format=%s", "-5"]).await.expect("log");
    assert_eq!(log.trim(), "change 1", "the history is one commit deep");
    let url = text(&folder, ["remote", "get-url", "origin"]).await.expect("url");
    assert_eq!(url.trim(), origin);
}
