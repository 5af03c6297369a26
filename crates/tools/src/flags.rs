//! Command lines as Go programs read them: flags anywhere, `-f=x`, `-fx`, `--on=false`, `--`.

/// One flag that a command knows.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
    pub support: Support,
}

/// Whether a flag has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `--on` or `--on=false`.
    Nothing,
    /// `--name value` or `--name=value`.
    Value,
    /// `--name` means this value; another only by `--name=value`.
    ValueOr(&'static str),
}

/// What becomes of a flag that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Yes,
    /// It changes nothing here, and nobody misses anything.
    Idle,
    /// Why it is refused and what to do.
    Refused(&'static str),
}

/// A flag without a value.
pub const fn switch(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Nothing, support: Support::Yes }
}

/// A flag with a value.
pub const fn value(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Value, support: Support::Yes }
}

impl Flag {
    pub const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    /// The value when none is written.
    pub const fn or(self, value: &'static str) -> Self {
        Self { takes: Takes::ValueOr(value), ..self }
    }

    pub const fn idle(self) -> Self {
        Self { support: Support::Idle, ..self }
    }

    pub const fn refused(self, why: &'static str) -> Self {
        Self { support: Support::Refused(why), ..self }
    }
}

/// A command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    values: Vec<(&'static str, String)>,
    /// What is no flag, in order.
    pub words: Vec<String>,
    /// How many words stood before `--`; all if there was none.
    pub words_before_dashes: usize,
}

/// Why a command line cannot be read; the words are pflag's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("unknown shorthand flag: '{0}' in -{1}")]
    UnknownShort(char, String),
    #[error("flag needs an argument: --{0}")]
    NoValue(String),
    #[error("flag needs an argument: '{0}' in -{1}")]
    NoShortValue(char, String),
    #[error("invalid argument \"{value}\" for \"--{flag}\" flag: expected true or false")]
    NoBool { flag: String, value: String },
    #[error("--{flag} is not supported by this {tool}: {why}")]
    Refused { tool: &'static str, flag: &'static str, why: &'static str },
}

/// Where reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Flags may stand after words.
    End,
    /// The first word and all after it are left alone.
    FirstWord,
}

/// Takes a command line apart; `sets` are the flags the command knows.
pub fn parse(tool: &'static str, args: &[String], sets: &[&[Flag]], until: Until) -> Result<Parsed, FlagError> {
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    let mut dashes = None;
    while let Some(arg) = rest.next() {
        if arg == "--" {
            dashes = Some(parsed.words.len());
            parsed.words.extend(rest.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, given) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let flag = sets.iter().flat_map(|it| it.iter()).find(|it| it.long == name);
            let flag = flag.ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
            let value = match (flag.takes, given) {
                (Takes::Nothing, given) => switched(name, given.unwrap_or("true"))?,
                (_, Some(given)) => given.to_owned(),
                (Takes::ValueOr(value), None) => value.to_owned(),
                (Takes::Value, None) => rest.next().cloned().ok_or_else(|| FlagError::NoValue(name.to_owned()))?,
            };
            parsed.add(tool, flag, value)?;
        } else if arg.len() > 1 && arg.starts_with('-') {
            shorts(tool, &arg[1..], sets, &mut rest, &mut parsed)?;
        } else if until == Until::FirstWord {
            parsed.words.push(arg.clone());
            parsed.words.extend(rest.by_ref().cloned());
        } else {
            parsed.words.push(arg.clone());
        }
    }
    parsed.words_before_dashes = dashes.unwrap_or(parsed.words.len());
    Ok(parsed)
}

