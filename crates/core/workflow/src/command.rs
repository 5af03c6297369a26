//! Reads the commands that steps print: `::warning file=a.rs,line=3::text`.

use serde::{Deserialize, Serialize};

/// GitHub cuts annotations at this many characters.
const LONGEST_MESSAGE: usize = 4096;

/// What one line of output means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Ordinary output.
    Text,
    SetOutput {
        name: String,
        value: String,
    },
    SaveState {
        name: String,
        value: String,
    },
    /// `::set-env::` and `::add-path::`: refused for safety, they fail the step.
    Disabled {
        command: String,
    },
    /// Where [`Unsecure::Allowed`].
    SetEnv {
        name: String,
        value: String,
    },
    /// Where [`Unsecure::Allowed`].
    AddPath(String),
    /// From here on the value is hidden; the line itself is never shown.
    AddMask(String),
    Debug(String),
    Annotation(Annotation),
    Group(String),
    EndGroup,
    /// Whether commands are shown in the log.
    Echo {
        on: bool,
    },
    /// Everything is text until the token comes back; tokens longer than six characters are hidden.
    StopCommands {
        token: String,
    },
    ResumeCommands,
    /// The file with problem matchers, absolute or in the workspace.
    AddMatcher(String),
    RemoveMatcher(MatcherName),
    /// A command of the language without effect here, e.g. `internal-set-repo-path`.
    Ignored {
        command: String,
    },
    /// A command that is wrong; the reason is for the log.
    Invalid(String),
    /// A command so wrong that its step fails; the reason is for the log.
    Wrong(String),
}

/// Which problem matchers a step removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatcherName {
    Owner(String),
    /// All that this file declares.
    File(String),
}

/// Whether a step may change its environment by printing, as `ACTIONS_ALLOW_UNSECURE_COMMANDS` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsecure {
    #[default]
    Refused,
    Allowed,
}

impl Unsecure {
    /// As the environment of a step says.
    pub fn of<'a>(env: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let allowed = env.into_iter().any(|(name, value)| {
            name == "ACTIONS_ALLOW_UNSECURE_COMMANDS" && value.trim().eq_ignore_ascii_case("true")
        });
        if allowed {
            Self::Allowed
        } else {
            Self::Refused
        }
    }
}

/// GitHub keeps this many annotations of each level for one step.
pub const ANNOTATIONS_MAX: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    pub level: Level,
    pub message: String,
    pub title: Option<String>,
    pub file: Option<String>,
    pub line: Option<u64>,
    pub end_line: Option<u64>,
    pub column: Option<u64>,
    pub end_column: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warning,
    Notice,
}

/// Reads the lines of one step in order.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    unsecure: Unsecure,
    stopped: Option<String>,
}

const COMMANDS: &[&str] = &[
    "set-output",
    "save-state",
    "set-env",
    "add-path",
    "add-mask",
    "debug",
    "error",
    "warning",
    "notice",
    "group",
    "endgroup",
    "echo",
    "stop-commands",
    "add-matcher",
    "remove-matcher",
    "internal-set-repo-path",
];

impl Reader {
    pub fn new(unsecure: Unsecure) -> Self {
        Self {
            unsecure,
            stopped: None,
        }
    }

    pub fn read(&mut self, line: &str) -> Line {
        let Some(command) = Command::parse(line.trim_end_matches(['\r', '\n'])) else {
            return Line::Text;
        };
        if let Some(token) = &self.stopped {
            if !token.eq_ignore_ascii_case(&command.name) {
                return Line::Text;
            }
            self.stopped = None;
            return Line::ResumeCommands;
        }
        let meaning = command.meaning(self.unsecure);
        if let Line::StopCommands { token } = &meaning {
            self.stopped = Some(token.clone());
        }
        meaning
    }
}

struct Command {
    /// Lower-case, unless it may be the token of `stop-commands`.
    name: String,
    properties: Vec<(String, String)>,
    data: String,
}

impl Command {
    fn parse(line: &str) -> Option<Self> {
        if let Some(rest) = line.trim_start().strip_prefix("::") {
            let (head, data) = rest.split_once("::")?;
            return Some(Self::new(head, ',', data, Escapes::Current))
                .filter(|it| !it.name.is_empty());
        }
        let start = line.find("##[")?;
        let (head, data) = line.get(start + 3..)?.split_once(']')?;
        Some(Self::new(head, ';', data, Escapes::Legacy))
            .filter(|it| COMMANDS.contains(&it.name.as_str()))
    }

