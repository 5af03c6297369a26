//! What Chart.yaml says about a chart, read as Go reads it and checked as Helm checks it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::decode::{DecodeError, Decoder, Field};

/// The content of Chart.yaml.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Maintainer>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    pub annotations: Option<BTreeMap<String, String>>,
    pub kube_version: String,
    pub dependencies: Vec<Dependency>,
    /// Whether there is a list of dependencies, be it empty: subcharts are then looked at more closely.
    pub declares_dependencies: bool,
    /// `application`, `library` or empty.
    pub kind: String,
}

/// Who maintains a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    pub name: String,
    pub email: String,
    pub url: String,
}

/// A chart that a chart needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    pub repository: String,
    pub condition: String,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub import_values: Vec<Value>,
    pub alias: String,
}

/// Why Chart.yaml is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("validation: {0}")]
pub struct ValidationError(pub String);

impl Metadata {
    /// Whether the chart only lends templates to others.
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }

    /// Reads what `value` sets over what is there already, as decoding into one struct twice does.
    pub(crate) fn merge(&mut self, value: &Value, decoder: &Decoder) -> Result<(), DecodeError> {
        let mut dependencies: Option<Vec<Option<Dependency>>> = None;
        let mut maintainers: Option<Vec<Option<Maintainer>>> = None;
        decoder.object(value, |key, field| {
            match key {
                "name" => field.text(&mut self.name),
                "home" => field.text(&mut self.home),
                "sources" => field.texts(&mut self.sources),
                "version" => field.text(&mut self.version),
                "description" => field.text(&mut self.description),
                "keywords" => field.texts(&mut self.keywords),
                "maintainers" => {
                    maintainers = Some(field.list("[]*chart.Maintainer", maintainer)?);
                    Ok(())
                }
                "icon" => field.text(&mut self.icon),
                "apiversion" => field.text(&mut self.api_version),
                "condition" => field.text(&mut self.condition),
                "tags" => field.text(&mut self.tags),
                "appversion" => field.text(&mut self.app_version),
                "deprecated" => field.flag(&mut self.deprecated),
                "annotations" => field.text_map(&mut self.annotations),
                "kubeversion" => field.text(&mut self.kube_version),
                "dependencies" if field.value().is_null() => Ok(()),
                "dependencies" => {
                    dependencies = Some(field.list("[]*chart.Dependency", dependency)?);
                    Ok(())
                }
                "type" => field.text(&mut self.kind),
                _ => Ok(()),
            }
        })?;
        if let Some(found) = maintainers {
            let whole: Option<Vec<_>> = found.into_iter().collect();
            self.maintainers = whole.ok_or_else(|| {
                DecodeError::Invalid("maintainers must not contain empty or null nodes".to_owned())
            })?;
        }
        if let Some(found) = dependencies {
            let whole: Option<Vec<_>> = found.into_iter().collect();
            self.declares_dependencies = true;
            self.dependencies = whole.ok_or_else(|| {
                DecodeError::Invalid("dependencies must not contain empty or null nodes".to_owned())
            })?;
        }
        Ok(())
    }

    /// Cleans texts of control characters and checks what Helm insists on.
    pub(crate) fn validate(&mut self) -> Result<(), ValidationError> {
        let invalid = |message: String| Err(ValidationError(message));
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            clean(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(clean);
        if self.api_version.is_empty() {
            return invalid("chart.metadata.apiVersion is required".to_owned());
        }
        if self.name.is_empty() {
            return invalid("chart.metadata.name is required".to_owned());
        }
        if self.name.contains('/') {
            return invalid(format!("chart.metadata.name {:?} is invalid", self.name));
        }
        if self.version.is_empty() {
            return invalid("chart.metadata.version is required".to_owned());
        }
        if !crate::version::is_version(&self.version) {
            return invalid(format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("chart.metadata.type must be application or library".to_owned());
        }
        for maintainer in &mut self.maintainers {
            clean(&mut maintainer.name);
            clean(&mut maintainer.email);
            clean(&mut maintainer.url);
        }
        let mut seen: Vec<&str> = Vec::new();
        for dependency in &mut self.dependencies {
            dependency.validate()?;
        }
        for dependency in &self.dependencies {
            let key = dependency.effective_name();
            if seen.contains(&key) {
                return invalid(format!("more than one dependency with name or alias {key:?}"));
            }
            seen.push(key);
        }
        Ok(())
    }
}

impl Dependency {
    /// The alias, or the name where there is none.
    pub fn effective_name(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    fn validate(&mut self) -> Result<(), ValidationError> {
        for text in [
            &mut self.name,
            &mut self.version,
            &mut self.repository,
            &mut self.condition,
        ] {
            clean(text);
        }
        self.tags.iter_mut().for_each(clean);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !self.alias.bytes().all(plain) {
            return Err(ValidationError(format!(
                "dependency {:?} has disallowed characters in the alias",
                self.name
            )));
        }
        Ok(())
    }
}

fn maintainer(field: &Field<'_>) -> Result<Option<Maintainer>, DecodeError> {
    if field.value().is_null() {
        return Ok(None);
    }
    let mut found = Maintainer::default();
    field.object("chart.Maintainer", "Maintainer", |key, field| match key {
        "name" => field.text(&mut found.name),
        "email" => field.text(&mut found.email),
        "url" => field.text(&mut found.url),
        _ => Ok(()),
    })?;
    Ok(Some(found))
}

fn dependency(field: &Field<'_>) -> Result<Option<Dependency>, DecodeError> {
    if field.value().is_null() {
        return Ok(None);
    }
    let mut found = Dependency::default();
    field.object("chart.Dependency", "Dependency", |key, field| match key {
        "name" => field.text(&mut found.name),
        "version" => field.text(&mut found.version),
        "repository" => field.text(&mut found.repository),
        "condition" => field.text(&mut found.condition),
        "tags" => field.texts(&mut found.tags),
        "enabled" => field.flag(&mut found.enabled),
        "import-values" => field.values("[]interface {}", &mut found.import_values),
        "alias" => field.text(&mut found.alias),
        _ => Ok(()),
    })?;
    Ok(Some(found))
}

/// White space becomes a blank; what cannot be printed goes.
fn clean(text: &mut String) {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|it| {
            if it.is_whitespace() {
                Some(' ')
            } else {
                (!it.is_control()).then_some(it)
            }
        })
        .collect();
}

/// Chart.yaml as JSON with Go's field names and `omitempty`, for release records and archives.
impl From<&Metadata> for Value {
    fn from(metadata: &Metadata) -> Self {
        let mut object = Map::new();
        let text = |object: &mut Map<String, Value>, key: &str, text: &str| {
            if !text.is_empty() {
                object.insert(key.to_owned(), text.into());
            }
        };
        text(&mut object, "name", &metadata.name);
        text(&mut object, "home", &metadata.home);
        if !metadata.sources.is_empty() {
            object.insert("sources".to_owned(), metadata.sources.clone().into());
        }
        text(&mut object, "version", &metadata.version);
        text(&mut object, "description", &metadata.description);
        if !metadata.keywords.is_empty() {
            object.insert("keywords".to_owned(), metadata.keywords.clone().into());
        }
        if !metadata.maintainers.is_empty() {
            let all = metadata.maintainers.iter().map(Value::from);
            object.insert("maintainers".to_owned(), all.collect());
        }
        text(&mut object, "icon", &metadata.icon);
        text(&mut object, "apiVersion", &metadata.api_version);
        text(&mut object, "condition", &metadata.condition);
        text(&mut object, "tags", &metadata.tags);
        text(&mut object, "appVersion", &metadata.app_version);
        if metadata.deprecated {
            object.insert("deprecated".to_owned(), true.into());
        }
        if let Some(annotations) = metadata.annotations.as_ref().filter(|it| !it.is_empty()) {
            let all = annotations.iter().map(|(key, value)| (key.clone(), value.clone().into()));
            object.insert("annotations".to_owned(), Value::Object(all.collect()));
        }
        text(&mut object, "kubeVersion", &metadata.kube_version);
        if !metadata.dependencies.is_empty() {
            let all = metadata.dependencies.iter().map(Value::from);
            object.insert("dependencies".to_owned(), all.collect());
        }
        text(&mut object, "type", &metadata.kind);
        Value::Object(object)
    }
}

impl From<&Maintainer> for Value {
    fn from(maintainer: &Maintainer) -> Self {
        let parts = [("name", &maintainer.name), ("email", &maintainer.email), ("url", &maintainer.url)];
        let said = parts.into_iter().filter(|(_, text)| !text.is_empty());
        Self::Object(said.map(|(key, text)| (key.to_owned(), text.as_str().into())).collect())
    }
}

impl From<&Dependency> for Value {
    fn from(dependency: &Dependency) -> Self {
        let mut object = Map::new();
        object.insert("name".to_owned(), dependency.name.clone().into());
        if !dependency.version.is_empty() {
            object.insert("version".to_owned(), dependency.version.clone().into());
        }
        object.insert("repository".to_owned(), dependency.repository.clone().into());
        if !dependency.condition.is_empty() {
            object.insert("condition".to_owned(), dependency.condition.clone().into());
        }
        if !dependency.tags.is_empty() {
            object.insert("tags".to_owned(), dependency.tags.clone().into());
        }
        if dependency.enabled {
            object.insert("enabled".to_owned(), true.into());
        }
        if !dependency.import_values.is_empty() {
            object.insert("import-values".to_owned(), dependency.import_values.clone().into());
        }
        if !dependency.alias.is_empty() {
            object.insert("alias".to_owned(), dependency.alias.clone().into());
        }
        Value::Object(object)
    }
}
