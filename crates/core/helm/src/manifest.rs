//! Cuts rendered files into documents, reads their heads, tells hooks from resources.

use std::collections::BTreeMap;

use gotemplate::Text;
use serde_json::Value;

use crate::{
    Compat,
    decode::{DecodeError, Decoder, Field},
    yaml_text::{self, YamlError},
};

/// One document that is to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The full path of its template, e.g. `web/templates/service.yaml`.
    pub source: String,
    /// The text as it was rendered.
    pub content: String,
    pub api_version: String,
    pub kind: String,
    pub name: String,
    /// What the text means, as the original reads it: of a key that stands twice the last one counts.
    /// `None` when only [heads](Detail::Heads) were asked for.
    pub value: Option<Value>,
}

/// How much of a manifest is kept when it is read; all of it is checked either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Its version, kind, name and annotations, and its text.
    #[default]
    Heads,
    /// All values as well.
    Values,
}

/// One document that runs at a moment of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub manifest: Manifest,
    /// Known events in the order in which they are written.
    pub events: Vec<HookEvent>,
    pub weight: i64,
    pub delete_policies: Vec<String>,
    pub output_log_policies: Vec<String>,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEvent {
    PreInstall,
    PostInstall,
    PreDelete,
    PostDelete,
    PreUpgrade,
    PostUpgrade,
    PreRollback,
    PostRollback,
    Test,
}

impl HookEvent {
    /// The word in the annotation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            // The second is Helm 2's name.
            "test" | "test-success" => Self::Test,
            _ => return None,
        })
    }
}

/// Why a rendered document is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestError {
    pub source: String,
    /// What Helm says after the name of the file.
    pub text: String,
    /// The document.
    pub content: String,
    /// The YAML error with its place in the document, if it is one.
    pub yaml: Option<YamlError>,
}

/// What a chart's files came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    pub manifests: Vec<Manifest>,
    pub hooks: Vec<Hook>,
    /// Hooks with unknown events, which Helm drops.
    pub dropped: Vec<String>,
}

/// Cuts all files into documents, in order of their paths.
pub(crate) fn read_all(
    files: &BTreeMap<String, Text>,
    compat: Compat,
    detail: Detail,
) -> Result<Sorted, Box<ManifestError>> {
    let mut sorted = Sorted::default();
    for (path, content) in files {
        let Some(content) = content.as_str() else {
            return Err(no_utf8(path, content));
        };
        if content.trim().is_empty() {
            continue;
        }
        for document in split(content, compat) {
            read(path, document, compat, detail, &mut sorted)?;
        }
    }
    Ok(sorted)
}

/// A template can cut a character in two; what it wrote is no YAML then.
fn no_utf8(path: &str, content: &Text) -> Box<ManifestError> {
    let problem = yaml::go_json(content.as_bytes()).err();
    Box::new(ManifestError {
        source: path.to_owned(),
        text: problem.map_or_else(|| "not UTF-8".to_owned(), |it| it.to_string()),
        content: content.to_string(),
        yaml: None,
    })
}

/// The documents of one text: parts between lines that start with `---`.
///
/// Helm 4 keeps the line breaks at their ends. Helm 3 cuts them off, and takes dashes right
/// after other dashes for content.
pub(crate) fn split(text: &str, compat: Compat) -> Vec<String> {
    let text = text.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    loop {
        let cut = find_dashes(text, start, compat);
        let document = &text[start..cut.unwrap_or(text.len())];
        let document = match compat {
            Compat::Helm4 => document.trim_start(),
            Compat::Helm3 => document.trim(),
        };
        if !document.is_empty() {
            documents.push(document.to_owned());
        }
        let Some(cut) = cut else { return documents };
        let after = &text[cut + 3..];
        start = text.len() - after.trim_start().len();
    }
}

/// The next line from `start` on that starts with dashes.
fn find_dashes(text: &str, start: usize, compat: Compat) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = start;
    loop {
        let rest = bytes.get(from..)?;
        let after_break = from > 0 && bytes[from - 1] == b'\n';
        let cuts = match compat {
            Compat::Helm4 => from == 0 || after_break,
            Compat::Helm3 => from == 0 || after_break && from > start,
        };
        if cuts && rest.starts_with(b"---") {
            return Some(from);
        }
        from += rest.iter().position(|it| *it == b'\n')? + 1;
    }
}

