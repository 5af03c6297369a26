//! Reads a Dockerfile; every error of the file is found in one pass.

use std::ops::Range;

use crate::{
    instruction::{Arg, Command, Dockerfile, Instruction, Kind, Stage},
    lines::{self, Logical},
    lint,
    problem::{Problem, nearest, position},
    words,
};

/// A file's stages, if it has no error, and all that is wrong with it.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub dockerfile: Option<Dockerfile>,
    /// In the order of their places.
    pub problems: Vec<Problem>,
}

/// The keywords of all instructions.
pub(crate) const KEYWORDS: [&str; 18] = [
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
];

/// Reads and checks a Dockerfile.
pub fn parse(source: &str) -> Parsed {
    let mut problems = Vec::new();
    let (directives, logicals) = lines::cut(source, &mut problems);
    lint::spaces(source, &logicals, &mut problems);
    let mut instructions = Vec::new();
    for logical in &logicals {
        let mut reader = Reader { source, logical, escape: directives.escape, problems: &mut problems };
        instructions.extend(reader.instruction());
    }
    let broken = instructions.len() < logicals.len();
    let (globals, stages) = into_stages(source, instructions, broken, &mut problems);
    let dockerfile = Dockerfile { directives, globals, stages };
    lint::check(source, &dockerfile, &mut problems);
    problems.sort_by_key(|it| (it.span.start, it.span.end, it.severity));
    let failed = problems.iter().any(Problem::is_error);
    Parsed { dockerfile: (!failed).then_some(dockerfile), problems }
}

/// Reads the instructions of an ONBUILD trigger.
///
/// # Errors
///
/// The problems that are errors.
pub(crate) fn parse_trigger(source: &str, escape: char) -> Result<Vec<Instruction>, Vec<Problem>> {
    let mut problems = Vec::new();
    let (_, logicals) = lines::cut(source, &mut problems);
    let mut instructions = Vec::new();
    for logical in &logicals {
        let mut reader = Reader { source, logical, escape, problems: &mut problems };
        instructions.extend(reader.instruction());
    }
    problems.retain(Problem::is_error);
    if problems.is_empty() { Ok(instructions) } else { Err(problems) }
}

fn into_stages(
    source: &str,
    instructions: Vec<Instruction>,
    broken: bool,
    problems: &mut Vec<Problem>,
) -> (Vec<Instruction>, Vec<Stage>) {
    let mut globals = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    let mut complained = false;
    for instruction in instructions {
        if let Kind::From { image, name, platform } = &instruction.kind {
            stages.push(Stage {
                name: name.clone(),
                image: image.clone(),
                platform: platform.clone(),
                from: instruction,
                instructions: Vec::new(),
            });
            continue;
        }
        match stages.last_mut() {
            Some(stage) => stage.instructions.push(instruction),
            None if matches!(instruction.kind, Kind::Arg(_)) => globals.push(instruction),
            // A FROM that could not be read has been reported already.
            None if complained || broken => {}
            None => {
                complained = true;
                problems.push(Problem::error(
                    source,
                    instruction.span,
                    "no-from",
                    "expected FROM before the first instruction",
                    "only ARG may stand before FROM; start with `FROM image`, or `FROM scratch` for an empty one",
                ));
            }
        }
    }
    if stages.is_empty() && !complained && !broken {
        problems.push(Problem::error(
            source,
            0..0,
            "no-stage",
            "the file has no FROM, so there is nothing to build",
            "start with `FROM image`, or `FROM scratch` for an empty one",
        ));
    }
    (globals, stages)
}

/// Reads one instruction and reports on it.
pub(crate) struct Reader<'a> {
    pub source: &'a str,
    pub logical: &'a Logical,
    pub escape: char,
    pub problems: &'a mut Vec<Problem>,
}

/// A part of the joined text: what stands there and where it starts.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub text: &'a str,
    pub start: usize,
}

impl<'a> Part<'a> {
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub fn from(&self, offset: usize) -> Part<'a> {
        let rest = &self.text[offset..];
        let trimmed = rest.trim_start();
        Part { text: trimmed, start: self.start + offset + rest.len() - trimmed.len() }
    }
}

impl<'a> Reader<'a> {
    fn instruction(&mut self) -> Option<Instruction> {
        let whole = Part { text: &self.logical.text, start: 0 };
        let kind = self.kind(whole)?;
        let (line, column) = position(self.source, self.logical.span.start);
        Some(Instruction { kind, line, column, span: self.logical.span.clone(), text: self.logical.text.clone() })
    }

