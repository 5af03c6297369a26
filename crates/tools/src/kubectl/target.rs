//! Which objects the words of a command mean: `deploy web api`, `deploy/web svc/web`, `pods,svc`.

use serde_json::Value;

use super::{
    discovery::{Discovery, Resource, encoded},
    fault::Fault,
    list,
    session::{Ask, JSON, Session},
    text,
};
use crate::flags::Parsed;

/// One object by name, or all objects of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub resource: Resource,
    pub name: Option<String>,
}

/// An object that is there.
pub struct Found {
    pub resource: Resource,
    pub namespace: String,
    pub name: String,
    pub object: Value,
}

impl Found {
    pub fn path(&self) -> String {
        self.resource.object_path(&self.namespace, &self.name)
    }

    /// `deployment.apps/web`
    pub fn shown(&self) -> String {
        self.resource.named(&self.name)
    }
}

fn resource<'a>(discovery: &'a Discovery, word: &str) -> Result<&'a Resource, Fault> {
    discovery.find(word).ok_or_else(|| Fault::here(format!("the server doesn't have a resource type \"{word}\"")))
}

/// Reads the words.
pub fn parse(discovery: &Discovery, words: &[String]) -> Result<Vec<Target>, Fault> {
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if first.contains('/') {
        let mut targets = Vec::new();
        for word in words {
            let Some((kind, name)) = word.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty()) else {
                return Err(Fault::here("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'"));
            };
            targets.push(Target { resource: resource(discovery, kind)?.clone(), name: Some(name.to_owned()) });
        }
        return Ok(targets);
    }
    let mut resources = Vec::new();
    for word in first.split(',') {
        let category = discovery.category(word);
        if category.is_empty() {
            resources.push(resource(discovery, word)?);
        } else {
            resources.extend(category);
        }
    }
    let names = &words[1..];
    if let Some(wrong) = names.iter().find(|it| it.contains('/')) {
        return Err(Fault::here(format!("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>': {wrong}")));
    }
    let targets = resources.into_iter().flat_map(|resource| {
        let named = names.iter().map(|name| Some(name.clone()));
        let named: Vec<Option<String>> = if names.is_empty() { vec![None] } else { named.collect() };
        named.into_iter().map(|name| Target { resource: resource.clone(), name })
    });
    Ok(targets.collect())
}

/// The query that the selectors of a command make.
pub fn query(line: &Parsed) -> String {
    let selectors = [("labelSelector", line.last("selector")), ("fieldSelector", line.last("field-selector"))];
    let selectors = selectors.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))));
    selectors.collect::<Vec<_>>().join("&")
}

/// Reads the objects that the words, or `-f`, mean.
pub async fn find(session: &Session, line: &Parsed, manifests: Vec<super::manifests::Manifest>) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for manifest in manifests {
        let placed = super::manifests::place(session, manifest).await?;
        let object = session.object(&placed.resource, &placed.namespace, &placed.name, JSON).await?;
        found.push(Found { resource: placed.resource, namespace: placed.namespace, name: placed.name, object });
    }
    let targets = parse(session.discovery().await?, &line.words[..line.words_before_dashes])?;
    let everywhere = line.is_on("all-namespaces");
    if line.last("selector").is_some() && targets.iter().any(|it| it.name.is_some()) {
        return Err(Fault::here("name cannot be provided when a selector is specified"));
    }
    for target in targets {
        match target.name {
            Some(name) => {
                let object = session.object(&target.resource, &session.namespace, &name, JSON).await?;
                let namespace = text(&object["metadata"]["namespace"]).to_owned();
                found.push(Found { resource: target.resource, namespace, name, object });
            }
            None => {
                let namespace = (!everywhere).then_some(session.namespace.as_str());
                let path = format!("{}?{}", target.resource.path(namespace), query(line));
                let listed = session.json(Ask::get(path.trim_end_matches('?'))).await?;
                for object in list(&listed["items"]) {
                    let mut object = object.clone();
                    complete(&mut object, &target.resource);
                    found.push(Found {
                        resource: target.resource.clone(),
                        namespace: text(&object["metadata"]["namespace"]).to_owned(),
                        name: text(&object["metadata"]["name"]).to_owned(),
                        object,
                    });
                }
            }
        }
    }
    Ok(found)
}

/// Items of a list may leave out what their list says.
pub fn complete(object: &mut Value, resource: &Resource) {
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| resource.api_version().into());
        map.entry("kind").or_insert_with(|| resource.kind.clone().into());
    }
}
