//! Pulling from registries that stumble, ask for tokens, or lie.

mod stage;

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use image::{Config, Descriptor, Manifest, Platform, media};
use names::{Digest, ImageRef};
use oci::Keychain;
use stage::elsewhere;

/// A registry with one image that answers as the test wants.
#[derive(Clone)]
struct Odd {
    config: Vec<u8>,
    manifest: Vec<u8>,
    ways: Ways,
    asked: Arc<Mutex<Vec<String>>>,
    address: Arc<Mutex<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// Gives half of every blob at first, and the rest when asked for it.
    BreaksOff,
    SendsOtherBytes,
    AsksForToken,
    FailsAtFirst,
}

async fn start(ways: Ways) -> (ImageRef, Odd, tokio::task::JoinHandle<()>) {
    let config = Config::scratch(&Platform::linux("amd64")).to_bytes();
    let descriptor = Descriptor::new(media::OCI_CONFIG, Digest::of(&config), config.len() as u64);
    let manifest = Manifest::new(descriptor, Vec::new()).to_bytes();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let odd = Odd { config, manifest, ways, asked: Arc::default(), address: Arc::new(Mutex::new(address.clone())) };
    let router = Router::new().fallback(answer).with_state(odd.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serve") });
    (format!("{address}/a/b:1").parse().expect("a name"), odd, server)
}

async fn answer(State(odd): State<Odd>, request: Request) -> Response {
    let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    let (range, authorization) = (header(header::RANGE), header(header::AUTHORIZATION));
    let path = request.uri().path().to_owned();
    let asked = format!("{} {range}", path.rsplit('/').next().unwrap_or_default().chars().take(6).collect::<String>());
    let seen = {
        let mut all = odd.asked.lock().expect("a lock");
        all.push(asked.trim().to_owned());
        all.len()
    };
    if odd.ways == Ways::AsksForToken {
        if path == "/token" {
            let scope = request.uri().query().unwrap_or_default().to_owned();
            assert_eq!(scope, "service=odd&scope=repository%3Aa%2Fb%3Apull");
            assert_eq!(authorization, "Basic dXNlcjpwYXNz");
            return r#"{"token":"t0ken"}"#.into_response();
        }
        if authorization != "Bearer t0ken" {
            let address = odd.address.lock().expect("a lock").clone();
            let challenge = format!(r#"Bearer realm="http://{address}/token",service="odd",scope="repository:a/b:pull""#);
            return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
        }
    }
    if odd.ways == Ways::FailsAtFirst && seen == 1 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if path.contains("/manifests/") {
        return odd.manifest.into_response();
    }
    let half = odd.config.len() / 2;
    match odd.ways {
        Ways::BreaksOff if range.is_empty() => {
            // The length promises more than comes.
            let first = odd.config[..half].to_vec();
            let cut = futures_util::stream::once(async {
                // What was given is sent only when the rest is not ready.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            });
            let parts = futures_util::StreamExt::chain(futures_util::stream::once(async { Ok(first) }), cut);
            let body = axum::body::Body::from_stream(parts);
            ([(header::CONTENT_LENGTH, odd.config.len().to_string())], body).into_response()
        }
        Ways::BreaksOff => {
            let start: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a range");
            (StatusCode::PARTIAL_CONTENT, odd.config[start..].to_vec()).into_response()
        }
        Ways::SendsOtherBytes => odd.config.iter().rev().copied().collect::<Vec<_>>().into_response(),
        Ways::AsksForToken | Ways::FailsAtFirst => odd.config.into_response(),
    }
}

async fn pull(ways: Ways) -> (Result<(), String>, Vec<String>) {
    let (name, odd, server) = start(ways).await;
    let folder = tempfile::tempdir().expect("a folder");
    let images = elsewhere(folder.path());
    let mut keychain = Keychain::anonymous();
    keychain.add(&name.registry, "user", "pass");
    let pulled = images.pull(&name, &keychain).await;
    server.abort();
    let asked = odd.asked.lock().expect("a lock").clone();
    let shown = |error: oci::PullError| {
        let mut text = error.to_string();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            text = source.to_string();
            cause = source;
        }
        text.replace(&name.registry, "ODD")
    };
    (pulled.map(drop).map_err(shown), asked)
}

#[tokio::test]
async fn a_blob_is_continued_where_it_broke_off() {
    let (pulled, asked) = pull(Ways::BreaksOff).await;
    assert_eq!(pulled, Ok(()));
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[2].contains("bytes="), "{asked:?}");
}

#[tokio::test]
async fn other_bytes_are_refused() {
    let (pulled, _) = pull(Ways::SendsOtherBytes).await;
    let error = pulled.expect_err("other bytes");
    assert!(error.starts_with("`ODD` sent other bytes: they are sha256:"), "{error}");
}

#[tokio::test]
async fn a_token_is_fetched_when_asked_for() {
    let (pulled, asked) = pull(Ways::AsksForToken).await;
    assert_eq!((pulled, asked[..3].to_vec()), (Ok(()), vec!["1".to_owned(), "token".to_owned(), "1".to_owned()]));
}

#[tokio::test]
async fn what_passes_by_is_tried_again() {
    let (pulled, asked) = pull(Ways::FailsAtFirst).await;
    assert_eq!((pulled, asked.len()), (Ok(()), 3));
}
