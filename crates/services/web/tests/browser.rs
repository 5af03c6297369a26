//! The page in a real browser: what it shows, and that its script keeps it up to date.
//!
//! Without Chromium on the machine there is nothing to look with, and the test
//! says so. `LANDFALL_SCREENSHOTS=FOLDER` keeps pictures of the pages.

mod stage;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::header,
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use http_body_util::BodyExt as _;
use stage::{GOING, Stage, log_line, push};
use tokio::sync::{Notify, watch};

/// A browser that takes longer than this will never end.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_browser_shows_rows_a_live_log_and_a_release() {
    let Some(browser) = chromium() else {
        eprintln!("there is no chromium on this machine: the page was not looked at");
        return;
    };
    let stage = Stage::new().await;
    let mut writer = stage.log("bank#1", "count", &["counting \u{1b}[32mcoins\u{1b}[0m", "<b>bold</b>"]).await;
    let waiting = ["Waiting for the rollout", "\u{1b}[31merror:\u{1b}[0m timed out"];
    drop(stage.log_of_step("shop#2", "deploy", 1, &waiting).await);
    let (tell, mut seen) = watch::channel(Seen::default());
    let loaded = Arc::new(Notify::new());
    let address = serve(&stage, tell, Arc::clone(&loaded)).await;
    let token = stage.tokens.admin().reveal();
    let look = |path: &str| {
        let url = format!("http://{address}{path}token={token}");
        dump(browser.clone(), url)
    };

    let home = look("/?").await;
    check(&home, "home", &[
        "shop/production", "pending", "count the money", "rolled back", "greet in a hurry",
        "the readiness probe of container `shop` fails", "healthy", "greet politely",
    ]);
    let release = look("/releases/shop/production/2?").await;
    check(&release, "release", &[
        "rolled back", "shop/production@1", "Why it failed", "GET /healthz answered 500, 12 times",
        "Deployment/shop", "sha256:",
    ]);

    // The browser is still loading the page, and so does not tell it, when the
    // log grows; while a log is followed only its events bring lines.
    let looking = tokio::spawn(look("/runs/bank/1?"));
    seen.wait_for(|seen| seen.followers > 0).await.expect("the script follows the log");
    writer.append(&[log_line(0, "a live line")]).await.expect("append");
    for number in 2..4 {
        let before = seen.borrow().refreshes;
        stage.put(&push("bank", number, GOING, "again", 60)).await;
        seen.wait_for(|seen| seen.refreshes > before).await.expect("the script fetches the page");
    }
    loaded.notify_one();
    let run = looking.await.expect("a page");
    check(&run, "run", &[
        "count the money", "running", "Jobs", "make count", "make report", "Log of",
        "counting <span class=\"c2\">coins</span>", "&lt;b&gt;bold&lt;/b&gt;", "a live line",
    ]);

    if let Some(folder) = std::env::var_os("LANDFALL_SCREENSHOTS").map(PathBuf::from) {
        for (name, path, size) in [
            ("home", "/?", "1280,900"),
            ("home-narrow", "/?", "500,1400"),
            ("run", "/runs/shop/2?", "1280,1300"),
            ("run-live", "/runs/bank/1?job=count&", "1280,800"),
            ("run-narrow", "/runs/shop/2?", "500,1700"),
            ("release", "/releases/shop/production/2?", "1280,1100"),
            ("thread", "/threads/0ab5?", "1280,1000"),
            ("missing", "/nowhere?", "1280,700"),
        ] {
            let file = folder.join(format!("{name}.png"));
            let options = [format!("--screenshot={}", file.display()), format!("--window-size={size}")];
            browse(&browser, &options, &format!("http://{address}{path}token={token}")).await;
        }
        let file = folder.join("login.png");
        let options = [format!("--screenshot={}", file.display()), "--window-size=1280,700".to_owned()];
        browse(&browser, &options, &format!("http://{address}/login")).await;
    }
}

/// Looks for `expected` in the page, in this order.
#[track_caller]
fn check(html: &str, page: &str, expected: &[&str]) {
    let mut rest = html;
    for words in expected {
        let Some(place) = rest.find(words) else {
            panic!("{page}: `{words}` is not on the page, or not there: {html}")
        };
        rest = &rest[place + words.len()..];
    }
}

fn chromium() -> Option<PathBuf> {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    names.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// What the browser did.
#[derive(Default)]
struct Seen {
    /// How often it asked for the lines of a growing log.
    followers: usize,
    /// How often its script fetched the page again.
    refreshes: usize,
}

/// Serves the stage on a free port of the loopback, as the real server does.
///
/// A picture on the page of `bank#1` keeps the browser waiting until `loaded`.
async fn serve(stage: &Stage, tell: watch::Sender<Seen>, loaded: Arc<Notify>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let observe = move |request: Request, next: Next| {
        let tell = tell.clone();
        async move {
            let path = request.uri().path().to_owned();
            let is_run = path == "/runs/bank/1" && request.uri().query().is_none();
            let accepts = request.headers().get(header::ACCEPT).map(|value| value.as_bytes().to_owned());
            let is_script = accepts.is_some_and(|accepts| accepts == b"text/html");
            let response = next.run(request).await;
            tell.send_modify(|seen| {
                seen.followers += usize::from(path.ends_with("/lines"));
                seen.refreshes += usize::from(is_run && is_script);
            });
            if is_run && !is_script && response.status().is_success() {
                let (parts, body) = response.into_parts();
                let html = body.collect().await.expect("a page").to_bytes();
                let html = [&html[..], b"<img src=\"/picture\" alt=\"\">"].concat();
                return Response::from_parts(parts, Body::from(html));
            }
            response
        }
    };
    let picture = get(move || async move { loaded.notified().await });
    let authenticate = from_fn_with_state(stage.tokens.clone(), identity::authenticate);
    let router = stage.web.router().route("/picture", picture);
    let router = router.layer(from_fn(observe)).layer(authenticate);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The page as it is when it is loaded.
async fn dump(browser: PathBuf, url: String) -> String {
    browse(&browser, &["--dump-dom".to_owned()], &url).await
}

async fn browse(browser: &Path, options: &[String], url: &str) -> String {
    let profile = tempfile::tempdir().expect("a folder");
    let mut command = tokio::process::Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(url)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the browser ends").expect("the browser starts");
    String::from_utf8(output.stdout).expect("text")
}
