//! Gives the inputs of a job a key, and says in words what differs between two.

use api::JobProof;
use names::Digest;
use serde_json::Value;
use workflow::{Pattern, PatternList};

/// More patterns than this are a mistake.
const PATTERNS_MAX: usize = 200;

/// So many differences are told by name.
const TOLD_MAX: usize = 5;

/// The files that a job says it depends on.
#[derive(Clone, Debug)]
pub struct Inputs {
    list: PatternList,
    source: String,
}

/// Why a text names no inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputsError {
    #[error("`{0}` is no pattern")]
    BadPattern(String),
    #[error("more than {PATTERNS_MAX} patterns")]
    TooMany,
    #[error("no pattern names any file; `!` only takes away")]
    Nothing,
}

impl Inputs {
    /// Reads patterns between blanks, as `paths` of a trigger has them; a folder stands for all below it.
    ///
    /// # Errors
    ///
    /// When one is no pattern.
    pub fn parse(text: &str) -> Result<Self, InputsError> {
        let mut list = PatternList::default();
        let words: Vec<_> = text.split_whitespace().collect();
        if words.len() > PATTERNS_MAX {
            return Err(InputsError::TooMany);
        }
        for word in &words {
            let (sign, body) = match word.strip_prefix('!') {
                Some(body) => ("!", body),
                None => ("", *word),
            };
            let body = body.strip_prefix("./").unwrap_or(body).trim_end_matches('/');
            for pattern in [format!("{sign}{body}"), format!("{sign}{body}/**")] {
                list.0.push(Pattern::parse(&pattern).map_err(|_| InputsError::BadPattern((*word).to_owned()))?);
            }
        }
        if list.0.iter().all(Pattern::is_negative) {
            return Err(InputsError::Nothing);
        }
        Ok(Self { list, source: words.join(" ") })
    }

    /// Whether a file of the repository is an input.
    pub fn takes(&self, path: &str) -> bool {
        self.list.matches(path)
    }

    /// The patterns as they were given.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub path: String,
    /// Its mode and the id of its content: `100644 3b18e5…`.
    pub content: String,
}

/// The digests of all that a job depends on, and of all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub digest: Digest,
    pub parts: Vec<(String, Digest)>,
}

/// The key of a job: its files and what else decides what it does, by name.
pub fn key(files: &[Entry], facts: &[(String, Value)]) -> Key {
    let mut text = String::new();
    for file in files {
        // No path holds a zero byte.
        text.push_str(&format!("{}\0{}\0", file.content, file.path));
    }
    let mut parts = vec![("files".to_owned(), Digest::of(text.as_bytes()))];
    parts.extend(facts.iter().map(|(name, value)| (name.clone(), Digest::of(canonical(value).as_bytes()))));
    let mut all = String::from("landfall job inputs 1\0");
    for (name, digest) in &parts {
        all.push_str(&format!("{name}\0{digest}\0"));
    }
    Key { digest: Digest::of(all.as_bytes()), parts }
}

/// The value as JSON with sorted keys.
fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut names: Vec<_> = fields.keys().collect();
                names.sort();
                let pair = |name: &String| (name.clone(), sorted(fields.get(name).unwrap_or(&Value::Null)));
                Value::Object(names.into_iter().map(pair).collect())
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    sorted(value).to_string()
}

/// What makes two jobs differ, in words: `src/a.rs changed`, `its definition`.
pub fn differences(old: &JobProof, new: &JobProof) -> Vec<String> {
    let mut told = Vec::new();
    for (name, digest) in &new.parts {
        let before = old.parts.iter().find(|(it, _)| it == name).map(|(_, digest)| digest);
        if before == Some(digest) {
            continue;
        }
        if name == "files" {
            told.extend(file_differences(old, new));
        } else {
            told.push(format!("its {name} changed"));
        }
    }
    told
}

fn file_differences(old: &JobProof, new: &JobProof) -> Vec<String> {
    let find = |proof: &JobProof, path: &str| proof.files.iter().find(|(it, _)| it == path).map(|(_, content)| content.clone());
    let mut all = Vec::new();
    for (path, content) in &new.files {
        match find(old, path) {
            None => all.push(format!("`{path}` is new")),
            Some(before) if before != *content => all.push(format!("`{path}` changed")),
            Some(_) => {}
        }
    }
    let gone = old.files.iter().filter(|(path, _)| find(new, path).is_none());
    all.extend(gone.map(|(path, _)| format!("`{path}` is gone")));
    let more = all.len().saturating_sub(TOLD_MAX);
    all.truncate(TOLD_MAX);
    if more > 0 {
        all.push(format!("{more} other files differ"));
    }
    if all.is_empty() {
        all.push("its files differ".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_are_those_of_triggers_and_folders_stand_for_their_files() {
        let inputs = Inputs::parse("src/** Cargo.* \n ./web/ !src/gen").expect("patterns");
        for (path, expected) in [
            ("src/a.rs", true),
            ("src/b/c.rs", true),
            ("src/gen/x.rs", false),
            ("Cargo.toml", true),
            ("sub/Cargo.toml", false),
            ("web/index.html", true),
            ("README.md", false),
        ] {
            assert_eq!(inputs.takes(path), expected, "{path}");
        }
        assert_eq!(Inputs::parse("!src").err(), Some(InputsError::Nothing));
        assert_eq!(Inputs::parse("  ").err(), Some(InputsError::Nothing));
    }

    fn entry(path: &str, content: &str) -> Entry {
        Entry { path: path.to_owned(), content: content.to_owned() }
    }

    fn fact(value: Value) -> Vec<(String, Value)> {
        vec![("definition".to_owned(), value)]
    }

    #[test]
    fn the_key_changes_with_every_part_and_with_nothing_else() {
        let files = [entry("a", "1"), entry("b", "2")];
        let base = key(&files, &fact(json!({"x": 1, "y": [true]})));
        assert_eq!(base, key(&files, &fact(json!({"y": [true], "x": 1}))), "the order of keys says nothing");
        let others = [
            key(&[entry("a", "1")], &fact(json!({"x": 1, "y": [true]}))),
            key(&[entry("a", "1"), entry("b", "3")], &fact(json!({"x": 1, "y": [true]}))),
            key(&[entry("a1", ""), entry("b", "2")], &fact(json!({"x": 1, "y": [true]}))),
            key(&files, &fact(json!({"x": 2, "y": [true]}))),
            key(&files, &[]),
        ];
        for other in others {
            assert_ne!(base.digest, other.digest);
        }
    }

    #[test]
    fn differences_are_told_by_name() {
        let proof = |files: &[(&str, &str)], definition: Value| {
            let entries: Vec<_> = files.iter().map(|(path, content)| entry(path, content)).collect();
            let Key { digest, parts } = key(&entries, &fact(definition));
            JobProof {
                run: "shop#1".parse().expect("a run"),
                job: "t".to_owned(),
                commit: names::CommitId::ZERO,
                key_digest: digest,
                parts,
                files: entries.into_iter().map(|it| (it.path, it.content)).collect(),
                file_count: 0,
                outcome: None,
                created: names::Timestamp::from_micros(0),
            }
        };
        let old = proof(&[("a", "1"), ("b", "2")], json!(1));
        let new = proof(&[("a", "9"), ("c", "3")], json!(2));
        assert_eq!(differences(&old, &new), ["`a` changed", "`c` is new", "`b` is gone", "its definition changed"]);
        assert!(differences(&old, &old).is_empty());
    }
}
