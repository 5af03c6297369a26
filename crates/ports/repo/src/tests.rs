//! Reading a repository that the real `git` wrote.

use super::*;

struct Fixture {
    _folder: tempfile::TempDir,
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
    Fixture { _folder: folder, repository }
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
    let tree = repository.tree(*second, |path| path.ends_with(".yml")).await.expect("tree");
    let told: Vec<_> = tree.iter().map(|(path, read)| (path.as_str(), read.is_some())).collect();
    assert_eq!(told, [("a", false), ("b c", false), ("ci/x.yml", true)]);
    assert_eq!(repository.file(*second, "a").await.expect("file"), Some(b"2".to_vec()));

    let paths = |from, to| repository.changed_paths(from, to);
    let changed = paths(first, *second).await.expect("diff").expect("paths");
    assert_eq!(changed, ["a", "b c"]);
    let all = paths(CommitId::ZERO, first).await.expect("diff").expect("paths");
    assert_eq!(all, ["a", "ci/x.yml"]);
}

#[tokio::test]
async fn a_commit_is_held_in_memory_whole() {
    let fixture = fixture().await;
    let head = fixture.repository.resolve("refs/heads/main").await.expect("resolve").expect("a commit");
    let files = fixture.repository.snapshot(head, "").await.expect("a snapshot");
    let found: Vec<_> = files.iter().map(|(path, bytes)| format!("{path}={}", String::from_utf8_lossy(bytes))).collect();
    assert_eq!(found, ["a=2", "b c=1", "ci/x.yml=on: push"]);
}

#[tokio::test]
async fn a_folder_is_restored_by_a_new_commit_that_is_pushed() {
    let fixture = fixture().await;
    let repository = &fixture.repository;
    let remote = repository.path().to_string_lossy().into_owned();
    let mirrors = Mirrors::open(fixture._folder.path().join("mirrors")).expect("mirrors");
    let mirror = mirrors.fetch(&remote).await.expect("fetched");
    let head = mirror.resolve("refs/heads/main").await.expect("resolve").expect("a commit");
    let first = mirror.resolve("refs/heads/main~1").await.expect("resolve").expect("a commit");
    let author = Author { name: "Landfall".into(), email: "landfall@localhost".into() };
    let restore = |folder: &'static str| NewCommit { author: &author, message: "Back to 1", branch: "refs/heads/main", folder, from: first };
    assert_eq!(mirror.restore(&remote, &restore("ci")).await.expect("restored"), None);
    let new = mirror.restore(&remote, &restore("")).await.expect("restored").expect("a commit");
    assert_eq!(repository.resolve("refs/heads/main").await.expect("resolve"), Some(new));
    assert_eq!(repository.resolve("refs/heads/main~1").await.expect("resolve"), Some(head));
    let files = repository.snapshot(new, "").await.expect("a snapshot");
    assert_eq!(files.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a", "ci/x.yml"]);
    assert_eq!(repository.summary(new).await.expect("summary").author, "Landfall");
}
