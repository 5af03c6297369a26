//! Secrets, variables and inputs as they are given on the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use names::ImageRef;

/// Reads lines of `KEY=VALUE`; empty lines and those that begin with `#` say nothing.
///
/// A value in quotes loses them; in double quotes `\n` begins a new line.
pub fn read_secrets(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let mut values = parse(&text, &file.display().to_string())?;
    values.retain(|(name, _)| {
        let is_given = name == "GITHUB_TOKEN";
        if is_given {
            eprintln!("note: `{}`: every job gets a `GITHUB_TOKEN` of its own; the one in the file is not used", file.display());
        }
        !is_given
    });
    Ok(values)
}

fn parse(text: &str, file: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut values = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line may hold a secret without its name, so it is not repeated.
        let Some((name, value)) = line.split_once('=') else {
            bail!("{file}:{}: expected `KEY=VALUE`, found a line without `=`", number + 1);
        };
        let name = check_name(name.trim()).with_context(|| format!("{file}:{}", number + 1))?;
        values.push((name, unquoted(value.trim())));
    }
    Ok(values)
}

/// The name in upper case, if it is one of GitHub's kind.
pub fn check_name(text: &str) -> anyhow::Result<String> {
    let upper = text.to_ascii_uppercase();
    let plain = upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = upper.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let reserved = upper.starts_with("GITHUB_") && upper != "GITHUB_TOKEN";
    if plain && begins && !reserved {
        return Ok(upper);
    }
    bail!("expected letters, digits and `_`, not beginning with a digit or `GITHUB_`, found `{text}`")
}

fn unquoted(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = inner('"') {
        return inner.replace("\\n", "\n").replace("\\\"", "\"");
    }
    inner('\'').unwrap_or(value).to_owned()
}

/// `K=V`
pub fn assignment(text: &str) -> Result<(String, String), String> {
    pair(text, '=').ok_or_else(|| format!("expected `NAME=VALUE`, found `{text}`"))
}

/// `K:V`
pub fn filter(text: &str) -> Result<(String, String), String> {
    pair(text, ':').ok_or_else(|| format!("expected `KEY:VALUE`, found `{text}`"))
}

/// The name of an image and where it lies.
pub fn image((name, source): (String, String)) -> anyhow::Result<(ImageRef, PathBuf)> {
    let source = PathBuf::from(source);
    if !source.exists() {
        bail!("`--image {name}`: there is no `{}`", source.display());
    }
    let name = name.parse().with_context(|| format!("`--image {name}`"))?;
    Ok((name, source))
}

fn pair(text: &str, between: char) -> Option<(String, String)> {
    let (name, value) = text.split_once(between)?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        let parsed = parse(text, "f").map_err(|error| format!("{error:#}"));
        let expected = expected
            .map(|it| it.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
            .map_err(str::to_owned);
        assert_eq!(parsed, expected);
    }

    #[test]
    fn secrets_are_lines() {
        check("# a\n\ntoken=a=b\nexport X='1 2'\nY=\"a\\nb\"\n", Ok(&[("TOKEN", "a=b"), ("X", "1 2"), ("Y", "a\nb")]));
        check("hunter2", Err("f:1: expected `KEY=VALUE`, found a line without `=`"));
        check("\nA-B=1", Err("f:2: expected letters, digits and `_`, not beginning with a digit or `GITHUB_`, found `A-B`"));
        check("GITHUB_SHA=1", Err("f:1: expected letters, digits and `_`, not beginning with a digit or `GITHUB_`, found `GITHUB_SHA`"));
    }
}