fn shorts(
    tool: &'static str,
    cluster: &str,
    sets: &[&[Flag]],
    rest: &mut std::slice::Iter<'_, String>,
    parsed: &mut Parsed,
) -> Result<(), FlagError> {
    for (at, letter) in cluster.char_indices() {
        let flag = sets.iter().flat_map(|it| it.iter()).find(|it| it.short == Some(letter));
        let flag = flag.ok_or_else(|| FlagError::UnknownShort(letter, cluster.to_owned()))?;
        let after = &cluster[at + letter.len_utf8()..];
        let given = after.strip_prefix('=');
        match (flag.takes, given) {
            (Takes::Nothing, Some(given)) => {
                parsed.add(tool, flag, switched(flag.long, given)?)?;
                return Ok(());
            }
            (Takes::Nothing, None) => parsed.add(tool, flag, "true".to_owned())?,
            (Takes::ValueOr(value), None) => parsed.add(tool, flag, value.to_owned())?,
            (_, Some(given)) => return parsed.add(tool, flag, given.to_owned()),
            (Takes::Value, None) if !after.is_empty() => return parsed.add(tool, flag, after.to_owned()),
            (Takes::Value, None) => {
                let value = rest.next().cloned();
                let value = value.ok_or_else(|| FlagError::NoShortValue(letter, cluster.to_owned()))?;
                return parsed.add(tool, flag, value);
            }
        }
    }
    Ok(())
}

fn switched(flag: &str, value: &str) -> Result<String, FlagError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".to_owned()),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".to_owned()),
        _ => Err(FlagError::NoBool { flag: flag.to_owned(), value: value.to_owned() }),
    }
}

impl Parsed {
    fn add(&mut self, tool: &'static str, flag: &Flag, value: String) -> Result<(), FlagError> {
        match flag.support {
            Support::Yes => self.values.push((flag.long, value)),
            Support::Idle => {}
            // `--flag=false` asks for nothing.
            Support::Refused(_) if flag.takes == Takes::Nothing && value == "false" => {}
            Support::Refused(why) => return Err(FlagError::Refused { tool, flag: flag.long, why }),
        }
        Ok(())
    }

    /// Gives a flag also under the name that another tool has for it.
    pub fn copy(&mut self, from: &str, to: &'static str) {
        let copied: Vec<_> = self.all(from).map(|value| (to, value.to_owned())).collect();
        self.values.extend(copied);
    }

    /// All values of a flag that may stand several times.
    pub fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// The value of a flag; the last one counts.
    pub fn last(&self, long: &str) -> Option<&str> {
        self.values.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// Whether a flag without a value was given, and not as `false`.
    pub fn is_on(&self, long: &str) -> bool {
        self.last(long) == Some("true")
    }

    /// As [`Parsed::is_on`], for a flag that is on unless it is given as `false`.
    pub fn is_not_off(&self, long: &str) -> bool {
        self.last(long) != Some("false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        value("tag").short('t'),
        switch("quiet").short('q'),
        switch("all").short('a'),
        value("dry-run").or("client"),
        value("output").short('o').refused("images go to the store"),
        value("cache").idle(),
    ];

    #[test]
    fn lines_are_taken_apart() {
        check("build -t a --tag=b -tc -t=d .", "tag=a tag=b tag=c tag=d | build .");
        check("-qa x --quiet=false", "quiet=true all=true quiet=false | x");
        check("--dry-run y --dry-run=server", "dry-run=client dry-run=server | y");
        check("a -- -t b", " | a -t b");
        check("--cache x -", " | -");
        check("-qt x", "quiet=true tag=x | ");
    }

    #[test]
    fn wrong_lines_are_refused_in_the_words_of_the_original() {
        wrong("--colour", "unknown flag: --colour");
        wrong("-x", "unknown shorthand flag: 'x' in -x");
        wrong("--tag", "flag needs an argument: --tag");
        wrong("-t", "flag needs an argument: 't' in -t");
        wrong("--quiet=so", "invalid argument \"so\" for \"--quiet\" flag: expected true or false");
        wrong("-o x", "--output is not supported by this docker: images go to the store");
    }

    #[test]
    fn what_follows_the_first_word_is_left_alone() {
        let args = ["-q", "run", "-x"].map(str::to_owned);
        let parsed = parse("docker", &args, &[FLAGS], Until::FirstWord).expect("a line");
        assert_eq!(parsed.words, ["run", "-x"]);
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let parsed = parse("docker", &args, &[FLAGS], Until::End).expect("a line");
        let values: Vec<String> = parsed.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(format!("{} | {}", values.join(" "), parsed.words.join(" ")), expected, "{line}");
    }

    #[track_caller]
    fn wrong(line: &str, expected: &str) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = parse("docker", &args, &[FLAGS], Until::End).expect_err("a wrong line");
        assert_eq!(error.to_string(), expected);
    }
}
