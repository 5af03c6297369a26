//! YAML text as Go's reader takes it: one document at a time, errors in libyaml's words.

use serde_json::Value;
use yaml::{Diagnostic, Flavor};

/// Text that is not YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// What Go's reader says, e.g. `error converting YAML to JSON: yaml: line 3: did not find expected key`.
    pub go_text: String,
    /// The same with its place, for people; empty when only Go's reader minds.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for YamlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.go_text)
    }
}

impl std::error::Error for YamlError {}

/// The first document of `text` as JSON; null when there is none.
pub(crate) fn first_document(text: &str) -> Result<Value, YamlError> {
    yaml::go_json(text.as_bytes()).map_err(|error| explained(&error, text))
}

/// As [`first_document`], but of the entries only those that are wanted have a value.
pub(crate) fn first_document_of(
    text: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Value, YamlError> {
    yaml::go_json_of(text.as_bytes(), wanted).map_err(|error| explained(&error, text))
}

#[cold]
fn explained(error: &yaml::GoError, text: &str) -> YamlError {
    YamlError {
        go_text: error.to_string(),
        diagnostics: yaml::parse(text, "", Flavor::Go11).err().unwrap_or_default(),
    }
}

/// The documents of a stream: parts between lines of `---` and nothing else.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let mut offset = 0;
            let mut found = None;
            for line in text.split_inclusive('\n') {
                if is_separator(line) {
                    found = Some((offset, offset + line.len()));
                    break;
                }
                offset += line.len();
            }
            let document = match found {
                Some((end, next)) => {
                    rest = Some(&text[next..]);
                    &text[..end]
                }
                None => {
                    rest = None;
                    text
                }
            };
            if !document.is_empty() {
                return Some(document);
            }
        }
    })
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match first_document(text) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn only_the_first_document_counts() {
        check("a: 1\n---\nb: [\n", r#"{"a":1}"#);
        check("# note\n---\na: 1\n---\nb: 1", r#"{"a":1}"#);
        check("---\n---\na: 1\n", "null");
        check("a: |\n  ---\n  x\n", r#"{"a":"---\nx\n"}"#);
        check("", "null");
    }

    #[test]
    fn errors_read_as_in_go() {
        check(
            "a: b: c\n",
            "error converting YAML to JSON: yaml: mapping values are not allowed in this context",
        );
        check(
            "a: 1\n b: 2\n",
            "error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context",
        );
        check("a: .inf\n", "error converting YAML to JSON: json: unsupported value: +Inf");
        check("a: [\n", "error converting YAML to JSON: yaml: line 1: did not find expected node content");
        check("a: {b\n", "error converting YAML to JSON: yaml: line 1: did not find expected ',' or '}'");
        check("a: \"foo\n", "error converting YAML to JSON: yaml: line 2: found unexpected end of stream");
        check("a: *foo\n", "error converting YAML to JSON: yaml: unknown anchor 'foo' referenced");
        check("a:\n- b\nc\n", "error converting YAML to JSON: yaml: line 4: could not find expected ':'");
        check("@a: b\n", "error converting YAML to JSON: yaml: found character that cannot start any token");
        check("\ta: 1\n", "error converting YAML to JSON: yaml: found character that cannot start any token");
    }

    #[test]
    fn streams_are_cut_at_bare_separators() {
        let parts: Vec<&str> = split("---\na: 1\n--- # no\n---  \nb: 1\n---\n").collect();
        assert_eq!(parts, ["a: 1\n--- # no\n", "b: 1\n"]);
    }
}
