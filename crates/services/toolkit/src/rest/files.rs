//! What changed between two commits, file by file.

use repo::Repository;
use serde_json::{Value, json};

use super::{Ask, answer::Problem, git};

/// GitHub's own limit.
const FILES_MAX: usize = 300;
/// The commit without files, for a first commit.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The files that differ; those of `to` alone if there is nothing to compare with.
pub async fn between(ask: &Ask<'_>, repository: &Repository, from: Option<&str>, to: &str) -> Result<Vec<Value>, Problem> {
    let from = from.unwrap_or(EMPTY_TREE);
    let raw = git::text(repository, &["diff", "--raw", "--numstat", "--no-abbrev", "-z", "-M", from, to, "--"]).await?;
    let mut files = parse(&raw);
    files.truncate(FILES_MAX);
    Ok(files.into_iter().map(|file| shown(ask, &file, to)).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct Changed<'a> {
    status: &'static str,
    object: &'a str,
    path: &'a str,
    previous: Option<&'a str>,
    additions: u64,
    deletions: u64,
}

/// Reads Git's list of states, then its list of counts; both have the same order.
fn parse(raw: &str) -> Vec<Changed<'_>> {
    let mut words = raw.split('\0').filter(|it| !it.is_empty()).peekable();
    let mut files = Vec::new();
    while let Some(facts) = words.next_if(|it| it.starts_with(':')) {
        let facts: Vec<&str> = facts.split(' ').collect();
        let letter = facts.get(4).and_then(|it| it.chars().next()).unwrap_or('M');
        let Some(first) = words.next() else { break };
        let renamed = matches!(letter, 'R' | 'C').then(|| words.next()).flatten();
        let status = match letter {
            'A' => "added",
            'D' => "removed",
            'R' => "renamed",
            'C' => "copied",
            'T' => "changed",
            _ => "modified",
        };
        let object = facts.get(if letter == 'D' { 2 } else { 3 }).copied().unwrap_or_default();
        let (path, previous) = renamed.map_or((first, None), |path| (path, Some(first)));
        files.push(Changed { status, object, path, previous, additions: 0, deletions: 0 });
    }
    for file in &mut files {
        let Some(counts) = words.next() else { break };
        let mut parts = counts.splitn(3, '\t');
        let mut count = || parts.next().and_then(|it| it.parse().ok()).unwrap_or_default();
        (file.additions, file.deletions) = (count(), count());
        if parts.next().is_none_or(str::is_empty) {
            // Both names of a renamed file follow.
            words.next();
            words.next();
        }
    }
    files
}

fn shown(ask: &Ask<'_>, file: &Changed<'_>, commit: &str) -> Value {
    let mut shown = json!({
        "sha": file.object, "filename": file.path, "status": file.status,
        "additions": file.additions, "deletions": file.deletions, "changes": file.additions + file.deletions,
        "contents_url": ask.url(&format!("/contents/{}?ref={commit}", file.path)),
    });
    if let Some(previous) = file.previous {
        shown["previous_filename"] = previous.into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_counts_are_put_together() {
        let raw = ":100644 100644 a1 b1 M\0a.txt\0:100644 000000 a2 00 D\0gone\0:100644 100644 a3 b3 R087\0old\0new\0\
                   2\t1\ta.txt\0-\t-\tgone\x005\t6\t\0old\0new\0";
        let shown: Vec<String> = parse(raw)
            .iter()
            .map(|it| format!("{} {} {} {:?} +{} -{}", it.status, it.object, it.path, it.previous, it.additions, it.deletions))
            .collect();
        let expected = [
            "modified b1 a.txt None +2 -1",
            "removed a2 gone None +0 -0",
            "renamed b3 new Some(\"old\") +5 -6",
        ];
        assert_eq!(shown, expected);
        assert_eq!(parse(""), []);
    }
}
