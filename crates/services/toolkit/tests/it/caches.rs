//! `@actions/cache`, with both protocols and under the rules for branches and forks.

use api::{CacheEntry, Trust};
use serde_json::json;

use crate::stage::Stage;

fn whole() -> serde_json::Value {
    json!({
        "available": true,
        "savedFirst": true,
        "savedAgain": false,
        "looked": "deps-linux-1",
        "lookedOnly": true,
        "exact": "deps-linux-1",
        "content": ["one", "two"],
        "prefix": "deps-linux-1",
        "otherPaths": null,
        "miss": null,
    })
}

#[tokio::test]
async fn a_folder_is_saved_once_and_restored_by_key_and_prefix() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    assert_eq!(stage.run(&grant, "cache.mjs", &[]).await, whole());
}

#[tokio::test]
async fn older_clients_do_the_same_with_the_first_protocol() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    // What the client takes for a server without the second protocol gets the first one.
    let mut told = stage.run(&grant, "cache.mjs", &[("ACTIONS_CACHE_SERVICE_V2", "")]).await;
    // This protocol's client gives the number of the reservation, also when it was refused.
    told["savedAgain"] = json!(false);
    assert_eq!(told, whole());
}

#[tokio::test]
async fn branches_see_the_default_branch_and_not_each_other() {
    let stage = Stage::new().await;
    let main = stage.grant(|_| ()).await;
    stage.run(&main, "cache.mjs", &[]).await;
    let on = |git_ref: &'static str| {
        stage.grant(move |grant| {
            grant.github.insert("ref".to_owned(), git_ref.to_owned());
        })
    };
    let topic = on("refs/heads/topic").await;
    let told = stage.run(&topic, "restore.mjs", &[("KEY", "deps-linux-8")]).await;
    assert_eq!(told, json!({ "found": "deps-linux-1", "saved": true }));
    let other = on("refs/heads/other").await;
    let told = stage.run(&other, "restore.mjs", &[("KEY", "deps-linux-7")]).await;
    assert_eq!(told, json!({ "found": "deps-linux-1", "saved": true }));
    let topic = on("refs/heads/topic").await;
    let told = stage.run(&topic, "restore.mjs", &[("KEY", "deps-linux-6")]).await;
    assert_eq!(told, json!({ "found": "deps-linux-8", "saved": true }));
}

#[tokio::test]
async fn a_fork_reads_and_saves_nothing() {
    let stage = Stage::new().await;
    let main = stage.grant(|_| ()).await;
    stage.run(&main, "cache.mjs", &[]).await;
    let fork = stage
        .grant(|grant| {
            grant.trust = Trust::Foreign;
            grant.github.insert("ref".to_owned(), "refs/pull/3/merge".to_owned());
            grant.github.insert("base_ref".to_owned(), "main".to_owned());
        })
        .await;
    // A fork may change its environment, so the server must refuse by itself.
    for mode in ["read", "write"] {
        let told = stage.run(&fork, "restore.mjs", &[("KEY", "deps-linux-8"), ("ACTIONS_CACHE_MODE", mode)]).await;
        assert_eq!(told, json!({ "found": "deps-linux-1", "saved": false }), "{mode}");
    }
    let entries = store::list::<CacheEntry>(&*stage.records, "").await.expect("list");
    assert_eq!(entries.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["deps-linux-1"]);
}

#[tokio::test]
async fn a_token_ends_with_its_job() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    store::remove::<api::JobGrant>(&*stage.records, &api::Record::key(&grant)).await.expect("remove");
    let (told, output) = stage.try_run(&grant, "cache.mjs", &[]).await;
    // Caches are a help and no must, so the client goes on and says why.
    assert_eq!(told, None, "{output}");
    let expected = "Received non-retryable error: Failed request: (401) Unauthorized: the token is not one of this server, or its job is over";
    assert!(output.contains(expected), "{output}");
}

/// The calls of clients outside JavaScript, such as sccache's.
#[tokio::test]
async fn calls_as_protocol_buffers_are_answered_in_kind() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    let told = stage.run(&grant, "protobuf.mjs", &[]).await;
    assert_eq!(told, json!({ "reserved": true, "filled": true, "matched": "deps-1", "content": "archive", "miss": false }));
}
