//! The clients people use against the registry: skopeo and buildah.

mod stage;

use std::fs;

use stage::{Stage, layout, output, run, text};

const CREDS: &str = "any:token";

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_in_and_out() {
    let stage = Stage::start().await;
    let folder = stage.folder.path().join("layout");
    let digest = layout(&folder, "one").await;
    let source = format!("oci:{}", text(&folder));
    let image = format!("docker://{}", stage.name("shop/web:1"));
    run(&["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", CREDS, &source, &image]).await;

    let inspect = ["skopeo", "inspect", "--tls-verify=false", "--creds", CREDS, "--format", "{{.Digest}}", &image];
    assert_eq!(String::from_utf8_lossy(&run(&inspect).await.stdout).trim(), digest.to_string());

    let repository = format!("docker://{}", stage.name("shop/web"));
    let list = ["skopeo", "list-tags", "--tls-verify=false", "--creds", CREDS, &repository];
    let listed: serde_json::Value = serde_json::from_slice(&run(&list).await.stdout).expect("JSON");
    assert_eq!(listed["Tags"], serde_json::json!(["1"]));

    let back = stage.folder.path().join("back");
    let target = format!("oci:{}", text(&back));
    run(&["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds", CREDS, &image, &target]).await;
    let manifest = back.join("blobs/sha256").join(digest.hex());
    let original = folder.join("blobs/sha256").join(digest.hex());
    assert_eq!(fs::read(manifest).expect("read"), fs::read(original).expect("read"));

    // What was pushed runs here without another copy.
    let name = stage.name("shop/web:1").parse().expect("a name");
    let found = stage.images.resolve(&name, &oci::Keychain::anonymous()).await.expect("an image");
    let dirs = stage.images.lower_dirs(&stage.images.image(found).await.expect("an image")).await.expect("unpacked");
    assert_eq!(fs::read_to_string(dirs[0].join("etc/content")).expect("read"), "one");

    let delete = ["skopeo", "delete", "--tls-verify=false", "--creds", CREDS, &image];
    run(&delete).await;
    assert!(!output(&inspect).await.status.success(), "the deleted image is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_shown() {
    let stage = Stage::start().await;
    let folder = stage.folder.path().join("layout");
    layout(&folder, "one").await;
    let (source, image) = (format!("oci:{}", text(&folder)), format!("docker://{}", stage.name("shop/web:1")));
    for creds in ["any:wrong", "token:"] {
        let push = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", creds, &source, &image];
        let refused = output(&push).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("unauthorized"), "{said}");
    }
    assert!(!output(&["skopeo", "inspect", "--tls-verify=false", "--no-creds", &image]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_names_a_commit_is_set_once() {
    let stage = Stage::start().await;
    let (one, two) = (stage.folder.path().join("one"), stage.folder.path().join("two"));
    layout(&one, "one").await;
    layout(&two, "two").await;
    let image = format!("docker://{}", stage.name("shop/web:sha-0123456789ab"));
    let push = |from: String| {
        let image = image.clone();
        async move {
            output(&["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", "job:job", &from, &image]).await
        }
    };
    let (one, two) = (format!("oci:{}", text(&one)), format!("oci:{}", text(&two)));
    assert!(push(one.clone()).await.status.success());
    assert!(push(one).await.status.success(), "the same image again");
    let refused = push(two).await;
    assert!(!refused.status.success(), "another image took the tag");
}

#[tokio::test(flavor = "multi_thread")]
async fn buildah_pushes_and_pulls() {
    let stage = Stage::start().await;
    let home = stage.folder.path();
    let (root, state) = (text(&home.join("storage")), text(&home.join("run")));
    fs::write(home.join("hello"), "hello").expect("a file");
    let buildah = |args: Vec<String>| {
        let fixed = ["buildah", "--storage-driver", "vfs", "--root", &root, "--runroot", &state].map(str::to_owned);
        let all: Vec<String> = fixed.into_iter().chain(args).collect();
        async move {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            String::from_utf8_lossy(&run(&all).await.stdout).trim().to_owned()
        }
    };
    let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let container = buildah(args("from scratch")).await;
    buildah(args(&format!("copy {container} {} /hello", text(&home.join("hello"))))).await;
    let local = buildah(args(&format!("commit -q {container} local/web"))).await;
    let image = format!("docker://{}", stage.name("team/web:v1"));
    buildah(args(&format!("push --tls-verify=false --creds {CREDS} {local} {image}"))).await;
    buildah(args("rm -a")).await;
    buildah(args("rmi -a -f")).await;
    let pulled = buildah(args(&format!("pull -q --tls-verify=false --creds {CREDS} {image}"))).await;
    assert_eq!(pulled, local);

    let name = stage.name("team/web:v1").parse().expect("a name");
    let found = stage.images.resolve(&name, &oci::Keychain::anonymous()).await.expect("an image");
    let dirs = stage.images.lower_dirs(&stage.images.image(found).await.expect("an image")).await.expect("unpacked");
    assert_eq!(fs::read_to_string(dirs[0].join("hello")).expect("read"), "hello");
}
