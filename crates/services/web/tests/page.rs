//! The page as text: what stands on it, who gets it, and what foreign text can do to it.

mod stage;

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use stage::{BAD, GOOD, Stage, get, job, push, run, step};
use tower::ServiceExt as _;

/// The text of a page without its tags, in words separated by one space.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for letter in html.chars() {
        match letter {
            '<' => depth += 1,
            '>' => {
                depth -= 1;
                text.push(' ');
            }
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a page as the owner and looks for `expected` in its text, in this order.
async fn check(stage: &Stage, path: &str, expected: &[&str]) -> String {
    let (status, html) = stage.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {html}");
    let text = text_of(&html);
    let mut rest = text.as_str();
    for words in expected {
        let Some(place) = rest.find(words) else {
            panic!("{path}: `{words}` is not on the page, or not there: {text}")
        };
        rest = &rest[place + words.len()..];
    }
    html
}

#[tokio::test]
async fn the_first_page_has_a_row_for_each_commit() {
    let stage = Stage::new().await;
    let served = ["shop/production", "shop/production@1", "3 of 3 ready", "http://10.96.0.14:80"];
    check(&stage, "/", &served).await;
    let rows = [
        "pending", "count the money", "bank", "f00dffffffff", "Ada", "bank#1",
        "rolled back", "greet in a hurry",
        "the readiness probe of container `shop` fails [LF-D0103]", "shop#2", "shop/production@2",
        "healthy", "greet politely", "shop#1", "shop/production@1",
    ];
    let html = check(&stage, "/", &rows).await;
    assert_eq!(html.matches("scope=\"row\"").count(), 3);
    let shop = check(&stage, "/?project=shop", &["greet in a hurry", "greet politely"]).await;
    assert_eq!(shop.matches("scope=\"row\"").count(), 2);
    let empty = Stage::empty();
    check(&empty, "/", &["Nothing was pushed yet"]).await;
}

#[tokio::test]
async fn a_failed_run_says_first_what_failed() {
    let stage = Stage::new().await;
    let _writer = stage.log_of_step("shop#2", "deploy", 1, &["Waiting", "timed out"]).await;
    let expected = [
        "greet in a hurry", "failure", "job `deploy` failed",
        "deploy / kubectl rollout status", "Waiting", "timed out", "exit code 1", "LF-D0103",
        "GET /healthz answered 500, 12 times", "landfall logs shop#2 --job deploy", "Whole log",
        "Jobs", "deploy", "production", "actions/checkout@v4", "kubectl rollout status",
        "Log of deploy", "2 lines", "Download", "10:00:40", "Waiting", "timed out",
    ];
    let html = check(&stage, "/runs/shop/2", &expected).await;
    assert!(html.contains("href=\"/runs/shop/2?job=deploy&#38;line=2#L2\""), "{html}");
    assert!(!html.contains("data-follow"), "a run that is over is not followed");
    let going = stage.get("/runs/bank/1").await.1;
    assert!(going.contains("data-follow=\"/runs/bank/1/lines?job=count&#38;after=0\""), "{going}");
}

#[tokio::test]
async fn a_release_says_why_it_failed_and_what_it_changed() {
    let stage = Stage::new().await;
    let expected = [
        "Release shop/production@2", "rolled back", "to", "shop/production@1", "shop#2",
        "Why it failed", "LF-D0103", "GET /healthz answered 500, 12 times", "Workloads",
        "Deployment/shop", "3/3", "Images", "shop:latest", "sha256:", "Changes", "Deployment/shop",
        "changed",
    ];
    check(&stage, "/releases/shop/production/2", &expected).await;
    let good = ["healthy", "Addresses", "http://10.96.0.14:80", "made"];
    check(&stage, "/releases/shop/production/1", &good).await;
}

#[tokio::test]
async fn a_commit_is_told_and_found_by_any_id() {
    let stage = Stage::new().await;
    let expected = ["greet in a hurry", "rolled back", BAD, "shop#2", "shop/production@2", "failed[LF-D0103]"];
    check(&stage, "/threads/0ab5", &expected).await;
    for (id, place) in [
        ("0ab43", format!("/threads/{GOOD}")),
        ("shop%231", "/runs/shop/1".to_owned()),
        ("shop%2F1", "/runs/shop/1".to_owned()),
        ("shop%2Fproduction%401", "/releases/shop/production/1".to_owned()),
        ("shop", "/?project=shop".to_owned()),
    ] {
        let request = get(&format!("/find?q={id}"));
        let response = stage.router().oneshot(request).await.expect("an answer");
        let found = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
        assert_eq!((response.status(), found), (StatusCode::SEE_OTHER, Some(place.as_str())), "{id}");
    }
    let (status, html) = stage.get("/find?q=shop%239").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text_of(&html).contains("there is no run `shop#9`; nearest: shop#2, shop#1, bank#1"), "{html}");
}

