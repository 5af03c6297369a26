//! `--secret id=NAME,src=FILE` and `--secret id=NAME,env=VARIABLE`.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Console, failure::Failure};

/// Reads the secrets; base64 by id.
pub fn read<'a>(specs: impl Iterator<Item = &'a str>, console: &Console) -> Result<BTreeMap<String, String>, Failure> {
    let mut secrets = BTreeMap::new();
    for spec in specs {
        let wrong = |why: &str| Failure::new(format!("ERROR: failed to build: invalid secret \"{spec}\": {why}"));
        let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
        for field in spec.split(',') {
            let (name, value) = field.split_once('=').ok_or_else(|| wrong("expected NAME=VALUE"))?;
            match name.to_ascii_lowercase().as_str() {
                "id" => id = Some(value),
                "src" | "source" => file = Some(value),
                "env" => variable = Some(value),
                "type" if matches!(value, "file" | "env") => kind = Some(value),
                other => return Err(wrong(&format!("unexpected key `{other}`"))),
            }
        }
        let id = id.filter(|it| !it.is_empty()).ok_or_else(|| wrong("it has no id"))?;
        // For `type=env` the source is a variable.
        if kind == Some("env") && variable.is_none() {
            variable = Some(file.take().unwrap_or(id));
        }
        let bytes = match (file, variable) {
            (None, None) if console.env(id).is_some() && kind.is_none() => console.env(id).unwrap_or_default().as_bytes().to_vec(),
            (_, Some(variable)) => match console.env(variable) {
                Some(value) => value.as_bytes().to_vec(),
                None => return Err(wrong(&format!("the variable `{variable}` is not set"))),
            },
            (file, None) => {
                let file = file.unwrap_or(id);
                std::fs::read(console.path(file)).map_err(|error| wrong(&format!("`{file}`: {error}")))?
            }
        };
        secrets.insert(id.to_owned(), STANDARD.encode(bytes));
    }
    Ok(secrets)
}
