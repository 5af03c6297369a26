//! Slips that Docker lets pass and that bite later.

use crate::{
    instruction::{Command, Dockerfile, Instruction, Kind},
    lines::Logical,
    parse::{Part, Reader},
    problem::Problem,
    words,
};

/// White space that is none to Docker or to a shell; web pages leave it in copied code.
fn is_foreign_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}')
}

/// Reports foreign spaces in instructions; here-documents and comments may have them.
pub(crate) fn spaces(source: &str, logicals: &[Logical], problems: &mut Vec<Problem>) {
    for logical in logicals {
        let keyword_end = logical.text.find([' ', '\t']).unwrap_or(logical.text.len());
        let mut quote = None;
        let mut run: Option<(usize, usize, char, usize)> = None;
        for (at, c) in logical.text.char_indices().chain([(logical.text.len(), 'x')]) {
            match quote {
                None if matches!(c, '"' | '\'') => quote = Some(c),
                Some(open) if open == c => quote = None,
                _ => {}
            }
            if is_foreign_space(c) && quote.is_none() {
                let (start, _, first, count) = run.unwrap_or((at, at, c, 0));
                run = Some((start, at + c.len_utf8(), first, count + 1));
            } else if let Some((start, end, first, count)) = run.take() {
                problems.push(foreign_space(source, logical, start..end, (first, count), start < keyword_end));
            }
        }
    }
    leading_spaces(source, logicals, problems);
}

/// `trim_start` takes foreign spaces before a keyword too, so they are looked for in the source.
fn leading_spaces(source: &str, logicals: &[Logical], problems: &mut Vec<Problem>) {
    for logical in logicals {
        let line_start = source[..logical.span.start].rfind('\n').map_or(0, |at| at + 1);
        let lead = &source[line_start..logical.span.start];
        let Some(at) = lead.find(|c| is_foreign_space(c) && c != '\u{feff}') else { continue };
        let first = lead[at..].chars().next().unwrap_or(' ');
        let count = lead[at..].chars().count();
        let span = line_start + at..logical.span.start;
        problems.push(describe_space(source, span, (first, count), Problem::warning));
    }
}

