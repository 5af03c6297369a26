//! Where the demo keeps its files: a folder of its own, deleted in the end.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// A folder with the app's repository and, unless chosen elsewhere, the server's data.
pub struct Place {
    folder: PathBuf,
    data: PathBuf,
}

impl Place {
    /// Makes the folder; `data` must not be in use by anything else, because it is deleted in the end.
    pub fn make(data: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(data) = &data {
            check_unused(data)?;
        }
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let folder = std::env::temp_dir().join(format!("landfall-demo-{:08x}", u32::from_ne_bytes(number)));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| {
            format!("`{}` cannot be made; set TMPDIR to a folder that can be written to", folder.display())
        })?;
        let data = data.unwrap_or_else(|| folder.join("data"));
        Ok(Self { folder, data })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Deletes the folder.
    pub fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{}` cannot be deleted", self.folder.display()))
            }
            _ => Ok(()),
        }
    }
}

fn check_unused(data: &Path) -> anyhow::Result<()> {
    match fs::read_dir(data).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => bail!(
            "`{}` is not empty, and the demo deletes its data folder in the end; name another one with --data DIR",
            data.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the data folder `{}` cannot be read", data.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_data_is_never_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("records.db"), "").unwrap();
        assert!(Place::make(Some(folder.path().to_owned())).is_err());
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::make(Some(folder.path().to_owned())).unwrap();
        assert_eq!(place.data(), folder.path());
        place.remove().unwrap();
        assert!(!place.folder().exists());
    }
}
