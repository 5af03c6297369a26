//! The JSON API, route by route, over hand-made records.

mod stage;

use access::Principal;
use api::Conclusion;
use axum::{Extension, http::StatusCode};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stage::{BAD, GOING, GOOD, Stage, get, image, job, log_line, push, run, send, step};
use store::LogName;

/// Reads the answer to `path` as the owner and compares what is at `pointer`.
async fn check(stage: &Stage, path: &str, status: StatusCode, pointer: &str, expected: Value) {
    let (found, body) = stage.get(path).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((found, body.pointer(pointer)), (status, Some(&expected)), "{path}: {body:#}");
}

/// `field` of every item.
async fn items(stage: &Stage, path: &str, field: &str) -> Vec<String> {
    let (status, body) = stage.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["apiVersion"], "landfall/v1");
    let items = body["items"].as_array().expect("items");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    items.iter().map(|item| text(item.pointer(field).unwrap_or(&Value::Null))).collect()
}

#[tokio::test]
async fn lists_are_newest_first_and_can_be_narrowed() {
    let stage = Stage::new().await;
    assert_eq!(items(&stage, "/landfall/v1/projects", "/name").await, ["shop", "bank"]);
    let pushes = ["count the money", "greet in a hurry", "greet politely"];
    assert_eq!(items(&stage, "/landfall/v1/pushes", "/subject").await, pushes);
    assert_eq!(items(&stage, "/landfall/v1/pushes?limit=1", "/subject").await, pushes[..1]);
    assert_eq!(items(&stage, "/landfall/v1/runs", "/id").await, ["bank#1", "shop#2", "shop#1"]);
    assert_eq!(items(&stage, "/landfall/v1/runs?project=shop", "/id").await, ["shop#2", "shop#1"]);
    assert_eq!(items(&stage, "/landfall/v1/runs", "/machine").await, ["null"; 3]);
    let releases = ["shop/production@2", "shop/production@1"];
    assert_eq!(items(&stage, "/landfall/v1/releases", "/id").await, releases);
    assert_eq!(items(&stage, "/landfall/v1/releases?project=bank", "/id").await, [""; 0]);
    let outcomes = ["pending", "rolled_back", "healthy"];
    assert_eq!(items(&stage, "/landfall/v1/threads", "/outcome").await, outcomes);
    let commits = [GOING, BAD, GOOD];
    assert_eq!(items(&stage, "/landfall/v1/threads", "/thread/commit").await, commits);
    assert_eq!(items(&stage, "/landfall/v1/threads?limit=2", "/outcome").await, outcomes[..2]);
}

#[tokio::test]
async fn wrong_queries_are_refused_with_what_is_known() {
    let stage = Stage::new().await;
    let error = json!({
        "apiVersion": "landfall/v1",
        "error": "there is no project `shpo`; nearest: shop, bank",
        "known": ["shop", "bank"],
    });
    check(&stage, "/landfall/v1/runs?project=shpo", StatusCode::NOT_FOUND, "", error).await;
    let (status, _) = stage.get("/landfall/v1/runs?limit=many").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = stage.get("/landfall/v1/runs?project=../etc").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_run_is_told_whole_but_for_its_machine() {
    let stage = Stage::new().await;
    let expected = json!({
        "apiVersion": "landfall/v1",
        "id": "shop#1",
        "push": 1,
        "workflow": ".github/workflows/ci.yml",
        "name": "ci",
        "event": "push",
        "git_ref": "refs/heads/main",
        "commit": GOOD,
        "subject": "greet politely",
        "author": "Ada",
        "status": "completed",
        "conclusion": "success",
        "reason": null,
        "jobs": [{
            "id": "test",
            "name": "test",
            "status": "completed",
            "conclusion": "success",
            "reason": null,
            "environment": null,
            "needs": [],
            "started": "2026-11-22T10:00:11Z",
            "finished": "2026-11-22T10:00:15Z",
            "steps": [{
                "name": "make test",
                "section": null,
                "depth": 0,
                "status": "completed",
                "conclusion": "success",
                "reason": null,
                "exit_code": null,
                "annotations": [],
                "summary": null,
                "started": "2026-11-22T10:00:11Z",
                "finished": "2026-11-22T10:00:13Z",
            }],
            "annotations": [],
            "log": null,
        }],
        "created": "2026-11-22T10:00:11Z",
        "started": "2026-11-22T10:00:11Z",
        "finished": "2026-11-22T10:00:16Z",
        "cancel": false,
        "cancel_jobs": [],
        "again": [],
        "concurrency": null,
        "attempt": 1,
        "cause": null,
    });
    check(&stage, "/landfall/v1/runs/shop/1", StatusCode::OK, "", expected).await;
    let error = json!("there is no run `shop#9`; nearest: shop#2, shop#1");
    check(&stage, "/landfall/v1/runs/shop/9", StatusCode::NOT_FOUND, "/error", error).await;
    let error = json!("there is no run `..#x`");
    check(&stage, "/landfall/v1/runs/%2e%2e/x", StatusCode::NOT_FOUND, "/error", error).await;
}

#[tokio::test]
async fn a_release_is_told_whole() {
    let stage = Stage::new().await;
    let path = "/landfall/v1/releases/shop/production/2";
    let (_, body) = stage.get(path).await;
    let mut body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["apiVersion"].take(), "landfall/v1");
    let release: api::Release = serde_json::from_value(body).expect("a release");
    let stored = store::find(&*stage.records, &api::Release::key_of(&release.id)).await;
    assert_eq!(stored.expect("find"), Some(release));
    let error = json!(["shop/production@2", "shop/production@1"]);
    let wrong = "/landfall/v1/releases/shop/production/3";
    check(&stage, wrong, StatusCode::NOT_FOUND, "/known", error).await;
}

