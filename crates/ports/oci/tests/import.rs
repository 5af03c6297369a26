//! What can be imported, and what is said about the rest.

use std::{fs, path::Path, process::Command, sync::Arc};

use names::ImageRef;
use oci::{Images, Keychain, Origin, Shape};
use store::{DiskBlobs, MemoryRecords};
use tempfile::TempDir;

struct Bench {
    folder: TempDir,
    images: Images,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(DiskBlobs::open(folder.path().join("blobs")).expect("blobs"));
        let records = Arc::new(MemoryRecords::default());
        let own = vec!["127.0.0.1:4100".to_owned()];
        let images = Images::open(records, blobs, folder.path().join("images"), own).expect("images");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("etc")).expect("a folder");
        fs::write(root.join("etc/os-release"), "ID=test").expect("a file");
        Self { folder, images }
    }

    fn shell(&self, script: &str) {
        let done = Command::new("sh").args(["-ec", script]).current_dir(self.folder.path()).output().expect("a shell");
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    }

    async fn import(&self, source: &str) -> Result<oci::Imported, oci::ImportError> {
        let report: oci::Report = Arc::new(|_| {});
        self.images.import(&self.folder.path().join(source), &name("node:14"), &Origin::default(), report).await
    }

    async fn check(&self, source: &str, shape: Shape) {
        let imported = self.import(source).await.unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!((imported.shape, imported.layers), (shape, 1), "{source}");
        let digest = self.images.resolve(&name("node:14"), &Keychain::anonymous()).await.expect("the image");
        assert_eq!(digest, imported.digest);
        let image = self.images.image(digest).await.expect("an image");
        let dirs = self.images.lower_dirs(&image).await.expect("unpacked");
        assert_eq!(fs::read_to_string(dirs[0].join("etc/os-release")).expect("read"), "ID=test", "{source}");
    }
}

fn name(text: &str) -> ImageRef {
    text.parse().expect("a name")
}

#[tokio::test(flavor = "multi_thread")]
async fn root_file_systems_are_imported() {
    let bench = Bench::new();
    bench.shell("tar -C root -cf root.tar . && gzip -nk root.tar && mv root.tar.gz without-an-ending");
    bench.check("root", Shape::RootFolder).await;
    bench.check("root.tar", Shape::RootTar).await;
    bench.check("without-an-ending", Shape::RootTar).await;
    let image = bench.images.resolve(&name("node:14"), &Keychain::anonymous()).await.expect("the image");
    let config = bench.images.image(image).await.expect("an image").config;
    assert_eq!(config.config.env("PATH"), Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    assert!(bench.folder.path().join("root/etc/os-release").exists(), "the source stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn zstd_is_read() {
    let bench = Bench::new();
    if Command::new("zstd").arg("--version").output().is_err() {
        return;
    }
    bench.shell("tar -C root -cf - . | zstd -q -o root.tar.zst && cat root.tar.zst > again");
    bench.check("again", Shape::RootTar).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_other_tools_are_imported() {
    let bench = Bench::new();
    if Command::new("skopeo").arg("--version").output().is_err() {
        return;
    }
    // An image to begin with, made by hand.
    bench.shell(
        r#"tar -C root -cf layer.tar . && mkdir -p l/blobs/sha256
        diff=$(sha256sum layer.tar | cut -d' ' -f1); gzip -n layer.tar
        keep() { d=$(sha256sum "$1" | cut -d' ' -f1); cp "$1" l/blobs/sha256/$d; echo $d; }
        layer=$(keep layer.tar.gz); ls=$(stat -c %s layer.tar.gz)
        printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' $diff > config
        config=$(keep config); cs=$(stat -c %s config)
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' $config $cs $layer $ls > manifest
        manifest=$(keep manifest); ms=$(stat -c %s manifest)
        printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' $manifest $ms > l/index.json
        printf '{"imageLayoutVersion":"1.0.0"}' > l/oci-layout
        tar -C l -cf layout.tar . ; tar -C l -czf layout.tgz blobs index.json oci-layout
        skopeo copy --insecure-policy -q oci:l docker-archive:saved.tar:node:14"#,
    );
    bench.check("l", Shape::OciLayoutFolder).await;
    bench.check("layout.tar", Shape::OciLayoutTar).await;
    bench.check("layout.tgz", Shape::OciLayoutTar).await;
    bench.check("saved.tar", Shape::DockerArchive).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_image_is_refused_with_a_reason() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.path().join("empty")).expect("a folder");
    fs::write(bench.folder.path().join("text"), "hello ".repeat(200)).expect("a file");
    fs::write(bench.folder.path().join("short"), "hello").expect("a file");
    for (source, reason) in [
        ("empty", "the folder is empty"),
        ("text", "this is no tar archive: the checksum of a header does not fit"),
        ("short", "the archive ends in the middle of an entry"),
    ] {
        let path = bench.folder.path().join(source);
        let expected = format!(
            "`{}` is nothing to import: looked for a folder (root file system, or OCI layout with `index.json`) and for a tar, plain or compressed with gzip or zstd (root file system, OCI layout, docker archive); {reason}",
            path.display()
        );
        assert_eq!(bench.import(source).await.expect_err("an error").to_string(), expected);
    }
    let missing = bench.folder.path().join("missing");
    let expected = format!("`{}` could not be read: No such file or directory (os error 2)", missing.display());
    assert_eq!(bench.import("missing").await.expect_err("an error").to_string(), expected);
    assert_eq!(bench.images.find(&name("node:14")).await.expect("find"), None);
    assert_eq!(unpacking(bench.folder.path()), 0, "something half was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_says_where_it_was_looked_for() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bench = Bench::new();
    let own = bench.images.resolve(&name("127.0.0.1:4100/shop/web:1"), &Keychain::anonymous()).await;
    assert_eq!(
        own.expect_err("missing").to_string(),
        "no image `127.0.0.1:4100/shop/web:1`: looked for `shop/web:1` in the local store; to give it one, run `landfall image import SOURCE 127.0.0.1:4100/shop/web:1`, or `landfall run --image 127.0.0.1:4100/shop/web:1=SOURCE`, with a root file system (folder or tar), an OCI layout or a docker archive"
    );
    // Nobody listens at port 1.
    let other = bench.images.resolve(&name("127.0.0.1:1/node:14"), &Keychain::anonymous()).await;
    assert_eq!(
        other.expect_err("missing").to_string(),
        "no image `127.0.0.1:1/node:14`: looked for `127.0.0.1_1/node:14` in the local store, then at its registry: `127.0.0.1:1` could not be reached: Connection refused (os error 111); to give it one, run `landfall image import SOURCE 127.0.0.1:1/node:14`, or `landfall run --image 127.0.0.1:1/node:14=SOURCE`, with a root file system (folder or tar), an OCI layout or a docker archive"
    );
}

fn unpacking(folder: &Path) -> usize {
    let layers = fs::read_dir(folder.join("images/layers")).expect("a folder");
    layers.filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().starts_with("unpacking")).count()
}
