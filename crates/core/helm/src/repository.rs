//! Chart repositories and locks: which version a range means, and whether a lock still fits.

use names::Digest;
use serde_json::{Map, Value, json};

use crate::{metadata::Dependency, values::tree::from_plain, version, yaml_text};

/// What index.yaml of a chart repository lists.
#[derive(Clone, Debug, Default)]
pub struct RepositoryIndex {
    charts: Map<String, Value>,
}

/// One version of a chart in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedChart {
    pub version: String,
    /// Where the archive is, absolute or below the repository.
    pub urls: Vec<String>,
    /// SHA-256 in hex; empty when the index does not say it.
    pub digest: String,
}

/// Why a repository has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryError {
    #[error("the index of the repository is not YAML: {0}")]
    Yaml(String),
    #[error("the index of the repository lists no charts")]
    NoEntries,
    #[error("chart `{0}` is not in the repository")]
    NoChart(String),
    #[error("chart `{name}` has no version that is `{range}`; the newest is `{newest}`")]
    NoVersion {
        name: String,
        range: String,
        newest: String,
    },
}

impl RepositoryIndex {
    /// Reads index.yaml.
    ///
    /// # Errors
    ///
    /// What is no YAML, or no index.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        let read = yaml_text::first_document(text);
        let mut value = read.map_err(|error| RepositoryError::Yaml(error.to_string()))?;
        match value.get_mut("entries").map(Value::take) {
            Some(Value::Object(charts)) => Ok(Self { charts }),
            _ => Err(RepositoryError::NoEntries),
        }
    }

    /// The newest version in `range`; an empty range means the newest release.
    ///
    /// # Errors
    ///
    /// No such chart, or no such version.
    pub fn find(&self, name: &str, range: &str) -> Result<IndexedChart, RepositoryError> {
        let listed = self.charts.get(name).and_then(Value::as_array);
        let listed = listed.ok_or_else(|| RepositoryError::NoChart(name.to_owned()))?;
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let versions: Vec<String> = listed.iter().map(|it| text(it, "version")).collect();
        let known = || versions.iter().map(String::as_str);
        let Some(version) = newest_in(range, known()) else {
            let newest = newest_in(">=0.0.0-0", known()).unwrap_or("none").to_owned();
            return Err(RepositoryError::NoVersion { name: name.to_owned(), range: range.to_owned(), newest });
        };
        let entry = listed.iter().find(|it| text(it, "version") == version).unwrap_or(&Value::Null);
        let urls = entry.get("urls").and_then(Value::as_array).into_iter().flatten();
        Ok(IndexedChart {
            version: version.to_owned(),
            urls: urls.filter_map(Value::as_str).map(str::to_owned).collect(),
            digest: text(entry, "digest"),
        })
    }
}

/// The newest of `versions` that lies in `range`, or the one that is `range` to the letter.
pub fn newest_in<'v>(range: &str, versions: impl Iterator<Item = &'v str> + Clone) -> Option<&'v str> {
    if let Some(same) = versions.clone().find(|it| *it == range) {
        return Some(same);
    }
    let range = if range.is_empty() { "*" } else { range };
    versions
        .filter(|it| version::in_range(range, it))
        .filter_map(|it| Some((it.parse::<sprig::Version>().ok()?, it)))
        .max_by(|left, right| left.0.cmp(&right.0))
        .map(|(_, text)| text)
}

/// A dependency as a lock names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedDependency {
    pub name: String,
    pub version: String,
    pub repository: String,
}

/// Chart.lock: the versions that ranges came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub dependencies: Vec<LockedDependency>,
    pub digest: String,
}

impl Lock {
    /// The lock of what `wanted` came to.
    pub fn new(wanted: &[Dependency], dependencies: Vec<LockedDependency>) -> Self {
        let digest = digest(wanted, &dependencies);
        Self { dependencies, digest }
    }

    /// Reads [`Chart::lock`](crate::Chart::lock).
    pub fn of(value: &Value) -> Self {
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let entries = value.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let dependency = |it: &Value| LockedDependency {
            name: text(it, "name"),
            version: text(it, "version"),
            repository: text(it, "repository"),
        };
        Self { dependencies: entries.map(dependency).collect(), digest: text(value, "digest") }
    }

    /// Whether it was made of these dependencies.
    pub fn fits(&self, wanted: &[Dependency]) -> bool {
        self.digest == digest(wanted, &self.dependencies)
    }

