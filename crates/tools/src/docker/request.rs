//! What a build is told that must not stand in a URL.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::{Console, failure::Failure, flags::Parsed};

/// The document of the private header.
#[derive(Default, Serialize)]
pub struct Private {
    build_args: BTreeMap<String, String>,
    /// Base64 by id.
    pub secrets: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_auth: Option<serde_json::Value>,
}

impl Private {
    /// Reads the build arguments; one without a value takes it from the environment.
    pub fn new(line: &Parsed, console: &Console) -> Result<Self, Failure> {
        let mut build_args = BTreeMap::new();
        for arg in line.all("build-arg") {
            match arg.split_once('=') {
                Some(("", _)) => return Err(Failure::new(format!("invalid argument \"{arg}\" for \"--build-arg\" flag: expected NAME=VALUE")).with_code(125)),
                Some((name, value)) => {
                    build_args.insert(name.to_owned(), value.to_owned());
                }
                None => {
                    if let Some(value) = console.env(arg) {
                        build_args.insert(arg.to_owned(), value.to_owned());
                    }
                }
            }
        }
        Ok(Self { build_args, ..Self::default() })
    }

    /// The header's value.
    pub fn header(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).expect("texts under texts are JSON"))
    }
}