type Make = fn(&str, std::ops::Range<usize>, &'static str, String, String) -> Problem;

fn foreign_space(
    source: &str,
    logical: &Logical,
    range: std::ops::Range<usize>,
    found: (char, usize),
    in_keyword: bool,
) -> Problem {
    let span = logical.source_offset(range.start)..logical.source_offset(range.start) + range.len();
    if in_keyword {
        describe_space(source, span, found, Problem::error)
    } else {
        describe_space(source, span, found, Problem::warning)
    }
}

fn describe_space(source: &str, span: std::ops::Range<usize>, (first, count): (char, usize), make: Make) -> Problem {
    let name = match first {
        '\u{a0}' => "a non-breaking space",
        '\u{200b}' | '\u{feff}' => "a zero-width space",
        _ => "a space that is not U+0020",
    };
    let times = if count > 1 { format!(", {count} times") } else { String::new() };
    let replacement = if matches!(first, '\u{200b}' | '\u{feff}') { String::new() } else { " ".repeat(count) };
    make(
        source,
        span.clone(),
        "non-breaking-space",
        format!("{name} (U+{:04X}) stands here{times}; neither Docker nor a shell splits words at it", u32::from(first)),
        "replace it with a plain space; it often comes from a web page".to_owned(),
    )
    .with_fix(span, replacement)
}

/// Reports text that starts with `[` but is no JSON array of strings.
pub(crate) fn almost_json(reader: &mut Reader, part: Part) {
    let span = reader.logical.source_span(part.range());
    let message = format!(
        "`{0}` is not a JSON array, so Docker takes it as shell form and runs `/bin/sh -c '{0}'`, which exits 127 (command not found)",
        part.text
    );
    let problem = match words::json_with_slips(part.text) {
        Some(words) => {
            let json = words::to_json(&words);
            Problem::warning(reader.source, span.clone(), "not-json", message, format!("write `{json}`"))
                .with_fix(span, json)
        }
        // `[ -f x ] && …` is an honest shell command.
        None if part.text.starts_with("[ ") || part.text.starts_with("[[") => return,
        None => Problem::warning(
            reader.source,
            span,
            "not-json",
            message,
            "separate the strings with commas and put each in double quotes",
        ),
    };
    reader.problems.push(problem);
}

/// Checks that need the whole file.
pub(crate) fn check(source: &str, file: &Dockerfile, problems: &mut Vec<Problem>) {
    keyword_case(source, file, problems);
    stage_names(source, file, problems);
    for stage in &file.stages {
        repeated(source, &stage.instructions, problems);
        for instruction in &stage.instructions {
            one(source, instruction, problems);
        }
    }
}

fn all(file: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    let stages = file.stages.iter().flat_map(|it| std::iter::once(&it.from).chain(&it.instructions));
    file.globals.iter().chain(stages)
}

fn keyword(instruction: &Instruction) -> &str {
    instruction.text.split_whitespace().next().unwrap_or_default()
}

fn keyword_case(source: &str, file: &Dockerfile, problems: &mut Vec<Problem>) {
    let is_lower = |it: &&Instruction| keyword(it).chars().all(|c| c.is_ascii_lowercase());
    let lower = all(file).filter(is_lower).count();
    let mostly_lower = lower * 2 > all(file).count();
    for instruction in all(file) {
        let found = keyword(instruction);
        let wanted = if mostly_lower { found.to_ascii_lowercase() } else { found.to_ascii_uppercase() };
        if found != wanted {
            let span = instruction.span.start..instruction.span.start + found.len();
            problems.push(
                Problem::warning(
                    source,
                    span.clone(),
                    "keyword-case",
                    format!("`{found}` is written unlike the other instructions"),
                    format!("write `{wanted}`"),
                )
                .with_fix(span, wanted),
            );
        }
    }
}

fn stage_names(source: &str, file: &Dockerfile, problems: &mut Vec<Problem>) {
    let mut seen: Vec<&str> = Vec::new();
    for stage in &file.stages {
        let Some(name) = &stage.name else { continue };
        let warning = if seen.contains(&name.as_str()) {
            Some(("duplicate-stage-name", format!("a stage above is called `{name}` too"), "rename one of them"))
        } else if matches!(name.as_str(), "scratch" | "context") {
            Some(("reserved-stage-name", format!("`{name}` means something else to Docker"), "rename the stage"))
        } else if !stage.from.text.contains(name.as_str()) {
            Some(("stage-name-case", format!("Docker reads this stage's name as `{name}`"), "write it in lowercase"))
        } else {
            None
        };
        if let Some((code, message, help)) = warning {
            problems.push(Problem::warning(source, stage.from.span.clone(), code, message, help));
        }
        seen.push(name);
    }
}

/// Of several CMD, ENTRYPOINT or HEALTHCHECK only the last counts.
fn repeated(source: &str, instructions: &[Instruction], problems: &mut Vec<Problem>) {
    let slot = |it: &Instruction| match it.kind {
        Kind::Cmd(_) => Some("CMD"),
        Kind::Entrypoint(_) => Some("ENTRYPOINT"),
        Kind::Healthcheck(_) => Some("HEALTHCHECK"),
        _ => None,
    };
    for (index, instruction) in instructions.iter().enumerate() {
        let Some(name) = slot(instruction) else { continue };
        if let Some(later) = instructions[index + 1..].iter().find(|it| slot(it) == Some(name)) {
            problems.push(Problem::warning(
                source,
                instruction.span.clone(),
                "overridden",
                format!("the {name} in line {} replaces this one", later.line),
                "remove one of them",
            ));
        }
    }
}

/// Parts of names that say the value is secret.
const SECRET_WORDS: [&str; 9] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret"];

fn one(source: &str, instruction: &Instruction, problems: &mut Vec<Problem>) {
    let mut warn = |code, message: String, help: &str| {
        problems.push(Problem::warning(source, instruction.span.clone(), code, message, help));
    };
    let secret = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let mut words = lower.split(['_', '-']);
        words.any(|it| SECRET_WORDS.contains(&it) || it == "token") && !lower.contains("public")
    };
    match &instruction.kind {
        Kind::Maintainer(_) => {
            warn("maintainer", "MAINTAINER is deprecated".to_owned(), "write `LABEL org.opencontainers.image.authors=…`");
        }
        Kind::Env(pairs) => {
            for (name, _) in pairs.iter().filter(|(name, _)| secret(name)) {
                warn("secret-in-image", format!("`{name}` stays readable in the image"), "use `RUN --mount=type=secret`");
            }
        }
        Kind::Arg(args) => {
            for arg in args.iter().filter(|it| secret(&it.name)) {
                warn("secret-in-image", format!("`{}` stays readable in the image's history", arg.name), "use `RUN --mount=type=secret`");
            }
        }
        Kind::Cmd(Command::Shell(text)) | Kind::Entrypoint(Command::Shell(text)) if !text.is_empty() && !text.starts_with('[') => {
            warn(
                "shell-form",
                "in shell form the program is a child of /bin/sh and does not get the signals that stop a container".to_owned(),
                "write a JSON array",
            );
        }
        _ => {}
    }
}