    fn new(head: &str, separator: char, data: &str, escapes: Escapes) -> Self {
        let head = head.trim();
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let lower = name.to_ascii_lowercase();
        let known = COMMANDS.contains(&lower.as_str());
        let pairs = properties
            .split(separator)
            .filter_map(|it| it.trim().split_once('='));
        Self {
            name: if known { lower } else { name.to_owned() },
            properties: pairs
                .map(|(key, value)| (key.to_ascii_lowercase(), escapes.property(value)))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            data: escapes.data(data),
        }
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn meaning(self, unsecure: Unsecure) -> Line {
        match self.name.as_str() {
            "set-output" | "save-state" => {
                let Some(name) = self.property("name").map(str::to_owned) else {
                    return Line::Wrong(format!("`{}` takes a name", self.name));
                };
                let value = self.data;
                if self.name == "set-output" {
                    Line::SetOutput { name, value }
                } else {
                    Line::SaveState { name, value }
                }
            }
            "set-env" | "add-path" if unsecure == Unsecure::Refused => {
                Line::Disabled { command: self.name }
            }
            "set-env" => match self.property("name").map(str::to_owned) {
                Some(name) if name.eq_ignore_ascii_case("NODE_OPTIONS") => {
                    Line::Invalid("`NODE_OPTIONS` cannot be set".to_owned())
                }
                Some(name) => Line::SetEnv {
                    name,
                    value: self.data,
                },
                None => Line::Wrong("`set-env` takes a name".to_owned()),
            },
            "add-path" if self.data.is_empty() => {
                Line::Wrong("`add-path` takes a folder".to_owned())
            }
            "add-path" => Line::AddPath(self.data),
            "add-matcher" if self.data.trim().is_empty() => {
                Line::Invalid("`add-matcher` takes a file".to_owned())
            }
            "add-matcher" => Line::AddMatcher(self.data),
            "remove-matcher" => match (self.property("owner"), self.data.as_str()) {
                (Some(_), file) if !file.is_empty() => {
                    Line::Invalid("`remove-matcher` takes an owner or a file, not both".to_owned())
                }
                (Some(owner), _) => Line::RemoveMatcher(MatcherName::Owner(owner.to_owned())),
                (None, "") => Line::Invalid("`remove-matcher` takes an owner or a file".to_owned()),
                (None, file) => Line::RemoveMatcher(MatcherName::File(file.to_owned())),
            },
            "add-mask" if self.data.trim().is_empty() => {
                Line::Invalid("a blank value cannot be masked".to_owned())
            }
            "add-mask" => Line::AddMask(self.data),
            "debug" => Line::Debug(self.data),
            "error" => self.annotation(Level::Error),
            "warning" => self.annotation(Level::Warning),
            "notice" => self.annotation(Level::Notice),
            "group" => Line::Group(self.data),
            "endgroup" => Line::EndGroup,
            "echo" => match self.data.trim().to_ascii_lowercase().as_str() {
                "on" => Line::Echo { on: true },
                "off" => Line::Echo { on: false },
                other => Line::Wrong(format!("`echo` takes on or off, found `{other}`")),
            },
            "stop-commands" => self.stop(),
            known if COMMANDS.contains(&known) => Line::Ignored { command: self.name },
            _ => Line::Text,
        }
    }

    fn stop(self) -> Line {
        let token = self.data;
        if token.is_empty()
            || token == "pause-logging"
            || COMMANDS.contains(&token.to_ascii_lowercase().as_str())
        {
            return Line::Wrong(format!("`{token}` cannot be the token of `stop-commands`"));
        }
        Line::StopCommands { token }
    }

    fn annotation(self, level: Level) -> Line {
        let number = |name| self.property(name).and_then(|it| it.parse::<u64>().ok());
        let (mut line, mut end_line) = (number("line"), number("endline"));
        if line.is_none() {
            line = end_line;
        }
        if end_line.is_some() && end_line < line {
            (line, end_line) = (None, None);
        }
        let one_line = line.is_some() && end_line.is_none_or(|it| Some(it) == line);
        let (mut column, mut end_column) = (number("col"), number("endcolumn"));
        if column.is_none() {
            column = end_column;
        }
        if !one_line || end_column.is_some() && end_column < column {
            (column, end_column) = (None, None);
        }
        Line::Annotation(Annotation {
            level,
            title: self.property("title").map(str::to_owned),
            file: self.property("file").map(|it| it.replace('\\', "/")),
            message: cut_message(&self.data),
            line,
            end_line,
            column,
            end_column,
        })
    }
}

/// As long as GitHub keeps it.
pub(crate) fn cut_message(message: &str) -> String {
    message.chars().take(LONGEST_MESSAGE).collect()
}

impl Annotation {
    /// Makes the file relative to the workspace when it lies there.
    pub fn locate(&mut self, workspace: &str) {
        let root = workspace.trim_end_matches('/');
        let inside = self.file.as_deref().and_then(|file| {
            let rest = file.strip_prefix(root)?.strip_prefix('/')?;
            Some(rest.trim_start_matches('/').to_owned())
        });
        if inside.is_some() {
            self.file = inside;
        }
    }
}

#[derive(Clone, Copy)]
enum Escapes {
    Current,
    /// `##[…]` has its own set.
    Legacy,
}

impl Escapes {
    fn data(self, text: &str) -> String {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        match self {
            Self::Current => text.replace("%25", "%"),
            Self::Legacy => text
                .replace("%3B", ";")
                .replace("%5D", "]")
                .replace("%25", "%"),
        }
    }

    fn property(self, text: &str) -> String {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        match self {
            Self::Current => text
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%"),
            Self::Legacy => text
                .replace("%3B", ";")
                .replace("%5D", "]")
                .replace("%25", "%"),
        }
    }
}
