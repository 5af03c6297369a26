//! What the API server serves, and which of it a word on the command line means.

use serde_json::Value;

use super::{
    fault::Fault,
    session::{Ask, Session},
};

/// Discovery in one answer per root.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// A resource of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    pub verbs: Vec<String>,
}

/// All resources, in the server's order.
#[derive(Debug, Default)]
pub struct Discovery {
    pub resources: Vec<Resource>,
}

impl Resource {
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`
    pub fn plural_name(&self) -> String {
        dotted(&self.plural, &self.group)
    }

    /// `deployment.apps`
    pub fn singular_name(&self) -> String {
        let singular = if self.singular.is_empty() { self.kind.to_lowercase() } else { self.singular.clone() };
        dotted(&singular, &self.group)
    }

    /// `deployment.apps/web`, as every message names an object.
    pub fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.singular_name())
    }

    /// Where the objects of a namespace are; of all namespaces for `None`.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { format!("/api/{}", self.version) } else { format!("/apis/{}/{}", self.group, self.version) };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{}/{}", encoded(namespace), self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    /// Where one object is.
    pub fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(Some(namespace)), encoded(name))
    }
}

fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// A value in a path or a query.
pub fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Discovery {
    pub async fn of(session: &Session) -> Result<Self, Fault> {
        let mut resources = Vec::new();
        for root in ["/api", "/apis"] {
            let answer = session.json(Ask::get(root).accepting(AGGREGATED)).await?;
            if answer["kind"] == "APIGroupDiscoveryList" {
                for group in list(&answer["items"]) {
                    aggregated(group, &mut resources);
                }
            } else {
                plain(session, root, &answer, &mut resources).await?;
            }
        }
        Ok(Self { resources })
    }

    /// The resource that a word means: plural, singular, kind or short name, perhaps with its group.
    pub fn find(&self, word: &str) -> Option<&Resource> {
        let (name, rest) = word.split_once('.').map_or((word, None), |(name, rest)| (name, Some(rest)));
        let name = name.to_lowercase();
        let called = |it: &&Resource| it.plural == name || it.singular == name || it.kind.to_lowercase() == name || it.short.contains(&name);
        let fits = |it: &&Resource| match rest {
            None => true,
            Some(rest) => it.group == rest || format!("{}.{}", it.version, it.group) == rest || (it.group.is_empty() && it.version == rest),
        };
        self.resources.iter().find(|it| called(it) && fits(it) && !it.verbs.is_empty())
    }

    /// The resources of a category such as `all`.
    pub fn category(&self, name: &str) -> Vec<&Resource> {
        self.resources.iter().filter(|it| it.categories.iter().any(|it| it == name) && it.verbs.iter().any(|it| it == "list")).collect()
    }

    /// The resource of a manifest.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|it| it.kind == kind && it.api_version() == api_version)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn aggregated(group: &Value, resources: &mut Vec<Resource>) {
    for version in list(&group["versions"]) {
        for it in list(&version["resources"]) {
            resources.push(Resource {
                group: text(&group["metadata"]["name"]),
                version: text(&version["version"]),
                kind: text(&it["responseKind"]["kind"]),
                plural: text(&it["resource"]),
                singular: text(&it["singularResource"]),
                short: texts(&it["shortNames"]),
                categories: texts(&it["categories"]),
                namespaced: it["scope"] == "Namespaced",
                verbs: texts(&it["verbs"]),
            });
        }
    }
}

/// Discovery as older servers give it: one answer per group and version.
async fn plain(session: &Session, root: &str, answer: &Value, resources: &mut Vec<Resource>) -> Result<(), Fault> {
    let versions: Vec<String> = match root {
        "/api" => texts(&answer["versions"]),
        _ => list(&answer["groups"]).iter().flat_map(|it| list(&it["versions"])).map(|it| text(&it["groupVersion"])).collect(),
    };
    for group_version in versions {
        let (group, version) = group_version.rsplit_once('/').unwrap_or(("", &group_version));
        let answer = session.json(Ask::get(format!("{root}/{group_version}"))).await?;
        for it in list(&answer["resources"]).iter().filter(|it| !text(&it["name"]).contains('/')) {
            resources.push(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: text(&it["kind"]),
                plural: text(&it["name"]),
                singular: text(&it["singularName"]),
                short: texts(&it["shortNames"]),
                categories: texts(&it["categories"]),
                namespaced: it["namespaced"] == true,
                verbs: texts(&it["verbs"]),
            });
        }
    }
    Ok(())
}
