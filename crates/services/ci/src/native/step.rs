//! What an action sees of its step: inputs and state in, outputs, variables and words out.

use std::{
    collections::BTreeMap,
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Why an action failed, in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Says in `Failed` what was tried.
pub fn failed<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Failed {
    move |error| Failed(format!("{what}: {error}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pre,
    Main,
    Post,
}

/// One phase of one use of an action.
pub struct Step {
    pub phase: Phase,
    env: BTreeMap<String, String>,
}

impl Step {
    pub fn of_process(phase: Phase) -> Self {
        Self { phase, env: std::env::vars().collect() }
    }

    #[cfg(test)]
    pub fn of(phase: Phase, env: &[(&str, &str)]) -> Self {
        Self { phase, env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
    }

    /// A variable; empty if it is not set.
    pub fn env(&self, name: &str) -> &str {
        self.env.get(name).map_or("", String::as_str)
    }

    /// An input, without blanks around it; empty if it is not given.
    pub fn input(&self, name: &str) -> &str {
        self.env(&format!("INPUT_{}", name.replace(' ', "_").to_uppercase())).trim()
    }

    /// The lines of an input, without the empty ones.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        self.input(name).lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    /// The items of an input that takes lines or commas.
    pub fn items(&self, name: &str) -> Vec<&str> {
        let parts = self.input(name).split(['\n', ',']).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// A boolean as YAML writes it; an input that is not given is false.
    pub fn flag(&self, name: &str) -> Result<bool, Failed> {
        match self.input(name) {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" | "" => Ok(false),
            other => Err(Failed(format!("{name}: expected `true` or `false`, found `{other}`"))),
        }
    }

    pub fn number(&self, name: &str, default: u64) -> Result<u64, Failed> {
        match self.input(name) {
            "" => Ok(default),
            text => text.parse().map_err(|_| Failed(format!("{name}: expected a number, found `{text}`"))),
        }
    }

    pub fn state(&self, name: &str) -> &str {
        self.env(&format!("STATE_{name}"))
    }

    pub fn workspace(&self) -> PathBuf {
        PathBuf::from(self.env("GITHUB_WORKSPACE"))
    }

    pub fn temp(&self) -> PathBuf {
        PathBuf::from(self.env("RUNNER_TEMP"))
    }

    pub fn home(&self) -> PathBuf {
        PathBuf::from(self.env("HOME"))
    }

    /// `~` and relative paths as actions read them.
    pub fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => self.home().join(rest.trim_start_matches('/')),
            _ => self.workspace().join(text),
        }
    }

    pub fn set_output(&self, name: &str, value: &str) -> Result<(), Failed> {
        self.tell("GITHUB_OUTPUT", name, value)
    }

    pub fn set_state(&self, name: &str, value: &str) -> Result<(), Failed> {
        self.tell("GITHUB_STATE", name, value)
    }

    /// Sets a variable for the steps that follow.
    pub fn export(&self, name: &str, value: &str) -> Result<(), Failed> {
        self.tell("GITHUB_ENV", name, value)
    }

    /// Adds Markdown to the summary of the step.
    pub fn summarise(&self, text: &str) -> Result<(), Failed> {
        self.append("GITHUB_STEP_SUMMARY", text)
    }

    pub fn add_path(&self, folder: &Path) -> Result<(), Failed> {
        self.append("GITHUB_PATH", &format!("{}\n", folder.display()))
    }

    fn tell(&self, file: &str, name: &str, value: &str) -> Result<(), Failed> {
        // The value cannot hold a line that is this long and made of its own digest.
        let end = format!("end_{}", names::Digest::of(value.as_bytes()).hex());
        self.append(file, &format!("{name}<<{end}\n{value}\n{end}\n"))
    }

    fn append(&self, file: &str, text: &str) -> Result<(), Failed> {
        let path = self.env(file);
        if path.is_empty() {
            return Ok(());
        }
        let mut options = std::fs::OpenOptions::new();
        let opened = options.append(true).create(true).open(path).map_err(failed(format!("${file}")))?;
        (&opened).write_all(text.as_bytes()).map_err(failed(format!("${file}")))
    }

    pub fn say(&self, text: impl fmt::Display) {
        // Nobody reads when the pipe is closed.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    pub fn warn(&self, text: &str) {
        self.say(format_args!("::warning::{}", escaped(text)));
    }

    pub fn error(&self, text: &str) {
        self.say(format_args!("::error::{}", escaped(text)));
    }

    pub fn mask(&self, value: &str) {
        if !value.trim().is_empty() {
            self.say(format_args!("::add-mask::{}", escaped(value)));
        }
    }

    /// The program of this name on `PATH`.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;
        let is_program = |file: &PathBuf| file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
        std::env::split_paths(self.env("PATH")).map(|folder| folder.join(program)).find(is_program)
    }

    /// Runs a program, shown as GitHub shows it; its output becomes the step's.
    pub fn run(&self, command: &mut Command) -> Result<(), Failed> {
        self.say(format_args!("[command]{}", line_of(command)));
        let status = command.stdin(Stdio::null()).status().map_err(failed(line_of(command)))?;
        if status.success() {
            return Ok(());
        }
        let code = status.code().map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        Err(Failed(format!("`{}` ended with {code}", line_of(command))))
    }

    /// What a program prints, if it ends well.
    pub fn output(&self, command: &mut Command) -> Result<String, Failed> {
        let output = command.stdin(Stdio::null()).output().map_err(failed(line_of(command)))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(Failed(format!("`{}`: {}", line_of(command), told.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// As the data of a workflow command.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_found_by_their_name_in_the_file() {
        let step = Step::of(Phase::Main, &[("INPUT_FETCH-DEPTH", " 3 "), ("INPUT_MY_KEY", "a,b\n\nc"), ("HOME", "/h")]);
        assert_eq!(step.number("fetch-depth", 1), Ok(3));
        assert_eq!(step.items("my key"), ["a", "b", "c"]);
        assert_eq!(step.path("~/x"), Path::new("/h/x"));
        assert_eq!(step.flag("clean"), Ok(false));
        assert!(step.flag("my key").is_err());
    }
}
