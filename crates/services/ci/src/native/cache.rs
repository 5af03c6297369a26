//! `actions/cache` and its two halves: restores folders by key, and saves them when the job ends.

use std::{path::{Path, PathBuf}, process::Command};

use names::Digest;
use serde_json::{Value, json};

use super::{
    globs::{self, Descend},
    server::Server,
    step::{Failed, Phase, Step, failed},
};

const SERVICE: &str = "CacheService";

/// GitHub's own limit on the length of a key.
const KEY_LENGTH_MAX: usize = 512;

/// From so many files on a cache is mounted.
const MOUNTED_FILES_MIN: u64 = 500;

/// From this size on, too.
const MOUNTED_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// Which half of the action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Both,
    Restore,
    Save,
}

/// How archives are packed; entries packed in another way never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Zstd,
    Gzip,
}

impl Packing {
    fn of(step: &Step) -> Self {
        if step.find("zstd").is_some() { Self::Zstd } else { Self::Gzip }
    }

    /// As GitHub's library names it in the version.
    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd-without-long",
            Self::Gzip => "gzip",
        }
    }

    /// As Landfall names it.
    fn kind(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Zstd => "cache.tzst",
            Self::Gzip => "cache.tgz",
        }
    }
}

pub fn run(step: &Step, part: Part) -> Result<(), Failed> {
    match (part, step.phase) {
        (Part::Both | Part::Restore, Phase::Main) => restore(step, part),
        (Part::Save, Phase::Main) => put(step, &key(step)?, &step.lines("path")),
        (Part::Both, Phase::Post) => save_after(step),
        _ => Ok(()),
    }
}

fn key(step: &Step) -> Result<String, Failed> {
    let key = step.input("key");
    check(key)?;
    Ok(key.to_owned())
}

fn check(key: &str) -> Result<(), Failed> {
    if key.is_empty() {
        return Err(Failed("Input required and not supplied: key".to_owned()));
    }
    if key.len() > KEY_LENGTH_MAX || key.contains(',') {
        return Err(Failed(format!("Key Validation Error: {key} takes at most {KEY_LENGTH_MAX} characters and no commas")));
    }
    Ok(())
}

/// The version of an entry: its paths and how it is packed.
fn version(paths: &[&str], packing: Packing) -> String {
    let mut parts = paths.to_vec();
    parts.extend([packing.name(), "1.0"]);
    Digest::of(parts.join("|").as_bytes()).hex()
}

fn restore(step: &Step, part: Part) -> Result<(), Failed> {
    let (key, paths) = (key(step)?, step.lines("path"));
    if paths.is_empty() {
        return Err(Failed("Input required and not supplied: path".to_owned()));
    }
    let restore_keys = step.lines("restore-keys");
    restore_keys.iter().try_for_each(|key| check(key))?;
    step.set_state("CACHE_KEY", &key)?;
    step.set_output("cache-primary-key", &key)?;
    let purpose = if step.flag("lookup-only")? { Purpose::Look } else { Purpose::Restore };
    let found = find(step, &key, &restore_keys, &paths, purpose)?;
    let (Found::Restored(matched) | Found::There(matched)) = &found else {
        let keys = std::iter::once(key.as_str()).chain(restore_keys);
        let told = format!("Cache not found for input keys: {}", keys.collect::<Vec<_>>().join(", "));
        if step.flag("fail-on-cache-miss")? {
            return Err(Failed(format!("Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: {key}")));
        }
        step.say(told);
        return step.set_output("cache-hit", if part == Part::Restore { "false" } else { "" });
    };
    match &found {
        Found::Restored(_) => step.say(format_args!("Cache restored from key: {matched}")),
        Found::There(_) | Found::Nothing => step.say(format_args!("Cache found and can be restored from key: {matched}")),
    }
    let hit = matched.eq_ignore_ascii_case(&key);
    step.set_state("CACHE_RESULT", matched)?;
    step.set_output("cache-matched-key", matched)?;
    step.set_output("cache-hit", if hit { "true" } else { "false" })
}

/// Restores paths by a key; gives the key of the entry, if there is one.
pub fn get(step: &Step, key: &str, paths: &[&str]) -> Result<Option<String>, Failed> {
    match find(step, key, &[], paths, Purpose::Restore)? {
        Found::Restored(matched) | Found::There(matched) => Ok(Some(matched)),
        Found::Nothing => Ok(None),
    }
}

fn find(step: &Step, key: &str, restore_keys: &[&str], paths: &[&str], purpose: Purpose) -> Result<Found, Failed> {
    let packing = Packing::of(step);
    let server = Server::of(step)?;
    let wanted = Wanted { key, restore_keys, version: version(paths, packing), packing, purpose };
    match wanted.mount(step, &server)? {
        Some(found) => Ok(found),
        None => wanted.unpack(step, &server),
    }
}

