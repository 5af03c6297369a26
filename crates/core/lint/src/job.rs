//! Jobs as the checks see them: their steps' commands with the places of their words.
//!
//! Read from the YAML and not from the checked workflow, because the places of
//! single words are needed, and because a file with one error still has others.

use std::{collections::BTreeMap, ops::Range};

use yaml::{Flavor, Node, NodeValue, Span};

use crate::{
    mend::Source,
    script::{self, Piece},
    tree,
};

#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    pub path: &'a str,
    pub source: &'a Source,
    pub id: String,
    pub needs: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// How people know it.
    pub name: String,
    pub line: usize,
    pub work: Work,
}

#[derive(Clone, Debug)]
pub(crate) enum Work {
    Checkout,
    /// An action that is not looked into.
    Action,
    /// A script of a shell that is not read.
    Foreign,
    Script(Vec<Command>),
}

/// A command with its variables filled in.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Without leading assignments, `sudo` and keywords.
    pub words: Vec<Word>,
    pub redirects: Vec<Word>,
    /// Where it runs, in the repository; `None` if that is not known.
    pub folder: Option<String>,
    /// As it is written.
    pub text: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Word {
    /// `None` if it is known only when it runs.
    pub text: Option<String>,
    /// As it is written.
    pub raw: String,
    /// In bytes of the repaired source.
    pub range: Range<usize>,
}

impl Command {
    pub fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index)?.text.as_deref()
    }

    /// The program without its folder.
    pub fn program(&self) -> Option<&str> {
        self.word(0).map(|it| it.rsplit('/').next().unwrap_or(it))
    }

    /// Whether it begins with these words.
    pub fn begins(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| {
            let found = if index == 0 { self.program() } else { self.word(index) };
            found == Some(word)
        })
    }
}

impl Job<'_> {
    /// The place of a word in the original file.
    pub fn span(&self, word: &Word) -> Span {
        self.source.span(word.range.start, word.range.end)
    }

    /// All commands with their steps, in order.
    pub fn commands(&self) -> impl Iterator<Item = (&Step, &Command)> {
        self.steps.iter().flat_map(|step| match &step.work {
            Work::Script(commands) => commands.iter().map(|it| (step, it)).collect::<Vec<_>>(),
            Work::Checkout | Work::Action | Work::Foreign => Vec::new(),
        })
    }

    /// The jobs that are over when this one starts.
    pub fn ancestors<'j, 'a>(&self, jobs: &'j [Job<'a>]) -> Vec<&'j Job<'a>> {
        let mut open = self.needs.clone();
        let mut found: Vec<&Job<'a>> = Vec::new();
        while let Some(next) = open.pop() {
            let known = |it: &&Job<'a>| it.id == next;
            if found.iter().any(|it| it.id == next) || next == self.id {
                continue;
            }
            if let Some(job) = jobs.iter().find(known) {
                open.extend(job.needs.iter().cloned());
                found.push(job);
            }
        }
        found
    }
}

/// The jobs of a workflow file; `None` if it has no structure.
pub(crate) fn read<'a>(path: &'a str, source: &'a Source) -> Option<Vec<Job<'a>>> {
    let documents = yaml::parse(source.text(), path, Flavor::Core12).ok()?;
    let root = &documents.first()?.root;
    let env = variables(&BTreeMap::new(), root.get("env"));
    let folder = default_folder(root);
    let jobs = root.get("jobs")?.entries().iter();
    Some(jobs.map(|entry| job(path, source, &entry.key, &entry.value, &env, folder)).collect())
}

fn job<'a>(
    path: &'a str,
    source: &'a Source,
    id: &str,
    node: &Node,
    env: &BTreeMap<String, Option<String>>,
    folder: Option<&str>,
) -> Job<'a> {
    let env = variables(env, node.get("env"));
    let folder = default_folder(node).or(folder);
    let needs = node.get("needs").map(|it| match &it.value {
        NodeValue::Sequence(items) => items.iter().filter_map(Node::text).map(str::to_owned).collect(),
        NodeValue::Scalar { text, .. } => vec![text.clone()],
        NodeValue::Mapping(_) => Vec::new(),
    });
    let steps = match node.get("steps").map(|it| &it.value) {
        Some(NodeValue::Sequence(items)) => items.iter().map(|it| step(source, it, &env, folder)).collect(),
        _ => Vec::new(),
    };
    Job { path, source, id: id.to_owned(), needs: needs.unwrap_or_default(), steps }
}

fn default_folder(node: &Node) -> Option<&str> {
    node.get("defaults")?.get("run")?.get("working-directory")?.text()
}

/// Variables with their values; `None` where a value is known only when it runs.
fn variables(outer: &BTreeMap<String, Option<String>>, node: Option<&Node>) -> BTreeMap<String, Option<String>> {
    let mut all = outer.clone();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let value = entry.value.text().filter(|it| !it.contains("${{")).map(str::to_owned);
        all.insert(entry.key.clone(), value);
    }
    all
}

