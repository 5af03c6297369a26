//! Watches against answers that stand in the test.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{body::Body, response::Response};
use http::Request;
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::{Client, core::{ApiResource, GroupVersionKind}};

/// A server that gives these answers in turn, and notes what it was asked.
fn following(answers: Vec<(u16, String)>) -> (BoxStream<'static, Result<Event, Error>>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = Mutex::new(VecDeque::from(answers));
    let (noted, answers) = (Arc::clone(&asked), Arc::new(answers));
    let client = Client::new(service_fn(move |request: Request<Body>| {
        noted.lock().expect("no panic").push(request.uri().to_string());
        let (status, body) = answers.lock().expect("no panic").pop_front().expect("an answer");
        async move { Ok::<_, Infallible>(Response::builder().status(status).body(Body::from(body)).expect("an answer")) }
    }));
    let maps = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let api = Api::all_with(client, &maps);
    (watcher(api, Config::default().fields("a=b")), asked)
}

fn list(names: &[&str], revision: &str, more: &str) -> (u16, String) {
    let items: Vec<Value> = names.iter().map(|name| json!({ "metadata": { "name": name } })).collect();
    let metadata = json!({ "resourceVersion": revision, "continue": more });
    (200, json!({ "kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items }).to_string())
}

fn event(kind: &str, name: &str, revision: &str) -> String {
    let object = json!({ "metadata": { "name": name, "resourceVersion": revision } });
    format!("{}\n", json!({ "type": kind, "object": object }))
}

fn told(event: Result<Event, Error>) -> String {
    let name = |object: DynamicObject| object.metadata.name.unwrap_or_default();
    match event {
        Ok(Event::Init) => "begin".to_owned(),
        Ok(Event::InitApply(object)) => format!("is {}", name(object)),
        Ok(Event::InitDone) => "end".to_owned(),
        Ok(Event::Apply(object)) => format!("has {}", name(object)),
        Ok(Event::Delete(object)) => format!("lost {}", name(object)),
        Err(error) => error.to_string(),
    }
}

async fn check(answers: Vec<(u16, String)>, expected: &[&str], expected_questions: &[&str]) {
    let (stream, asked) = following(answers);
    let found: Vec<String> = stream.take(expected.len()).map(told).collect().await;
    assert_eq!(found, expected);
    let asked = asked.lock().expect("no panic");
    assert_eq!(*asked, expected_questions);
}

const FIRST_LIST: &str = "/api/v1/configmaps?fieldSelector=a%3Db&limit=500";

fn watched(revision: &str) -> String {
    format!("/api/v1/configmaps?watch=true&resourceVersion={revision}&timeoutSeconds=290&allowWatchBookmarks=true&fieldSelector=a%3Db")
}

#[tokio::test]
async fn pages_are_read_and_changes_followed_over_connections() {
    let first = event("ADDED", "c", "11") + &event("DELETED", "a", "12") + &event("BOOKMARK", "", "20");
    let answers = vec![list(&["a"], "9", "more"), list(&["b"], "10", ""), (200, first), (200, event("MODIFIED", "b", "21"))];
    let expected = ["begin", "is a", "is b", "end", "has c", "lost a", "has b"];
    let second = format!("{FIRST_LIST}&continue=more");
    check(answers, &expected, &[FIRST_LIST, &second, &watched("10"), &watched("20")]).await;
}

#[tokio::test]
async fn a_revision_that_is_too_old_leads_to_a_new_list() {
    let gone = json!({ "type": "ERROR", "object": { "kind": "Status", "code": 410, "message": "too old" } });
    let answers = vec![list(&["a"], "1", ""), (200, format!("{gone}\n")), list(&[], "5", ""), (200, event("ADDED", "b", "6"))];
    let expected = ["begin", "is a", "end", "the server ended the watch: too old", "begin", "end", "has b"];
    check(answers, &expected, &[FIRST_LIST, &watched("1"), FIRST_LIST, &watched("5")]).await;
}

#[tokio::test]
async fn failures_are_told_and_tried_again() {
    let refused = json!({ "kind": "Status", "message": "not now" }).to_string();
    let answers = vec![
        (503, refused.clone()),
        list(&[], "1", ""),
        (500, refused),
        (200, "no JSON\n".to_owned()),
        (200, event("ADDED", "b", "6")),
    ];
    let expected = [
        "the objects could not be listed: not now",
        "begin",
        "end",
        "the watch could not be started: not now",
        "an event of the watch could not be read: expected ident at line 1 column 2",
        "has b",
    ];
    check(answers, &expected, &[FIRST_LIST, FIRST_LIST, &watched("1"), &watched("1"), &watched("1")]).await;
}

#[tokio::test]
async fn watches_that_end_at_once_are_taken_up_again() {
    let nothing = || (200, String::new());
    let answers = vec![list(&[], "1", ""), nothing(), nothing(), (200, event("ADDED", "b", "6"))];
    let again = watched("1");
    check(answers, &["begin", "end", "has b"], &[FIRST_LIST, &again, &again, &again]).await;
}

#[tokio::test]
async fn one_object_is_followed_through_its_absence() {
    let answers = Mutex::new(VecDeque::from([list(&[], "1", ""), (200, event("ADDED", "a", "2") + &event("DELETED", "a", "3"))]));
    let answers = Arc::new(answers);
    let client = Client::new(service_fn(move |_: Request<Body>| {
        let (status, body) = answers.lock().expect("no panic").pop_front().expect("an answer");
        async move { Ok::<_, Infallible>(Response::builder().status(status).body(Body::from(body)).expect("an answer")) }
    }));
    let maps = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let changes = watch_object(Api::namespaced_with(client, "shop", &maps), "a").take(3);
    let found: Vec<Option<String>> = changes.map(|it| it.expect("a state").and_then(|it| it.metadata.name)).collect().await;
    assert_eq!(found, [None, Some("a".to_owned()), None]);
}