/// What an entry is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Restore,
    Look,
}

/// What is looked for.
struct Wanted<'a> {
    key: &'a str,
    restore_keys: &'a [&'a str],
    version: String,
    packing: Packing,
    purpose: Purpose,
}

/// What became of it, with the key that fits.
enum Found {
    Nothing,
    /// It was only looked for.
    There(String),
    Restored(String),
}

impl Wanted<'_> {
    /// Has the server mount the entry; `None` if it must be unpacked.
    fn mount(&self, step: &Step, server: &Server) -> Result<Option<Found>, Failed> {
        if step.env("LANDFALL_CACHE_MOUNT") == "false" {
            return Ok(None);
        }
        let Self { key, restore_keys, version, .. } = self;
        let lookup_only = self.purpose == Purpose::Look;
        let asked = json!({"key": key, "restore_keys": restore_keys, "version": version, "lookup_only": lookup_only});
        let Some(answer) = server.ask(step, "cache/restore", &asked)? else { return Ok(None) };
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(match text("kind").as_str() {
            "none" => Some(Found::Nothing),
            "found" => Some(Found::There(text("matched_key"))),
            "mounted" => {
                let bytes = answer.get("size_bytes").and_then(Value::as_u64).unwrap_or_default();
                step.say(format_args!("Mounted {} MB of files without unpacking them", bytes / 1_000_000));
                Some(Found::Restored(text("matched_key")))
            }
            _ => None,
        })
    }

    fn unpack(&self, step: &Step, server: &Server) -> Result<Found, Failed> {
        let Self { key, restore_keys, version, packing, purpose } = self;
        let asked = json!({"key": key, "restore_keys": restore_keys, "version": version});
        let found = server.call(SERVICE, "GetCacheEntryDownloadURL", &asked)?;
        let found = found.filter(|it| it.get("ok") == Some(&Value::Bool(true)));
        let text = |name: &str, other: &str| {
            let value = found.as_ref().and_then(|it| it.get(name).or_else(|| it.get(other)));
            value.and_then(Value::as_str).map(str::to_owned)
        };
        let matched = text("matched_key", "matchedKey").unwrap_or_else(|| (*key).to_owned());
        let Some(url) = text("signed_download_url", "signedDownloadUrl").filter(|it| !it.is_empty()) else {
            return Ok(Found::Nothing);
        };
        if *purpose == Purpose::Look {
            return Ok(Found::There(matched));
        }
        let folder = work_folder(step, "restore")?;
        let archive = folder.join(packing.file());
        server.download(&url, &archive)?;
        unpack(step, &archive, *packing)?;
        // What is left lies in the job's own temporary folder.
        let _ = std::fs::remove_dir_all(&folder);
        Ok(Found::Restored(matched))
    }
}

fn save_after(step: &Step) -> Result<(), Failed> {
    let key = step.state("CACHE_KEY");
    if key.is_empty() {
        return Ok(());
    }
    if step.state("CACHE_RESULT").eq_ignore_ascii_case(key) {
        step.say(format_args!("Cache hit occurred on the primary key {key}, not saving cache."));
        return Ok(());
    }
    // A cache that cannot be saved costs time, not the job.
    if let Err(Failed(why)) = put(step, key, &step.lines("path")) {
        step.warn(&why);
    }
    Ok(())
}

