//! Builds the Go program that answers, asks it, and compares.

use std::{
    fmt,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use gotemplate::{Budget, Dialect, MissingKey, Options, TemplateSet, format};
use serde_json::{Value as Json, json};

use super::{data::Data, functions};

/// One thing to ask.
#[derive(Clone, Debug)]
pub enum Case {
    Template {
        templates: Vec<(String, String)>,
        execute: String,
        data: Data,
        missing_key: MissingKey,
    },
    Printf(String, Vec<Data>),
    Print(Vec<Data>),
    Println(Vec<Data>),
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template {
                templates,
                execute,
                data,
                missing_key,
            } => {
                let entry = |data: &Data, name: &str| {
                    let Data::Map(_, entries) = data else {
                        return None;
                    };
                    entries
                        .iter()
                        .find(|(key, _)| key == name)
                        .map(|(_, value)| value.clone())
                };
                let any = entry(data, "Values").and_then(|values| entry(&values, "any"));
                let (_, text) = templates.last().expect("there is one");
                write!(
                    f,
                    "{execute}: {text:?} with missingkey={missing_key:?} and {any:?}"
                )
            }
            Self::Printf(..) | Self::Print(_) | Self::Println(_) => fmt::Debug::fmt(self, f),
        }
    }
}

impl Case {
    pub fn template(text: &str, data: &Data) -> Self {
        Self::Template {
            templates: vec![("chart/templates/a.yaml".to_owned(), text.to_owned())],
            execute: "chart/templates/a.yaml".to_owned(),
            data: data.clone(),
            missing_key: MissingKey::Zero,
        }
    }

    fn json(&self) -> Json {
        let args = |args: &[Data]| args.iter().map(Data::json).collect::<Vec<_>>();
        match self {
            Self::Template {
                templates,
                execute,
                data,
                missing_key,
            } => {
                let missing_key = match missing_key {
                    MissingKey::Invalid => "default",
                    MissingKey::Zero => "zero",
                    MissingKey::Error => "error",
                };
                json!({"kind": "template", "templates": templates, "execute": execute, "data": data.json(), "missing_key": missing_key})
            }
            Self::Printf(format, operands) => {
                json!({"kind": "printf", "format": format, "args": args(operands)})
            }
            Self::Print(operands) => json!({"kind": "print", "args": args(operands)}),
            Self::Println(operands) => json!({"kind": "println", "args": args(operands)}),
        }
    }

    /// What we make of it: bytes, or the error's text.
    fn ours(&self) -> Result<Vec<u8>, String> {
        let values = |operands: &[Data]| operands.iter().map(Data::value).collect::<Vec<_>>();
        match self {
            Self::Template {
                templates,
                execute,
                data,
                missing_key,
            } => {
                let functions = functions::all();
                let mut set = TemplateSet::default();
                for (name, text) in templates {
                    set.parse(name, text, &functions)
                        .map_err(|error| error.to_string())?;
                }
                let options = Options {
                    missing_key: *missing_key,
                    dialect: Dialect::Go127,
                };
                set.execute(
                    execute,
                    &data.value(),
                    &functions,
                    options,
                    &mut Budget::default(),
                )
                .map(|text| text.as_bytes().to_vec())
                .map_err(|error| error.to_string())
            }
            Self::Printf(format, operands) => Ok(format::sprintf(format, &values(operands))
                .as_bytes()
                .to_vec()),
            Self::Print(operands) => Ok(format::sprint(&values(operands)).as_bytes().to_vec()),
            Self::Println(operands) => Ok(format::sprintln(&values(operands)).as_bytes().to_vec()),
        }
    }
}

