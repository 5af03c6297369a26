//! Permissions as `--chmod` writes them: octal or symbolic.

use std::str::FromStr;

/// A parsed `--chmod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Applied literally to files and folders.
    Octal(u32),
    Symbolic(Vec<Clause>),
}

/// One clause such as `go+rX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Bits 0o700, 0o070, 0o007.
    who: u32,
    actions: Vec<(Operator, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

/// Why a text is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an octal mode such as `0755` or a symbolic one such as `u=rwX,go=rX`, found `{0}`")]
pub struct ParseModeError(String);

/// Whether the mode is for a folder, which `X` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Folder,
    File,
}

impl FromStr for Mode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseModeError(text.to_owned());
        if text.bytes().all(|it| it.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|it| *it <= 0o7777);
            return mode.map(Self::Octal).ok_or_else(wrong);
        }
        let clauses: Option<Vec<Clause>> = text.split(',').map(clause).collect();
        clauses.map(Self::Symbolic).ok_or_else(wrong)
    }
}

fn clause(text: &str) -> Option<Clause> {
    let split = text.find(['+', '-', '='])?;
    let mut who = 0;
    for c in text[..split].chars() {
        who |= match c {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => 0o777,
            _ => return None,
        };
    }
    if who == 0 {
        who = 0o777;
    }
    let mut actions: Vec<(Operator, String)> = Vec::new();
    for c in text[split..].chars() {
        match c {
            '+' => actions.push((Operator::Add, String::new())),
            '-' => actions.push((Operator::Remove, String::new())),
            '=' => actions.push((Operator::Set, String::new())),
            'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o' => actions.last_mut()?.1.push(c),
            _ => return None,
        }
    }
    Some(Clause { who, actions })
}

impl Mode {
    /// The permissions that `current` becomes.
    pub fn apply(&self, current: u32, target: Target) -> u32 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Symbolic(clauses) => clauses.iter().fold(current & 0o7777, |mode, it| it.apply(mode, target)),
        }
    }
}

impl Clause {
    fn apply(&self, mut mode: u32, target: Target) -> u32 {
        for (operator, letters) in &self.actions {
            let mut bits = 0;
            for letter in letters.chars() {
                bits |= match letter {
                    'r' => 0o444 & self.who,
                    'w' => 0o222 & self.who,
                    'x' => 0o111 & self.who,
                    'X' if target == Target::Folder || mode & 0o111 != 0 => 0o111 & self.who,
                    's' => (if self.who & 0o700 != 0 { 0o4000 } else { 0 })
                        | (if self.who & 0o070 != 0 { 0o2000 } else { 0 }),
                    't' => 0o1000,
                    'u' => ((mode >> 6 & 7) * 0o111) & self.who,
                    'g' => ((mode >> 3 & 7) * 0o111) & self.who,
                    'o' => ((mode & 7) * 0o111) & self.who,
                    _ => 0,
                };
            }
            mode = match operator {
                Operator::Add => mode | bits,
                Operator::Remove => mode & !bits,
                Operator::Set => mode & !self.who | bits,
            };
        }
        mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_apply() {
        for (text, current, target, expected) in [
            ("0640", 0o755, Target::Folder, 0o640),
            ("u=rwX,go=rX", 0o600, Target::File, 0o644),
            ("u=rwX,go=rX", 0o700, Target::Folder, 0o755),
            ("+x", 0o644, Target::File, 0o755),
            ("go-rwx", 0o755, Target::File, 0o700),
            ("g=u", 0o740, Target::File, 0o770),
            ("u+s,a+t", 0o755, Target::File, 0o5755),
        ] {
            let mode: Mode = text.parse().expect("a mode");
            assert_eq!(mode.apply(current, target), expected, "{text}");
        }
        for wrong in ["", "9", "77777", "u", "z+x", "u+q"] {
            assert!(wrong.parse::<Mode>().is_err(), "{wrong}");
        }
    }
}
