//! The instructions of a Dockerfile as values, not yet expanded.

use std::ops::Range;

pub use crate::lines::{Directives, Heredoc};

/// A parsed Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    pub directives: Directives,
    /// The ARGs before the first FROM.
    pub globals: Vec<Instruction>,
    pub stages: Vec<Stage>,
}

/// One FROM and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Lower-cased.
    pub name: Option<String>,
    pub image: String,
    pub platform: Option<String>,
    pub from: Instruction,
    pub instructions: Vec<Instruction>,
}

/// One instruction and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub kind: Kind,
    pub line: usize,
    pub column: usize,
    /// In bytes of the source.
    pub span: Range<usize>,
    /// Keyword and arguments on one line.
    pub text: String,
}

/// What an [`Instruction`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    From { image: String, name: Option<String>, platform: Option<String> },
    Arg(Vec<Arg>),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Run(Run),
    Copy(Copy),
    Cmd(Command),
    Entrypoint(Command),
    Shell(Vec<String>),
    Workdir(String),
    User(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    Stopsignal(String),
    Healthcheck(Healthcheck),
    /// The trigger's text, here-documents included.
    Onbuild(String),
    Maintainer(String),
}

/// One name of an ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    pub name: String,
    pub default: Option<String>,
}

/// What RUN, CMD, ENTRYPOINT and HEALTHCHECK run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Given to the shell as one string.
    Shell(String),
    /// Run as it stands.
    Exec(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub command: Command,
    pub mounts: Vec<MountFlag>,
    pub network: RunNetwork,
    pub heredocs: Vec<Heredoc>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunNetwork {
    #[default]
    Default,
    Host,
    None,
}

/// The options of one `--mount`, names checked, values not yet expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFlag {
    pub kind: MountType,
    pub options: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountType {
    Bind,
    Cache,
    Tmpfs,
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    Copy,
    Add,
}

/// COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub transfer: Transfer,
    pub from: Option<String>,
    pub chown: Option<String>,
    pub chmod: Option<String>,
    pub link: bool,
    pub parents: bool,
    pub exclude: Vec<String>,
    pub checksum: Option<String>,
    /// `None`: archives are unpacked when they are local.
    pub unpack: Option<bool>,
    pub sources: Vec<Source>,
    pub destination: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Path(String),
    Heredoc(Heredoc),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    None,
    Check {
        command: Command,
        interval: Option<std::time::Duration>,
        timeout: Option<std::time::Duration>,
        start_period: Option<std::time::Duration>,
        start_interval: Option<std::time::Duration>,
        retries: Option<u64>,
    },
}
