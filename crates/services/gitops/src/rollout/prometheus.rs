//! Asks a Prometheus for one number.

use std::time::Duration;

use api::ObjectRef;
use objects::ClusterError;
use serde_json::Value;

use crate::GitOps;

/// A query that takes longer says nothing in time.
const PATIENCE: Duration = Duration::from_secs(10);

/// One number needs far less.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

impl GitOps {
    /// The address as it can be reached from here: the name of a Service becomes its cluster address.
    pub(super) async fn reachable(&self, address: &str, namespace: &str) -> Result<String, ClusterError> {
        let Some((service, within)) = service_in(address, namespace) else { return Ok(address.to_owned()) };
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            plural: "services".to_owned(),
            namespace: Some(within),
            name: service,
        };
        let found = self.cluster.find(&object).await?;
        let ip = found.as_ref().and_then(|it| it.pointer("/spec/clusterIP")).and_then(Value::as_str).filter(|it| *it != "None" && !it.is_empty());
        Ok(match (ip, host_of(address)) {
            (Some(ip), Some(host)) => address.replacen(host, ip, 1),
            (_, _) => address.to_owned(),
        })
    }
}

/// The host of a URL, without its port.
fn host_of(address: &str) -> Option<&str> {
    let rest = address.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.split(':').next().unwrap_or(host))
}

/// The Service and namespace that a host names, as the cluster's DNS would understand it.
fn service_in(address: &str, namespace: &str) -> Option<(String, String)> {
    let host = host_of(address)?;
    if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let host = host.trim_end_matches('.').strip_suffix(".cluster.local").unwrap_or(host);
    let parts: Vec<&str> = host.split('.').collect();
    match parts[..] {
        [service] if !service.is_empty() => Some((service.to_owned(), namespace.to_owned())),
        [service, within] | [service, within, "svc"] => Some((service.to_owned(), within.to_owned())),
        _ => None,
    }
}

/// The number that a query gives; `None` if it gives none.
pub async fn ask(address: String, query: String) -> Result<Option<f64>, String> {
    let answer = tokio::time::timeout(PATIENCE, fetch(&address, &query)).await;
    let body = answer.map_err(|_| format!("nothing came within {} seconds", PATIENCE.as_secs()))??;
    read(&body)
}

async fn fetch(address: &str, query: &str) -> Result<Vec<u8>, String> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let url = format!("{}/api/v1/query", address.trim_end_matches('/'));
    let mut answer = client.get(url).query(&[("query", query)]).send().await.map_err(|error| root(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| root(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(body)
}

/// The reason beneath: the outer words only repeat the address.
fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Reads the answer to an instant query: a scalar, or a vector of one sample.
fn read(body: &[u8]) -> Result<Option<f64>, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "its answer is no JSON".to_owned())?;
    if answer["status"] != "success" {
        let why = answer["error"].as_str().unwrap_or("no reason given");
        return Err(format!("it refuses the query: {why}"));
    }
    let (kind, result) = (answer["data"]["resultType"].as_str().unwrap_or_default(), &answer["data"]["result"]);
    let number = |sample: &Value| sample.get(1).and_then(Value::as_str).and_then(spelled);
    match (kind, result.as_array().map(Vec::as_slice)) {
        ("scalar", Some(_)) => number(result).map(Some).ok_or_else(|| "its answer holds no number".to_owned()),
        ("vector", Some([])) => Ok(None),
        ("vector", Some([one])) => number(&one["value"]).map(Some).ok_or_else(|| "its answer holds no number".to_owned()),
        ("vector", Some(many)) => Err(format!("the query gives {} numbers; sum or select them to one", many.len())),
        (kind, _) => Err(format!("the query gives a {kind}; a scalar or a vector is needed")),
    }
}

/// Prometheus writes the special numbers its own way.
fn spelled(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &str, expected: Result<Option<f64>, &str>) {
        assert_eq!(read(data.as_bytes()).as_ref().map_err(String::as_str), expected.as_ref().map_err(|it| *it));
    }

    #[test]
    fn one_number_is_read() {
        check(r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"0.25"]}}"#, Ok(Some(0.25)));
        check(r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"3"]}]}}"#, Ok(Some(3.0)));
        check(r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"+Inf"]}}"#, Ok(Some(f64::INFINITY)));
        check(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, Ok(None));
    }

    #[test]
    fn anything_else_is_told() {
        check(r#"{"status":"success","data":{"resultType":"vector","result":[{},{}]}}"#, Err("the query gives 2 numbers; sum or select them to one"));
        check(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, Err("the query gives a matrix; a scalar or a vector is needed"));
        check(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, Err("it refuses the query: parse error"));
        check("<html>", Err("its answer is no JSON"));
    }

    #[test]
    fn services_are_known_by_their_names() {
        let find = |address: &str| service_in(address, "shop").map(|(service, within)| format!("{within}/{service}")).unwrap_or_default();
        let found = ["http://prometheus:9090", "http://prometheus.monitoring", "http://p.m.svc.cluster.local:9090/x", "http://127.0.0.1:1", "https://prometheus.example.org"];
        assert_eq!(found.map(find), ["shop/prometheus", "monitoring/prometheus", "m/p", "", ""]);
    }
}
