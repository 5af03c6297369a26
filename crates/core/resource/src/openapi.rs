//! The OpenAPI v3 documents of the served kinds, as Kubernetes 1.34 publishes them.
//!
//! They are embedded compressed and served as they are; `data/NOTICE` names their source.

use std::{io::Read as _, sync::LazyLock};

use names::Digest;
use serde_json::{Map, Value, json};

/// One document, as it is embedded.
#[derive(Debug)]
pub struct Document {
    /// The key in the index, e.g. `apis/apps/v1`.
    pub path: &'static str,
    pub gzip: &'static [u8],
    /// Changes when the document changes.
    pub hash: String,
}

macro_rules! embedded {
    ($($path:literal => $file:literal),* $(,)?) => {
        [$(($path, include_bytes!(concat!("../data/openapi/", $file, ".json.gz")).as_slice())),*]
    };
}

static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    embedded! {
        "api/v1" => "api_v1",
        "apis/apps/v1" => "apis_apps_v1",
        "apis/authentication.k8s.io/v1" => "apis_authentication.k8s.io_v1",
        "apis/authorization.k8s.io/v1" => "apis_authorization.k8s.io_v1",
        "apis/coordination.k8s.io/v1" => "apis_coordination.k8s.io_v1",
        "apis/discovery.k8s.io/v1" => "apis_discovery.k8s.io_v1",
        "apis/events.k8s.io/v1" => "apis_events.k8s.io_v1",
    }
    .map(|(path, gzip)| Document {
        path,
        gzip,
        hash: Digest::of(gzip).hex().to_uppercase(),
    })
    .into()
});

/// All documents, in the order of the index.
pub fn documents() -> &'static [Document] {
    &DOCUMENTS
}

/// The document of one group version, e.g. `api/v1` or `apis/apps/v1`.
pub fn document(path: &str) -> Option<&'static Document> {
    DOCUMENTS.iter().find(|it| it.path == path)
}

/// The answer to `GET /openapi/v3`: where each document lies.
pub fn index() -> String {
    let paths: Map<String, Value> = DOCUMENTS
        .iter()
        .map(|it| {
            let url = format!("/openapi/v3/{}?hash={}", it.path, it.hash);
            (it.path.to_owned(), json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths }).to_string()
}

impl Document {
    /// The document's JSON text, for clients that take no gzip.
    pub fn inflate(&self) -> Vec<u8> {
        inflate(self.gzip)
    }
}

/// Unpacks one of the embedded files.
pub(crate) fn inflate(gzip: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_end(&mut text)
        .expect("embedded data is whole");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kinds;

    #[test]
    fn the_documents_describe_exactly_the_served_kinds() {
        let mut described = BTreeSet::new();
        for document in documents() {
            let text: Value = serde_json::from_slice(&document.inflate()).expect("JSON");
            for path in text["paths"].as_object().expect("paths").keys() {
                let rest = path
                    .trim_start_matches('/')
                    .strip_prefix(document.path)
                    .expect("prefix");
                let rest = rest.trim_start_matches('/');
                let rest = rest.strip_prefix("namespaces/{namespace}/").unwrap_or(rest);
                let mut parts = rest.split('/');
                let plural = parts.next().expect("a resource").to_owned();
                let subresource = parts.nth(1).unwrap_or_default().to_owned();
                described.insert((document.path.to_owned(), plural, subresource));
            }
        }
        let mut served = BTreeSet::new();
        for kind in kinds::kinds() {
            for subresource in [""].iter().chain(kind.subresources) {
                let plural = kind.plural.to_owned();
                served.insert((kind.openapi_path(), plural, (*subresource).to_owned()));
            }
        }
        assert_eq!(described, served);
    }

    #[test]
    fn the_index_names_every_document_with_its_hash() {
        let index: Value = serde_json::from_str(&index()).expect("JSON");
        let apps = document("apis/apps/v1").expect("served");
        assert_eq!(
            index["paths"]["apis/apps/v1"]["serverRelativeURL"],
            format!("/openapi/v3/apis/apps/v1?hash={}", apps.hash)
        );
        assert_eq!(
            index["paths"].as_object().map(Map::len),
            Some(documents().len())
        );
    }
}
