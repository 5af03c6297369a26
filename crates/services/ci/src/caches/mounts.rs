//! Trees in the sandbox of a job: laid over folders, read back, and unpacked where others must see them.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Component, Path, PathBuf},
    process::Command,
};

use api::CachedTree;
use keep::Trees;
use names::Digest;
use sandbox::Inside;

use crate::{Ci, place::JobPlace};

/// The folder of a job that holds what was written over its caches.
const FOLDER: &str = "caches";

/// Names in it the path of the mount inside the job.
const TARGET: &str = "target";

/// Where a name leads that is relative to the workspace and may lead up.
pub fn inside(workspace: &str, name: &str) -> PathBuf {
    let mut path = PathBuf::from("/");
    for component in Path::new(workspace).join(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::ParentDir => drop(path.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path
}

/// Whether the job may have folders that nobody else sees.
pub fn any(place: &JobPlace) -> bool {
    place.folder.join(FOLDER).exists()
}

/// Mounts all trees or none.
pub fn mount_all(inside: &Inside, trees: &Trees, folder: &Path, wanted: &[(Digest, PathBuf)]) -> Result<(), String> {
    let mut done: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (tree, target) in wanted {
        let scratch = folder.join(FOLDER).join(keep::upload_name().map_err(|error| error.to_string())?);
        let mounted = mount(inside, trees, *tree, &scratch, target);
        let Err(why) = mounted else {
            done.push((target.clone(), scratch));
            continue;
        };
        let _ = fs::remove_dir_all(&scratch);
        for (target, scratch) in done {
            inside.detach(&target).map_err(|error| format!("`{}`: {error}", target.display()))?;
            let _ = fs::remove_dir_all(&scratch);
        }
        return Err(why);
    }
    Ok(())
}

fn mount(inside: &Inside, trees: &Trees, tree: Digest, scratch: &Path, target: &Path) -> Result<(), String> {
    let lower = trees.lower_dir(tree).ok_or_else(|| format!("the tree `{tree}` is gone"))?;
    fs::create_dir_all(scratch).map_err(|error| error.to_string())?;
    // Noted before it is there: whoever looks for mounts must not miss one.
    fs::write(scratch.join(TARGET), target.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
    inside.overlay(&lower, scratch, target).map_err(|error| error.to_string())
}

/// Saves folders as the job sees them; gives the trees and how large they are together.
pub fn save_all(
    inside: &Inside,
    trees: &Trees,
    paths: &[(PathBuf, String)],
    limit_bytes: u64,
) -> Result<(Vec<CachedTree>, u64), String> {
    let (mut saved, mut size_bytes) = (Vec::new(), 0);
    for (path, name) in paths {
        let opened = inside.open_folder(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let tree = trees.save_tree(&through(&opened), limit_bytes - size_bytes).map_err(|error| error.to_string())?;
        size_bytes += tree.size_bytes;
        saved.push(CachedTree { path: name.clone(), tree: tree.digest });
    }
    Ok((saved, size_bytes))
}

/// The path by which this process, and nobody else, reaches an open folder.
fn through(folder: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

/// A folder of a job as its steps see it, with what is mounted below.
pub struct Seen {
    pub path: PathBuf,
    _open: Option<OwnedFd>,
}

/// The workspace of a job; without mounts it is the folder itself.
pub fn seen(place: &JobPlace) -> io::Result<Seen> {
    if !place.folder.join(FOLDER).exists() {
        return Ok(Seen { path: place.workspace(), _open: None });
    }
    let insides = place.insides.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let inside = insides.inside(&place.sandbox).map_err(io::Error::other)?;
    let open = inside.open_folder(Path::new(&place.place.workspace))?;
    Ok(Seen { path: through(&open), _open: Some(open) })
}

/// Turns mounts below the workspace into plain files, for images of steps, which see the folder itself.
pub async fn settle(ci: &Ci, place: &JobPlace) -> Result<(), String> {
    let Some(mounted) = ci.mounted.clone() else { return Ok(()) };
    let listed = match fs::read_dir(place.folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed.map_err(|error| error.to_string())?,
    };
    let place = place.clone();
    let settled = tokio::task::spawn_blocking(move || {
        let inside = mounted.insides.inside(&place.sandbox).map_err(|error| error.to_string())?;
        for entry in listed.flatten() {
            let Ok(target) = fs::read_to_string(entry.path().join(TARGET)) else { continue };
            let Some((root, rest)) = place.on_host(&target) else { continue };
            let plain = crate::beneath::folder(&root, &rest).map_err(|error| format!("`{target}`: {error}"))?;
            let told = settle_one(&inside, Path::new(&target), &plain);
            told.map_err(|error| format!("the cache at `{target}` cannot be unpacked for this step: {error}"))?;
            // The overlay is gone, and so is what was written to it.
            fs::remove_dir_all(entry.path()).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    settled.await.unwrap_or_else(|error| Err(error.to_string()))
}

fn settle_one(inside: &Inside, target: &Path, plain: &Path) -> io::Result<()> {
    let merged = inside.open_folder(target)?;
    // The program sees this process's descriptors by its number.
    let source = format!("/proc/{}/fd/{}/.", std::process::id(), merged.as_raw_fd());
    let copied = Command::new("cp").arg("-a").arg("--reflink=auto").arg(source).arg(plain).output()?;
    if !copied.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&copied.stderr).trim().to_owned()));
    }
    inside.detach(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_archives_lead_up_from_the_workspace() {
        let path = |name: &str| inside("/home/runner/work/shop/shop", name).display().to_string();
        assert_eq!(path("node_modules"), "/home/runner/work/shop/shop/node_modules");
        assert_eq!(path("../../../../../root/.npm"), "/root/.npm");
        assert_eq!(path("../../../../../../../../etc"), "/etc");
        assert_eq!(path("."), "/home/runner/work/shop/shop");
    }
}
