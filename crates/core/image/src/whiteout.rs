//! The names by which a layer says what it removes.

const PREFIX: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What the last component of a layer path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A file, folder or link of this name.
    Plain(&'a [u8]),
    /// The removal of this name in the layers below.
    Whiteout(&'a [u8]),
    /// The folder hides everything the layers below have in it.
    Opaque,
    /// Reserved names of AUFS, which say nothing about the tree.
    Meta,
}

/// A name that no layer may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` removes nothing")]
pub struct WhiteoutError(String);

/// Reads the last component of a path in a layer.
pub fn parse(name: &[u8]) -> Result<Name<'_>, WhiteoutError> {
    let Some(removed) = name.strip_prefix(PREFIX) else {
        return Ok(Name::Plain(name));
    };
    if name == OPAQUE {
        return Ok(Name::Opaque);
    }
    if removed.starts_with(PREFIX) {
        return Ok(Name::Meta);
    }
    if removed.is_empty() || removed == b"." || removed == b".." {
        return Err(WhiteoutError(String::from_utf8_lossy(name).into_owned()));
    }
    Ok(Name::Whiteout(removed))
}

/// The entry name that removes `name`.
pub fn whiteout_of(name: &[u8]) -> Vec<u8> {
    [PREFIX, name].concat()
}

/// The entry name that makes its folder opaque.
pub fn opaque() -> &'static [u8] {
    OPAQUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_image_specification_says() {
        check("file", Ok(Name::Plain(b"file")));
        check(".whale", Ok(Name::Plain(b".whale")));
        check(".wh.file", Ok(Name::Whiteout(b"file")));
        check(".wh..wh..opq", Ok(Name::Opaque));
        check(".wh..wh.plnk", Ok(Name::Meta));
        check(".wh.", Err(WhiteoutError(".wh.".to_owned())));
        check(".wh...", Err(WhiteoutError(".wh...".to_owned())));
        assert_eq!(whiteout_of(b"file"), b".wh.file");
    }

    #[track_caller]
    fn check(name: &str, expected: Result<Name<'_>, WhiteoutError>) {
        assert_eq!(parse(name.as_bytes()), expected);
    }
}
