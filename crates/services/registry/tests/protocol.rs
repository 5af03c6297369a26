//! The distribution interface, request by request.

mod stage;

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use names::Digest;
use stage::Stage;
use tower::ServiceExt as _;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Status and error code, or status and body.
    fn told(&self) -> String {
        let error: Option<serde_json::Value> = serde_json::from_str(&self.body).ok();
        let code = error.as_ref().and_then(|it| it["errors"][0]["code"].as_str());
        format!("{} {}", self.status, code.unwrap_or(&self.body)).trim().to_owned()
    }
}

/// `METHOD path`, then headers `name: value`, one a line.
async fn ask(router: &Router, request: &str, body: &[u8]) -> Answer {
    let mut lines = request.lines().map(str::trim);
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("method and path");
    let mut built = Request::builder().method(method).uri(path);
    let mut secret = "token";
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        match name {
            "as" => secret = value,
            _ => built = built.header(name, value),
        }
    }
    built = built.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("any:{secret}"))));
    let request = built.body(Body::from(body.to_vec())).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

async fn push_blob(router: &Router, repository: &str, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let answer = ask(router, &format!("POST /v2/{repository}/blobs/uploads/?digest={digest}"), bytes).await;
    assert_eq!(answer.told(), "201");
    digest
}

fn manifest(config: &[u8], rest: &str) -> String {
    let digest = Digest::of(config);
    let size = config.len();
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.test","digest":"{digest}","size":{size}}},"layers":[]{rest}}}"#)
}

#[tokio::test]
async fn nothing_answers_without_a_token() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    for path in ["/v2/", "/v2/a/tags/list", "/v2/_catalog", "/v2/../x"] {
        let answer = ask(&router, &format!("GET {path}\nas: wrong"), b"").await;
        assert_eq!((answer.told(), answer.header("www-authenticate")), ("401 UNAUTHORIZED".to_owned(), "Basic realm=\"Landfall\""));
    }
    assert_eq!(ask(&router, "GET /v2/", b"").await.told(), "200 {}");
    // A job pushes and pulls, but neither lists all repositories nor deletes.
    assert_eq!(ask(&router, "GET /v2/_catalog\nas: job", b"").await.told(), "403 DENIED");
    let digest = Digest::of(b"x");
    assert_eq!(ask(&router, &format!("DELETE /v2/a/manifests/{digest}\nas: job"), b"").await.told(), "403 DENIED");
    assert_eq!(ask(&router, "POST /v2/a/blobs/uploads/\nas: job", b"").await.told(), "202");
}

#[tokio::test]
async fn blobs_come_in_parts_and_in_order() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    let begun = ask(&router, "POST /v2/a/blobs/uploads/", b"").await;
    let session = begun.header("location").to_owned();
    assert_eq!((begun.told(), begun.header("range")), ("202".to_owned(), "0-0"));
    let first = ask(&router, &format!("PATCH {session}\ncontent-range: 0-3"), b"abcd").await;
    assert_eq!((first.told(), first.header("range")), ("202".to_owned(), "0-3"));
    let gap = ask(&router, &format!("PATCH {session}\ncontent-range: 9-10"), b"xy").await;
    assert_eq!((gap.told(), gap.header("range")), ("416 BLOB_UPLOAD_INVALID".to_owned(), "0-3"));
    let gap = ask(&router, &format!("PUT {session}?digest={}\ncontent-range: 9-10", Digest::of(b"x")), b"xy").await;
    assert_eq!(gap.told(), "416 BLOB_UPLOAD_INVALID");
    assert_eq!(ask(&router, &format!("GET {session}"), b"").await.header("range"), "0-3");
    // Another repository does not know the session.
    let foreign = session.replace("/a/", "/b/");
    assert_eq!(ask(&router, &format!("GET {foreign}"), b"").await.told(), "404 BLOB_UPLOAD_UNKNOWN");
    let digest = Digest::of(b"abcdefgh");
    let done = ask(&router, &format!("PUT {session}?digest={digest}\ncontent-range: 4-7"), b"efgh").await;
    assert_eq!((done.told(), done.header("docker-content-digest")), ("201".to_owned(), digest.to_string().as_str()));
    assert_eq!(ask(&router, &format!("GET {session}"), b"").await.told(), "404 BLOB_UPLOAD_UNKNOWN");

    let blob = format!("/v2/a/blobs/{digest}");
    assert_eq!(ask(&router, &format!("GET {blob}"), b"").await.told(), "200 abcdefgh");
    let part = ask(&router, &format!("GET {blob}\nrange: bytes=2-4"), b"").await;
    assert_eq!((part.told(), part.header("content-range")), ("206 cde".to_owned(), "bytes 2-4/8"));
    assert_eq!(ask(&router, &format!("GET {blob}\nrange: bytes=8-"), b"").await.status, 416);
    let head = ask(&router, &format!("HEAD {blob}"), b"").await;
    assert_eq!((head.told(), head.header("content-length")), ("200".to_owned(), "8"));
    assert_eq!(ask(&router, &format!("GET {blob}\nif-none-match: \"{digest}\""), b"").await.told(), "304");

    // The bytes are here, but repository `b` does not show them until they are mounted.
    assert_eq!(ask(&router, &format!("GET /v2/b/blobs/{digest}"), b"").await.told(), "404 BLOB_UNKNOWN");
    assert_eq!(ask(&router, &format!("POST /v2/b/blobs/uploads/?mount={digest}&from=c"), b"").await.told(), "202");
    assert_eq!(ask(&router, &format!("POST /v2/b/blobs/uploads/?mount={digest}&from=a"), b"").await.told(), "201");
    assert_eq!(ask(&router, &format!("GET /v2/b/blobs/{digest}"), b"").await.status, 200);
    assert_eq!(ask(&router, &format!("DELETE /v2/b/blobs/{digest}"), b"").await.told(), "202");
    assert_eq!(ask(&router, &format!("GET /v2/b/blobs/{digest}"), b"").await.status, 404);
    assert_eq!(ask(&router, &format!("GET {blob}"), b"").await.status, 200);
}

