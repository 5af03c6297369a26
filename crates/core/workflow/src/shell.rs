//! How each `shell` runs a script: the exact arguments and the exact file.

use crate::run::File;

/// The shell of a `run` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// No `shell` in the file, and a bash is there: no `pipefail`.
    DefaultBash,
    Bash,
    Sh,
    Pwsh,
    Python,
    /// A command line with `{0}` for the script.
    Custom(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    #[error("unknown shell `{0}`: expected bash, sh, pwsh, python or a command with `{{0}}`")]
    Unknown(String),
    #[error("shell `{0}` runs on Windows only")]
    Windows(String),
}

/// What a `run` step becomes.
pub(crate) struct ShellCommand {
    pub argv: Vec<String>,
    pub file: File,
}

impl Shell {
    /// `bash` tells whether one is there for steps that do not choose.
    pub(crate) fn choose(shell: Option<&str>, bash: bool) -> Result<Self, ShellError> {
        match shell.map(str::trim) {
            None | Some("") if bash => Ok(Self::DefaultBash),
            None | Some("") => Ok(Self::Sh),
            Some(name) => Self::named(name),
        }
    }

    /// The shell that `shell:` names.
    pub fn named(name: &str) -> Result<Self, ShellError> {
        match name.to_ascii_lowercase().as_str() {
            "bash" => Ok(Self::Bash),
            "sh" => Ok(Self::Sh),
            "pwsh" => Ok(Self::Pwsh),
            "python" => Ok(Self::Python),
            "cmd" | "powershell" => Err(ShellError::Windows(name.to_owned())),
            _ if name.contains("{0}") => Ok(Self::Custom(words(name))),
            _ => Err(ShellError::Unknown(name.to_owned())),
        }
    }

    /// The arguments with `{0}` for the script, as the log shows them.
    pub fn shown(&self) -> String {
        self.arguments().join(" ")
    }

    fn arguments(&self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::DefaultBash => &["bash", "-e", "{0}"],
            Self::Bash => &[
                "bash",
                "--noprofile",
                "--norc",
                "-e",
                "-o",
                "pipefail",
                "{0}",
            ],
            Self::Sh => &["sh", "-e", "{0}"],
            Self::Pwsh => &["pwsh", "-command", ". '{0}'"],
            Self::Python => &["python", "{0}"],
            Self::Custom(words) => return words.clone(),
        };
        fixed.iter().map(|it| (*it).to_owned()).collect()
    }

    /// `base` is the path of the script without its extension.
    pub(crate) fn command(&self, base: &str, script: &str) -> ShellCommand {
        let arguments = self.arguments();
        // A command line of one's own gets what its program gets by its name alone.
        let program = arguments.first().map(String::as_str).unwrap_or_default();
        let extension = match program {
            "bash" | "sh" => ".sh",
            "pwsh" => ".ps1",
            "python" => ".py",
            _ => "",
        };
        let path = format!("{base}{extension}");
        let script = script.replace("\r\n", "\n");
        let text = if program == "pwsh" {
            format!(
                "$ErrorActionPreference = 'stop'\n{script}\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}"
            )
        } else {
            script
        };
        let argv = arguments
            .iter()
            .map(|it| it.replace("{0}", &path))
            .collect();
        ShellCommand {
            argv,
            file: File { path, text },
        }
    }
}

/// Splits a line into words as a shell does, with quotes and backslashes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut symbols = line.chars();
    while let Some(symbol) = symbols.next() {
        match (quote, symbol) {
            (Some(open), _) if symbol == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = symbols.next().unwrap_or('\\');
                word.get_or_insert_default().push(next);
            }
            (None, '"' | '\'') => {
                quote = Some(symbol);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (Some(_) | None, _) => word.get_or_insert_default().push(symbol),
        }
    }
    words.extend(word);
    words
}