#[tokio::test]
async fn a_thread_is_found_by_any_of_its_ids() {
    let stage = Stage::new().await;
    let digest = image().to_string();
    let ids = [
        "0ab43", GOOD, "0AB43F", "shop%231", "shop/1", "shop%2F1", "shop/production@1",
        "shop%2Fproduction%401", &digest, "0ab4?project=shop",
    ];
    let (_, first) = stage.get("/landfall/v1/threads/0ab43f1c9d8e").await;
    for id in ids {
        let (status, body) = stage.get(&format!("/landfall/v1/threads/{id}")).await;
        assert_eq!((status, &body), (StatusCode::OK, &first), "{id}");
    }
    let answer: Value = serde_json::from_str(&first).expect("JSON");
    let thread: delivery::Thread = serde_json::from_value(answer["thread"].clone()).expect("a thread");
    assert_eq!(answer["outcome"], "healthy");
    assert_eq!(answer["lines"], json!(thread.lines()));
    assert_eq!(answer["thread"]["runs"][0].get("machine"), None);
    let parts = (thread.pushes.len(), thread.runs.len(), thread.images.len(), thread.releases.len());
    assert_eq!(parts, (1, 1, 1, 1));
}

#[tokio::test]
async fn an_unclear_id_is_answered_with_the_nearest() {
    let stage = Stage::new().await;
    let path = |id: &str| format!("/landfall/v1/threads/{id}");
    let unknown = json!("there is no commit `0ab9`; nearest: 0ab5aaaaaaaa, 0ab43f1c9d8e, f00dffffffff");
    check(&stage, &path("0ab9"), StatusCode::NOT_FOUND, "/error", unknown).await;
    let run = json!(["shop#2", "shop#1", "bank#1"]);
    check(&stage, &path("shop%237"), StatusCode::NOT_FOUND, "/known", run).await;
    let release = json!(["shop/production@2", "shop/production@1"]);
    check(&stage, &path("shop/production@9"), StatusCode::NOT_FOUND, "/known", release).await;
    let ahead = json!([image().to_string()]);
    check(&stage, &path("sha256:0000"), StatusCode::NOT_FOUND, "/known", ahead).await;
    let formless = json!("shop#2");
    check(&stage, &path("shop"), StatusCode::NOT_FOUND, "/known/0", formless).await;

    stage.put(&push("shop", 3, "0ab43fffffffffffffffffffffffffffffffffff", "again", 50)).await;
    let both = json!({
        "apiVersion": "landfall/v1",
        "error": "`0ab43` may be any of 0ab43f1c9d8e, 0ab43fffffff",
        "known": ["0ab43f1c9d8e", "0ab43fffffff"],
    });
    check(&stage, &path("0ab43"), StatusCode::CONFLICT, "", both).await;
}

#[tokio::test]
async fn a_commit_in_two_projects_is_two_rows_and_one_thread() {
    let stage = Stage::new().await;
    stage.put(&push("bank", 2, GOOD, "greet politely", 60)).await;
    stage.put(&run("bank#2", GOOD, "greet politely", 61, Vec::new())).await;
    let rows = items(&stage, "/landfall/v1/threads", "/thread/pushes/0/project").await;
    assert_eq!(rows, ["bank", "bank", "shop", "shop"]);
    let path = "/landfall/v1/threads/0ab43";
    check(&stage, path, StatusCode::OK, "/thread/runs/1/id", json!("bank#2")).await;
    let path = "/landfall/v1/threads/0ab43?project=bank";
    check(&stage, path, StatusCode::OK, "/outcome", json!("succeeded")).await;
}

