//! Builds the environment of a container: expansion of `$(NAME)`, service variables, fields of the pod.
//!
//! Everything is looked up before; this only puts it together.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    pod::{Container, EnvSource, KeyRef, ObjectData, OptionalReference, Pod, ResourceFieldRef},
    quantity,
};

/// What variables may be made of, besides the pod itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// ConfigMaps by name; absent ones are not there.
    pub config_maps: BTreeMap<String, ObjectData>,
    pub secrets: BTreeMap<String, ObjectData>,
    pub services: Vec<(String, String)>,
    pub pod_ip: String,
    pub host_ip: String,
    pub allocatable: BTreeMap<String, String>,
}

/// Why a variable has no value; shown as `CreateContainerConfigError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    #[error("configmap \"{0}\" not found")]
    NoConfigMap(String),
    #[error("secret \"{0}\" not found")]
    NoSecret(String),
    #[error("couldn't find key {key} in ConfigMap {namespace}/{name}")]
    NoConfigMapKey {
        namespace: String,
        name: String,
        key: String,
    },
    #[error("couldn't find key {key} in Secret {namespace}/{name}")]
    NoSecretKey {
        namespace: String,
        name: String,
        key: String,
    },
    #[error("unsupported fieldPath: {0}")]
    Field(String),
    #[error("unsupported resource: {0}")]
    Resource(String),
}

/// The variables that the pod asks for, in order; later ones win.
pub fn variables(
    pod: &Pod,
    container: &Container,
    sources: &Sources,
) -> Result<Vec<(String, String)>, EnvError> {
    let builder = Builder {
        pod,
        container,
        sources,
    };
    let mut variables = Variables::default();
    sources
        .services
        .iter()
        .for_each(|(name, value)| variables.set(name, value.clone()));
    for from in &container.env_from {
        let maps = builder.all_of(
            from.config_map_ref.as_ref(),
            &sources.config_maps,
            EnvError::NoConfigMap,
        )?;
        let secrets = builder.all_of(
            from.secret_ref.as_ref(),
            &sources.secrets,
            EnvError::NoSecret,
        )?;
        for (key, value) in maps.into_iter().chain(secrets).flat_map(|data| &data.files) {
            variables.set(
                &format!("{}{key}", from.prefix),
                String::from_utf8_lossy(value).into_owned(),
            );
        }
    }
    for variable in &container.env {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) => Some(variables.expand(value)),
            (None, Some(source)) => builder.one(source)?,
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            variables.set(&variable.name, value);
        }
    }
    Ok(variables.list)
}

/// Replaces `$(NAME)` by known variables; `$$` is a plain `$`, unknown names stay as they are.
pub fn expand(text: &str, known: &[(String, String)]) -> String {
    let lookup = |name: &str| {
        known
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) = rest
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'))
        {
            match lookup(name) {
                Some(value) => result.push_str(value),
                None => result.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            result.push('$');
        }
    }
    result + rest
}

#[derive(Default)]
struct Variables {
    list: Vec<(String, String)>,
}

impl Variables {
    fn set(&mut self, name: &str, value: String) {
        match self.list.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.list.push((name.to_owned(), value)),
        }
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &self.list)
    }
}

struct Builder<'a> {
    pod: &'a Pod,
    container: &'a Container,
    sources: &'a Sources,
}

