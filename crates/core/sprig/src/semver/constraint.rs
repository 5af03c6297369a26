//! What a version must fulfil: comparisons joined by blanks, commas and `||`.

use std::{fmt, str::FromStr};

use super::version::{Version, identifiers_end, pre_releases};

/// Alternatives, each of which is a row of comparisons that must all hold.
#[derive(Clone, Debug)]
pub struct Constraint {
    alternatives: Vec<Vec<Comparison>>,
}

/// Why a text is no constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstraintError {
    Improper(String),
    /// It has a number that is none, such as `1x`.
    Unreadable,
    TooLong,
    TooManyAlternatives,
}

impl fmt::Display for ConstraintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Improper(text) => {
                write!(
                    f,
                    "improper constraint: {}",
                    gotemplate::quoted(text.as_bytes())
                )
            }
            Self::Unreadable => f.write_str("constraint parser error"),
            Self::TooLong => write!(f, "constraint string is too long (max {BYTES_MAX} bytes)"),
            Self::TooManyAlternatives => {
                write!(f, "too many constraint groups (max {ALTERNATIVES_MAX})")
            }
        }
    }
}

impl std::error::Error for ConstraintError {}

impl ConstraintError {
    /// The text of the older library, without quotes.
    pub fn bare(&self) -> String {
        match self {
            Self::Improper(text) => format!("improper constraint: {text}"),
            other => other.to_string(),
        }
    }
}

const BYTES_MAX: usize = 512;
const ALTERNATIVES_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Which numbers are missing or wild: `1` and `1.x` lack two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    None,
    Patch,
    Minor,
    All,
}

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    version: Version,
    wild: Wild,
}

impl FromStr for Constraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > BYTES_MAX {
            return Err(ConstraintError::TooLong);
        }
        let text = without_ranges(text);
        let alternatives: Vec<&str> = text.split("||").collect();
        if alternatives.len() > ALTERNATIVES_MAX {
            return Err(ConstraintError::TooManyAlternatives);
        }
        let alternatives = alternatives.into_iter().map(comparisons);
        Ok(Self {
            alternatives: alternatives.collect::<Result<_, _>>()?,
        })
    }
}

impl Constraint {
    /// Whether `version` fulfils one of the alternatives.
    ///
    /// A pre-release does only where a comparison of the same alternative names one.
    pub fn allows(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|row| {
            let names_one = row.iter().any(|it| !it.version.pre_release.is_empty());
            (names_one || version.pre_release.is_empty()) && row.iter().all(|it| it.holds(version))
        })
    }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let bound = &self.version;
        let at_least = *version >= *bound;
        match self.operator {
            Operator::NotEqual => self.differs(version),
            Operator::Greater => match self.wild {
                Wild::Minor | Wild::All if version.major == bound.major => {
                    self.wild == Wild::All && *version > *bound
                }
                Wild::Patch if version.major == bound.major => version.minor > bound.minor,
                Wild::None => *version > *bound,
                Wild::Patch | Wild::Minor | Wild::All => version.major > bound.major,
            },
            Operator::Less => *version < *bound,
            Operator::GreaterOrEqual => at_least,
            Operator::LessOrEqual => match self.wild {
                Wild::None => *version <= *bound,
                Wild::Minor => version.major <= bound.major,
                Wild::Patch | Wild::All => {
                    (version.major, version.minor) <= (bound.major, bound.minor)
                }
            },
            Operator::Equal if self.wild == Wild::None => version == bound,
            Operator::Equal | Operator::Tilde => at_least && self.in_tilde(version),
            Operator::Caret => at_least && self.in_caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let bound = &self.version;
        if self.wild == Wild::None {
            return version != bound;
        }
        if bound.major != version.major {
            return true;
        }
        match self.wild {
            Wild::Minor => false,
            _ if bound.minor != version.minor => true,
            Wild::All if bound.patch != version.patch => true,
            Wild::Patch if !(version.pre_release.is_empty() && bound.pre_release.is_empty()) => {
                pre_releases(&version.pre_release, &bound.pre_release).is_ne()
            }
            Wild::Patch => false,
            Wild::All | Wild::None => version != bound,
        }
    }

    fn in_tilde(&self, version: &Version) -> bool {
        let bound = &self.version;
        let zero = (bound.major, bound.minor, bound.patch) == (0, 0, 0);
        if zero && !matches!(self.wild, Wild::Minor | Wild::Patch) {
            return true;
        }
        version.major == bound.major && (version.minor == bound.minor || self.wild == Wild::Minor)
    }

    fn in_caret(&self, version: &Version) -> bool {
        let bound = &self.version;
        if bound.major > 0 || self.wild == Wild::Minor {
            return version.major == bound.major;
        }
        if version.major > 0 {
            return false;
        }
        if bound.minor > 0 || self.wild == Wild::Patch {
            return version.minor == bound.minor;
        }
        version.minor == 0 && version.patch == bound.patch
    }
}

