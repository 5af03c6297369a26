//! `docker/metadata-action`: tags and labels of an image from the ref that runs.

use serde_json::json;

use super::step::{Failed, Phase, Step, failed};

/// The rules without the input `tags`.
const DEFAULT_RULES: [&str; 4] = ["type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"];

/// One line of the input `tags`.
#[derive(Debug, Default)]
struct Rule {
    kind: String,
    fields: Vec<(String, String)>,
}

impl Rule {
    fn parse(line: &str) -> Self {
        let mut rule = Self::default();
        for part in split_csv(line) {
            match part.split_once('=') {
                Some(("type", kind)) => rule.kind = kind.to_owned(),
                Some((name, value)) => rule.fields.push((name.trim().to_lowercase(), value.to_owned())),
                // A line without a kind is the tag itself.
                None => rule.fields.push(("value".to_owned(), part)),
            }
        }
        if rule.kind.is_empty() {
            rule.kind = "raw".to_owned();
        }
        rule
    }

    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn priority(&self) -> i64 {
        let default = match self.kind.as_str() {
            "schedule" => 1000,
            "semver" | "pep440" => 900,
            "match" => 800,
            "edge" => 700,
            "ref" => 600,
            "raw" => 200,
            _ => 100,
        };
        self.get("priority").parse().unwrap_or(default)
    }
}

/// Commas separate, quotes hold together.
fn split_csv(line: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts.into_iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// What the run is about.
struct Facts<'a> {
    event: &'a str,
    git_ref: &'a str,
    sha: &'a str,
    default_branch: String,
}

/// How `latest` is handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Latest {
    Auto,
    Always,
    Never,
}

struct Tags {
    tags: Vec<String>,
    latest: bool,
}

fn tags(rules: &[&str], flavor: &[&str], facts: &Facts<'_>) -> Result<Tags, Failed> {
    let mut latest = Latest::Auto;
    let (mut prefix, mut suffix) = (String::new(), String::new());
    for line in flavor {
        for part in split_csv(line) {
            match part.split_once('=') {
                Some(("latest", "true")) => latest = Latest::Always,
                Some(("latest", "false")) => latest = Latest::Never,
                Some(("latest", "auto")) | Some(("onlatest", _)) => {}
                Some(("prefix", value)) => prefix = value.to_owned(),
                Some(("suffix", value)) => suffix = value.to_owned(),
                _ => return Err(Failed(format!("flavor: `{part}` is not understood"))),
            }
        }
    }
    let mut rules: Vec<Rule> = rules.iter().map(|line| Rule::parse(line)).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority()));
    let mut made = Tags { tags: Vec::new(), latest: latest == Latest::Always };
    for rule in rules {
        if matches!(rule.get("enable"), "false") {
            continue;
        }
        let Some((value, is_latest)) = value(&rule, facts)? else { continue };
        let own = |name: &str, common: &str| if rule.fields.iter().any(|(it, _)| it == name) { rule.get(name).to_owned() } else { common.to_owned() };
        let lead = if rule.kind == "sha" && rule.get("prefix").is_empty() && !rule.fields.iter().any(|(it, _)| it == "prefix") {
            "sha-".to_owned()
        } else {
            own("prefix", &prefix)
        };
        let tag = clean(&format!("{lead}{value}{}", own("suffix", &suffix)));
        if !made.tags.contains(&tag) {
            made.tags.push(tag);
        }
        made.latest |= latest == Latest::Auto && is_latest;
    }
    Ok(made)
}

