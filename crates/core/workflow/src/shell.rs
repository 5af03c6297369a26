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
        match name {
            "bash" => Ok(Self::Bash),
            "sh" => Ok(Self::Sh),
            "pwsh" => Ok(Self::Pwsh),
            "python" => Ok(Self::Python),
            "cmd" | "powershell" => Err(ShellError::Windows(name.to_owned())),
            custom if custom.contains("{0}") => Ok(Self::Custom(
                custom.split_whitespace().map(str::to_owned).collect(),
            )),
            other => Err(ShellError::Unknown(other.to_owned())),
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
        let extension = match self {
            Self::DefaultBash | Self::Bash | Self::Sh => ".sh",
            Self::Pwsh => ".ps1",
            Self::Python => ".py",
            Self::Custom(_) => "",
        };
        let path = format!("{base}{extension}");
        let text = match self {
            Self::Pwsh => format!(
                "$ErrorActionPreference = 'stop'\n{script}\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}"
            ),
            Self::DefaultBash | Self::Bash | Self::Sh | Self::Python | Self::Custom(_) => {
                script.replace("\r\n", "\n")
            }
        };
        let argv = self
            .arguments()
            .iter()
            .map(|it| it.replace("{0}", &path))
            .collect();
        ShellCommand {
            argv,
            file: File { path, text },
        }
    }
}