/// One alternative: comparisons with blanks or a comma between them.
fn comparisons(text: &str) -> Result<Vec<Comparison>, ConstraintError> {
    let improper = || ConstraintError::Improper(text.to_owned());
    let mut row = Vec::new();
    let mut rest = text;
    loop {
        rest = skip_blanks(rest);
        let end = rest.find(|it| !"=!<>~^".contains(it)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(end);
        let operator = operator_of(operator).ok_or_else(improper)?;
        let pattern = Pattern::at(skip_blanks(after)).ok_or_else(improper)?;
        let after = pattern.rest;
        row.push(pattern.comparison(operator)?);
        rest = skip_blanks(after);
        if rest.is_empty() {
            return Ok(row);
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None if rest.len() < after.len() => {}
            None => return Err(improper()),
        }
    }
}

fn operator_of(text: &str) -> Option<Operator> {
    Some(match text {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterOrEqual,
        "<=" | "=<" => Operator::LessOrEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    })
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' '])
}

/// A version in which numbers may be missing or wild.
struct Pattern<'a> {
    numbers: [&'a str; 3],
    pre_release: &'a str,
    rest: &'a str,
}

impl<'a> Pattern<'a> {
    fn at(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [""; 3];
        for (at, slot) in numbers.iter_mut().enumerate() {
            let from = if at == 0 {
                Some(rest)
            } else {
                rest.strip_prefix('.')
            };
            let Some(from) = from else { break };
            let end = from
                .find(|it: char| !(it.is_ascii_digit() || "|xX*".contains(it)))
                .unwrap_or(from.len());
            if end == 0 {
                break;
            }
            (*slot, rest) = from.split_at(end);
        }
        if numbers[0].is_empty() {
            return None;
        }
        let mut pre_release = "";
        if let Some(body) = rest.strip_prefix('-') {
            let end = identifiers_end(body);
            if end > 0 {
                (pre_release, rest) = body.split_at(end);
            }
        }
        if let Some(body) = rest.strip_prefix('+') {
            let end = identifiers_end(body);
            if end > 0 {
                rest = body.get(end..).unwrap_or_default();
            }
        }
        Some(Self {
            numbers,
            pre_release,
            rest,
        })
    }

    fn comparison(&self, operator: Operator) -> Result<Comparison, ConstraintError> {
        let is_wild = |it: &str| matches!(it, "" | "x" | "X" | "*");
        let [major, minor, patch] = self.numbers;
        let (wild, numbers) = if is_wild(major) {
            (Wild::All, ["0", "0", "0"])
        } else if is_wild(minor) {
            (Wild::Minor, [major, "0", "0"])
        } else if is_wild(patch) {
            (Wild::Patch, [major, minor, "0"])
        } else {
            (Wild::None, self.numbers)
        };
        let mut text = numbers.join(".");
        if !self.pre_release.is_empty() {
            text = format!("{text}-{}", self.pre_release);
        }
        let version = text.parse().map_err(|_| ConstraintError::Unreadable)?;
        Ok(Comparison {
            operator,
            version,
            wild,
        })
    }
}

/// `1.2 - 1.4` as `>= 1.2, <= 1.4`.
fn without_ranges(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((low, high, after)) = range_at(rest) {
            out.push_str(&format!(">= {low}, <= {high} "));
            rest = after;
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

fn range_at(text: &str) -> Option<(&str, &str, &str)> {
    let start = skip_blanks(text);
    let low = Pattern::at(start)?;
    let dash = skip_blanks(low.rest);
    let after = dash.strip_prefix('-')?;
    let high_from = skip_blanks(after);
    if dash.len() == low.rest.len() || high_from.len() == after.len() {
        return None;
    }
    let high = Pattern::at(high_from)?;
    let low = start.get(..start.len() - low.rest.len())?;
    let high_text = high_from.get(..high_from.len() - high.rest.len())?;
    Some((low, high_text, skip_blanks(high.rest)))
}
