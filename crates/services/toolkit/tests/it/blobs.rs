//! Signed addresses: parts of a blob, and nothing without a signature.

use store::one_chunk;
use tokio::process::Command;

use crate::stage::Stage;

#[tokio::test]
async fn a_signed_address_gives_one_blob_in_parts() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    let artifacts = stage.toolkit.artifacts();
    let new = keep::NewArtifact {
        run: grant.run.clone(),
        job: grant.job.clone(),
        attempt: 1,
        name: "a b".to_owned(),
        media_type: "application/zip".to_owned(),
        expires: None,
    };
    let (artifact, _) = artifacts.create(new, store::now()).await.expect("create");
    let (digest, size) = stage.toolkit.holdings().put(one_chunk("0123456789")).await.expect("put");
    let artifact = artifacts.fill(&artifact, digest, size).await.expect("fill");
    let url = stage.toolkit.download_address(&artifact, store::now()).expect("an address");

    check(&[&url], "0123456789 200 application/zip").await;
    check(&["--range", "2-4", &url], "234 206 application/zip").await;
    check(&["--range", "-2", &url], "89 206 application/zip").await;
    check(&["--range", "20-", &url], "InvalidRange").await;
    check(&[&url.replace("sp=r", "sp=w")], "AuthenticationFailed").await;
    check(&[&url.replace(&digest.hex(), &"0".repeat(64))], "AuthenticationFailed").await;
    check(&["--request", "PUT", "--data", "x", &url.replace("/download/", "/upload/")], "AuthenticationFailed").await;
    artifacts.delete(&artifact).await.expect("delete");
    check(&[&url], "BlobNotFound").await;
}

/// What curl tells: bytes, status and type; of a refusal its code.
#[track_caller]
fn check(arguments: &[&str], expected: &str) -> impl Future<Output = ()> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--noproxy", "*", "--write-out", " %{http_code} %{content_type}"]).args(arguments);
    let expected = expected.to_owned();
    async move {
        let output = command.output().await.expect("curl runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let code = told.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        assert_eq!(code.map_or(told.as_str(), |(code, _)| code), expected);
    }
}
