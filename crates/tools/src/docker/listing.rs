//! `docker images`: the table, the ids, or a format of one's own.

use std::time::{Duration, SystemTime};

use buildgraph::ignore::Ignore;
use names::{ImageRef, Timestamp};
use serde_json::{Value, json};

use super::{
    server::{Listed, Server},
    usage, wrong_count,
};
use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, Parsed, Until, switch, value},
    go_template::{Missing, Template},
};

const FLAGS: &[Flag] = &[
    switch("all").short('a').idle(),
    switch("digests"),
    value("filter").short('f'),
    value("format"),
    switch("no-trunc"),
    switch("quiet").short('q'),
    switch("tree").refused("the plain list shows every name"),
];

/// Digits of an id that people write.
const SHORT: usize = 12;
/// Spaces between columns.
const GAP: usize = 3;

/// Runs `docker images`.
pub async fn list(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[FLAGS], Until::End).map_err(|it| usage(&it, "images"))?;
    if line.words.len() > 1 {
        return Err(wrong_count("images", "at most 1 argument", "[REPOSITORY[:TAG]]"));
    }
    let mut patterns: Vec<String> = line.words.clone();
    for filter in line.all("filter") {
        match filter.split_once('=') {
            Some(("reference", pattern)) => patterns.push(pattern.to_owned()),
            // Every image here has a name.
            Some(("dangling", "true")) => return if line.is_on("quiet") { Ok(()) } else { show(&[], &line, console) },
            Some(("dangling", "false")) => {}
            _ => return Err(Failure::new(format!("docker: the filter `{filter}` is not supported by this docker: use reference=PATTERN"))),
        }
    }
    let server = Server::of(console)?;
    let images = server.images().await?;
    let chosen: Vec<&Listed> = images.iter().filter(|it| patterns.iter().all(|pattern| fits(it, pattern))).collect();
    show(&chosen, &line, console)
}

fn fits(image: &Listed, pattern: &str) -> bool {
    let path = pattern.rsplit('/').next().unwrap_or(pattern);
    if pattern.contains(['*', '?', '[']) {
        let text = if path.contains(':') { format!("{}:{}", image.repository, image.tag) } else { image.repository.clone() };
        return Ignore::from_patterns(&[pattern]).is_ok_and(|it| it.ignores(&text));
    }
    let image_name = format!("{}:{}", image.repository, image.tag).parse::<ImageRef>().ok();
    match (pattern.parse::<ImageRef>(), image_name) {
        (Ok(wanted), Some(it)) => it.name() == wanted.name() && (!path.contains(':') || it.tag == wanted.tag),
        _ => false,
    }
}

fn show(images: &[&Listed], line: &Parsed, console: &mut Console) -> Result<(), Failure> {
    let now = SystemTime::now().into();
    let whole_ids = line.is_on("no-trunc");
    let rows: Vec<Value> = images.iter().map(|it| row(it, whole_ids, now)).collect();
    if line.is_on("quiet") {
        let mut seen = Vec::new();
        for row in &rows {
            if !seen.contains(&&row["ID"]) {
                seen.push(&row["ID"]);
                console.out(row["ID"].as_str().unwrap_or_default());
            }
        }
        return Ok(());
    }
    let digests = if line.is_on("digests") { "\t{{.Digest}}" } else { "" };
    let default = format!("table {{{{.Repository}}}}\t{{{{.Tag}}}}{digests}\t{{{{.ID}}}}\t{{{{.CreatedSince}}}}\t{{{{.Size}}}}");
    let format = match line.last("format") {
        None | Some("table") => default.as_str(),
        Some("json") => "{{json .}}",
        Some(format) => format,
    };
    // A shell hands `\t` and `\n` on as they are written.
    let format = format.replace("\\t", "\t").replace("\\n", "\n");
    let wrong = |error: crate::go_template::TemplateError| Failure::new(error.to_string());
    let Some(columns) = format.strip_prefix("table") else {
        let template = Template::parse(&format).map_err(wrong)?;
        for row in &rows {
            console.out(template.fill(row, Missing::Error).map_err(wrong)?);
        }
        return Ok(());
    };
    let template = Template::parse(columns.trim_start()).map_err(wrong)?;
    let titles = json!({
        "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID", "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
        "VirtualSize": "SIZE",
    });
    let mut lines = Vec::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let text = template.fill(row, Missing::Error).map_err(wrong)?;
        lines.push(text.split('\t').map(str::to_owned).collect());
    }
    for line in aligned(&lines, GAP) {
        console.out(line);
    }
    Ok(())
}

/// Columns one below the other, the last as it is.
fn aligned(lines: &[Vec<String>], gap: usize) -> Vec<String> {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|it| it.get(column)).map(|it| it.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let padded = lines.iter().map(|cells| {
        let last = cells.len().saturating_sub(1);
        let cells = cells.iter().enumerate().map(|(at, cell)| {
            let pad = if at == last { 0 } else { widths[at] + gap - cell.chars().count() };
            format!("{cell}{}", " ".repeat(pad))
        });
        cells.collect::<String>()
    });
    padded.collect()
}

fn row(image: &Listed, whole_ids: bool, now: Timestamp) -> Value {
    let id = if whole_ids { image.digest.to_string() } else { image.digest.hex()[..SHORT].to_owned() };
    let created: Timestamp = image.created.as_deref().and_then(|it| it.parse().ok()).unwrap_or(image.pushed);
    let size = size(image.size_bytes);
    json!({
        "Repository": image.repository, "Tag": image.tag, "ID": id, "Digest": image.digest,
        "CreatedSince": format!("{} ago", age(now.since(created))), "CreatedAt": created.to_seconds_text(),
        "Size": size, "VirtualSize": size, "SharedSize": "N/A", "UniqueSize": "N/A", "Containers": "N/A",
    })
}

/// A span in Docker's words.
fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// A size with three digits, as Docker rounds it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let digits = if number >= 100.0 { 0 } else if number >= 10.0 { 1 } else { 2 };
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_read_as_docker_writes_them() {
        let sizes = [0, 999, 1_220_000, 12_340_000, 187_600_000, 2_000_000_000].map(size);
        assert_eq!(sizes.join(" "), "0B 999B 1.22MB 12.3MB 188MB 2GB");
        let ages = [0, 1, 30, 60, 150, 3600, 7200, 86_400 * 3, 86_400 * 20, 86_400 * 90].map(|it| age(Duration::from_secs(it)));
        assert_eq!(
            ages.join(", "),
            "Less than a second, 1 second, 30 seconds, About a minute, 2 minutes, About an hour, 2 hours, 3 days, 2 weeks, 3 months"
        );
    }

    #[test]
    fn names_and_patterns_choose() {
        check("myapp", "myapp:latest", true);
        check("myapp:v1", "myapp:latest", false);
        check("team/myapp", "myapp:latest", false);
        check("docker.io/library/myapp", "myapp:latest", true);
        check("my*", "myapp:latest", true);
        check("*:v*", "myapp:v1", true);
    }

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        let (repository, tag) = name.split_once(':').expect("a tag");
        let image = Listed {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: names::Digest::of(b""),
            created: None,
            pushed: Timestamp::default(),
            size_bytes: 0,
        };
        assert_eq!(fits(&image, pattern), expected, "{pattern} for {name}");
    }
}
