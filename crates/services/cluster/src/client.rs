//! A Kubernetes client for parts of the same process: no socket, no TLS, the same requests.

use access::Principal;
use axum::{Router, body::Body};
use http::Request;
use tower::{ServiceExt as _, service_fn};

/// A client that asks `router` in the name of a component.
pub fn client(router: Router, component: &str) -> kube::Client {
    let principal = Principal::Component {
        name: component.to_owned(),
    };
    kube::Client::new(service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(principal.clone());
        router.clone().oneshot(request)
    }))
}