#[tokio::test]
async fn tests_of_a_run_are_a_section_of_its_page_and_flaky_ones_a_page() {
    let stage = Stage::new().await;
    stage.put(&stage::tests::report()).await;
    stage.put(&stage::tests::flaky()).await;
    let expected = [
        "Tests", "1 failed, 3 passed, 1 flaky", "Flaky tests", "landfall tests shop#2", "deploy", "failed",
        "tests.test_a::test_<b>x", "flaky", "tests/test_a.py:8", "assert 3 == 4",
    ]
    .map(|it| it.replace('<', "&#60;").replace('>', "&#62;"));
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    check(&stage, "/runs/shop/2", &expected).await;
    let flaky = ["Flaky tests", "tests.test_a::test_", "1 commit", "failed in", "shop#2/deploy attempt 1", "passed in", "shop#1/deploy attempt 1"];
    check(&stage, "/flaky/shop", &flaky).await;
    check(&stage, "/flaky/bank", &["None is known"]).await;
    assert_eq!(stage.get("/flaky/none").await.0, StatusCode::NOT_FOUND);
    assert_eq!(stage.get_as_nobody("/flaky/shop").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let stage = Stage::empty();
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}\u{7}\u{1b}[31m\u{1b}]52;c;x\u{7}";
    stage.put(&stage::project("shop", 0)).await;
    let mut pushed = push("shop", 1, GOOD, evil, 1);
    pushed.git_ref = format!("refs/heads/{evil}");
    (pushed.author, pushed.pusher) = (evil.to_owned(), evil.to_owned());
    (pushed.errors, pushed.notes) = (vec![evil.to_owned()], vec![evil.to_owned()]);
    stage.put(&pushed).await;
    let failure = Some(api::Conclusion::Failure);
    let mut bad_step = step(evil, failure, 2);
    bad_step.reason = Some(evil.to_owned());
    let mut bad_job = job(evil, failure, 2, vec![bad_step]);
    (bad_job.reason, bad_job.needs) = (Some(evil.to_owned()), vec![evil.to_owned()]);
    let mut bad_run = run("shop#1", GOOD, evil, 2, vec![bad_job]);
    (bad_run.name, bad_run.author) = (evil.to_owned(), evil.to_owned());
    (bad_run.workflow, bad_run.git_ref) = (evil.to_owned(), pushed.git_ref.clone());
    (bad_run.conclusion, bad_run.reason) = (failure, Some(evil.to_owned()));
    stage.put(&bad_run).await;
    // The log ends with its writer.
    drop(stage.log("shop#1", evil, &[evil, &format!("##[error]{evil}")]).await);
    let release = api::Release {
        jobs: vec![evil.to_owned()],
        cause: Some(api::Cause {
            code: evil.to_owned(),
            summary: evil.to_owned(),
            evidence: vec![evil.to_owned()],
            help: vec![evil.to_owned()],
        }),
        addresses: vec![
            api::ServiceAddress { service: evil.to_owned(), url: "javascript:alert(3)".to_owned() },
            api::ServiceAddress { service: evil.to_owned(), url: format!("http://{evil}") },
        ],
        leftovers: vec![evil.to_owned()],
        images: vec![api::ReleasedImage { reference: evil.to_owned(), digest: stage::image() }],
        ..stage::good_release()
    };
    stage.put(&release).await;
    let healthy = api::Release { id: "shop/production@2".parse().expect("a release"), ..release };
    stage.put(&healthy).await;

    let job = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E%E2%80%AE%07%1B%5B31m%1B%5D52%3Bc%3Bx%07";
    let pages = [
        "/".to_owned(),
        "/runs/shop/1".to_owned(),
        format!("/runs/shop/1?job={job}"),
        format!("/runs/shop/1/lines?job={job}"),
        format!("/threads/{GOOD}"),
        "/releases/shop/production/1".to_owned(),
    ];
    for path in pages {
        let (status, html) = stage.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        is_harmless(&path, &html);
    }
    for path in ["/find?q=%3Cscript%3Ealert%281%29", "/%3Cimg%20src=x%20onerror=alert(2)%3E", "/?project=%3Cscript%3E"] {
        let (status, html) = stage.get(path).await;
        assert!(status.is_client_error(), "{path}: {status}");
        is_harmless(path, &html);
    }
}