fn step(source: &Source, node: &Node, env: &BTreeMap<String, Option<String>>, folder: Option<&str>) -> Step {
    let named = node.get("name").and_then(Node::text);
    let line = node.span.line;
    if let Some(uses) = node.get("uses").and_then(Node::text) {
        let is_checkout = uses.to_lowercase().starts_with("actions/checkout@");
        // A checkout into a folder or of another repository is not looked into.
        let plain = |key: &str| node.get("with").and_then(|it| it.get(key)).is_none();
        let work = if is_checkout && plain("path") && plain("repository") && plain("ref") {
            Work::Checkout
        } else {
            Work::Action
        };
        return Step { name: named.unwrap_or(uses).to_owned(), line, work };
    }
    let script_node = node.get("run");
    let text = script_node.and_then(Node::text).unwrap_or_default();
    let name = named.or_else(|| text.lines().next()).unwrap_or_default().to_owned();
    let shell = node.get("shell").and_then(Node::text).unwrap_or("bash");
    let is_read = ["bash", "sh"].iter().any(|it| shell.split_whitespace().next() == Some(it));
    let Some(script_node) = script_node.filter(|_| is_read) else {
        return Step { name, line, work: Work::Foreign };
    };
    let env = variables(env, node.get("env"));
    let folder = node.get("working-directory").and_then(Node::text).or(folder).unwrap_or("");
    let folder = if folder.contains("${{") { None } else { tree::resolve("", folder) };
    let commands = commands(source, script_node, text, &env, folder);
    Step { name, line, work: Work::Script(commands) }
}

fn commands(
    source: &Source,
    node: &Node,
    text: &str,
    env: &BTreeMap<String, Option<String>>,
    mut folder: Option<String>,
) -> Vec<Command> {
    let raw = script::commands(text);
    let mut env = env.clone();
    // What a script sets itself, or earlier steps may have set, is not followed.
    if text.contains("GITHUB_ENV") {
        env.clear();
    }
    for word in raw.iter().flat_map(|it| &it.words) {
        if let Some((name, _)) = text.get(word.range.clone()).and_then(|it| it.split_once('='))
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        {
            env.insert(name.to_owned(), None);
        }
    }
    let mut done = Vec::new();
    for command in raw {
        let start = command.words.iter().take_while(|it| is_prefix(text, it)).count();
        let place = |word: &script::Word| placed(source, node, text, word, &env);
        let words: Vec<Word> = command.words.get(start..).unwrap_or_default().iter().map(place).collect();
        let redirects = command.redirects.iter().map(place).collect();
        let bounds = words.first().zip(words.last()).map(|(first, last)| first.range.start..last.range.end);
        let written = bounds.and_then(|it| source.text().get(it)).unwrap_or_default();
        let command = Command { words, redirects, folder: folder.clone(), text: written.to_owned() };
        if matches!(command.program(), Some("cd" | "pushd" | "popd")) {
            let to = command.word(1).map(str::to_owned);
            folder = folder.zip(to).and_then(|(from, to)| tree::resolve(&from, &to));
        }
        done.push(command);
    }
    done
}

/// Words before the command itself.
fn is_prefix(script: &str, word: &script::Word) -> bool {
    let raw = script.get(word.range.clone()).unwrap_or_default();
    let assigns = raw.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    });
    assigns
        || matches!(raw, "sudo" | "then" | "do" | "else" | "elif" | "if" | "while" | "until" | "!" | "{" | "}" | "time" | "exec" | "command" | "fi" | "done")
}

fn placed(
    source: &Source,
    node: &Node,
    script: &str,
    word: &script::Word,
    env: &BTreeMap<String, Option<String>>,
) -> Word {
    let text = word.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Variable(name) => env.get(name).cloned().flatten(),
        Piece::Dynamic => None,
    });
    let raw = script.get(word.range.clone()).unwrap_or_default();
    Word { text: text.collect(), raw: raw.to_owned(), range: locate(source.text(), node.span, script, &word.range) }
}

/// Where a piece of a scalar's text stands in the file. The text stands there as
/// it is, apart from indentation and folding, so its occurrences are counted.
fn locate(source: &str, span: Span, script: &str, range: &Range<usize>) -> Range<usize> {
    let raw = script.get(range.clone()).unwrap_or_default();
    let before = script.get(..range.start).unwrap_or_default();
    let scalar = source.get(span.start..span.end).unwrap_or_default();
    // A word that goes over several lines is found by its first one.
    let needle = raw.lines().next().unwrap_or_default();
    let earlier = if needle.is_empty() { 0 } else { before.matches(needle).count() };
    match scalar.match_indices(needle).nth(earlier).filter(|_| !needle.is_empty()) {
        Some((at, _)) => span.start + at..span.start + at + needle.len(),
        None => span.start..span.start,
    }
}
