//! Images within a job: what it builds, and whether what it pushes was ever made.

use std::ops::Range;

use names::ImageRef;
use yaml::Diagnostic;

use crate::{
    Tree,
    job::{Command, Job, Step, Word, Work},
};

/// What is known of the images of a job once all its steps are over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub made: Vec<Made>,
    /// A name that only a run can tell, so any image may be there.
    pub is_vague: bool,
    /// The first command that may do anything, as it is written.
    pub opaque: Option<String>,
    /// Names that were pushed, right or wrong.
    pub pushed: Vec<ImageRef>,
}

/// An image that a job has under a name.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub name: ImageRef,
    /// As it is written.
    pub written: String,
    pub by: By,
    pub step: String,
    pub line: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum By {
    Build {
        /// The whole command.
        command: String,
        /// The name within the command.
        place: Range<usize>,
        /// The name in the repaired source.
        range: Range<usize>,
    },
    Other,
}

/// Programs that surely neither make images nor write files that are deployed.
const HARMLESS: [&str; 38] = [
    "[", "[[", "apt-get", "cargo", "cat", "cd", "curl", "date", "df", "docker", "done", "echo", "env", "exit", "export",
    "false", "fi", "git", "go", "grep", "head", "id", "kubectl", "ls", "node", "npm", "pip", "printf", "ps", "pwd",
    "pytest", "set", "sleep", "test", "trivy", "true", "uname", "wc",
];

/// Whether a command may do anything, as far as can be seen.
pub(crate) fn is_opaque(command: &Command) -> bool {
    match command.program() {
        None => !command.words.is_empty(),
        Some("npm") => command.word(1).is_some_and(|it| matches!(it, "run" | "exec" | "start")),
        Some("go") => command.word(1) == Some("generate"),
        Some("node") => command.word(1).is_none_or(|it| !it.starts_with('-')),
        Some("sh" | "bash") => true,
        Some(program) => !HARMLESS.contains(&program),
    }
}

pub(crate) fn reference(word: &Word) -> Option<ImageRef> {
    word.text.as_deref()?.parse().ok()
}

/// Reports pushes of images that were never made.
pub(crate) fn check(job: &Job<'_>, jobs: &[Job<'_>], tree: &Tree, found: &mut Vec<Diagnostic>) -> Seen {
    let mut seen = Seen::default();
    for ancestor in job.ancestors(jobs) {
        for step in &ancestor.steps {
            walk(ancestor, step, &mut seen, &mut |_, _, _| {});
        }
    }
    // Jobs that are not waited for may run at the same time; what they make may be there.
    let inherited = seen.made.len();
    for step in &job.steps {
        walk(job, step, &mut seen, &mut |step, word, seen| {
            found.extend(push(job, step, word, seen, inherited, tree));
        });
    }
    seen
}

/// Follows a step; every pushed name is shown to `pushed`.
fn walk(job: &Job<'_>, step: &Step, seen: &mut Seen, pushed: &mut dyn FnMut(&Step, &Push<'_>, &Seen)) {
    let Work::Script(commands) = &step.work else {
        if !matches!(step.work, Work::Checkout) {
            seen.opaque.get_or_insert_with(|| step.name.clone());
        }
        return;
    };
    for command in commands {
        if is_opaque(command) {
            seen.opaque.get_or_insert_with(|| command.text.clone());
        }
        if command.program() != Some("docker") {
            continue;
        }
        let rest = arguments(command);
        match rest.first().and_then(|it| it.text.as_deref()) {
            Some("build") => build(job, step, command, &rest, seen),
            Some("tag") => {
                let names = plain(rest.get(1..).unwrap_or_default(), &[]);
                if let Some(target) = names.get(1) {
                    other(step, target, seen);
                }
            }
            Some("pull") => {
                let names = plain(rest.get(1..).unwrap_or_default(), &["--platform"]);
                if let Some(name) = names.first() {
                    other(step, name, seen);
                }
            }
            Some("push") => {
                let names = plain(rest.get(1..).unwrap_or_default(), &["--platform"]);
                if let Some(word) = names.first() {
                    let all = rest.iter().any(|it| matches!(it.raw.as_str(), "-a" | "--all-tags"));
                    pushed(step, &Push { word, all: if all { Tags::All } else { Tags::One } }, seen);
                    seen.pushed.extend(reference(word));
                }
            }
            Some("load" | "import" | "compose" | "commit" | "bake") | None => seen.is_vague = true,
            Some(_) => {}
        }
    }
}

struct Push<'a> {
    word: &'a Word,
    all: Tags,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tags {
    One,
    All,
}

/// The words after `docker`, `docker image`, `docker buildx`.
fn arguments(command: &Command) -> Vec<Word> {
    let mut words = command.words.get(1..).unwrap_or_default();
    // Options of `docker` itself: `--context x` and the like are rare; `-D` takes nothing.
    while words.first().is_some_and(|it| matches!(it.raw.as_str(), "image" | "buildx" | "builder" | "-D" | "--debug")) {
        words = words.get(1..).unwrap_or_default();
    }
    words.to_vec()
}

/// The words that are no flags; `with_value` are flags whose value is the next word.
fn plain<'a>(words: &'a [Word], with_value: &[&str]) -> Vec<&'a Word> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !word.raw.starts_with('-') || word.raw == "-" {
            found.push(word);
        } else if with_value.contains(&word.raw.as_str()) {
            words.next();
        }
    }
    found
}

