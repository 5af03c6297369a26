//! Reads `.tgz` archives of charts, within limits and without following anything out of them.

use std::{io::Read as _, sync::Arc};

use flate2::read::GzDecoder;

use super::without_bom;
use crate::chart::ChartFile;

/// Helm's own limit for a chart once it is unpacked (100 MiB).
const MAX_CHART_BYTES: u64 = 100 << 20;
/// More files than any chart has; each costs memory of its own.
const MAX_FILES: usize = 50_000;

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("the file is no gzip archive")]
    NoGzip,
    #[error("the archive cannot be read: {0}")]
    Broken(String),
    #[error("chart illegally contains absolute paths")]
    AbsolutePath,
    #[error("chart illegally contains content outside the base directory: {0:?}")]
    OutsideBase(String),
    #[error("chart illegally references parent directory")]
    ParentFolder,
    #[error("chart contains illegally named files")]
    IllegalName,
    #[error("chart yaml not in base directory")]
    ChartYamlOutside,
    #[error("`{0}` in the archive is a link; links are not followed")]
    Link(String),
    #[error("decompressed chart is larger than the maximum size {MAX_CHART_BYTES}")]
    TooLarge,
    #[error("chart has more than {MAX_FILES} files")]
    TooManyFiles,
    #[error("no files in chart archive")]
    Empty,
}

/// All files of an archive, without their first folder.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<ChartFile>, ArchiveError> {
    if !bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        return Err(ArchiveError::NoGzip);
    }
    let broken = |error: std::io::Error| ArchiveError::Broken(error.to_string());
    // Headers and padding count too, so the whole stream is bounded and not only the files.
    let stream = GzDecoder::new(bytes).take(2 * MAX_CHART_BYTES);
    let mut archive = tar::Archive::new(stream);
    let mut found = Vec::new();
    let mut left = MAX_CHART_BYTES;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let header = entry.header().entry_type();
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if header.is_dir() || full.ends_with('/') {
            continue;
        }
        if header.is_pax_global_extensions() || header.is_pax_local_extensions() {
            continue;
        }
        if header.is_symlink() || header.is_hard_link() {
            return Err(ArchiveError::Link(full));
        }
        let name = inner_name(&full)?;
        let mut data = Vec::new();
        let mut limited = entry.take(left + 1);
        limited.read_to_end(&mut data).map_err(broken)?;
        left = left
            .checked_sub(data.len() as u64)
            .ok_or(ArchiveError::TooLarge)?;
        if found.len() == MAX_FILES {
            return Err(ArchiveError::TooManyFiles);
        }
        let data = without_bom(Arc::from(data));
        found.push(ChartFile { name, data });
    }
    if found.is_empty() {
        return Err(ArchiveError::Empty);
    }
    Ok(found)
}

/// The path below the first folder, clean; archives made on Windows have backslashes.
fn inner_name(full: &str) -> Result<String, ArchiveError> {
    let delimiter = if full.contains('\\') { '\\' } else { '/' };
    let (first, rest) = full.split_once(delimiter).unwrap_or((full, ""));
    if first == "Chart.yaml" {
        return Err(ArchiveError::ChartYamlOutside);
    }
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(ArchiveError::AbsolutePath);
    }
    let clean = files::join("", &rest).map_err(|_| ArchiveError::ParentFolder)?;
    if clean.is_empty() {
        return Err(ArchiveError::OutsideBase(full.to_owned()));
    }
    if clean.starts_with("..") {
        return Err(ArchiveError::ParentFolder);
    }
    let drive = clean.as_bytes();
    if drive.len() > 2 && drive[0].is_ascii_alphabetic() && &drive[1..3] == b":/" {
        return Err(ArchiveError::IllegalName);
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_chart() {
        let check = |full: &str, expected: Result<&str, ArchiveError>| {
            assert_eq!(inner_name(full), expected.map(str::to_owned), "{full}");
        };
        check("web/templates/a.yaml", Ok("templates/a.yaml"));
        check("web\\templates\\a.yaml", Ok("templates/a.yaml"));
        check("web/./a//b", Ok("a/b"));
        check("web/../../etc", Err(ArchiveError::ParentFolder));
        check("web//etc/passwd", Err(ArchiveError::AbsolutePath));
        check("web", Err(ArchiveError::OutsideBase("web".to_owned())));
        check("Chart.yaml", Err(ArchiveError::ChartYamlOutside));
        check("web/c:/x", Err(ArchiveError::IllegalName));
    }
}