#[tokio::test]
async fn wrong_digests_and_names_are_refused() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    let other = Digest::of(b"other");
    let lie = ask(&router, &format!("POST /v2/a/blobs/uploads/?digest={other}"), b"bytes").await;
    assert_eq!(lie.told(), "400 DIGEST_INVALID");
    let session = ask(&router, "POST /v2/a/blobs/uploads/", b"").await.header("location").to_owned();
    ask(&router, &format!("PATCH {session}"), b"bytes").await;
    assert_eq!(ask(&router, &format!("PUT {session}?digest={other}"), b"").await.told(), "400 DIGEST_INVALID");
    assert_eq!(ask(&router, &format!("GET {session}"), b"").await.status, 404, "the session is gone");
    let left = std::fs::read_dir(stage.folder.path().join("uploads")).expect("a folder").count();
    assert_eq!(left, 0);
    for (path, expected) in [
        ("GET /v2/a/blobs/sha256:12", "400 DIGEST_INVALID"),
        ("GET /v2/a/blobs/md5:12", "400 DIGEST_INVALID"),
        ("GET /v2/A/tags/list", "400 NAME_INVALID"),
        ("GET /v2/a/../b/tags/list", "400 NAME_INVALID"),
        ("GET /v2/a/manifests/-x", "400 TAG_INVALID"),
        ("GET /v2/a/blobs/uploads/..", "404 BLOB_UPLOAD_UNKNOWN"),
        ("GET /v2/a/tags/list", "404 NAME_UNKNOWN"),
        ("PATCH /v2/a/tags/list", "405 UNSUPPORTED"),
    ] {
        assert_eq!(ask(&router, path, b"").await.told(), expected, "{path}");
    }
}

