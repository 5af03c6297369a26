//! Findings as SARIF 2.1.0, which code hosts and editors read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yaml::{Diagnostic, Lines, Severity};

use crate::{Tree, explain_code};

/// One run of the linter with its findings; `tree` has the texts they are about.
pub fn sarif(found: &[Diagnostic], tree: &Tree) -> Value {
    let codes: BTreeSet<_> = found.iter().map(|it| it.code).collect();
    let rules: Vec<_> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<_> = found.iter().map(|it| result(it, &codes, tree)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "landfall",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    let text = explain_code(code).unwrap_or("A finding of the linter.");
    let first = text.split(". ").next().unwrap_or(text).trim_end_matches('.');
    json!({
        "id": code,
        "shortDescription": {"text": format!("{first}.")},
        "fullDescription": {"text": text},
    })
}

fn result(found: &Diagnostic, codes: &BTreeSet<&str>, tree: &Tree) -> Value {
    let lines = tree.text(&found.file).map(Lines::new);
    let mut message = found.message.clone();
    for help in &found.help {
        message.push('\n');
        message.push_str(help);
    }
    let mut result = json!({
        "ruleId": found.code,
        "ruleIndex": codes.iter().position(|it| *it == found.code),
        "level": level(found.severity),
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&found.file), "uriBaseId": "%SRCROOT%"},
                "region": region(lines.as_ref(), found.span.start, found.span.end, found),
            },
        }],
    });
    if let (Some(lines), false) = (&lines, found.fixes.is_empty()) {
        let replacements: Vec<_> = found
            .fixes
            .iter()
            .map(|fix| {
                json!({
                    "deletedRegion": region(Some(lines), fix.range.start, fix.range.end, found),
                    "insertedContent": {"text": fix.replacement},
                })
            })
            .collect();
        result["fixes"] = json!([{
            "description": {"text": found.help.first().map_or("the certain repair", String::as_str)},
            "artifactChanges": [{
                "artifactLocation": {"uri": uri(&found.file), "uriBaseId": "%SRCROOT%"},
                "replacements": replacements,
            }],
        }]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Lines and columns count from 1; the end column stands behind the last character.
fn region(lines: Option<&Lines<'_>>, start: usize, end: usize, found: &Diagnostic) -> Value {
    let Some(lines) = lines else {
        return json!({"startLine": found.span.line.max(1), "startColumn": found.span.column.max(1)});
    };
    let (first, last) = (lines.span(start, start), lines.span(end.max(start), end.max(start)));
    json!({
        "startLine": first.line,
        "startColumn": first.column,
        "endLine": last.line,
        "endColumn": last.column,
    })
}

/// A path as a relative address.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