/// Asks Go about all cases and fails with the first differences.
pub fn check(cases: &[Case]) {
    let answers = ask(cases);
    let mut differences = Vec::new();
    for (case, answer) in cases.iter().zip(answers) {
        let (theirs, ours) = (shown(case, &answer), shown(case, &case.ours()));
        if let Some(at) = theirs
            .bytes()
            .zip(ours.bytes())
            .position(|(a, b)| a != b)
            .or((theirs.len() != ours.len()).then_some(0))
        {
            let from = at.saturating_sub(300);
            let part = |text: &str| text.chars().skip(from).take(600).collect::<String>();
            differences.push(format!(
                "{case}\n    Go: {}\n  ours: {}\n",
                part(&theirs),
                part(&ours)
            ));
        }
    }
    println!("{}", differences.join("\n"));
    assert!(
        differences.len() <= allowed(cases.len()),
        "{} of {} cases differ:\n{}",
        differences.len(),
        cases.len(),
        differences
            .iter()
            .take(8)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// How much of a fresh seed may differ: what nobody saw before is told and mended, and stops
/// nobody's work. Cases written by hand, and a seed that was asked for, must agree whole.
fn allowed(count: usize) -> usize {
    if std::env::var_os("LANDFALL_SEED").is_some() { 0 } else { count / 1000 }
}

fn shown(case: &Case, answer: &Result<Vec<u8>, String>) -> String {
    let text = match answer {
        Ok(bytes) => gotemplate::quoted(bytes),
        Err(error) => format!("ERROR {error}"),
    };
    if matches!(case, Case::Template { .. }) {
        mask_addresses(&text)
    } else {
        text
    }
}

/// Addresses of functions and pointers differ from run to run; they show as long numbers.
fn mask_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        out.push_str(before);
        let (prefix, digits) = match number.get(..2) {
            Some(prefix @ ("0x" | "0X")) => (
                prefix,
                number[2..].trim_start_matches(|c: char| c.is_ascii_hexdigit()),
            ),
            _ => ("", number.trim_start_matches(|c: char| c.is_ascii_digit())),
        };
        let length = number.len() - digits.len() - prefix.len();
        out.push_str(if length > 5 {
            "ADDRESS"
        } else {
            &number[..number.len() - digits.len()]
        });
        rest = digits;
    }
    out + rest
}

fn ask(cases: &[Case]) -> Vec<Result<Vec<u8>, String>> {
    let mut child = Command::new(referee())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the referee was built");
    let mut stdin = child.stdin.take().expect("piped");
    let questions: String = cases
        .iter()
        .map(|case| case.json().to_string() + "\n")
        .collect();
    let writer = std::thread::spawn(move || {
        stdin
            .write_all(questions.as_bytes())
            .expect("the referee reads")
    });
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let answers: Vec<_> = stdout
        .lines()
        .map(|line| parse(&line.expect("the referee writes")))
        .collect();
    writer.join().expect("all questions were asked");
    assert!(child.wait().expect("the referee ends").success());
    assert_eq!(answers.len(), cases.len(), "the referee answers every case");
    answers
}

fn parse(line: &str) -> Result<Vec<u8>, String> {
    let answer: Json = serde_json::from_str(line).expect("the referee writes JSON");
    let error = answer["error"].as_str().expect("always there");
    if error.starts_with("PANIC") {
        return Err(error.to_owned());
    }
    if !error.is_empty() {
        return Err(gotemplate::Text::from_bytes(&unhex(error))
            .to_str()
            .into_owned());
    }
    Ok(unhex(answer["out"].as_str().expect("always there")))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
        .collect()
}

/// Builds the referee with the Go of the project's tools; the build is kept for the next run.
fn referee() -> PathBuf {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().expect("no test panics while building");
    if let Some(path) = &*built {
        return path.clone();
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gotemplate-referee");
    std::fs::create_dir_all(&scratch).expect("the target folder is ours");
    let fresh = scratch.join(format!("referee-{}", std::process::id()));
    let go = go();
    let status = Command::new(&go)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/referee"))
        .env("GOCACHE", scratch.join("cache"))
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env_remove("GOROOT")
        .args(["build", "-o"])
        .arg(&fresh)
        .arg(".")
        .status()
        .unwrap_or_else(|error| panic!("Go 1.27.3 is needed at {} ({error})", go.display()));
    assert!(status.success(), "the referee does not build");
    // Another run may be using the old one; a rename leaves it to it.
    let binary = scratch.join("referee");
    std::fs::rename(&fresh, &binary).expect("the target folder is ours");
    *built = Some(binary.clone());
    binary
}

fn go() -> PathBuf {
    match std::env::var_os("LANDFALL_TOOLS") {
        Some(tools) => Path::new(&tools).join("../go/bin/go"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/go/bin/go"),
    }
}