/// Saves paths under a key; says so if somebody was first.
pub fn put(step: &Step, key: &str, paths: &[&str]) -> Result<(), Failed> {
    let packing = Packing::of(step);
    let found = globs::find(step, paths, Descend::Folders).map_err(failed("path"))?;
    if found.paths.is_empty() {
        return Err(Failed(
            "Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no cache is being saved."
                .to_owned(),
        ));
    }
    let server = Server::of(step)?;
    let version = version(paths, packing);
    if are_worth_mounting(&found.paths) {
        let workspace = step.workspace();
        let names: Vec<_> = found.paths.iter().map(|path| relative(path, &workspace)).collect();
        let asked = json!({"key": key, "version": version, "packing": packing.kind(), "names": names});
        let answer = server.ask(step, "cache/save", &asked)?.unwrap_or_default();
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match text("kind").as_str() {
            "saved" => return Ok(step.say(format_args!("Cache saved with key: {key}"))),
            "refused" => return Ok(step.say(format_args!("Failed to save: {} {}", taken(key), text("message")))),
            "failed" => return Err(Failed(text("message"))),
            _ => {}
        }
    }
    let folder = work_folder(step, "save")?;
    let archive = folder.join(packing.file());
    pack(step, &folder, &archive, packing, &found.paths)?;
    let size = archive.metadata().map_err(failed(archive.display()))?.len();
    let made = server.call(SERVICE, "CreateCacheEntry", &json!({"key": key, "version": version}));
    let refused = || taken(key);
    let made = match made {
        Ok(Some(made)) if made.get("ok") == Some(&Value::Bool(true)) => made,
        Ok(_) => return Ok(step.say(format_args!("Failed to save: {}", refused()))),
        Err(Failed(why)) => return Ok(step.say(format_args!("Failed to save: {} {why}", refused()))),
    };
    let url = made.get("signed_upload_url").or_else(|| made.get("signedUploadUrl")).and_then(Value::as_str);
    server.upload(url.ok_or_else(|| Failed(refused()))?, &archive, "application/octet-stream")?;
    let body = json!({"key": key, "version": version, "size_bytes": size.to_string()});
    let done = server.call(SERVICE, "FinalizeCacheEntryUpload", &body)?;
    // What is left lies in the job's own temporary folder.
    let _ = std::fs::remove_dir_all(&folder);
    if done.is_some_and(|it| it.get("ok") == Some(&Value::Bool(true))) {
        step.say(format_args!("Cache saved with key: {key}"));
        return Ok(());
    }
    Err(Failed(format!("Unable to finalize cache with key {key}")))
}

fn taken(key: &str) -> String {
    format!("Unable to reserve cache with key {key}, another job may be creating this cache.")
}

/// Whether folders are so large that unpacking them takes longer than anybody notices.
///
/// A mount cannot be removed or renamed by the job, so small ones are not worth one.
fn are_worth_mounting(paths: &[PathBuf]) -> bool {
    let (mut files, mut bytes) = (0, 0);
    let mut waiting = Vec::new();
    for path in paths {
        if !path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            return false;
        }
        waiting.push(path.clone());
    }
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
            files += 1;
            bytes += metadata.len();
            if files >= MOUNTED_FILES_MIN || bytes >= MOUNTED_BYTES_MIN {
                return true;
            }
        }
    }
    false
}

fn work_folder(step: &Step, what: &str) -> Result<PathBuf, Failed> {
    let folder = step.temp().join(format!("landfall-cache-{what}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(failed(folder.display()))?;
    Ok(folder)
}

fn pack(step: &Step, folder: &Path, archive: &Path, packing: Packing, paths: &[PathBuf]) -> Result<(), Failed> {
    let manifest = folder.join("manifest.txt");
    let workspace = step.workspace();
    let lines: Vec<_> = paths.iter().map(|path| relative(path, &workspace)).collect();
    std::fs::write(&manifest, lines.join("\n")).map_err(failed(manifest.display()))?;
    let mut tar = Command::new("tar");
    tar.arg("--posix").arg("-cf").arg(archive).arg("-P").arg("-C").arg(&workspace);
    tar.arg("--files-from").arg(&manifest);
    match packing {
        Packing::Zstd => tar.arg("--use-compress-program").arg("zstd -T0"),
        Packing::Gzip => tar.arg("-z"),
    };
    step.output(&mut tar).map(drop)
}

/// As GitHub's library writes paths, so that archives fit whoever restores them.
fn relative(path: &Path, workspace: &Path) -> String {
    if let Ok(below) = path.strip_prefix(workspace) {
        let text = below.display().to_string();
        return if text.is_empty() { ".".to_owned() } else { text };
    }
    let ups = workspace.components().count() - 1;
    let absolute = path.display().to_string();
    format!("{}{}", "../".repeat(ups), absolute.trim_start_matches('/'))
}

fn unpack(step: &Step, archive: &Path, packing: Packing) -> Result<(), Failed> {
    let workspace = step.workspace();
    std::fs::create_dir_all(&workspace).map_err(failed(workspace.display()))?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-P").arg("-C").arg(&workspace);
    match packing {
        Packing::Zstd => tar.arg("--use-compress-program").arg("zstd -d"),
        Packing::Gzip => tar.arg("-z"),
    };
    step.output(&mut tar).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_githubs_library() {
        // sha256 of `node_modules|zstd-without-long|1.0`
        let expected = Digest::of(b"node_modules|zstd-without-long|1.0").hex();
        assert_eq!(version(&["node_modules"], Packing::Zstd), expected);
    }

    #[test]
    fn paths_outside_the_workspace_lead_up() {
        let workspace = Path::new("/home/runner/work");
        assert_eq!(relative(Path::new("/home/runner/work/a/b"), workspace), "a/b");
        assert_eq!(relative(Path::new("/root/.npm"), workspace), "../../../root/.npm");
        assert_eq!(relative(workspace, workspace), ".");
    }
}