/// The tag of a rule, and whether it is the latest by its nature; `None` if it says nothing here.
fn value(rule: &Rule, facts: &Facts<'_>) -> Result<Option<(String, bool)>, Failed> {
    let tag = facts.git_ref.strip_prefix("refs/tags/");
    let branch = facts.git_ref.strip_prefix("refs/heads/");
    let of_rule = |found: Option<&str>| match rule.get("value") {
        "" => found.map(str::to_owned),
        value => Some(value.to_owned()),
    };
    Ok(match rule.kind.as_str() {
        "ref" => match rule.get("event") {
            "branch" => branch.map(|it| (it.to_owned(), false)),
            "tag" => tag.map(|it| (it.to_owned(), true)),
            "pr" => {
                let number = facts.git_ref.strip_prefix("refs/pull/").and_then(|it| it.split('/').next());
                number.map(|it| (format!("pr-{it}"), false))
            }
            other => return Err(Failed(format!("tags: expected the event branch, tag or pr, found `{other}`"))),
        },
        "semver" | "pep440" => {
            let Some(text) = of_rule(tag) else { return Ok(None) };
            let Some(version) = Semver::parse(&text) else { return Ok(None) };
            Some((version.fill(rule.get("pattern")), version.pre.is_empty()))
        }
        "match" => {
            let Some(text) = of_rule(tag) else { return Ok(None) };
            let pattern = rule.get("pattern").trim_matches('/');
            let pattern = regex::Regex::new(pattern).map_err(failed("tags: the pattern"))?;
            let group = rule.get("group").parse().unwrap_or(0);
            let found = pattern.captures(&text).and_then(|it| it.get(group)).map(|it| it.as_str().to_owned());
            found.map(|it| (it, true))
        }
        "edge" => {
            let edge = if rule.get("branch").is_empty() { facts.default_branch.as_str() } else { rule.get("branch") };
            (branch == Some(edge)).then(|| ("edge".to_owned(), false))
        }
        "sha" => {
            let long = rule.get("format") == "long";
            Some((facts.sha.get(..if long { 40 } else { 7 }).unwrap_or(facts.sha).to_owned(), false))
        }
        "raw" => {
            let value = rule.get("value");
            let value = value.replace("{{branch}}", branch.unwrap_or_default()).replace("{{tag}}", tag.unwrap_or_default());
            let value = value.replace("{{sha}}", facts.sha.get(..7).unwrap_or(facts.sha));
            Some((value, false))
        }
        "schedule" if facts.event == "schedule" => Some((date(rule.get("pattern")), false)),
        "schedule" => None,
        other => return Err(Failed(format!("tags: unknown type `{other}`"))),
    })
}

/// Only `nightly` and dates by day are made here.
fn date(pattern: &str) -> String {
    match pattern {
        "" | "nightly" => "nightly".to_owned(),
        pattern => {
            let now: names::Timestamp = std::time::SystemTime::now().into();
            let text = now.to_string();
            let day: String = text.chars().take(10).filter(|c| *c != '-').collect();
            pattern.replace("{{date 'YYYYMMDD'}}", &day)
        }
    }
}

struct Semver {
    raw: String,
    numbers: [String; 3],
    pre: String,
}

impl Semver {
    fn parse(text: &str) -> Option<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let plain = plain.split('+').next().unwrap_or(plain);
        let (numbers, pre) = plain.split_once('-').unwrap_or((plain, ""));
        let parts: Vec<_> = numbers.split('.').collect();
        let [major, minor, patch] = parts.as_slice() else { return None };
        let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.iter().all(|it| is_number(it)) {
            return None;
        }
        let numbers = [*major, *minor, *patch].map(str::to_owned);
        Some(Self { raw: text.to_owned(), numbers, pre: pre.to_owned() })
    }

    /// A version before its release keeps its whole name, whatever the pattern.
    fn fill(&self, pattern: &str) -> String {
        let [major, minor, patch] = &self.numbers;
        let whole = if self.pre.is_empty() { format!("{major}.{minor}.{patch}") } else { format!("{major}.{minor}.{patch}-{}", self.pre) };
        if !self.pre.is_empty() && !pattern.contains("raw") {
            return whole;
        }
        let mut text = pattern.replace("{{version}}", &whole).replace("{{raw}}", &self.raw);
        for (name, value) in [("{{major}}", major), ("{{minor}}", minor), ("{{patch}}", patch)] {
            text = text.replace(name, value);
        }
        text
    }
}

/// What a tag may hold.
fn clean(tag: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    tag.trim_start_matches(['.', '-']).chars().map(plain).take(128).collect()
}

