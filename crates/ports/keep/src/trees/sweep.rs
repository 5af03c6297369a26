//! Removes trees that nobody needs, and the files that only they had.

use std::{collections::BTreeSet, fs, io, os::unix::fs::MetadataExt as _, time::SystemTime};

use names::Digest;

use super::{IN_USE, Trees, remove};

impl Trees {
    /// Removes trees that are not in `kept` and that no job can have mounted any more.
    ///
    /// A file with one link left belongs to no tree.
    pub fn sweep(&self, kept: &BTreeSet<Digest>, now: SystemTime) -> io::Result<()> {
        let kept: BTreeSet<String> = kept.iter().map(Digest::hex).collect();
        let is_fresh = |time: io::Result<SystemTime>| {
            time.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age <= IN_USE) || time > now)
        };
        for entry in fs::read_dir(self.folder.join("trees"))? {
            let entry = entry?;
            let used = fs::metadata(entry.path().join("used")).and_then(|it| it.modified());
            if !kept.contains(entry.file_name().to_string_lossy().as_ref()) && !is_fresh(used) {
                // Renamed first: a tree is there as a whole or not at all.
                let draft = self.draft()?;
                fs::rename(entry.path(), &draft)?;
                remove(&draft)?;
            }
        }
        for folder in fs::read_dir(self.folder.join("files"))? {
            for entry in fs::read_dir(folder?.path())? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                // Its change time is when it was stored or last linked: it may belong to a tree that is being made.
                let changed = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(metadata.ctime()).unwrap_or(0));
                if metadata.nlink() == 1 && !is_fresh(Ok(changed)) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}
