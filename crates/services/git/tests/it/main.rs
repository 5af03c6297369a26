//! The real `git` against the Git host.

use std::{path::Path, process::Output, sync::Arc};

use access::Principal;
use api::Push;
use repo::Repositories;
use store::{MemoryRecords, Records};
use tokio::net::TcpListener;

struct Host {
    folder: tempfile::TempDir,
    url: String,
    records: Arc<dyn Records>,
}

async fn host(principal: Option<Principal>) -> Host {
    let folder = tempfile::tempdir().expect("a folder");
    let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
    let repositories = Repositories::open(folder.path().join("git")).expect("open");
    let mut router = git::Git::new(repositories, records.clone()).router();
    if let Some(principal) = principal {
        router = router.layer(axum::Extension(principal));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://landfall:x@{}/git", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Host { folder, url, records }
}

async fn run_git(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = repo::git_command(folder);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
    }
    command.args(arguments).output().await.expect("git runs")
}

async fn must(folder: &Path, arguments: &[&str]) -> String {
    let output = run_git(folder, arguments).await;
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_becomes_a_record_and_can_be_cloned() {
    let host = host(Some(Principal::Admin)).await;
    let work = host.folder.path().join("work");
    std::fs::create_dir(&work).expect("a folder");
    must(&work, &["init", "--quiet", "--initial-branch=trunk"]).await;
    for number in 0..200 {
        std::fs::write(work.join(format!("f{number}")), number.to_string()).expect("write");
    }
    must(&work, &["add", "-A"]).await;
    must(&work, &["commit", "--quiet", "-m", "first change"]).await;
    let remote = format!("{}/shop.git", host.url);
    let told = must(&work, &["push", "-o", "landfall.wait=0s", &remote, "trunk", "HEAD:refs/tags/v1"]).await;
    assert!(told.contains("remote: it goes on; follow it with: landfall watch"), "{told}");

    let pushes = store::list::<Push>(&*host.records, "shop/").await.expect("list");
    let seen: Vec<_> = pushes.iter().map(|it| (it.number, it.git_ref.as_str(), it.subject.as_str())).collect();
    assert_eq!(seen, [(1, "refs/heads/trunk", "first change"), (2, "refs/tags/v1", "first change")]);

    let clone = host.folder.path().join("clone").to_string_lossy().into_owned();
    must(host.folder.path(), &["clone", "--quiet", "--depth=1", &remote, &clone]).await;
    assert_eq!(std::fs::read_to_string(format!("{clone}/f7")).expect("read"), "7");
    must(Path::new(&clone), &["-c", "protocol.version=0", "fetch", "--quiet", "--unshallow"]).await;

    must(&work, &["push", "-o", "landfall.wait=0s", &remote, ":refs/tags/v1"]).await;
    let pushes = store::list::<Push>(&*host.records, "shop/").await.expect("list");
    assert!(pushes.last().is_some_and(|push| push.after.is_zero()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_a_repository_without_a_token_or_with_a_bad_name() {
    let closed = host(None).await;
    let refused = run_git(closed.folder.path(), &["ls-remote", &format!("{}/shop.git", closed.url)]).await;
    assert!(!refused.status.success());
    let open = host(Some(Principal::Admin)).await;
    let missing = run_git(open.folder.path(), &["ls-remote", &format!("{}/shop.git", open.url)]).await;
    assert!(String::from_utf8_lossy(&missing.stderr).contains("not found"));
    let wrong = run_git(open.folder.path(), &["ls-remote", &format!("{}/Shop.git", open.url)]).await;
    assert!(!wrong.status.success());
}