    fn kind(&mut self, whole: Part<'a>) -> Option<Kind> {
        let end = whole.text.find(char::is_whitespace).unwrap_or(whole.text.len());
        let keyword = Part { text: &whole.text[..end], start: whole.start };
        let rest = whole.from(end);
        let upper = keyword.text.to_ascii_uppercase();
        if !KEYWORDS.contains(&upper.as_str()) {
            self.unknown(keyword, &upper);
            return None;
        }
        if rest.text.is_empty() && upper != "CMD" && upper != "ENTRYPOINT" {
            return self.wrong(keyword.range(), "no-arguments", format!("expected arguments after {upper}"), usage(&upper));
        }
        match upper.as_str() {
            "FROM" => self.from(rest),
            "ARG" => self.arg(rest),
            "ENV" => self.pairs(rest, "ENV").map(Kind::Env),
            "LABEL" => self.pairs(rest, "LABEL").map(Kind::Label),
            "RUN" => self.run(rest),
            "COPY" => self.copy(rest, crate::instruction::Transfer::Copy),
            "ADD" => self.copy(rest, crate::instruction::Transfer::Add),
            "CMD" => Some(Kind::Cmd(self.command(rest))),
            "ENTRYPOINT" => Some(Kind::Entrypoint(self.command(rest))),
            "SHELL" => self.shell(rest),
            "WORKDIR" => Some(Kind::Workdir(rest.text.to_owned())),
            "USER" => Some(Kind::User(rest.text.to_owned())),
            "STOPSIGNAL" => Some(Kind::Stopsignal(rest.text.to_owned())),
            "MAINTAINER" => Some(Kind::Maintainer(rest.text.to_owned())),
            "EXPOSE" => {
                let mut ports: Vec<String> = words::split_plain(rest.text).into_iter().map(|(it, _)| it).collect();
                ports.sort();
                Some(Kind::Expose(ports))
            }
            "VOLUME" => Some(Kind::Volume(match words::json_strings(rest.text) {
                Some((words, _)) => words,
                None => words::split_plain(rest.text).into_iter().map(|(it, _)| it).collect(),
            })),
            "HEALTHCHECK" => self.healthcheck(rest),
            _ => self.onbuild(rest),
        }
    }

    /// Reports an error; always `None`, so that `return self.wrong(…)` reads well.
    pub fn wrong<T>(
        &mut self,
        range: Range<usize>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let span = self.logical.source_span(range);
        self.problems.push(Problem::error(self.source, span, code, message, help));
        None
    }

    pub fn warn(&mut self, range: Range<usize>, code: &'static str, message: impl Into<String>, help: impl Into<String>) {
        let span = self.logical.source_span(range);
        self.problems.push(Problem::warning(self.source, span, code, message, help));
    }