pub fn run(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let event: serde_json::Value = std::fs::read_to_string(step.env("GITHUB_EVENT_PATH"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let field = |pointer: &str| event.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    let default_branch = match field("/repository/default_branch") {
        "" => "main".to_owned(),
        branch => branch.to_owned(),
    };
    let facts = Facts {
        event: step.env("GITHUB_EVENT_NAME"),
        git_ref: step.env("GITHUB_REF"),
        sha: step.env("GITHUB_SHA"),
        default_branch,
    };
    let given = step.lines("tags");
    let rules = if given.is_empty() { DEFAULT_RULES.to_vec() } else { given };
    let made = tags(&rules, &step.lines("flavor"), &facts)?;
    let mut versions = made.tags.clone();
    if made.latest {
        versions.push("latest".to_owned());
    }
    let images: Vec<String> = step.lines("images").into_iter().map(|it| it.trim_start_matches("name=").to_lowercase()).collect();
    let all: Vec<String> = if images.is_empty() {
        versions.clone()
    } else {
        images.iter().flat_map(|image| versions.iter().map(move |version| format!("{image}:{version}"))).collect()
    };
    let version = versions.first().cloned().unwrap_or_default();
    let now: names::Timestamp = std::time::SystemTime::now().into();
    let url = format!("{}/{}", step.env("GITHUB_SERVER_URL"), step.env("GITHUB_REPOSITORY"));
    let title = step.env("GITHUB_REPOSITORY").rsplit('/').next().unwrap_or_default();
    let mut labels: Vec<(String, String)> = [
        ("created", now.to_string()),
        ("description", field("/repository/description").to_owned()),
        ("licenses", field("/repository/license/spdx_id").to_owned()),
        ("revision", facts.sha.to_owned()),
        ("source", url.clone()),
        ("title", title.to_owned()),
        ("url", url),
        ("version", version.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value))
    .collect();
    for line in step.lines("labels") {
        if let Some((name, value)) = line.split_once('=') {
            labels.retain(|(known, _)| known != name);
            labels.push((name.to_owned(), value.to_owned()));
        }
    }
    let lines: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let separator = |input: &str| match step.input(input) {
        "" => "\n".to_owned(),
        text => text.to_owned(),
    };
    let table: serde_json::Map<_, _> = labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    step.set_output("version", &version)?;
    step.set_output("tags", &all.join(&separator("sep-tags")))?;
    step.set_output("labels", &lines.join(&separator("sep-labels")))?;
    step.set_output("annotations", "")?;
    step.set_output("json", &json!({"tags": all, "labels": table}).to_string())?;
    step.export("DOCKER_METADATA_OUTPUT_VERSION", &version)?;
    step.export("DOCKER_METADATA_OUTPUT_TAGS", &all.join("\n"))?;
    step.export("DOCKER_METADATA_OUTPUT_LABELS", &lines.join("\n"))?;
    step.say("Docker tags");
    all.iter().for_each(|tag| step.say(tag));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &[&str], git_ref: &str, expected: &str) {
        let sha = "860c1904a1ce19322e91ac35af1ab07466440c37";
        let facts = Facts { event: "push", git_ref, sha, default_branch: "main".to_owned() };
        let made = tags(rules, &[], &facts).expect("tags");
        let latest = if made.latest { " +latest" } else { "" };
        assert_eq!(format!("{}{latest}", made.tags.join(" ")), expected);
    }

    #[test]
    fn tags_are_those_of_the_original() {
        check(&DEFAULT_RULES, "refs/heads/main", "main");
        check(&DEFAULT_RULES, "refs/heads/feature/x", "feature-x");
        check(&DEFAULT_RULES, "refs/tags/v1.2.3", "v1.2.3 +latest");
        check(&DEFAULT_RULES, "refs/pull/2/merge", "pr-2");
        check(&["type=semver,pattern={{version}}", "type=semver,pattern={{major}}.{{minor}}"], "refs/tags/v1.2.3", "1.2.3 1.2 +latest");
        check(&["type=semver,pattern={{major}}"], "refs/tags/v2.0.8-beta.67", "2.0.8-beta.67");
        check(&["type=sha"], "refs/heads/main", "sha-860c190");
        check(&["type=raw,value=foo", "type=edge"], "refs/heads/main", "edge foo");
        check(&["type=raw,value=foo,enable=false"], "refs/heads/main", "");
    }
}