#[track_caller]
fn is_harmless(path: &str, html: &str) {
    for wrong in ["<script>", "<img", "href=\"javascript:", "\u{202e}", "\u{7}", "\u{1b}"] {
        assert!(!html.contains(wrong), "{path}: {wrong:?} is on the page: {html}");
    }
}

#[tokio::test]
async fn lines_that_come_later_are_sent_as_html() {
    let stage = Stage::new().await;
    let mut writer = stage.log("bank#1", "count", &["one", "two"]).await;
    let request = get("/runs/bank/1/lines?job=count&after=1");
    let response = stage.router().oneshot(request).await.expect("an answer");
    let mut body = response.into_body();
    let first = body.frame().await.expect("an event").expect("bytes").into_data().expect("data");
    let first = String::from_utf8(first.to_vec()).expect("text");
    assert!(first.contains("event: lines\nid: 2\n") || first.contains("id: 2\n"), "{first}");
    assert!(first.contains("two") && !first.contains("one"), "{first}");
    writer.append(&[stage::log_line(1, "three")]).await.expect("append");
    let next = body.frame().await.expect("an event").expect("bytes").into_data().expect("data");
    let next = String::from_utf8(next.to_vec()).expect("text");
    assert!(next.contains("three") && next.contains("\"step\":1"), "{next}");
}

#[tokio::test]
async fn changes_are_announced_by_project() {
    let stage = Stage::new().await;
    let response = stage.router().oneshot(get("/live?project=shop")).await.expect("an answer");
    let mut body = response.into_body();
    let first = body.frame().await.expect("an event").expect("bytes").into_data().expect("data");
    assert_eq!(first, "event: change\ndata: {}\n\n");
    stage.put(&push("bank", 2, GOOD, "elsewhere", 50)).await;
    let waiting = tokio::spawn(async move { body.frame().await.is_some() });
    stage.put(&push("shop", 3, GOOD, "here", 51)).await;
    assert!(waiting.await.expect("an event"));
}

