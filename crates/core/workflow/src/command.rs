//! Reads the commands that steps print: `::warning file=a.rs,line=3::text`.

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
    /// Everything is text until the token comes back; long tokens are masked.
    StopCommands {
        token: String,
    },
    ResumeCommands,
    /// A command of the language without effect here, e.g. `add-matcher`.
    Ignored {
        command: String,
    },
    /// A command that is wrong; the reason is for the log.
    Invalid(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

/// Reads the lines of one step in order.
#[derive(Clone, Debug, Default)]
pub struct Reader {
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
    pub fn read(&mut self, line: &str) -> Line {
        let Some(command) = Command::parse(line.trim_end_matches(['\r', '\n'])) else {
            return Line::Text;
        };
        if let Some(token) = &self.stopped {
            if *token != command.name {
                return Line::Text;
            }
            self.stopped = None;
            return Line::ResumeCommands;
        }
        let meaning = command.meaning();
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

    fn meaning(self) -> Line {
        match self.name.as_str() {
            "set-output" | "save-state" => {
                let Some(name) = self.property("name").map(str::to_owned) else {
                    return Line::Invalid(format!("`{}` takes a name", self.name));
                };
                let value = self.data;
                if self.name == "set-output" {
                    Line::SetOutput { name, value }
                } else {
                    Line::SaveState { name, value }
                }
            }
            "set-env" | "add-path" => Line::Disabled { command: self.name },
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
                other => Line::Invalid(format!("`echo` takes on or off, found `{other}`")),
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
            return Line::Invalid(format!("`{token}` cannot be the token of `stop-commands`"));
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
        if !one_line || end_column.is_some() && end_column < column {
            (column, end_column) = (None, None);
        }
        Line::Annotation(Annotation {
            level,
            title: self.property("title").map(str::to_owned),
            file: self.property("file").map(|it| it.replace('\\', "/")),
            message: self.data.chars().take(LONGEST_MESSAGE).collect(),
            line,
            end_line,
            column,
            end_column,
        })
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