/// What [`head`] looks at.
const HEAD_KEYS: [&str; 3] = ["apiVersion", "kind", "metadata"];

#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: Option<BTreeMap<String, String>>,
}

fn read(
    path: &str,
    content: String,
    compat: Compat,
    detail: Detail,
    sorted: &mut Sorted,
) -> Result<(), Box<ManifestError>> {
    let failed = |text: String, content: String, yaml: Option<YamlError>| {
        Box::new(ManifestError {
            source: path.to_owned(),
            text,
            content,
            yaml,
        })
    };
    let value = match detail {
        Detail::Values => yaml_text::first_document(&content),
        Detail::Heads => yaml_text::first_document_of(&content, |key| {
            HEAD_KEYS.iter().any(|it| it.eq_ignore_ascii_case(key))
        }),
    };
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            return Err(failed(error.to_string(), content, Some(error)));
        }
    };
    let head = match head(&value, compat) {
        Ok(head) => head,
        Err(error) => return Err(failed(error.to_string(), content, None)),
    };
    let manifest = Manifest {
        source: path.to_owned(),
        content,
        api_version: head.api_version,
        kind: head.kind,
        name: head.name,
        value: (detail == Detail::Values).then_some(value),
    };
    let annotations = head.annotations.unwrap_or_default();
    let Some(words) = annotations.get("helm.sh/hook") else {
        sorted.manifests.push(manifest);
        return Ok(());
    };
    let events: Option<Vec<HookEvent>> = list(words).map(|it| HookEvent::read(&it)).collect();
    let Some(events) = events else {
        sorted.dropped.push(format!("{path}: unknown hook {words:?}"));
        return Ok(());
    };
    let words_of = |key: &str| {
        annotations.get(key).map_or_else(Vec::new, |it| list(it).collect())
    };
    sorted.hooks.push(Hook {
        manifest,
        events,
        weight: annotations
            .get("helm.sh/hook-weight")
            .and_then(|it| it.parse().ok())
            .unwrap_or(0),
        delete_policies: words_of("helm.sh/hook-delete-policy"),
        output_log_policies: words_of("helm.sh/hook-output-log-policy"),
    });
    Ok(())
}

fn list(words: &str) -> impl Iterator<Item = String> {
    words.split(',').map(|word| word.trim().to_lowercase())
}

fn head(value: &Value, compat: Compat) -> Result<Head, DecodeError> {
    let decoder = Decoder {
        compat,
        root_type: match compat {
            Compat::Helm4 => "util.SimpleHead",
            Compat::Helm3 => "releaseutil.SimpleHead",
        },
        struct_name: "SimpleHead",
    };
    let mut head = Head::default();
    decoder.object(value, |key, field: &Field<'_>| match key {
        "apiversion" => field.text(&mut head.api_version),
        "kind" => field.text(&mut head.kind),
        "metadata" => field.object(METADATA_TYPE, "", |key, field| match key {
            "name" => field.text(&mut head.name),
            "annotations" => field.text_map(&mut head.annotations),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })?;
    Ok(head)
}

const METADATA_TYPE: &str = r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_as_each_major_does() {
        let check = |text: &str, helm4: &[&str], helm3: &[&str]| {
            assert_eq!(split(text, Compat::Helm4), helm4, "Helm 4: {text:?}");
            assert_eq!(split(text, Compat::Helm3), helm3, "Helm 3: {text:?}");
        };
        check("a\n\n---\nb\n", &["a\n\n", "b\n"], &["a", "b"]);
        check("a\n---b\n", &["a\n", "b\n"], &["a", "b"]);
        check("a\n---\n---\nb", &["a\n", "b"], &["a", "---\nb"]);
        check("\n---\n\n---\n", &[], &["---"]);
        check("a: |\n  ---\n", &["a: |\n  ---\n"], &["a: |\n  ---"]);
    }
}
