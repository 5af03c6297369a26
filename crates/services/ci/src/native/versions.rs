//! Versions as setup actions ask for them: `20`, `>=18 <21`, `^1.22`, `3.x`, `lts/*`.

/// A version of three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl Version {
    /// The first version in a text such as `go version go1.26.8 linux/amd64`.
    pub fn find(text: &str) -> Option<Self> {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let number = &rest[at..];
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
            let parts: Vec<_> = number[..end].trim_end_matches('.').split('.').map(str::parse::<u64>).collect();
            if let [Ok(major), rest @ ..] = parts.as_slice() {
                let part = |at: usize| rest.get(at).and_then(|it| it.as_ref().ok()).copied();
                if !rest.is_empty() || at == 0 || rest_is_word(text, number) {
                    return Some(Self(*major, part(0).unwrap_or(0), part(1).unwrap_or(0)));
                }
            }
            rest = &number[end..];
        }
        None
    }
}

/// A number that follows a letter belongs to a word, unless the word is all there is.
fn rest_is_word(text: &str, number: &str) -> bool {
    text.len() - number.len() <= 1
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Whether `version` is what `wanted` asks for; names such as `latest` take what is there.
pub fn fits(wanted: &str, version: Version) -> bool {
    let wanted = wanted.trim().trim_start_matches(['v', '=']);
    let any = ["", "*", "x", "latest", "stable", "oldstable", "node", "current", "lts/*", "lts/-1", "lts", "nightly"];
    if any.contains(&wanted) || wanted.starts_with("lts/") {
        return true;
    }
    wanted.split("||").any(|range| range_fits(range.trim(), version))
}

fn range_fits(range: &str, version: Version) -> bool {
    if let Some((from, to)) = range.split_once(" - ") {
        return comparator_fits(&format!(">={}", from.trim()), version) && comparator_fits(&format!("<={}", to.trim()), version);
    }
    let mut words: Vec<String> = Vec::new();
    for word in range.split([' ', ',']).filter(|it| !it.is_empty()) {
        // `>= 18` is one comparator.
        match words.last_mut() {
            Some(last) if is_operator(last) => *last = format!("{last}{word}"),
            _ => words.push(word.to_owned()),
        }
    }
    words.iter().all(|word| comparator_fits(word, version))
}

fn is_operator(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| matches!(c, '<' | '>' | '=' | '~' | '^' | '!'))
}

fn comparator_fits(text: &str, version: Version) -> bool {
    let at = text.find(|c: char| !matches!(c, '<' | '>' | '=' | '~' | '^' | '!')).unwrap_or(text.len());
    let (operator, number) = text.split_at(at);
    let parts: Vec<Option<u64>> = number
        .trim_start_matches('v')
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().ok())
        .take_while(Option::is_some)
        .collect();
    let part = |at: usize| parts.get(at).copied().flatten();
    let Some(major) = part(0) else { return true };
    let low = Version(major, part(1).unwrap_or(0), part(2).unwrap_or(0));
    // The first version that is past everything that the text may mean.
    let past = match (part(1), part(2)) {
        (None, _) => Version(major + 1, 0, 0),
        (Some(minor), None) => Version(major, minor + 1, 0),
        (Some(minor), Some(patch)) => Version(major, minor, patch + 1),
    };
    match operator {
        ">=" => version >= low,
        ">" => version >= past,
        "<" => version < low,
        "<=" => version < past,
        "!=" | "!" => version < low || version >= past,
        "^" if major > 0 => version >= low && version < Version(major + 1, 0, 0),
        "^" => version >= low && version < Version(0, low.1 + 1, 0),
        "~" | "~=" | "~>" => {
            let end = if part(1).is_some() { Version(major, low.1 + 1, 0) } else { Version(major + 1, 0, 0) };
            version >= low && version < end
        }
        _ => version >= low && version < past,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, version: (u64, u64, u64), expected: bool) {
        assert_eq!(fits(wanted, Version(version.0, version.1, version.2)), expected, "{wanted} {version:?}");
    }

    #[test]
    fn ranges_are_read_as_npm_reads_them() {
        check("20", (20, 20, 2), true);
        check("20", (21, 0, 0), false);
        check("3.11", (3, 11, 7), true);
        check("3.1", (3, 11, 7), false);
        check(">=18 <21", (20, 0, 0), true);
        check(">= 18", (17, 9, 0), false);
        check("^1.22", (1, 26, 8), true);
        check("~1.22", (1, 26, 8), false);
        check("18 || 20", (20, 1, 0), true);
        check("3.x", (3, 12, 0), true);
        check("lts/*", (20, 0, 0), true);
        check("18 - 20", (20, 5, 1), true);
        check("v20.1.0", (20, 1, 0), true);
    }

    #[test]
    fn tools_tell_their_versions_in_many_ways() {
        assert_eq!(Version::find("v20.20.2"), Some(Version(20, 20, 2)));
        assert_eq!(Version::find("go version go1.26.8 linux/amd64"), Some(Version(1, 26, 8)));
        assert_eq!(Version::find("openjdk version \"17.0.15\" 2025-04-15"), Some(Version(17, 0, 15)));
        assert_eq!(Version::find("nothing"), None);
    }
}
