//! Artifacts in memory, through names, attempts and deletion.

use std::sync::Arc;

use store::{MemoryBlobs, MemoryRecords, one_chunk};

use super::*;

fn stage() -> (Artifacts, Holdings, Timestamp) {
    let holdings = Holdings::new(Arc::new(MemoryRecords::default()), Arc::new(MemoryBlobs::default()));
    let now = "2026-11-22T10:00:00Z".parse().expect("a time");
    (Artifacts::new(holdings.clone()), holdings, now)
}

fn new(attempt: u32, job: &str, name: &str) -> NewArtifact {
    NewArtifact {
        run: "shop#1".parse().expect("a run"),
        job: job.to_owned(),
        attempt,
        name: name.to_owned(),
        media_type: "application/zip".to_owned(),
        expires: None,
    }
}

async fn upload(stage: &(Artifacts, Holdings, Timestamp), new: NewArtifact, bytes: &'static str) -> Artifact {
    let (artifact, _) = stage.0.create(new, stage.2).await.expect("create");
    let (digest, size) = stage.1.put(one_chunk(bytes)).await.expect("put");
    stage.0.fill(&artifact, digest, size).await.expect("fill")
}

#[tokio::test]
async fn the_newest_attempt_counts_and_older_ones_stay_visible() {
    let stage = stage();
    upload(&stage, new(1, "build", "a"), "one").await;
    upload(&stage, new(1, "build", "b"), "one").await;
    upload(&stage, new(2, "build", "a"), "two").await;
    let run = "shop#1".parse().expect("a run");
    let all = stage.0.of_run(&run).await.expect("list");
    let shown: Vec<_> = all.iter().map(|it| format!("{} {}", it.name, it.attempt)).collect();
    assert_eq!(shown, ["a 2", "b 1"]);
}

#[tokio::test]
async fn a_name_is_taken_by_a_whole_artifact_or_another_jobs_upload() {
    let stage = stage();
    upload(&stage, new(1, "build", "a"), "one").await;
    assert!(matches!(stage.0.create(new(1, "build", "a"), stage.2).await, Err(ArtifactError::Exists(_))));
    stage.0.create(new(1, "build", "b"), stage.2).await.expect("create");
    stage.0.create(new(1, "build", "b"), stage.2).await.expect("a second try of the same job");
    assert!(matches!(stage.0.create(new(1, "test", "b"), stage.2).await, Err(ArtifactError::Exists(_))));
}

#[tokio::test]
async fn bytes_go_with_the_last_artifact_that_has_them() {
    let stage = stage();
    let first = upload(&stage, new(1, "build", "a"), "same").await;
    upload(&stage, new(1, "build", "b"), "same").await;
    stage.0.delete(&first).await.expect("delete");
    assert_eq!(stage.1.size(Digest::of(b"same")).await.expect("size"), Some(4));
    let gone = stage.0.expire(stage.2 + RETENTION).await.expect("expire");
    assert_eq!(gone.len(), 1);
    assert_eq!(stage.1.size(Digest::of(b"same")).await.expect("size"), None);
}

#[test]
fn names_must_be_good_as_file_names() {
    assert!(check_name("coverage report (linux).txt").is_ok());
    for (name, why) in [("a/b", "it contains '/'"), ("a\nb", "it contains '\\n'"), ("", "it is empty")] {
        let told = check_name(name).expect_err("refused").to_string();
        assert_eq!(told, format!("the artifact name `{name}` is not valid: {why}"));
    }
}

#[test]
fn numbers_grow() {
    let now = Timestamp::from_micros(5);
    let (a, b, c) = (number(now), number(now), number(now));
    assert!(a < b && b < c);
}
