//! Tells what a source is.

use std::{fs, io, path::Path};

use super::{ImportError, Shape};
use crate::archive::{self, Limits, Reader};

/// What lies at `source`.
pub fn shape(source: &Path) -> Result<Shape, ImportError> {
    let failed = |error| ImportError::Source { path: source.to_owned(), source: error };
    if fs::metadata(source).map_err(failed)?.is_dir() {
        return folder(source).map_err(failed)?.ok_or_else(|| unrecognised(source, "the folder is empty"));
    }
    let file = fs::File::open(source).map_err(failed)?;
    let (_, plain) = archive::decompress(file).map_err(|error| {
        if error.kind() == io::ErrorKind::Unsupported { unrecognised(source, &error.to_string()) } else { failed(error) }
    })?;
    tar(plain).map_err(|error| unrecognised(source, &error.to_string()))?.ok_or_else(|| unrecognised(source, "the tar is empty"))
}

fn folder(source: &Path) -> io::Result<Option<Shape>> {
    if source.join("index.json").is_file() && source.join("blobs").is_dir() {
        return Ok(Some(Shape::OciLayoutFolder));
    }
    Ok(fs::read_dir(source)?.next().is_some().then_some(Shape::RootFolder))
}

/// Reads on as long as the tar may still be an image; the first name no image has decides.
fn tar(plain: impl io::Read) -> Result<Option<Shape>, archive::ReadError> {
    let mut reader = Reader::new(plain, Limits::IMAGE);
    let (mut layout, mut docker, mut entries) = (None, None, 0);
    while let Some(entry) = reader.next_entry()? {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let path = path.trim_start_matches("./").trim_end_matches('/');
        if path.is_empty() || path == "." {
            continue;
        }
        entries += 1;
        match path {
            "index.json" => layout = Some(Shape::OciLayoutTar),
            "manifest.json" => docker = Some(Shape::DockerArchive),
            _ if !is_of_an_image(path) => return Ok(Some(Shape::RootTar)),
            _ => {}
        }
    }
    // Newer versions of Docker write both; their `manifest.json` tells the names.
    Ok(docker.or(layout).or((entries > 0).then_some(Shape::RootTar)))
}

fn is_of_an_image(path: &str) -> bool {
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["oci-layout" | "repositories" | "blobs"] | ["blobs", _] => true,
        ["blobs", _, file] => is_hex(file),
        [file] => is_hex(file) || file.split_once('.').is_some_and(|(stem, end)| is_hex(stem) && matches!(end, "json" | "tar")),
        [folder, "layer.tar" | "json" | "VERSION"] => is_hex(folder),
        _ => false,
    }
}

fn unrecognised(source: &Path, reason: &str) -> ImportError {
    ImportError::Unrecognised { path: source.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Header, Writer};

    #[test]
    fn the_names_in_a_tar_tell_what_it_is() {
        let hex = "a".repeat(64);
        check(&["./", "./bin/", "./bin/sh"], Some(Shape::RootTar));
        check(&["oci-layout", "blobs/", "blobs/sha256/", &format!("blobs/sha256/{hex}"), "index.json"], Some(Shape::OciLayoutTar));
        check(&[&format!("{hex}/layer.tar"), &format!("{hex}.json"), "manifest.json", "repositories"], Some(Shape::DockerArchive));
        check(&["index.json", "manifest.json", "oci-layout"], Some(Shape::DockerArchive));
        check(&["index.json", "var/www"], Some(Shape::RootTar));
        check(&[], None);
    }

    #[track_caller]
    fn check(names: &[&str], expected: Option<Shape>) {
        let mut writer = Writer::new(Vec::new());
        for name in names {
            writer.entry(&Header::marker(name.as_bytes().to_vec(), 0), io::empty()).expect("write");
        }
        let bytes = writer.finish().expect("finish");
        assert_eq!(tar(bytes.as_slice()).expect("a tar"), expected);
    }
}
