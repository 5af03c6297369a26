//! How far a kustomization outside of any repository reaches: to the folders that it builds on.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read as _,
    path::{Component, Path, PathBuf},
};

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Folders that are looked at; who builds on more needs a repository around them.
const FOLDERS_MAX: usize = 1000;

/// A kustomization larger than this is refused later.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Charts beside each other in one folder that are looked for.
const CHARTS_MAX: usize = 1000;

/// The folder around a canonical one and everything that it names above itself.
///
/// Whatever looks like a path above is followed if a kustomization or a chart is there, because
/// nothing else may be built on. Files above a kustomization are refused, as always.
pub fn root_of(folder: &Path) -> PathBuf {
    let mut root = folder.to_owned();
    let mut seen = BTreeSet::from([folder.to_owned()]);
    let mut open = vec![folder.to_owned()];
    while let Some(from) = open.pop() {
        for text in KUSTOMIZATIONS.iter().filter_map(|name| read(&from.join(name))) {
            for path in text.split(|it: char| it.is_whitespace() || "\"'[]{},".contains(it)) {
                let Some(to) = lexical(&from, path).and_then(|it| it.canonicalize().ok()) else { continue };
                if seen.len() < FOLDERS_MAX && to.is_dir() && is_built_on(&to) && seen.insert(to.clone()) {
                    while !to.starts_with(&root) {
                        root.pop();
                    }
                    open.push(to);
                }
            }
        }
    }
    root
}

/// Where a relative path leads, by its words alone; `None` for what is none.
fn lexical(from: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() || path.starts_with(['/', '#', '&', '*']) || path.contains("://") {
        return None;
    }
    let mut to = from.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                to.pop();
            }
            Component::Normal(name) => to.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(to)
}

fn is_built_on(folder: &Path) -> bool {
    let is_chart = |folder: &Path| folder.join("Chart.yaml").is_file();
    KUSTOMIZATIONS.iter().any(|it| folder.join(it).is_file())
        || is_chart(folder)
        || folder.read_dir().is_ok_and(|mut all| all.by_ref().take(CHARTS_MAX).flatten().any(|it| is_chart(&it.path())))
}

fn read(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(file).ok().filter(|it| it.metadata().is_ok_and(|it| it.is_file()))?;
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], folder: &str, expected: &str) {
        let place = tempfile::tempdir().expect("a folder");
        let place = place.path().canonicalize().expect("it is there");
        for (path, text) in files {
            let path = place.join(path);
            std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folders");
            std::fs::write(path, text).expect("a file");
        }
        assert_eq!(root_of(&place.join(folder)), place.join(expected).components().collect::<PathBuf>(), "{files:?}");
    }

    #[test]
    fn reaches_to_what_it_builds_on() {
        let base = ("top/base/kustomization.yaml", "resources: [d.yaml]\n");
        check(&[base, ("top/overlays/a/kustomization.yaml", "resources:\n- ../../base\n")], "top/overlays/a", "top");
        check(&[base, ("top/a/Kustomization", "resources: [\"../base\"]\n")], "top/a", "top");
        let further = ("more/kustomization.yml", "");
        let over = ("top/base/kustomization.yaml", "components: [ '../../more' ]\n");
        check(&[over, further, ("top/a/kustomization.yaml", "resources: [../base]\n")], "top/a", "");
        let charts = ("charts/one/Chart.yaml", "name: one\n");
        check(&[charts, ("a/kustomization.yaml", "helmGlobals:\n  chartHome: ../charts\n")], "a", "");
    }

    #[test]
    fn reaches_no_further() {
        let none = [("secrets/key", "k"), ("a/kustomization.yaml", "resources: [../secrets, ../none, https://x/../secrets]\n")];
        check(&none, "a", "a");
        check(&[("a/Chart.yaml", "name: a\n")], "a", "a");
    }
}