    fn unknown(&mut self, keyword: Part, upper: &str) {
        let help = match nearest(upper, KEYWORDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "an instruction starts each line; a longer command goes on after `\\` at the end of the line".to_owned()
            }
        };
        let message = format!("`{}` is no instruction", keyword.text);
        self.wrong::<()>(keyword.range(), "unknown-instruction", message, help);
    }

    fn from(&mut self, rest: Part<'a>) -> Option<Kind> {
        let (flags, at) = words::flags(rest.text, self.escape);
        let mut platform = None;
        for flag in flags {
            match flag.name.as_str() {
                "platform" => platform = flag.value,
                _ => self.unknown_flag(rest.start, &flag, &["platform"]),
            }
        }
        let rest = rest.from(at);
        let words = words::split_plain(rest.text);
        let (image, name) = match words.as_slice() {
            [(image, _)] => (image, None),
            [(image, _), (as_word, _), name] if as_word.eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => {
                let message = "expected `FROM image` or `FROM image AS name`";
                return self.wrong(rest.range(), "bad-from", message, "a stage has one image and at most one name");
            }
        };
        let name = match name {
            Some((name, range)) => {
                let lower = name.to_ascii_lowercase();
                let first = lower.starts_with(|c: char| c.is_ascii_lowercase());
                let valid = lower.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
                if !first || !valid {
                    let range = rest.start + range.start..rest.start + range.end;
                    return self.wrong(
                        range,
                        "bad-stage-name",
                        format!("expected a stage name of letters, digits, `-`, `_`, `.`, a letter first, found `{name}`"),
                        "rename the stage",
                    );
                }
                Some(lower)
            }
            None => None,
        };
        Some(Kind::From { image: image.clone(), name, platform })
    }

    fn arg(&mut self, rest: Part<'a>) -> Option<Kind> {
        let mut args = Vec::new();
        for (word, range) in words::split_quoted(rest.text, self.escape) {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
                None => (word, None),
            };
            if name.is_empty() {
                let range = rest.start + range.start..rest.start + range.end;
                return self.wrong(range, "bad-arg", "expected a name before `=`", "write `ARG NAME=default`");
            }
            args.push(Arg { name, default });
        }
        Some(Kind::Arg(args))
    }

    fn pairs(&mut self, rest: Part<'a>, keyword: &str) -> Option<Vec<(String, String)>> {
        let words = words::split_quoted(rest.text, self.escape);
        let (first, first_range) = words.first()?.clone();
        if !first.contains('=') {
            let value = rest.text[first_range.end..].trim_start();
            if value.is_empty() {
                let message = format!("expected a value for `{first}`");
                return self.wrong(rest.range(), "no-value", message, format!("write `{keyword} {first}=value`"));
            }
            self.warn(
                rest.range(),
                "legacy-key-value",
                format!("`{keyword} {first} value` is the old form, where the value is the rest of the line"),
                format!("write `{keyword} {first}=value`"),
            );
            return Some(vec![(first, value.to_owned())]);
        }
        let mut pairs = Vec::new();
        for (word, range) in words {
            match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => pairs.push((name.to_owned(), value.to_owned())),
                _ => {
                    let range = rest.start + range.start..rest.start + range.end;
                    let message = format!("expected `name=value`, found `{word}`");
                    return self.wrong(range, "bad-pair", message, "put a value with spaces in quotes");
                }
            }
        }
        Some(pairs)
    }

    /// JSON array or shell form; says so when something is almost JSON.
    pub fn command(&mut self, rest: Part<'a>) -> Command {
        if let Some((words, after)) = words::json_strings(rest.text)
            && after.trim().is_empty() {
                return Command::Exec(words);
            }
        if rest.text.starts_with('[') {
            lint::almost_json(self, rest);
        }
        Command::Shell(rest.text.to_owned())
    }

    fn shell(&mut self, rest: Part<'a>) -> Option<Kind> {
        match words::json_strings(rest.text) {
            Some((words, _)) if !words.is_empty() => Some(Kind::Shell(words)),
            _ => {
                let message = "expected a JSON array after SHELL";
                self.wrong(rest.range(), "shell-needs-json", message, "write `SHELL [\"/bin/bash\", \"-c\"]`")
            }
        }
    }

    fn onbuild(&mut self, rest: Part<'a>) -> Option<Kind> {
        let keyword = rest.text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if matches!(keyword.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
            let message = format!("{keyword} cannot be a trigger of ONBUILD");
            return self.wrong(rest.range(), "bad-onbuild", message, "write the instruction into the file that needs it");
        }
        // The trigger is checked now, and read again when it fires.
        self.kind(rest)?;
        let mut text = rest.text.to_owned();
        for heredoc in &self.logical.heredocs {
            text.push('\n');
            text.push_str(heredoc.raw.trim_end_matches('\n'));
        }
        Some(Kind::Onbuild(text))
    }

    pub fn unknown_flag(&mut self, start: usize, flag: &words::Flag, known: &[&'static str]) {
        let help = match nearest(&flag.name, known.iter().copied()) {
            Some(near) => format!("did you mean `--{near}`?"),
            None => format!("known here: {}", known.iter().map(|it| format!("`--{it}`")).collect::<Vec<_>>().join(", ")),
        };
        let range = start + flag.range.start..start + flag.range.end;
        self.wrong::<()>(range, "unknown-flag", format!("`--{}` is no flag of this instruction", flag.name), help);
    }
}

fn usage(keyword: &str) -> &'static str {
    match keyword {
        "FROM" => "write `FROM image`",
        "COPY" | "ADD" => "write the sources, then the destination",
        "ENV" | "LABEL" => "write `name=value`",
        "RUN" => "write a command, or a JSON array of one",
        _ => "see the Dockerfile reference for its form",
    }
}
