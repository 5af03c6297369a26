//! What the steps of a stage do, and under which key their results are remembered.

use names::Digest;
use serde::Serialize;

use crate::content::Framed;

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum From {
    Context,
    /// Index into [`crate::Dockerfile::stages`].
    Stage(usize),
    /// An image by the name it was written with.
    Image(String),
}

/// One thing to do in a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Op {
    Run(Run),
    Copy(Copy),
    Workdir(Workdir),
}

/// A command; its environment is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Proxy settings: given to the command, unknown to key and history.
    #[serde(skip)]
    pub untraced_env: Vec<(String, String)>,
    pub cwd: String,
    pub user: String,
    pub network: Network,
    pub mounts: Vec<Mount>,
    /// Scripts from here-documents: (name, content), to appear executable under `/dev/pipes`.
    pub scripts: Vec<(String, String)>,
    /// The command as it was written.
    #[serde(skip)]
    pub command: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Network {
    Default,
    Host,
    None,
}

/// A mount of a RUN; none of them leaves a trace in the layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Mount {
    /// Writes are allowed if `writable`, and discarded.
    Bind { target: String, from: From, source: String, writable: bool },
    Cache {
        target: String,
        id: String,
        sharing: Sharing,
        from: Option<From>,
        source: String,
        /// For a folder that is made new.
        mode: u32,
        uid: u32,
        gid: u32,
        writable: bool,
    },
    Tmpfs { target: String, size_bytes: Option<u64> },
    Secret { id: String, target: Option<String>, env: Option<String>, mode: u32, uid: u32, gid: u32, required: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Sharing {
    Shared,
    Private,
    Locked,
}

/// COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copy {
    pub from: From,
    pub sources: Vec<CopySource>,
    /// Absolute; see `into_folder` for its last slash.
    pub destination: String,
    /// The destination was written with a slash at its end.
    pub into_folder: bool,
    pub owner: Option<Owner>,
    /// As [`crate::mode::Mode`] reads it.
    pub mode: Option<String>,
    pub link: bool,
    pub parents: bool,
    pub exclude: Vec<String>,
    pub unpack: Unpack,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum CopySource {
    Path(String),
    /// A here-document.
    Inline { name: String, content: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unpack {
    /// COPY: archives are files.
    Never,
    /// ADD: archives are unpacked.
    Archives,
}

/// Who owns what a COPY makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    pub user: Who,
    pub group: Option<Who>,
}

/// A number, or a name to look up in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Who {
    Id(u32),
    Name(String),
}

impl Owner {
    /// Reads `user`, `user:group`, `uid:gid`.
    pub fn parse(text: &str) -> Self {
        let who = |text: &str| text.parse().map_or_else(|_| Who::Name(text.to_owned()), Who::Id);
        match text.split_once(':') {
            Some((user, group)) if !group.is_empty() => Self { user: who(user), group: Some(who(group)) },
            _ => Self { user: who(text.trim_end_matches(':')), group: None },
        }
    }

    /// Whether `/etc/passwd` or `/etc/group` must be read.
    pub fn has_names(&self) -> bool {
        matches!(self.user, Who::Name(_)) || matches!(self.group, Some(Who::Name(_)))
    }
}

/// Makes a folder, and those above it, if missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workdir {
    pub path: String,
    /// The user that new folders belong to.
    pub user: String,
}

impl Op {
    pub fn from_stages(&self) -> impl Iterator<Item = usize> + '_ {
        self.froms().filter_map(|from| match from {
            From::Stage(index) => Some(*index),
            From::Context | From::Image(_) => None,
        })
    }

    /// Every place this operation reads from, beside the stage's own files.
    pub fn froms(&self) -> impl Iterator<Item = &From> + '_ {
        let (copy, mounts) = match self {
            Self::Copy(copy) => (Some(&copy.from), [].as_slice()),
            Self::Run(run) => (None, run.mounts.as_slice()),
            Self::Workdir(_) => (None, [].as_slice()),
        };
        let mounts = mounts.iter().filter_map(|mount| match mount {
            Mount::Bind { from, .. } | Mount::Cache { from: Some(from), .. } => Some(from),
            Mount::Cache { .. } | Mount::Tmpfs { .. } | Mount::Secret { .. } => None,
        });
        copy.into_iter().chain(mounts)
    }

    /// Whether the result does not depend on the layers below.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::Copy(copy) if copy.link && !copy.owner.as_ref().is_some_and(Owner::has_names))
    }
}

/// The version of the rules by which keys are made and steps carried out; a change forgets all results.
const RULES: u64 = 1;

/// The key under which the result of `op` is remembered.
///
/// `below` are the layers it works on, uncompressed, the lowest first; `inputs`
/// are digests of what it reads from elsewhere, in the order of [`Op::froms`].
pub fn step_key(op: &Op, platform: &image::Platform, below: &[Digest], inputs: &[Digest]) -> Digest {
    let mut hash = Framed::default();
    let text = serde_json::to_vec(op).expect("an operation has text keys only");
    hash.field("step").number(RULES).field(platform.to_string()).field(text);
    let below = if op.stands_alone() { &[] } else { below };
    hash.number(below.len() as u64);
    for layer in below {
        hash.field(layer.hex());
    }
    hash.number(inputs.len() as u64);
    for input in inputs {
        hash.field(input.hex());
    }
    hash.finish()
}
