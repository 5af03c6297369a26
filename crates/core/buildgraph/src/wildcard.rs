//! Wildcards of COPY and ADD sources: the rules of Go's `filepath.Match`.

/// Whether `name` matches; `None` when the pattern is malformed.
///
/// `*` and `?` do not cross `/`, `[a-c]` and `[^a-c]` are sets, `\` escapes.
pub fn matches(pattern: &str, name: &str) -> Option<bool> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check_form(&pattern)?;
    Some(matches_at(&pattern, &name))
}

/// Whether a source is a pattern at all.
pub fn is_pattern(source: &str) -> bool {
    source.contains(['*', '?', '['])
}

fn check_form(pattern: &[char]) -> Option<()> {
    let mut at = 0;
    while at < pattern.len() {
        at = match pattern[at] {
            '\\' if at + 1 == pattern.len() => return None,
            '\\' => at + 2,
            '[' => set(pattern, at, '\0')?.1,
            _ => at + 1,
        };
    }
    Some(())
}

fn matches_at(pattern: &[char], name: &[char]) -> bool {
    // Two cursors and the last star: linear in practice, never exponential.
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == '*' {
            retry = Some((p, n));
            p += 1;
            continue;
        }
        if p == pattern.len() && n == name.len() {
            return true;
        }
        let step = if p < pattern.len() && n < name.len() { one(pattern, p, name[n]) } else { None };
        if let Some(next) = step {
            p = next;
            n += 1;
            continue;
        }
        match retry {
            Some((star, from)) if from < name.len() && name[from] != '/' => {
                retry = Some((star, from + 1));
                p = star + 1;
                n = from + 1;
            }
            _ => return false,
        }
    }
}

/// The place after the element at `p` if it takes `c`.
fn one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern[p] {
        '?' => (c != '/').then_some(p + 1),
        '[' => {
            let (taken, next) = set(pattern, p, c)?;
            (taken && c != '/').then_some(next)
        }
        '\\' => (pattern.get(p + 1) == Some(&c)).then_some(p + 2),
        other => (other == c).then_some(p + 1),
    }
}

/// Reads the set at `p`: whether it has `c`, and where it ends.
fn set(pattern: &[char], p: usize, c: char) -> Option<(bool, usize)> {
    let mut at = p + 1;
    let negated = pattern.get(at) == Some(&'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    let mut first = true;
    loop {
        if *pattern.get(at)? == ']' && !first {
            return Some((found != negated, at + 1));
        }
        first = false;
        let (low, next) = set_char(pattern, at)?;
        at = next;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            (high, at) = set_char(pattern, at + 1)?;
        }
        found |= low <= c && c <= high;
    }
}

fn set_char(pattern: &[char], at: usize) -> Option<(char, usize)> {
    match *pattern.get(at)? {
        '-' | ']' => None,
        '\\' => Some((*pattern.get(at + 1)?, at + 2)),
        c => Some((c, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", Some(true)),
            ("*.txt", "d/a.txt", Some(false)),
            ("a*b*c", "axxbyyc", Some(true)),
            ("a*", "a/b", Some(false)),
            ("d/*", "d/x", Some(true)),
            ("?", "é", Some(true)),
            ("[a-c]x", "bx", Some(true)),
            ("[^a-c]x", "bx", Some(false)),
            ("[[]x", "[x", Some(true)),
            ("\\*", "*", Some(true)),
            ("\\*", "a", Some(false)),
            ("[", "a", None),
            ("[]a]", "]", None),
            ("a\\", "a", None),
            ("", "", Some(true)),
            ("*", "", Some(true)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