    /// The text of the file; `generated` is RFC 3339.
    pub fn text(&self, generated: &str) -> String {
        let entries: Vec<Value> = self.dependencies.iter().map(plain).collect();
        let whole = json!({"dependencies": entries, "digest": self.digest, "generated": generated});
        format!("{}\n", sprig::to_yaml(&from_plain(&whole)).unwrap_or_default())
    }
}

fn plain(it: &LockedDependency) -> Value {
    json!({"name": it.name, "version": it.version, "repository": it.repository})
}

/// Go's JSON of both lists, hashed.
fn digest(wanted: &[Dependency], locked: &[LockedDependency]) -> String {
    let wanted: Vec<Value> = wanted.iter().map(Value::from).collect();
    let locked: Vec<Value> = locked.iter().map(plain).collect();
    let text = json!([wanted, locked]).to_string();
    // These stand in texts only, and Go escapes them there.
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    Digest::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1
entries:
  web:
  - {version: 1.2.0, urls: [web-1.2.0.tgz], digest: aa}
  - {version: 2.0.0-rc.1, urls: [web-2.0.0-rc.1.tgz]}
  - {version: 1.10.0, urls: ['https://charts.example/web-1.10.0.tgz']}
";

    #[test]
    fn ranges_come_to_the_newest_version_in_them() {
        let index = RepositoryIndex::parse(INDEX).expect("an index");
        let check = |range: &str, expected: &str| {
            let found = index.find("web", range).map_or_else(|error| error.to_string(), |it| it.version);
            assert_eq!(found, expected, "{range}");
        };
        check("", "1.10.0");
        check("1.2.0", "1.2.0");
        check("^1.0.0", "1.10.0");
        check("~1.2", "1.2.0");
        check("2.0.0-rc.1", "2.0.0-rc.1");
        check(">=2.0.0-0", "2.0.0-rc.1");
        check("9.x", "chart `web` has no version that is `9.x`; the newest is `2.0.0-rc.1`");
        assert_eq!(index.find("db", "").unwrap_err(), RepositoryError::NoChart("db".to_owned()));
        assert_eq!(RepositoryIndex::parse("a: 1").unwrap_err(), RepositoryError::NoEntries);
    }

    #[test]
    fn locks_have_the_digest_of_the_original() {
        let check = |wanted: Dependency, version: &str, expected: &str| {
            let locked = LockedDependency {
                name: wanted.name.clone(),
                version: version.to_owned(),
                repository: wanted.repository.clone(),
            };
            let lock = Lock::new(std::slice::from_ref(&wanted), vec![locked]);
            assert_eq!(lock.digest, format!("sha256:{expected}"));
            assert!(lock.fits(&[wanted]));
            assert!(!lock.fits(&[]));
        };
        check(
            Dependency {
                name: "lib".to_owned(),
                version: ">=1.0.0 <2".to_owned(),
                repository: "file://../lib".to_owned(),
                condition: "lib.enabled".to_owned(),
                tags: vec!["a".to_owned()],
                ..Dependency::default()
            },
            "1.2.3",
            "b09456633da893ca81ba422669b73a367cb1cce857fca4b405a183a96bf8d6c4",
        );
        check(
            Dependency {
                name: "lib".to_owned(),
                version: "^1.0.0".to_owned(),
                repository: "http://127.0.0.1:18999/".to_owned(),
                alias: "x".to_owned(),
                ..Dependency::default()
            },
            "1.2.3",
            "63854aaf82a975717982c094918056843df468cc29143091f71046f7929ac9d1",
        );
    }

    #[test]
    fn lock_is_written_as_it_is_read() {
        let lock = Lock {
            dependencies: vec![LockedDependency {
                name: "lib".to_owned(),
                version: "1.2.3".to_owned(),
                repository: "file://../lib".to_owned(),
            }],
            digest: "sha256:00".to_owned(),
        };
        let text = lock.text("2026-01-02T03:04:05Z");
        let expected = "dependencies:\n- name: lib\n  repository: file://../lib\n  version: 1.2.3\n\
                        digest: sha256:00\ngenerated: \"2026-01-02T03:04:05Z\"\n";
        assert_eq!(text, expected);
        let read = yaml_text::first_document(&text).expect("YAML");
        assert_eq!(Lock::of(&read), lock);
    }
}
