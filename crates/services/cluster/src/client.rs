//! A Kubernetes client for parts of the same process: no socket, no TLS, the same requests.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use access::Principal;
use axum::{Router, body::Body, response::Response};
use futures_util::future::BoxFuture;
use http::Request;
use tower::{Service, ServiceExt as _};

/// The router as kube's client wants its service.
#[derive(Clone)]
struct InProcess {
    router: Router,
    principal: Principal,
}

impl Service<Request<kube::client::Body>> for InProcess {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.principal.clone());
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// A client that asks `router` in the name of a component.
pub fn client(router: Router, component: &str) -> kube::Client {
    let principal = Principal::Component {
        name: component.to_owned(),
    };
    kube::Client::new(InProcess { router, principal }, "default")
}
