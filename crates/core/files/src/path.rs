//! Clean relative paths: joining, parents, names.

/// A relative path climbed above the root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{relative}` leads out of the source (from `{base}`)")]
pub struct OutsideRoot {
    /// The folder it was relative to.
    pub base: String,
    /// The path as written.
    pub relative: String,
}

/// Joins a relative path to a folder of the tree and tidies `.`, `..` and doubled slashes.
///
/// # Errors
///
/// [`OutsideRoot`] when the path is absolute or climbs above the root.
pub fn join(base: &str, relative: &str) -> Result<String, OutsideRoot> {
    let outside = || OutsideRoot {
        base: base.to_owned(),
        relative: relative.to_owned(),
    };
    if relative.starts_with('/') || relative.contains('\0') {
        return Err(outside());
    }
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The folder that holds `path`; `None` for the root itself.
pub fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').map_or("", |(folder, _)| folder))
}

/// The last part of `path`.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether `path` is clean: relative, without empty parts, `.` and `..`.
pub(crate) fn is_clean(path: &str) -> bool {
    path.is_empty()
        || (!path.contains('\0')
            && path
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_stays_inside_the_root() {
        let check = |base: &str, relative: &str, expected: Option<&str>| {
            assert_eq!(
                join(base, relative).ok().as_deref(),
                expected,
                "{base} + {relative}"
            );
        };
        check("", "a.yaml", Some("a.yaml"));
        check("apps/web", "../base", Some("apps/base"));
        check("apps/web", "./x//y/.", Some("apps/web/x/y"));
        check("apps", "..", Some(""));
        check("apps", "../..", None);
        check("apps", "/etc/passwd", None);
        check("", "a\0b", None);
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(parent("a/b/c"), Some("a/b"));
        assert_eq!(parent("a"), Some(""));
        assert_eq!(parent(""), None);
        assert_eq!(file_name("a/b/c"), "c");
        assert_eq!(file_name("c"), "c");
    }
}