#[tokio::test]
async fn nobody_sees_a_page_without_the_token() {
    let stage = Stage::new().await;
    for path in ["/", "/runs/shop/1", "/releases/shop/production/1", "/threads/0ab4", "/find?q=shop", "/nowhere", "/runs/shop/1/log.txt?job=test"] {
        let response = stage.web.router().oneshot(get(path)).await.expect("an answer");
        let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(challenge.expect("a challenge"), "Basic realm=\"Landfall\"");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let html = String::from_utf8(body.to_vec()).expect("text");
        assert!(html.contains("action=\"/login\"") && !html.contains("shop#1"), "{path}: {html}");
    }
    for path in ["/live", "/runs/shop/1/lines?job=test"] {
        assert_eq!(stage.get_as_nobody(path).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(stage.get_as_nobody("/login").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_logs_in_by_form_and_by_link() {
    let stage = Stage::new().await;
    let token = stage.tokens.admin().reveal().to_owned();
    let cookie = format!("landfall={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000");
    let form = |token: &str, origin: &str| {
        Request::post("/login")
            .header(header::HOST, "127.0.0.1:5000")
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={token}")))
            .expect("a request")
    };
    let own = "http://127.0.0.1:5000";
    let cases = [
        (form(&token, own), StatusCode::SEE_OTHER, Some("/"), true),
        (form("lf_guess", own), StatusCode::UNAUTHORIZED, None, false),
        (form(&token, "http://evil.example"), StatusCode::FORBIDDEN, None, false),
        (get(&format!("/?token={token}")), StatusCode::SEE_OTHER, Some("/"), true),
        (get(&format!("/runs/shop/1?token={token}")), StatusCode::SEE_OTHER, Some("/runs/shop/1"), true),
        (get(&format!("/?limit=5&token={token}")), StatusCode::SEE_OTHER, Some("/?limit=5"), true),
        (get(&format!("//evil.example/?token={token}")), StatusCode::SEE_OTHER, Some("/"), true),
        (get("/?token=lf_guess"), StatusCode::UNAUTHORIZED, None, false),
    ];
    for (request, status, location, is_kept) in cases {
        let what = format!("{} {}", request.method(), request.uri());
        let response = stage.web.router().oneshot(request).await.expect("an answer");
        let found = |name| text(response.headers(), name);
        assert_eq!(response.status(), status, "{what}");
        assert_eq!(found(header::LOCATION).as_deref(), location, "{what}");
        assert_eq!(found(header::SET_COOKIE), is_kept.then(|| cookie.clone()), "{what}");
    }
    let request = Request::post("/logout").body(Body::empty()).expect("a request");
    let response = stage.web.router().oneshot(request).await.expect("an answer");
    let gone = "landfall=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
    assert_eq!(text(response.headers(), header::SET_COOKIE).as_deref(), Some(gone));
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[tokio::test]
async fn every_answer_is_guarded_and_assets_are_kept() {
    let stage = Stage::new().await;
    for path in ["/", "/login", "/nowhere", "/assets/landfall.js"] {
        let response = stage.router().oneshot(get(path)).await.expect("an answer");
        let policy = text(response.headers(), header::CONTENT_SECURITY_POLICY).expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
    }
    for path in ["/assets/landfall.css", "/assets/landfall.js", "/assets/icon.svg"] {
        let response = stage.web.router().oneshot(get(path)).await.expect("an answer");
        let tag = text(response.headers(), header::ETAG).expect("a tag");
        let mut again = get(path);
        again.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().expect("a value"));
        let response = stage.web.router().oneshot(again).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    let (status, html) = stage.get("/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text_of(&html).contains("there is no page `/nowhere`"), "{html}");
    let (status, json) = stage.get("/landfall/v1/nowhere").await;
    let error = r#"{"apiVersion":"landfall/v1","error":"there is no route `/landfall/v1/nowhere`"}"#;
    assert_eq!((status, json.as_str()), (StatusCode::NOT_FOUND, error));
}

#[tokio::test]
async fn remarks_summaries_and_checks_of_a_run_are_shown_and_cannot_act() {
    let stage = Stage::empty();
    let annotation = |level, message: &str, file: Option<&str>| api::Annotation {
        level,
        message: message.to_owned(),
        title: Some("<i>title</i>".to_owned()),
        file: file.map(str::to_owned),
        line: Some(3),
        end_line: None,
        column: None,
        end_column: None,
    };
    let mut tested = step("make test", Some(api::Conclusion::Success), 11);
    tested.annotations.push(annotation(api::AnnotationLevel::Warning, "odd <b>\nsecond line", Some("src/a.c")));
    let text = "# Results\n\n| a | b |\n|---|---|\n| 1 | **2** |\n\n<script>alert(1)</script>\n";
    tested.summary = Some(store::put_bytes(&*stage.blobs, text.as_bytes().to_vec()).await.expect("a blob"));
    let mut test = job("test", Some(api::Conclusion::Success), 11, vec![tested]);
    test.annotations.push(annotation(api::AnnotationLevel::Failure, "worse", None));
    let mut waiting = job("deploy", None, 12, Vec::new());
    waiting.reason = Some("it waits for leave to use the environment `production`".to_owned());
    let mut left_out = job("docs", Some(api::Conclusion::Skipped), 12, Vec::new());
    left_out.reason = Some("its condition `github.ref == 'x'` does not hold".to_owned());
    let seen = run("shop#1", GOOD, "greet politely", 11, vec![test, waiting, left_out]);
    let check_run = |number: u64, commit: names::CommitId, run: Option<&str>| api::CheckRun {
        project: "shop".parse().expect("a name"),
        commit,
        number,
        name: format!("lint {number}"),
        status: api::CheckStatus::Completed,
        conclusion: Some(api::CheckConclusion::Neutral),
        details_url: None,
        external_id: None,
        title: Some("2 remarks".to_owned()),
        summary: Some("all *fine*".to_owned()),
        text: None,
        annotations: Vec::new(),
        run: run.map(|run| run.parse().expect("a run")),
        started: seen.created,
        completed: None,
    };
    stage.put(&seen).await;
    stage.put(&check_run(1, seen.commit, Some("shop#1"))).await;
    stage.put(&check_run(2, stage::commit(BAD), Some("shop#2"))).await;
    stage.put(&check_run(3, seen.commit, None)).await;
    let expected = [
        "deploy", "it waits for leave to use the environment `production`",
        "docs", "its condition `github.ref == &#39;x&#39;` does not hold",
        "Annotations", "error", "&#60;i&#62;title&#60;/i&#62;", "worse", "test",
        "warning", "src/a.c:3", "odd &#60;b&#62; second line", "test / make test",
        "Checks", "neutral", "lint 1", "2 remarks", "all fine", "lint 3",
        "Summary", "test / make test", "Results", "a b 1 2", "&lt;script&gt;alert(1)&lt;/script&gt;",
    ];
    let html = check(&stage, "/runs/shop/1", &expected).await;
    assert!(html.contains("<td><strong>2</strong></td>") && !html.contains("<script>") && !html.contains("lint 2"), "{html}");
}

#[tokio::test]
async fn an_app_says_what_it_holds_and_what_is_held_back() {
    let stage = Stage::new().await;
    check(&stage, "/apps", &["No app is followed yet", "landfall app apply"]).await;
    stage.put(&stage::app::held()).await;
    stage.put(&stage::app::drill()).await;
    let row = ["shop", "shop · shop deploy", "Held: held at deployment 1", "Held at 1 (2 quarantined)", "degraded", "deployment 1", "0ab5aaaaaaaa"];
    check(&stage, "/apps", &row).await;
    check(&stage, "/", &["shop", "Held at 1 (2 quarantined)", "degraded", "deployment 1, Git says", "0ab5aaaaaaaa", "count the money"]).await;
    let expected = [
        "shop", "Held at 1 (2 quarantined)", "degraded", "Held", "held at deployment 1", "landfall app release",
        "Deployment 2 is quarantined", "taken back in Git by 0ab43f1c9d8e", "LF-D0202", "Deployment/shop is Degraded",
        "Follows", "deploy", "at main", "Git says", "0ab5aaaaaaaa", "Differs", "1 of 2 objects",
        "Last drill", "blocked", "from deployment 2 back to deployment 1", "the image `shop:1` is missing",
        "Deployment/shop", "apps/v1 in shop", "out of sync", "degraded",
        ".spec.replicas", "is", "7", "Git says", "2", "written by kubectl-scale",
        "ConfigMap/settings", "synced", "History", "3", "healthy", "back to 1", "2", "rolled back", "greet in a hurry",
    ];
    let html = check(&stage, "/apps/shop", &expected).await;
    assert!(html.contains("data-live=\"/live?app=shop\""), "{html}");
    stage.put(&stage::app::changing()).await;
    let expected = [
        "Roll-out of", "Deployment/shop", "paused", "pauses at 10% until a person goes on", "The new version gets 10 of 100 requests", "canary 10%, pause, 50%",
        "done", "10 of 100 requests", "now", "wait for a person", "later", "50 of 100 requests",
        "Measured", "10%", "good", "errors 0% of 40 requests, at most 1%",
    ];
    let html = check(&stage, "/apps/shop", &expected).await;
    assert!(html.contains("<meter min=\"0\" max=\"100\" value=\"10\">"), "{html}");
    let (status, html) = stage.get("/apps/shpo").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text_of(&html).contains("there is no app `shpo`"), "{html}");
    assert_eq!(stage.get_as_nobody("/apps/shop").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_page_of_an_app_lives_with_its_app_alone() {
    let stage = Stage::new().await;
    let response = stage.router().oneshot(get("/live?app=shop")).await.expect("an answer");
    let mut body = response.into_body();
    let first = body.frame().await.expect("an event").expect("bytes").into_data().expect("data");
    assert_eq!(first, "event: change\ndata: {}\n\n");
    let waiting = tokio::spawn(async move { body.frame().await.is_some() });
    stage.put(&push("shop", 3, GOOD, "elsewhere", 50)).await;
    stage.put(&stage::app::held()).await;
    assert!(waiting.await.expect("an event"));
}