fn build(job: &Job<'_>, step: &Step, command: &Command, words: &[Word], seen: &mut Seen) {
    for tag in tags(words) {
        let Some(name) = reference(&tag) else {
            seen.is_vague = true;
            continue;
        };
        let start = command.words.first().map_or(0, |it| it.range.start);
        let by = By::Build {
            command: command.text.clone(),
            place: tag.range.start.saturating_sub(start)..tag.range.end.saturating_sub(start),
            range: tag.range.clone(),
        };
        let line = job.span(&tag).line;
        seen.made.push(Made { name, written: tag.raw.clone(), by, step: step.name.clone(), line });
    }
}

/// The values of `-t` and `--tag` of a build, each with its own place.
pub(crate) fn tags(words: &[Word]) -> Vec<Word> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if matches!(word.raw.as_str(), "-t" | "--tag") {
            found.extend(words.next().cloned());
            continue;
        }
        let value = ["--tag=", "-t="].iter().find(|flag| word.raw.starts_with(**flag)).map(|flag| flag.len());
        let short = || (word.raw.starts_with("-t") && !word.raw.starts_with("--")).then_some(2);
        if let Some(skip) = value.or_else(short) {
            found.push(Word {
                text: word.text.as_ref().and_then(|it| it.get(skip..)).map(str::to_owned),
                raw: word.raw.get(skip..).unwrap_or_default().to_owned(),
                range: word.range.start + skip..word.range.end,
            });
        }
    }
    found
}

fn other(step: &Step, word: &Word, seen: &mut Seen) {
    match reference(word) {
        Some(name) => {
            let made = Made { name, written: word.raw.clone(), by: By::Other, step: step.name.clone(), line: step.line };
            seen.made.push(made);
        }
        None => seen.is_vague = true,
    }
}

/// The last part of a repository: `myapp` of `myregistry/myapp`.
pub(crate) fn last_part(name: &ImageRef) -> &str {
    name.repository.rsplit('/').next().unwrap_or(&name.repository)
}

fn push(job: &Job<'_>, step: &Step, push: &Push<'_>, seen: &Seen, inherited: usize, tree: &Tree) -> Option<Diagnostic> {
    let written = push.word.text.as_deref()?;
    let name: ImageRef = match written.parse() {
        Ok(name) => name,
        Err(error) => {
            let message = format!("`{written}` is no name of an image: {error}");
            return Some(Diagnostic::error(job.path, job.span(push.word), "LF-L0005", message));
        }
    };
    let matches = |made: &Made| match push.all {
        Tags::One => made.name == name,
        Tags::All => made.name.name() == name.name(),
    };
    if seen.is_vague || seen.made.iter().any(matches) {
        return None;
    }
    let own = seen.made.get(inherited..).unwrap_or_default();
    let built: Vec<&Made> = own.iter().filter(|it| matches!(it.by, By::Build { .. })).collect();
    let alike: Vec<&Made> = built.iter().copied().filter(|it| last_part(&it.name) == last_part(&name)).collect();
    let mut message = format!("`{written}` is pushed, but no step of job `{}` builds or tags it", job.id);
    let mut found = Diagnostic::error(job.path, job.span(push.word), "LF-L0001", "").label("no image has this name");
    if let Some(opaque) = &seen.opaque {
        if alike.is_empty() {
            return None;
        }
        message.push_str(&format!("; perhaps `{opaque}` does"));
        found = found.warning();
    }
    found.message = message;
    let Some(meant) = alike.first().or(built.last()).copied() else {
        let help = format!("build it in a step before `{}`: `docker build -t {written} .`", step.name);
        return Some(found.help(help));
    };
    let By::Build { command, place, range } = &meant.by else { return Some(found) };
    found = found.help(format!("line {} builds `{}` instead (step `{}`)", meant.line, meant.written, meant.step));
    let mut mended = command.clone();
    if mended.get(place.clone()).is_some() {
        mended.replace_range(place.clone(), written);
        found = found.help(format!("write there `{}`", one_line(&mended)));
    }
    found = found.help(format!("or name it again before the push: `docker tag {} {written}`", meant.written));
    let certain = alike.len() == 1 && meant.name.tag == name.tag && seen.opaque.is_none();
    if certain {
        // The old name stays if anything else uses it.
        let replacement = if is_used_elsewhere(job, meant, tree) {
            format!("{} -t {written}", meant.written)
        } else {
            written.to_owned()
        };
        let start = job.source.span(range.start, range.end);
        found = found.fix(start.start..start.end, replacement);
    }
    Some(found)
}

fn one_line(command: &str) -> String {
    command.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the built name is used by other commands or by manifests.
fn is_used_elsewhere(job: &Job<'_>, made: &Made, tree: &Tree) -> bool {
    let names = |word: &Word| reference(word).as_ref() == Some(&made.name) && word.raw.contains(last_part(&made.name));
    let uses = job.commands().flat_map(|(_, command)| &command.words).filter(|word| names(word)).count();
    let in_manifests = tree.sources().filter(|(path, _)| *path != job.path).any(|(_, source)| {
        let image = |line: &str| line.trim().trim_start_matches("- ").strip_prefix("image:").map(|it| it.trim().to_owned());
        source.text().lines().filter_map(image).any(|it| it.parse().ok().as_ref() == Some(&made.name))
    });
    uses > 1 || in_manifests
}