impl Builder<'_> {
    fn all_of<'s>(
        &self,
        reference: Option<&OptionalReference>,
        objects: &'s BTreeMap<String, ObjectData>,
        missing: fn(String) -> EnvError,
    ) -> Result<Option<&'s ObjectData>, EnvError> {
        let Some(reference) = reference else {
            return Ok(None);
        };
        match objects.get(&reference.name) {
            None if !reference.optional => Err(missing(reference.name.clone())),
            found => Ok(found),
        }
    }

    fn one(&self, source: &EnvSource) -> Result<Option<String>, EnvError> {
        if let Some(field) = &source.field_ref {
            return pod_field(self.pod, &field.field_path, self.sources).map(Some);
        }
        if let Some(field) = &source.resource_field_ref {
            return resource_field(self.pod, self.container, field, &self.sources.allocatable)
                .map(Some);
        }
        if let Some(key) = &source.config_map_key_ref {
            return self.key(
                key,
                &self.sources.config_maps,
                EnvError::NoConfigMap,
                |namespace, name, key| EnvError::NoConfigMapKey {
                    namespace,
                    name,
                    key,
                },
            );
        }
        if let Some(key) = &source.secret_key_ref {
            return self.key(
                key,
                &self.sources.secrets,
                EnvError::NoSecret,
                |namespace, name, key| EnvError::NoSecretKey {
                    namespace,
                    name,
                    key,
                },
            );
        }
        Ok(None)
    }

    fn key(
        &self,
        key: &KeyRef,
        objects: &BTreeMap<String, ObjectData>,
        no_object: fn(String) -> EnvError,
        no_key: fn(String, String, String) -> EnvError,
    ) -> Result<Option<String>, EnvError> {
        let object = objects.get(&key.name);
        match object.map(|object| object.files.get(&key.key)) {
            Some(Some(value)) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
            _ if key.optional => Ok(None),
            Some(None) => Err(no_key(
                self.pod.metadata.namespace.clone(),
                key.name.clone(),
                key.key.clone(),
            )),
            None => Err(no_object(key.name.clone())),
        }
    }
}

/// The text of a pod's field, as `fieldRef` names it.
pub fn pod_field(pod: &Pod, path: &str, sources: &Sources) -> Result<String, EnvError> {
    let metadata = &pod.metadata;
    let unknown = || EnvError::Field(path.to_owned());
    if let Some((map, key)) = path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"))
    {
        let map = match map {
            "metadata.labels" => &metadata.labels,
            "metadata.annotations" => &metadata.annotations,
            _ => return Err(unknown()),
        };
        return Ok(map.get(key).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "metadata.labels" => lines(&metadata.labels),
        "metadata.annotations" => lines(&metadata.annotations),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" | "status.hostIPs" => sources.host_ip.clone(),
        "status.podIP" | "status.podIPs" => sources.pod_ip.clone(),
        _ => return Err(unknown()),
    })
}

/// `key="value"` lines, as the downward API writes maps.
fn lines(map: &BTreeMap<String, String>) -> String {
    let line = |(key, value): (&String, &String)| format!("{key}={}", Value::String(value.clone()));
    map.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A container's request or limit in units of the divisor, rounded up; an absent limit is what the node has.
pub fn resource_field(
    pod: &Pod,
    container: &Container,
    field: &ResourceFieldRef,
    allocatable: &BTreeMap<String, String>,
) -> Result<String, EnvError> {
    let unknown = || EnvError::Resource(field.resource.clone());
    let container = match &field.container_name {
        Some(name) if *name != container.name => pod.container(name).ok_or_else(unknown)?,
        _ => container,
    };
    let (kind, name) = field.resource.split_once('.').ok_or_else(unknown)?;
    let resources = &container.resources;
    let quantity = match kind {
        "limits" => resources.limits.get(name).or_else(|| allocatable.get(name)),
        "requests" => resources
            .requests
            .get(name)
            .or_else(|| resources.limits.get(name)),
        _ => return Err(unknown()),
    };
    let Some(quantity) = quantity else {
        return Ok("0".to_owned());
    };
    let divisor = field
        .divisor
        .as_deref()
        .filter(|divisor| *divisor != "0")
        .unwrap_or("1");
    let (value, divisor) = (quantity::millis(quantity), quantity::millis(divisor));
    let (value, divisor) = value
        .zip(divisor.filter(|divisor| *divisor > 0))
        .ok_or_else(unknown)?;
    Ok(value.div_ceil(divisor).to_string())
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