#[tokio::test]
async fn manifests_are_kept_to_the_byte() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    push_blob(&router, "a", b"{}").await;
    let bytes = manifest(b"{}", r#","custom" :  [1,  2]"#);
    let digest = Digest::of(bytes.as_bytes());
    let put = format!("PUT /v2/a/manifests/v1\ncontent-type: {MANIFEST}");
    let done = ask(&router, &put, bytes.as_bytes()).await;
    assert_eq!((done.told(), done.header("location")), ("201".to_owned(), format!("/v2/a/manifests/{digest}").as_str()));
    for reference in ["v1".to_owned(), digest.to_string()] {
        let got = ask(&router, &format!("GET /v2/a/manifests/{reference}"), b"").await;
        assert_eq!((got.body.as_str(), got.header("content-type")), (bytes.as_str(), MANIFEST));
        let known = ask(&router, &format!("GET /v2/a/manifests/{reference}\nif-none-match: \"{digest}\""), b"").await;
        assert_eq!(known.told(), "304");
    }
    assert_eq!(ask(&router, &format!("GET /v2/b/manifests/{digest}"), b"").await.told(), "404 MANIFEST_UNKNOWN");

    let missing = manifest(b"not pushed", "");
    assert_eq!(ask(&router, &put, missing.as_bytes()).await.told(), "404 MANIFEST_BLOB_UNKNOWN");
    assert_eq!(ask(&router, &put, b"no json").await.told(), "400 MANIFEST_INVALID");
    assert_eq!(ask(&router, &put, manifest(b"{}", r#","manifests":[]"#).as_bytes()).await.told(), "400 MANIFEST_INVALID");
    let wrong = format!("PUT /v2/a/manifests/{}\ncontent-type: {MANIFEST}", Digest::of(b"wrong"));
    assert_eq!(ask(&router, &wrong, bytes.as_bytes()).await.told(), "400 DIGEST_INVALID");
    let large = manifest(b"{}", &format!(r#","x":"{}""#, "x".repeat(4 * 1024 * 1024)));
    assert_eq!(ask(&router, &put, large.as_bytes()).await.told(), "413 SIZE_INVALID");

    assert_eq!(ask(&router, "DELETE /v2/a/manifests/v1", b"").await.told(), "202");
    assert_eq!(ask(&router, "GET /v2/a/manifests/v1", b"").await.told(), "404 MANIFEST_UNKNOWN");
    assert_eq!(ask(&router, &format!("DELETE /v2/a/manifests/{digest}"), b"").await.told(), "202");
    assert_eq!(ask(&router, &format!("GET /v2/a/manifests/{digest}"), b"").await.status, 404);
}

#[tokio::test]
async fn a_tag_of_a_commit_stays() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    push_blob(&router, "a", b"{}").await;
    let put = format!("PUT /v2/a/manifests/sha-0123456789ab\ncontent-type: {MANIFEST}");
    assert_eq!(ask(&router, &put, manifest(b"{}", "").as_bytes()).await.told(), "201");
    assert_eq!(ask(&router, &put, manifest(b"{}", "").as_bytes()).await.told(), "201");
    assert_eq!(ask(&router, &put, manifest(b"{}", r#","x":1"#).as_bytes()).await.told(), "409 DENIED");
    assert_eq!(ask(&router, "DELETE /v2/a/manifests/sha-0123456789ab", b"").await.told(), "403 DENIED");
    let digest = Digest::of(manifest(b"{}", "").as_bytes());
    assert_eq!(ask(&router, &format!("DELETE /v2/a/manifests/{digest}"), b"").await.told(), "403 DENIED");
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    push_blob(&router, "a", b"{}").await;
    for tag in ["b", "a", "C", "d"] {
        let put = format!("PUT /v2/a/manifests/{tag}\ncontent-type: {MANIFEST}");
        ask(&router, &put, manifest(b"{}", "").as_bytes()).await;
    }
    for (query, tags, link) in [
        ("", r#"["C","a","b","d"]"#, ""),
        ("?n=2", r#"["C","a"]"#, "</v2/a/tags/list?n=2&last=a>; rel=\"next\""),
        ("?n=2&last=a", r#"["b","d"]"#, ""),
        ("?last=aa", r#"["b","d"]"#, ""),
        ("?n=0", "[]", ""),
    ] {
        let page = ask(&router, &format!("GET /v2/a/tags/list{query}"), b"").await;
        let expected = (format!(r#"{{"name":"a","tags":{tags}}}"#), link);
        assert_eq!((page.body.clone(), page.header("link")), expected, "{query}");
    }
    assert_eq!(ask(&router, "GET /v2/_catalog?n=999999999", b"").await.body, r#"{"repositories":["a"]}"#);
}

#[tokio::test]
async fn referrers_are_found_by_their_subject() {
    let stage = Stage::start().await;
    let router = stage.router.clone();
    push_blob(&router, "a", b"{}").await;
    let subject = Digest::of(b"the image, perhaps not here yet");
    let rest = |kind: &str| {
        format!(r#","artifactType":"{kind}","annotations":{{"k":"v"}},"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":1}}"#)
    };
    let mut expected = Vec::new();
    for kind in ["test/one", "test/two"] {
        let bytes = manifest(b"{}", &rest(kind));
        let digest = Digest::of(bytes.as_bytes());
        let put = format!("PUT /v2/a/manifests/{digest}\ncontent-type: {MANIFEST}");
        assert_eq!(ask(&router, &put, bytes.as_bytes()).await.header("oci-subject"), subject.to_string());
        expected.push((digest.to_string(), kind));
    }
    expected.sort();
    let found = ask(&router, &format!("GET /v2/a/referrers/{subject}"), b"").await;
    assert_eq!(found.header("content-type"), "application/vnd.oci.image.index.v1+json");
    let index: serde_json::Value = serde_json::from_str(&found.body).expect("JSON");
    let listed = index["manifests"].as_array().expect("a list").iter();
    let mut listed: Vec<_> =
        listed.map(|it| (it["digest"].as_str().expect("text").to_owned(), it["artifactType"].as_str().expect("text"))).collect();
    listed.sort();
    assert_eq!(listed, expected);
    let filtered = ask(&router, &format!("GET /v2/a/referrers/{subject}?artifactType=test/one"), b"").await;
    assert_eq!((filtered.header("oci-filters-applied"), filtered.body.matches("artifactType").count()), ("artifactType", 1));
    let none = ask(&router, &format!("GET /v2/a/referrers/{}", Digest::of(b"none")), b"").await;
    assert_eq!((none.status, none.body.contains(r#""manifests":[]"#)), (200, true));
    assert_eq!(ask(&router, "GET /v2/a/referrers/x", b"").await.told(), "400 DIGEST_INVALID");
}
