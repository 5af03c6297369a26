//! Files that steps name and that must be in the repository.

use yaml::Diagnostic;

use crate::{
    Tree,
    images::is_opaque,
    job::{Command, Job, Work, Word},
    tree::resolve,
};

/// A file or folder that a command names.
pub(crate) struct Named {
    pub word: Word,
    /// In the repository.
    pub path: String,
}

/// What `kubectl apply` and `kubectl create` read, as far as it is known.
pub(crate) fn applied(command: &Command) -> Vec<Named> {
    let verb = ["apply", "create", "replace"].iter().any(|verb| command.begins(&["kubectl", verb]));
    if !verb {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut words = command.words.iter();
    while let Some(word) = words.next() {
        let value = match word.raw.as_str() {
            "-f" | "--filename" | "-k" | "--kustomize" => words.next().cloned(),
            _ => attached(word),
        };
        found.extend(value.iter().flat_map(|it| split(it)).filter_map(|it| named(command, it)));
    }
    found
}

/// The value of `-f=x`, `--filename=x` or `-fx`.
fn attached(word: &Word) -> Option<Word> {
    let flag = ["--filename=", "--kustomize=", "-f=", "-k="].iter().find(|it| word.raw.starts_with(**it));
    let skip = flag.map(|it| it.len()).or_else(|| (word.raw.starts_with("-f") && word.raw != "-f").then_some(2))?;
    Some(Word {
        text: word.text.as_deref().and_then(|it| it.get(skip..)).map(str::to_owned),
        raw: word.raw.get(skip..).unwrap_or_default().to_owned(),
        range: word.range.start + skip..word.range.end,
    })
}

/// `a.yaml,b.yaml` are two files.
fn split(word: &Word) -> Vec<Word> {
    if word.text.as_ref() != Some(&word.raw) || !word.raw.contains(',') {
        return vec![word.clone()];
    }
    let mut start = word.range.start;
    let part = |text: &str| {
        let range = start..start + text.len();
        start = range.end + 1;
        Word { text: Some(text.to_owned()), raw: text.to_owned(), range }
    };
    word.raw.split(',').map(part).collect()
}

fn named(command: &Command, word: Word) -> Option<Named> {
    let text = word.text.as_deref()?;
    if text.is_empty() || text == "-" || text.contains("://") {
        return None;
    }
    let path = resolve(command.folder.as_deref()?, text)?;
    Some(Named { word, path })
}

pub(crate) fn check(job: &Job<'_>, tree: &Tree, found: &mut Vec<Diagnostic>) {
    let mut checked_out = false;
    let mut opaque: Option<String> = None;
    for step in &job.steps {
        let commands = match &step.work {
            Work::Checkout => {
                checked_out = true;
                continue;
            }
            Work::Action | Work::Foreign => {
                opaque.get_or_insert_with(|| step.name.clone());
                continue;
            }
            Work::Script(commands) => commands,
        };
        for command in commands {
            if is_opaque(command) || command.begins(&["git", "clone"]) {
                opaque.get_or_insert_with(|| command.text.clone());
            }
            let place = Place { job, tree, opaque: opaque.as_deref(), checked_out: if checked_out { Files::Fetched } else { Files::Missing } };
            for named in applied(command) {
                found.extend(place.manifest(&named));
            }
            found.extend(place.dockerfile(command));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    Fetched,
    Missing,
}

struct Place<'a> {
    job: &'a Job<'a>,
    tree: &'a Tree,
    opaque: Option<&'a str>,
    checked_out: Files,
}

impl Place<'_> {
    fn manifest(&self, named: &Named) -> Option<Diagnostic> {
        let written = &named.word.raw;
        let there = self.tree.is_file(&named.path) || self.tree.is_folder(&named.path);
        if there {
            return self.not_fetched(&named.word, written);
        }
        if self.is_written(&named.path) {
            return None;
        }
        let mut message = format!("`{written}` is not in the repository");
        let mut found = Diagnostic::error(self.job.path, self.job.span(&named.word), "LF-L0003", "").label("nothing to apply");
        if let Some(opaque) = self.opaque {
            message.push_str(&format!("; perhaps `{opaque}` makes it"));
            found = found.warning();
        }
        found.message = message;
        Some(match self.nearest(&named.path) {
            Some(near) => found.help(format!("the repository has `{near}`")),
            None => found.help("add and commit it; `git status` shows what is not committed"),
        })
    }

    fn dockerfile(&self, command: &Command) -> Option<Diagnostic> {
        if !command.begins(&["docker", "build"]) && !command.begins(&["docker", "buildx", "build"]) && !command.begins(&["docker", "image", "build"]) {
            return None;
        }
        let folder = command.folder.as_deref()?;
        let flag = command.words.iter().position(|it| matches!(it.raw.as_str(), "-f" | "--file"));
        let attached = command.words.iter().find(|it| it.raw.starts_with("--file="));
        let (word, text) = match (flag, attached) {
            (Some(at), _) => {
                let word = command.words.get(at + 1)?;
                (word, word.text.clone()?)
            }
            (None, Some(word)) => (word, word.text.as_deref()?.strip_prefix("--file=")?.to_owned()),
            (None, None) => {
                let context = command.words.last()?;
                let text = context.text.as_deref()?;
                let is_folder = text == "." || text == ".." || text.contains('/') || self.tree.is_folder(&resolve(folder, text)?);
                if !is_folder || text.contains("://") || context.raw.starts_with('-') || text.starts_with("git@") {
                    return None;
                }
                (context, format!("{text}/Dockerfile"))
            }
        };
        let path = resolve(folder, &text)?;
        if self.tree.is_file(&path) {
            return self.not_fetched(word, &path);
        }
        if text == "-" || self.opaque.is_some() || self.is_written(&path) {
            return None;
        }
        let message = format!("`{path}` is not in the repository");
        let found = Diagnostic::error(self.job.path, self.job.span(word), "LF-L0004", message).label("nothing to build from");
        Some(match self.nearest(&path) {
            Some(near) => found.help(format!("the repository has `{near}`; name it with `--file`")),
            None => found.help("add and commit it, or name another file with `--file`"),
        })
    }

    fn not_fetched(&self, word: &Word, path: &str) -> Option<Diagnostic> {
        if self.checked_out == Files::Fetched || self.opaque.is_some() {
            return None;
        }
        let message = format!("`{path}` is in the repository, but job `{}` does not fetch it", self.job.id);
        let found = Diagnostic::error(self.job.path, self.job.span(word), "LF-L0006", message);
        Some(found.help("put `- uses: actions/checkout@v4` before this step; every job starts empty"))
    }

    /// Whether a step names the file in a way that may make it.
    fn is_written(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.job.commands().any(|(_, command)| {
            let reads = !applied(command).is_empty() || command.program() == Some("docker");
            let words = if reads { &[] } else { command.words.as_slice() };
            words.iter().chain(&command.redirects).any(|it| it.raw.contains(name))
        })
    }

    /// A path of the repository that was probably meant.
    fn nearest(&self, path: &str) -> Option<String> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = |it: &str| it.rsplit_once('.').map_or(it, |(stem, _)| stem).to_lowercase();
        let last = |it: &str| it.rsplit('/').next().unwrap_or_default().to_owned();
        let same = self.tree.paths().find(|it| last(it) == name);
        let alike = || self.tree.paths().find(|it| stem(&last(it)) == stem(name) && it.ends_with("ml"));
        let folder = || {
            let folders = self.tree.paths().filter_map(|it| it.rsplit_once('/')).map(|(folder, _)| folder);
            let mut folders = folders.filter(|it| !it.starts_with(".git"));
            folders.find(|it| last(it) == name || last(it).starts_with(name) || name.starts_with(&last(it)))
        };
        same.or_else(alike).or_else(folder).map(str::to_owned)
    }
}
