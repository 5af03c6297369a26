//! Where a local run keeps its files: a folder of its own, deleted in the end.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::data::DataFolder;

/// The folder of one local run.
pub struct Place {
    data: DataFolder,
}

impl Place {
    pub fn make() -> anyhow::Result<Self> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let folder = std::env::temp_dir().join(format!("landfall-run-{:016x}", u64::from_ne_bytes(number)));
        fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| {
            format!("`{}` cannot be made; set TMPDIR to a folder that can be written to", folder.display())
        })?;
        Ok(Self { data: DataFolder::choose(Some(folder))? })
    }

    pub fn data(&self) -> &DataFolder {
        &self.data
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Deletes the folder.
    pub fn remove(&self) -> anyhow::Result<()> {
        let folder: &Path = self.data.path();
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{}` cannot be deleted", folder.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    /// For ways out that forget it; there is nobody to tell then.
    fn drop(&mut self) {
        let _ = self.remove();
    }
}
