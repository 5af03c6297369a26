//! A registry on loopback and images to push to it.
#![allow(dead_code)]

use std::{fs, net::SocketAddr, path::Path, process::Output, sync::Arc};

use access::Principal;
use axum::{Router, extract::Request, middleware::Next, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{Config, Descriptor, Manifest, Platform, media};
use names::Digest;
use oci::Images;
use registry::Registry;
use store::{Blobs, DiskBlobs, MemoryRecords, Records};
use tempfile::TempDir;

pub struct Stage {
    pub address: SocketAddr,
    pub folder: TempDir,
    pub images: Arc<Images>,
    pub router: Router,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stage {
    /// A registry whose token is `token`, and the images of the same store.
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(folder.path().join("blobs")).expect("blobs"));
        let registry = Registry::open(records.clone(), blobs.clone(), folder.path().join("uploads")).expect("a registry");
        let router = registry::router(Arc::new(registry)).layer(axum::middleware::from_fn(authenticate));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let served = router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, served).await.expect("serve") });
        let images = Images::open(records, blobs, folder.path().join("images"), vec![address.to_string()]);
        Self { address, images: Arc::new(images.expect("images")), folder, router, server }
    }

    pub fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }
}

/// Images of another machine, with a store of its own.
pub fn elsewhere(folder: &Path) -> Images {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let blobs = Arc::new(DiskBlobs::open(folder.join("blobs")).expect("blobs"));
    Images::open(Arc::new(MemoryRecords::default()), blobs, folder.join("images"), Vec::new()).expect("images")
}

async fn authenticate(mut request: Request, next: Next) -> Response {
    let header = request.headers().get("authorization").and_then(|it| it.to_str().ok());
    let pair = header.and_then(|it| STANDARD.decode(it.strip_prefix("Basic ")?).ok());
    match pair.and_then(|pair| String::from_utf8(pair).ok()).as_deref().and_then(|it| it.split_once(':')) {
        Some((_, "token")) => {
            request.extensions_mut().insert(Principal::Admin);
        }
        Some((_, "job")) => {
            request.extensions_mut().insert(Principal::Job {
                run: "shop#1".parse().expect("a run"),
                job: "build".to_owned(),
                commit: names::CommitId::ZERO,
                project: "shop".parse().expect("a name"),
                environment: names::EnvironmentName::production(),
            });
        }
        _ => {}
    }
    next.run(request).await
}

/// Writes an OCI layout with one layer that holds one file; gives the manifest's digest.
pub async fn layout(folder: &Path, content: &str) -> Digest {
    let root = folder.join("root");
    fs::create_dir_all(root.join("etc")).expect("a folder");
    fs::write(root.join("etc/content"), content).expect("a file");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder");
    let keep = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).expect("a blob");
        (digest, bytes.len() as u64)
    };
    let tar = run(&["tar", "--sort=name", "-C", &text(&root), "-cf", "-", "."]).await;
    fs::write(folder.join("layer.tar"), &tar.stdout).expect("a tar");
    let gzip = run(&["gzip", "-nc", &text(&folder.join("layer.tar"))]).await;
    let (layer, layer_size) = keep(&gzip.stdout);
    let mut config = Config::scratch(&Platform::linux("amd64"));
    config.rootfs.diff_ids.push(Digest::of(&tar.stdout));
    let (config, config_size) = keep(&config.to_bytes());
    let manifest = Manifest::new(
        Descriptor::new(media::OCI_CONFIG, config, config_size),
        vec![Descriptor::new(media::OCI_LAYER_GZIP, layer, layer_size)],
    );
    let (manifest, size) = keep(&manifest.to_bytes());
    let mut index = image::Index::default();
    index.manifests.push(Descriptor::new(media::OCI_MANIFEST, manifest, size));
    fs::write(folder.join("index.json"), index.to_bytes()).expect("an index");
    fs::write(folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).expect("a mark");
    fs::remove_file(folder.join("layer.tar")).expect("remove");
    fs::remove_dir_all(root).expect("remove");
    manifest
}

pub async fn output(args: &[&str]) -> Output {
    let (program, args) = args.split_first().expect("a program");
    tokio::process::Command::new(program).args(args).output().await.expect("a program that starts")
}

/// Runs a program that must succeed.
pub async fn run(args: &[&str]) -> Output {
    let output = output(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}
