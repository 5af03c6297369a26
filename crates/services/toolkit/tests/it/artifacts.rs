//! `@actions/artifact`: upload in blocks, list, download, delete.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn artifacts_are_uploaded_listed_downloaded_and_deleted() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    let told = stage.run(&grant, "artifact.mjs", &[]).await;
    let expected = json!({
        "uploaded": { "size": true, "id": true, "digest": 64 },
        "twice": "Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: an artifact with this name already exists on the workflow run: `results`",
        "listed": ["report.html", "results"],
        "digests": ["sha256:HEX", "sha256:HEX"],
        "found": true,
        "mismatch": false,
        "same": ["one", true],
        "raw": "<p>é</p>",
        "deleted": true,
        "left": ["report.html"],
        "gone": "ArtifactNotFoundError",
    });
    assert_eq!(told, expected);
}
