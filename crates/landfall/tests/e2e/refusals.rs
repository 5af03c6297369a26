//! Who has no token gets nowhere.

use crate::installation::{Installation, curl, status_of};

#[test]
fn without_a_token_everything_is_refused() {
    let Some(landfall) = Installation::start() else { return };
    let web = landfall.told("web_url");
    let registry = landfall.told("registry");
    for (url, expected) in [
        (format!("{web}landfall/v1/threads"), "401"),
        (format!("{web}landfall/v1/runs"), "401"),
        (web.clone(), "401"),
        (format!("{web}git/shop.git/info/refs?service=git-receive-pack"), "401"),
        (format!("{web}git/shop.git/info/refs?service=git-upload-pack"), "401"),
        (format!("http://{registry}/v2/"), "401"),
        (format!("http://{registry}/v2/library/busybox/manifests/1"), "401"),
        (format!("https://{registry}/api/v1/namespaces"), "401"),
        (format!("https://{registry}/apis/apps/v1/deployments"), "401"),
    ] {
        assert_eq!(status_of(&["--insecure", &url]), expected, "{url}");
        let wrong = ["--insecure", "--header", "Authorization: Bearer lf_0000000000000000000000000000000000000000", &url];
        assert_eq!(status_of(&wrong), expected, "{url} with a token that nobody has");
    }
    let json = "Content-Type: application/json";
    let post = ["--header", json, "--data", r#"{"path": "/etc", "name": "etc:1"}"#, &format!("{web}landfall/v1/images/import")];
    assert_eq!(status_of(&post), "401");
}

#[test]
fn a_push_without_a_token_changes_nothing() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    repository.workflow("  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: true\n").commit();
    let url = format!("{}git/shop.git", landfall.told("web_url"));
    let pushed = repository.git(&["push", &url, "main"]);
    assert_eq!(pushed.code, Some(128), "{pushed}");
    let runs = landfall.landfall(&["runs", "--output", "json"]).json();
    assert_eq!(runs["items"], serde_json::json!([]));
}

#[test]
fn a_token_opens_what_it_should() {
    let Some(landfall) = Installation::start() else { return };
    let (web, registry) = (landfall.told("web_url"), landfall.told("registry"));
    let bearer = format!("Authorization: Bearer {}", landfall.token());
    let basic = format!("landfall:{}", landfall.token());
    for url in [format!("{web}landfall/v1/runs"), web, format!("http://{registry}/v2/"), format!("https://{registry}/api/v1/namespaces")] {
        assert_eq!(status_of(&["--insecure", "--header", &bearer, &url]), "200", "{url}");
    }
    assert_eq!(status_of(&["--user", &basic, &format!("http://{registry}/v2/")]), "200");
}

#[test]
fn a_foreign_host_name_is_refused_even_with_a_token() {
    let Some(landfall) = Installation::start() else { return };
    let bearer = format!("Authorization: Bearer {}", landfall.token());
    let url = format!("{}landfall/v1/runs", landfall.told("web_url"));
    let foreign = ["--header", &bearer, "--header", "Host: evil.example.org", &url];
    let status = status_of(&foreign);
    assert!(["400", "403", "421"].contains(&status.as_str()), "{status}: {}", curl(&foreign));
}
