//! `landfall chart dependency`: brings what Chart.yaml names into charts/, and locks the versions.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use helm::{Chart, Compat, Dependency, Lock, LockedDependency, newest_in};
use tools::Disk;

use super::receive;

/// Where versions come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Anew, from the ranges in Chart.yaml.
    Resolved,
    /// From Chart.lock, when there is one.
    Locked,
}

/// One dependency with its version, and its archive unless it lies in charts/ already.
struct Resolved {
    locked: LockedDependency,
    archive: Option<Vec<u8>>,
}

/// Fills charts/ of the chart at `path`, and writes the lock.
pub async fn fill(path: &Path, versions: Versions) -> anyhow::Result<()> {
    let folder = path.canonicalize().with_context(|| format!("`{}` cannot be read", path.display()))?;
    ensure!(folder.is_dir(), "`{}` is an archive; dependencies are brought into a folder", path.display());
    let chart = load(&folder)?;
    let wanted = &chart.metadata.dependencies;
    if wanted.is_empty() {
        eprintln!("`{}` has no dependencies", chart.name());
        return Ok(());
    }
    let known = chart.lock.as_ref().map(Lock::of);
    let locked = known.as_ref().filter(|_| versions == Versions::Locked);
    if let Some(lock) = locked
        && !lock.fits(wanted)
    {
        bail!("Chart.lock is out of date: Chart.yaml names other dependencies; `landfall chart dependency update` writes it anew");
    }
    let mut resolved = Vec::new();
    for it in wanted {
        let version = locked.and_then(|lock| lock.dependencies.iter().find(|locked| locked.name == it.name && locked.repository == it.repository));
        let range = version.map_or(it.version.as_str(), |it| it.version.as_str());
        let found = resolve(&folder, &chart, it, range).await;
        resolved.push(found.with_context(|| format!("the dependency `{}` {}", it.name, it.version))?);
    }
    let charts = folder.join("charts");
    fs::create_dir_all(&charts).with_context(|| format!("`{}` cannot be made", charts.display()))?;
    for it in &resolved {
        if let Some(archive) = &it.archive {
            place(&charts, &it.locked, archive)?;
        }
        println!("{} {}", it.locked.name, it.locked.version);
    }
    let lock = Lock::new(wanted, resolved.into_iter().map(|it| it.locked).collect());
    if known.as_ref() != Some(&lock) {
        let name = if chart.metadata.api_version == "v1" { "requirements.lock" } else { "Chart.lock" };
        let text = lock.text(&jiff::Timestamp::now().to_string());
        fs::write(folder.join(name), text).with_context(|| format!("`{name}` cannot be written"))?;
    }
    Ok(())
}

fn load(folder: &Path) -> anyhow::Result<Chart> {
    let (files, inside) = Disk::around(folder);
    Chart::load(&files, &inside).with_context(|| format!("`{}` is no chart", folder.display()))
}

async fn resolve(folder: &Path, chart: &Chart, wanted: &Dependency, range: &str) -> anyhow::Result<Resolved> {
    let (version, archive) = match wanted.repository.as_str() {
        "" => (present(chart, &wanted.name, range)?, None),
        remote if ["oci://", "http://", "https://"].iter().any(|it| remote.starts_with(it)) => {
            let received = receive(remote, &wanted.name, range).await?;
            (received.version, Some(received.archive))
        }
        local => match local.strip_prefix("file://") {
            Some(path) => from_folder(&folder.join(path), &wanted.name, range)?,
            None => bail!("the repository `{local}` is none: expected `https://…`, `oci://…` or `file://…`"),
        },
    };
    let locked = LockedDependency { name: wanted.name.clone(), version, repository: wanted.repository.clone() };
    Ok(Resolved { locked, archive })
}

/// A chart that lies in charts/ and comes from nowhere.
fn present(chart: &Chart, name: &str, range: &str) -> anyhow::Result<String> {
    let found = chart.dependencies.iter().find(|it| it.name() == name);
    let found = found.with_context(|| format!("`{name}` names no repository and is not in charts/"))?;
    fitting(name, range, &found.metadata.version)
}

fn fitting(name: &str, range: &str, version: &str) -> anyhow::Result<String> {
    match newest_in(range, std::iter::once(version)) {
        Some(version) => Ok(version.to_owned()),
        None => bail!("`{name}` is there as {version}, expected `{range}`"),
    }
}

fn from_folder(path: &Path, name: &str, range: &str) -> anyhow::Result<(String, Option<Vec<u8>>)> {
    let path: PathBuf = path.canonicalize().with_context(|| format!("`{}` cannot be read", path.display()))?;
    let chart = load(&path)?;
    ensure!(chart.name() == name, "the chart at `{}` is called `{}`", path.display(), chart.name());
    let version = fitting(name, range, &chart.metadata.version)?;
    Ok((version, Some(chart.package()?)))
}

/// Writes an archive, in place of other versions of the same chart.
fn place(charts: &Path, locked: &LockedDependency, archive: &[u8]) -> anyhow::Result<()> {
    let chart = Chart::load_archive(archive, Compat::default()).with_context(|| format!("`{}` is no chart", locked.name))?;
    let name = chart.archive_name();
    for entry in fs::read_dir(charts)? {
        let entry = entry?;
        let file = entry.file_name();
        let is_other = file.to_str().is_some_and(|it| it != name && it.ends_with(".tgz"));
        if is_other && fs::read(entry.path()).is_ok_and(|bytes| is_chart(&bytes, chart.name())) {
            fs::remove_file(entry.path()).with_context(|| format!("`{}` cannot be removed", entry.path().display()))?;
        }
    }
    let path = charts.join(name);
    fs::write(&path, archive).with_context(|| format!("`{}` cannot be written", path.display()))
}

fn is_chart(archive: &[u8], name: &str) -> bool {
    Chart::load_archive(archive, Compat::default()).is_ok_and(|it| it.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_chart_is_packed_and_locked() {
        let scratch = tempfile::tempdir().expect("scratch");
        let write = |path: &str, text: &str| {
            let path = scratch.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, text)).expect("written");
        };
        let app = |range: &str| {
            write(
                "app/Chart.yaml",
                &format!("apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {{name: lib, version: '{range}', repository: 'file://../lib'}}\n"),
            );
        };
        let lib = |version: &str| write("lib/Chart.yaml", &format!("apiVersion: v2\nname: lib\nversion: {version}\n"));
        let path = scratch.path().join("app");
        let there = || {
            let mut names: Vec<_> = fs::read_dir(path.join("charts"))
                .expect("charts")
                .map(|it| it.expect("an entry").file_name().into_string().expect("text"))
                .collect();
            names.sort();
            names.join(" ")
        };

        app("^1.0.0");
        lib("1.2.3");
        fill(&path, Versions::Locked).await.expect("no lock yet");
        assert_eq!(there(), "lib-1.2.3.tgz");

        lib("1.3.0");
        let error = fill(&path, Versions::Locked).await.expect_err("another version");
        assert!(format!("{error:#}").contains("expected `1.2.3`"), "{error:#}");
        fill(&path, Versions::Resolved).await.expect("a newer version");
        assert_eq!(there(), "lib-1.3.0.tgz");

        app("^1.3.0");
        let error = fill(&path, Versions::Locked).await.expect_err("an old lock").to_string();
        assert!(error.contains("Chart.lock is out of date"), "{error}");

        app("^2.0.0");
        let error = format!("{:#}", fill(&path, Versions::Resolved).await.expect_err("no such version"));
        assert!(error.contains("`lib` is there as 1.3.0, expected `^2.0.0`"), "{error}");
    }
}
