//! Packs the archives that cases contain.

use flate2::{Compression, write::GzEncoder};

/// Turns paths below `charts/NAME.tgz/` into one file `charts/NAME.tgz`.
pub fn pack_archives(files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut plain: Vec<(String, Vec<u8>)> = Vec::new();
    let mut archives: Vec<(String, tar::Builder<GzEncoder<Vec<u8>>>)> = Vec::new();
    for (path, content) in files {
        let Some(at) = path.find(".tgz/") else {
            plain.push((path, content));
            continue;
        };
        let (archive, inner) = (&path[..at + 4], &path[at + 5..]);
        let known = archives.iter().position(|(name, _)| name == archive);
        let index = known.unwrap_or_else(|| {
            let encoder = GzEncoder::new(Vec::new(), Compression::default());
            archives.push((archive.to_owned(), tar::Builder::new(encoder)));
            archives.len() - 1
        });
        let folder = archive.rsplit('/').next().unwrap_or(archive).trim_end_matches(".tgz");
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        let name = format!("{folder}/{inner}");
        archives[index]
            .1
            .append_data(&mut header, name, content.as_slice())
            .expect("in memory");
    }
    for (name, builder) in archives {
        let bytes = builder
            .into_inner()
            .and_then(GzEncoder::finish)
            .expect("in memory");
        plain.push((name, bytes));
    }
    plain
}
