//! The kubelet's paths over the network: for callers that the cluster's authority knows and its rules allow.

use std::sync::Arc;

use anyhow::Context as _;
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    certificate::{Subject, subject},
    listen,
};

/// Where a cluster publishes who signs its callers' certificates.
const AUTHENTICATION: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

/// Whose rules decide.
#[derive(Clone)]
struct Guard {
    client: kube::Client,
    node: Arc<str>,
}

/// Serves `router` until told to stop.
pub async fn serve(
    listener: TcpListener,
    node: String,
    router: Router,
    client: kube::Client,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let acceptor = match acceptor(&client, &listener, &node).await {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "logs and `exec` of this node's pods cannot be served");
            stop.cancelled().await;
            return Ok(());
        }
    };
    let router = router.layer(middleware::from_fn_with_state(Guard { client, node: node.into() }, guard));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return Ok(()),
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(listen::BREATH).await;
            continue;
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            if let Err(error) = greet(stream, acceptor, router, stop).await {
                tracing::debug!(%error, "a connection to the kubelet's paths ended badly");
            }
        });
    }
}

async fn greet(stream: TcpStream, acceptor: TlsAcceptor, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(listen::FIRST_BYTE, acceptor.accept(stream)).await??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let caller = certificate.and_then(|it| subject(it)).context("the certificate names nobody")?;
    listen::speak(stream, router.layer(Extension(caller)), stop).await;
    Ok(())
}

/// TLS by a certificate of its own (API servers take any), for callers with one of the cluster's authority.
async fn acceptor(client: &kube::Client, listener: &TcpListener, node: &str) -> anyhow::Result<TlsAcceptor> {
    let request = http::Request::get(AUTHENTICATION).body(Vec::new())?;
    let published: Value = client.request(request).await.context("the cluster does not tell who signs its certificates")?;
    let pem = published["data"]["client-ca-file"].as_str().context("the cluster has no authority for certificates")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;

    let mut params = CertificateParams::new(vec![node.to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(listener.local_addr()?.ip()));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Asks the cluster whether the caller may.
async fn guard(State(guard): State<Guard>, Extension(caller): Extension<Subject>, request: Request, next: Next) -> Response {
    let verb = if request.method() == Method::POST { "create" } else { "get" };
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": caller.name,
            "groups": caller.groups,
            "resourceAttributes": { "verb": verb, "resource": "nodes", "subresource": "proxy", "name": &*guard.node },
        },
    });
    let asked = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
        .header("content-type", "application/json")
        .body(review.to_string().into_bytes());
    let answer: kube::Result<Value> = match asked {
        Ok(asked) => guard.client.request(asked).await,
        Err(error) => Err(kube::Error::HttpError(error)),
    };
    match answer {
        Ok(answer) if answer["status"]["allowed"] == true => next.run(request).await,
        Ok(_) => (StatusCode::FORBIDDEN, format!("`{}` may not {verb} nodes/proxy", caller.name)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the cluster does not tell whether `{}` may: {error}", caller.name)).into_response(),
    }
}
