//! Decides which files a projected volume holds.

use std::{collections::BTreeMap, path::Path};

use crate::{
    env::{self, EnvError, Sources},
    pod::{DownwardFile, KeyToPath, ObjectData, ObjectFiles, Pod, Projected},
};

/// Files by their path in the volume.
pub type Payload = BTreeMap<String, File>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub bytes: Vec<u8>,
    pub mode: u32,
}

/// Why a projected volume cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("configmap \"{0}\" not found")]
    NoConfigMap(String),
    #[error("secret \"{0}\" not found")]
    NoSecret(String),
    #[error("references non-existent {kind} key: {key}")]
    NoKey { kind: &'static str, key: String },
    #[error("invalid path `{0}`: expected a relative path without `..`")]
    Path(String),
    #[error(transparent)]
    Field(#[from] EnvError),
    #[error("no token was issued for `{0}`")]
    NoToken(String),
}

/// The files of a projected volume; `tokens` are those issued for it, by their path.
pub fn payload(
    pod: &Pod,
    projected: &Projected,
    sources: &Sources,
    tokens: &BTreeMap<String, String>,
) -> Result<Payload, PayloadError> {
    let mode = projected.default_mode;
    let mut files = Payload::new();
    for part in &projected.sources {
        if let Some(part) = &part.config_map {
            object(
                &mut files,
                part,
                &sources.config_maps,
                mode,
                "config",
                PayloadError::NoConfigMap,
            )?;
        }
        if let Some(part) = &part.secret {
            object(
                &mut files,
                part,
                &sources.secrets,
                mode,
                "secret",
                PayloadError::NoSecret,
            )?;
        }
        for item in part.downward_api.iter().flat_map(|part| &part.items) {
            let bytes = downward(pod, item, sources)?.into_bytes();
            add(&mut files, &item.path, bytes, item.mode.unwrap_or(mode))?;
        }
        if let Some(part) = &part.service_account_token {
            let token = tokens
                .get(&part.path)
                .ok_or_else(|| PayloadError::NoToken(part.path.clone()))?;
            add(&mut files, &part.path, token.clone().into_bytes(), mode)?;
        }
    }
    Ok(files)
}

fn object(
    files: &mut Payload,
    part: &ObjectFiles,
    objects: &BTreeMap<String, ObjectData>,
    mode: u32,
    kind: &'static str,
    missing: fn(String) -> PayloadError,
) -> Result<(), PayloadError> {
    let Some(data) = objects.get(&part.name) else {
        return if part.optional {
            Ok(())
        } else {
            Err(missing(part.name.clone()))
        };
    };
    if part.items.is_empty() {
        return data
            .files
            .iter()
            .try_for_each(|(key, bytes)| add(files, key, bytes.clone(), mode));
    }
    for KeyToPath {
        key,
        path,
        mode: own,
    } in &part.items
    {
        match data.files.get(key) {
            Some(bytes) => add(files, path, bytes.clone(), own.unwrap_or(mode))?,
            None if part.optional => {}
            None => {
                return Err(PayloadError::NoKey {
                    kind,
                    key: key.clone(),
                });
            }
        }
    }
    Ok(())
}

fn downward(pod: &Pod, item: &DownwardFile, sources: &Sources) -> Result<String, EnvError> {
    if let Some(field) = &item.field_ref {
        return env::pod_field(pod, &field.field_path, sources);
    }
    match (&item.resource_field_ref, pod.spec.containers.first()) {
        (Some(field), Some(container)) => {
            env::resource_field(pod, container, field, &sources.allocatable)
        }
        _ => Ok(String::new()),
    }
}

fn add(files: &mut Payload, path: &str, bytes: Vec<u8>, mode: u32) -> Result<(), PayloadError> {
    if !is_inner(path) {
        return Err(PayloadError::Path(path.to_owned()));
    }
    files.insert(
        path.to_owned(),
        File {
            bytes,
            mode: mode & 0o777,
        },
    );
    Ok(())
}

/// Whether a path stays inside the folder it is joined to.
pub fn is_inner(path: &str) -> bool {
    use std::path::Component;
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::pod::{Volume, VolumeSource};

    #[test]
    fn whole_maps_and_chosen_keys_become_files() {
        check(
            json!({ "configMap": { "name": "conf" } }),
            Ok("a=1/644 b=2/644"),
        );
        check(
            json!({ "configMap": { "name": "conf", "items": [{ "key": "b", "path": "x/y", "mode": 256 }], "defaultMode": 420 } }),
            Ok("x/y=2/400"),
        );
        check(
            json!({ "projected": { "defaultMode": 288, "sources": [
                { "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
                { "serviceAccountToken": { "path": "token" } },
                { "secret": { "name": "none", "optional": true } },
            ] } }),
            Ok("labels=team=\"shop\"/440 token=t/440"),
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        check(
            json!({ "configMap": { "name": "no" } }),
            Err("configmap \"no\" not found"),
        );
        check(
            json!({ "secret": { "secretName": "no" } }),
            Err("secret \"no\" not found"),
        );
        let key =
            json!({ "configMap": { "name": "conf", "items": [{ "key": "z", "path": "z" }] } });
        check(key, Err("references non-existent config key: z"));
        let path =
            json!({ "configMap": { "name": "conf", "items": [{ "key": "a", "path": "../a" }] } });
        check(
            path,
            Err("invalid path `../a`: expected a relative path without `..`"),
        );
    }

    #[track_caller]
    fn check(mut source: Value, expected: Result<&str, &str>) {
        source["name"] = json!("v");
        let volume: Volume = serde_json::from_value(source).expect("a volume");
        let Ok(VolumeSource::Projected(projected)) = volume.source() else {
            panic!("no projection: {volume:?}")
        };
        let pod =
            Pod::read(json!({ "metadata": { "labels": { "team": "shop" } } })).expect("a pod");
        let data =
            [("a", "1"), ("b", "2")].map(|(key, text)| (key.to_owned(), text.as_bytes().to_vec()));
        let config_maps = [("conf".to_owned(), ObjectData { files: data.into() })].into();
        let sources = Sources {
            config_maps,
            ..Sources::default()
        };
        let found = payload(
            &pod,
            &projected,
            &sources,
            &[("token".to_owned(), "t".to_owned())].into(),
        );
        let line = |(path, file): (&String, &File)| {
            format!(
                "{path}={}/{:o}",
                String::from_utf8_lossy(&file.bytes),
                file.mode
            )
        };
        let found = found.map(|files| files.iter().map(line).collect::<Vec<_>>().join(" "));
        assert_eq!(
            found.as_deref().map_err(ToString::to_string),
            expected.map_err(str::to_owned)
        );
    }
}
