//! Charts through our registry: pushed by one program, fetched by the other.

use std::{fs, sync::Arc};

use access::Principal;
use axum::{extract::Request, middleware::Next, response::Response};
use store::{Blobs, DiskBlobs, MemoryRecords, Records};

use crate::side_by_side::SideBySide;

const CHART: &str = "\
-- web/Chart.yaml --
apiVersion: v2
name: web
version: 1.2.3+build
description: pages
-- web/templates/a.yaml --
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
";

async fn as_admin(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Principal::Admin);
    next.run(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_go_both_ways() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let both = SideBySide::new(CHART);
    let folder = both.folder.path();
    let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
    let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(folder.join("blobs")).expect("blobs"));
    let registry = registry::Registry::open(records, blobs, folder.join("uploads")).expect("a registry");
    let router = registry::router(Arc::new(registry)).layer(axum::middleware::from_fn(as_admin));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serve") });

    let (ours, theirs) = (format!("oci://{address}/ours"), format!("oci://{address}/theirs"));
    let ran = both.ours("helm", &["package", "web"]).await;
    assert_eq!(ran.0, 0, "{ran:?}");
    let archive = "web-1.2.3+build.tgz";
    let packed = fs::read(folder.join(archive)).expect("an archive");

    let pushed = both.ours("helm", &["push", archive, &ours]).await;
    assert_eq!(pushed.0, 0, "{pushed:?}");
    fs::create_dir(folder.join("real")).expect("a folder");
    let web = format!("{ours}/web");
    let pulled = both.real("helm4", &["pull", &web, "--version", "1.2.3+build", "--plain-http", "-d", "real"]);
    assert_eq!(pulled.0, 0, "{pulled:?}");
    assert_eq!(fs::read(folder.join("real").join(archive)).expect("an archive"), packed);

    let pushed = both.real("helm4", &["push", archive, &theirs, "--plain-http"]);
    assert_eq!(pushed.0, 0, "{pushed:?}");
    let web = format!("{theirs}/web");
    let pulled = both.ours("helm", &["pull", &web, "-d", "ours"]).await;
    assert_eq!(pulled.0, 0, "{pulled:?}");
    assert_eq!(fs::read(folder.join("ours").join(archive)).expect("an archive"), packed);

    let rendered = both.ours("helm", &["template", "x", &web, "--version", "1.2.3+build"]).await;
    let plain = both.ours("helm", &["template", "x", "web"]).await;
    assert_eq!(rendered.1, plain.1, "{rendered:?}");
    let untarred = both.ours("helm", &["pull", &web, "--untar", "--untardir", "out"]).await;
    assert_eq!(untarred.0, 0, "{untarred:?}");
    assert!(folder.join("out/web/templates/a.yaml").is_file());
    server.abort();
}
