//! kube-rs without a socket.

use futures_util::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;

use crate::home::open;

fn config_maps(client: &kube::Client) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    Api::namespaced_with(client.clone(), "default", &resource)
}

fn object(name: &str) -> DynamicObject {
    serde_json::from_value(crate::home::config_map(name, &json!({ "k": "v" }))).expect("an object")
}

#[tokio::test]
async fn kube_reads_writes_and_watches() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let client = cluster.client("test");
    let maps = config_maps(&client);
    let mut names = Box::pin(
        watcher(maps.clone(), watcher::Config::default())
            .applied_objects()
            .map_ok(|object| object.metadata.name.unwrap_or_default()),
    );
    assert_eq!(
        names.next().await.expect("an event").expect("an object"),
        "kube-root-ca.crt"
    );

    maps.create(&PostParams::default(), &object("a"))
        .await
        .expect("created");
    assert_eq!(
        names.next().await.expect("an event").expect("an object"),
        "a"
    );
    let applied = maps
        .patch(
            "a",
            &PatchParams::apply("test").force(),
            &Patch::Apply(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": { "more": "yes" },
            })),
        )
        .await
        .expect("applied");
    assert_eq!(applied.data["data"], json!({ "k": "v", "more": "yes" }));
    let patched = maps
        .patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({ "data": { "k": null } })),
        )
        .await
        .expect("patched");
    assert_eq!(patched.data["data"], json!({ "more": "yes" }));
    assert_eq!(
        maps.list(&ListParams::default())
            .await
            .expect("a list")
            .items
            .len(),
        2
    );
    maps.delete("a", &DeleteParams::default())
        .await
        .expect("deleted");
    let missing = maps.get("a").await.expect_err("it is gone");
    assert!(matches!(missing, kube::Error::Api(status) if status.code == 404));
}

#[tokio::test]
async fn many_writers_of_one_object_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let maps = config_maps(&cluster.client("test"));
    maps.create(&PostParams::default(), &object("a"))
        .await
        .expect("created");
    let writers = (0..4).map(|writer| {
        let maps = maps.clone();
        async move {
            for round in 0..5 {
                let patch = json!({ "data": { format!("{writer}-{round}"): "x" } });
                maps.patch("a", &PatchParams::default(), &Patch::Merge(patch))
                    .await
                    .expect("patched");
            }
        }
    });
    futures_util::future::join_all(writers).await;
    let data = maps.get("a").await.expect("there").data["data"]
        .as_object()
        .map(serde_json::Map::len);
    assert_eq!(data, Some(21));
}
