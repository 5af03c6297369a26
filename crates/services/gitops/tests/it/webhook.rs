//! Webhooks of Git hosts: who may send them, and who asks then.

use access::Principal;
use api::{App, AppRequest, AppSource, AppSpec, AppStatus};
use axum::{Extension, Router, body::Body, http::{Request, StatusCode}};
use ring::hmac;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{Ground, World};

async fn send(router: Router, request: Request<Body>) -> (StatusCode, Value) {
    let answer = router.oneshot(request).await.expect("an answer");
    let status = answer.status();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&bytes).expect("JSON"))
}

fn app(name: &str, revision: &str) -> App {
    let source = AppSource { repository: "https://git.example/shop/web.git".into(), revision: revision.into(), ..AppSource::default() };
    let spec = AppSpec { sources: vec![source], namespace: "shop".into(), ..AppSpec::default() };
    App { name: name.into(), spec, generation: 1, request: None, status: AppStatus::default() }
}

#[tokio::test]
async fn what_is_signed_makes_the_right_apps_ask() {
    let ground = Ground::open();
    let world = World::new(&ground, "s0").await;
    for app in [app("main", "main"), app("next", "next"), app("range", "^1.0.0")] {
        store::put(&*world.records, &app).await.expect("put");
    }
    let router = world.service().router();
    let asked = Request::get("/landfall/v1/webhook").body(Body::empty()).expect("a request");
    assert_eq!(router.clone().oneshot(asked).await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let asked = Request::get("/landfall/v1/webhook").body(Body::empty()).expect("a request");
    let (_, told) = send(router.clone().layer(Extension(Principal::Admin)), asked).await;
    let secret = told["secret"].as_str().expect("a secret").to_owned();

    let body = json!({"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example/shop/web.git"}}).to_string();
    let sign = |key: &str| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), body.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (good, bad) = (sign(&secret), sign("guessed"));
    let post = |header: &str, value: String| {
        Request::post("/landfall/v1/webhook").header(header, value).body(Body::from(body.clone())).expect("a request")
    };
    for (request, expected) in [
        (post("x-hub-signature-256", format!("sha256={good}")), StatusCode::OK),
        (post("x-gitea-signature", good.clone()), StatusCode::OK),
        (post("x-hub-signature", format!("sha256={good}")), StatusCode::OK),
        (post("x-gitlab-token", secret.clone()), StatusCode::OK),
        (post("x-hub-signature-256", format!("sha256={bad}")), StatusCode::UNAUTHORIZED),
        (post("x-gitlab-token", "guessed".to_owned()), StatusCode::UNAUTHORIZED),
        (post("x-hub-signature-256", "sha256=".to_owned()), StatusCode::UNAUTHORIZED),
        (post("x-other", good), StatusCode::UNAUTHORIZED),
    ] {
        let headers = format!("{:?}", request.headers());
        let (status, told) = send(router.clone(), request).await;
        assert_eq!(status, expected, "{headers}");
        if status == StatusCode::OK {
            assert_eq!(told["apps"], json!(["main"]), "{headers}");
        }
    }
    let apps = store::list::<App>(&*world.records, "").await.expect("a list");
    let requests: Vec<_> = apps.iter().map(|it| (it.name.as_str(), it.request.clone())).collect();
    assert_eq!(requests, [("main", Some(AppRequest::Refresh)), ("next", None), ("range", None)]);
}