#[tokio::test]
async fn a_watch_tells_every_state_until_the_outcome_is_known() {
    let stage = Stage::new().await;
    let watch = |id: &str| get(&format!("/landfall/v1/threads/{id}/watch"));
    let (_, over) = send(stage.router(), watch("0ab5")).await;
    assert_eq!(outcomes(&over), ["rolled_back"]);

    let response = tower::ServiceExt::oneshot(stage.router(), watch("bank/1")).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.expect("a state").expect("bytes");
    assert_eq!(outcomes(&String::from_utf8_lossy(&first)), ["pending"]);

    let steps = vec![step("make count", Some(Conclusion::Failure), 31)];
    let mut run = run("bank#1", GOING, "", 31, vec![job("count", Some(Conclusion::Failure), 31, steps)]);
    run.conclusion = Some(Conclusion::Failure);
    stage.put(&run).await;
    let mut rest = String::new();
    while let Some(bytes) = body.next().await {
        rest.push_str(&String::from_utf8_lossy(&bytes.expect("bytes")));
    }
    assert_eq!(outcomes(&rest), ["run_failed"]);
}

/// The outcome of every event in a stream.
fn outcomes(text: &str) -> Vec<String> {
    let states = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let outcome = |state: &str| {
        let state: Value = serde_json::from_str(state).expect("JSON");
        assert_eq!(state["apiVersion"], "landfall/v1");
        state["outcome"].as_str().expect("an outcome").to_owned()
    };
    states.map(outcome).collect()
}

#[tokio::test]
async fn a_log_is_read_by_job_or_whole() {
    let stage = Stage::new().await;
    let _writer = stage.log("bank#1", "count", &["one", "two\u{1b}[31m"]).await;
    let expected = concat!(
        r#"{"job":"count","at":"2026-11-22T10:00:40Z","attempt":1,"step":0,"stream":"stdout","text":"one","source_end_bytes":0}"#,
        "\n",
        r#"{"job":"count","at":"2026-11-22T10:00:40Z","attempt":1,"step":0,"stream":"stdout","text":"two\u001b[31m","source_end_bytes":0}"#,
        "\n",
    );
    let whole = (StatusCode::OK, expected.to_owned());
    assert_eq!(stage.get("/landfall/v1/logs/bank/1").await, whole);
    assert_eq!(stage.get("/landfall/v1/logs/bank/1?job=count&follow=false").await, whole);
    assert_eq!(stage.get("/landfall/v1/logs/shop/1?follow=true").await, (StatusCode::OK, String::new()));
    let error = json!("there is no job of bank#1 `cuont`; nearest: count");
    let path = "/landfall/v1/logs/bank/1?job=cuont";
    check(&stage, path, StatusCode::NOT_FOUND, "/error", error).await;
}

#[tokio::test]
async fn a_log_is_followed_into_its_blob() {
    let stage = Stage::new().await;
    let request = get("/landfall/v1/logs/bank/1?follow=true");
    let response = tower::ServiceExt::oneshot(stage.router(), request).await.expect("an answer");
    let mut body = response.into_body();
    // Nobody writes yet: the reader waits for the log to be opened.
    let reading = tokio::spawn(async move {
        let first = body.frame().await.expect("a line").expect("bytes");
        (first.into_data().expect("data"), body)
    });
    let mut writer = stage.log("bank#1", "count", &["one"]).await;
    let (first, body) = reading.await.expect("read");
    assert!(first.starts_with(br#"{"job":"count""#));

    writer.append(&[log_line(1, "two")]).await.expect("append");
    let digest = writer.seal().await.expect("seal");
    drop(writer);
    let mut ended = job("count", Some(Conclusion::Success), 31, Vec::new());
    ended.log = Some(digest);
    stage.put(&run("bank#1", GOING, "", 31, vec![ended])).await;
    stage.logs.discard(&LogName::new(&"bank#1".parse().expect("a run"), "count")).await.expect("discard");
    let rest = body.collect().await.expect("the rest").to_bytes();
    let rest = String::from_utf8(rest.to_vec()).expect("text");
    let texts: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(texts.iter().map(|line| &line["text"]).collect::<Vec<_>>(), ["two"]);
    let (_, whole) = stage.get("/landfall/v1/logs/bank/1").await;
    assert_eq!(whole.lines().count(), 2);
}

#[tokio::test]
async fn only_those_who_may_read_get_an_answer() {
    let stage = Stage::new().await;
    let pod = Principal::ServiceAccount { namespace: "shop".into(), name: "default".into() };
    let paths = [
        "projects", "pushes", "runs", "runs/shop/1", "releases", "releases/shop/production/1",
        "threads", "threads/0ab4", "threads/0ab4/watch", "logs/shop/1",
    ];
    for path in paths {
        let path = format!("/landfall/v1/{path}");
        let (status, _) = stage.get_as_nobody(&path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        let (status, body) = send(stage.web.router().layer(Extension(pod.clone())), get(&path)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        let error = "`system:serviceaccount:shop:default` may not read records";
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body, json!({"apiVersion": "landfall/v1", "error": error}));
    }
}
