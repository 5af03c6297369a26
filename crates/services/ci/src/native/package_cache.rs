//! The `cache` input of setup actions: what a package manager downloaded, kept by the digest of its lock files.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use names::Digest;

use super::{
    cache,
    globs::{self, Descend},
    step::{Failed, Step, failed},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Node,
    Python,
    Go,
    Java,
}

/// One package manager.
struct Manager {
    /// As the input names it.
    name: &'static str,
    /// Files that say what it will download; the first that is there counts, patterns all at once.
    locks: &'static [&'static str],
    folders: fn(&Step) -> Vec<PathBuf>,
}

impl Tool {
    fn managers(self) -> &'static [Manager] {
        match self {
            Self::Node => &[
                Manager { name: "npm", locks: &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock"], folders: npm },
                Manager { name: "yarn", locks: &["yarn.lock"], folders: yarn },
                Manager { name: "pnpm", locks: &["pnpm-lock.yaml"], folders: pnpm },
            ],
            Self::Python => &[
                Manager { name: "pip", locks: &["**/requirements.txt", "**/pyproject.toml"], folders: pip },
                Manager { name: "pipenv", locks: &["**/Pipfile.lock"], folders: |step| variable_or(step, "WORKON_HOME", ".local/share/virtualenvs") },
                Manager { name: "poetry", locks: &["**/poetry.lock"], folders: poetry },
            ],
            Self::Go => &[Manager { name: "true", locks: &["go.sum"], folders: go }],
            Self::Java => &[
                Manager { name: "maven", locks: &["**/pom.xml"], folders: |step| vec![step.home().join(".m2/repository")] },
                Manager { name: "gradle", locks: &["**/*.gradle*", "**/gradle-wrapper.properties"], folders: gradle },
                Manager { name: "sbt", locks: &["**/*.sbt", "**/project/build.properties"], folders: sbt },
            ],
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Node => "node-cache",
            Self::Python => "setup-python",
            Self::Go => "setup-go",
            Self::Java => "setup-java",
        }
    }
}

fn told(step: &Step, program: &str, arguments: &[&str]) -> Vec<PathBuf> {
    let told = step.output(Command::new(program).args(arguments)).unwrap_or_default();
    told.lines().map(str::trim).filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}

fn variable_or(step: &Step, variable: &str, folder: &str) -> Vec<PathBuf> {
    let given = step.env(variable);
    vec![if given.is_empty() { step.home().join(folder) } else { PathBuf::from(given) }]
}

fn npm(step: &Step) -> Vec<PathBuf> {
    variable_or(step, "npm_config_cache", ".npm")
}

fn yarn(step: &Step) -> Vec<PathBuf> {
    let newer = told(step, "yarn", &["config", "get", "cacheFolder"]);
    if newer.is_empty() { told(step, "yarn", &["cache", "dir"]) } else { newer }
}

fn pnpm(step: &Step) -> Vec<PathBuf> {
    told(step, "pnpm", &["store", "path", "--silent"])
}

fn pip(step: &Step) -> Vec<PathBuf> {
    variable_or(step, "PIP_CACHE_DIR", ".cache/pip")
}

/// The environments that poetry made, and its own where a project keeps one beside its files.
fn poetry(step: &Step) -> Vec<PathBuf> {
    let mut folders = told(step, "poetry", &["config", "virtualenvs.path"]);
    let beside = step.output(Command::new("poetry").args(["config", "virtualenvs.in-project"])).unwrap_or_default();
    if beside.trim() == "true" {
        folders.push(step.workspace().join(".venv"));
    }
    folders
}

fn go(step: &Step) -> Vec<PathBuf> {
    told(step, "go", &["env", "GOMODCACHE", "GOCACHE"])
}

fn gradle(step: &Step) -> Vec<PathBuf> {
    [".gradle/caches", ".gradle/wrapper"].map(|folder| step.home().join(folder)).into()
}

fn sbt(step: &Step) -> Vec<PathBuf> {
    [".ivy2/cache", ".sbt", ".cache/coursier"].map(|folder| step.home().join(folder)).into()
}

/// Restores what `cache` asks for, and sets `cache-hit`.
pub fn restore(step: &Step, tool: Tool) -> Result<(), Failed> {
    let wanted = step.input("cache");
    let hit = match wanted {
        "" | "false" => false,
        // A cache that cannot be restored costs time, not the job.
        _ => try_restore(step, tool, wanted).unwrap_or_else(|Failed(why)| {
            step.warn(&format!("Restore cache failed: {why}"));
            false
        }),
    };
    step.set_output("cache-hit", if hit { "true" } else { "false" })
}

fn try_restore(step: &Step, tool: Tool, wanted: &str) -> Result<bool, Failed> {
    let known = tool.managers();
    let manager = known.iter().find(|it| it.name == wanted).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|it| it.name).collect();
        Failed(format!("Caching for '{wanted}' is not supported; there is {}", names.join(", ")))
    })?;
    let folders = (manager.folders)(step);
    if folders.is_empty() {
        return Err(Failed(format!("`{wanted}` does not say where it keeps what it downloads")));
    }
    if folders.iter().any(|folder| is_filled(folder)) {
        step.say("The packages of this machine are there already; `cache` has nothing to do.");
        return Ok(false);
    }
    let key = format!("{}-Linux-{}-{wanted}-{}", tool.prefix(), std::env::consts::ARCH, digest(step, manager)?);
    let paths: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    step.set_state("CACHE_KEY", &key)?;
    step.set_state("CACHE_PATHS", &paths.join("\n"))?;
    let found = cache::get(step, &key, &paths)?;
    match &found {
        Some(_) => step.say(format_args!("Cache restored from key: {key}")),
        None => step.say(format_args!("{wanted} cache is not found")),
    }
    step.set_state("CACHE_RESULT", if found.is_some() { "hit" } else { "" })?;
    Ok(found.is_some())
}

fn is_filled(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The digest over the digests of the files that say what is needed.
fn digest(step: &Step, manager: &Manager) -> Result<String, Failed> {
    let given = step.lines("cache-dependency-path");
    let of = |patterns: &[&str]| globs::find(step, patterns, Descend::Files).map(|found| found.paths).map_err(failed("cache-dependency-path"));
    let files = if given.is_empty() {
        let mut files = Vec::new();
        for pattern in manager.locks {
            files = of(&[pattern])?;
            if !files.is_empty() {
                break;
            }
        }
        files
    } else {
        of(&given)?
    };
    let files: Vec<_> = files.into_iter().filter(|file| !file.components().any(|it| it.as_os_str() == "node_modules")).collect();
    if files.is_empty() {
        let patterns = if given.is_empty() { manager.locks.join(", ") } else { given.join(", ") };
        return Err(Failed(format!("Dependencies lock file is not found in {}. Supported file patterns: {patterns}", step.workspace().display())));
    }
    let mut digests = Vec::new();
    for file in files {
        digests.extend_from_slice(Digest::of(&std::fs::read(&file).map_err(failed(file.display()))?).as_bytes());
    }
    Ok(Digest::of(&digests).hex())
}

/// The post step: saves what was downloaded, if the key had nothing.
pub fn save(step: &Step) -> Result<(), Failed> {
    let key = step.state("CACHE_KEY");
    if key.is_empty() {
        return Ok(());
    }
    if step.state("CACHE_RESULT") == "hit" {
        step.say(format_args!("Cache hit occurred on the primary key {key}, not saving cache."));
        return Ok(());
    }
    let paths: Vec<_> = step.state("CACHE_PATHS").lines().filter(|path| is_filled(Path::new(path))).collect();
    if paths.is_empty() {
        step.say("There is nothing to save in the cache.");
        return Ok(());
    }
    let all: Vec<_> = step.state("CACHE_PATHS").lines().collect();
    if let Err(Failed(why)) = cache::put(step, key, &all) {
        step.warn(&why);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::step::Phase, *};

    #[test]
    fn a_key_follows_the_lock_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().canonicalize().expect("a path");
        let root = place.to_str().expect("text");
        let of = |tool: Tool, name: &str, paths: &str| {
            let step = Step::of(Phase::Main, &[("GITHUB_WORKSPACE", root), ("HOME", "/nowhere"), ("INPUT_CACHE-DEPENDENCY-PATH", paths)]);
            let manager = tool.managers().iter().find(|it| it.name == name).expect("known");
            digest(&step, manager).map_err(|Failed(why)| why.replace(root, "ROOT"))
        };
        let missing = "Dependencies lock file is not found in ROOT. Supported file patterns: package-lock.json, npm-shrinkwrap.json, yarn.lock";
        assert_eq!(of(Tool::Node, "npm", ""), Err(missing.to_owned()));
        std::fs::create_dir_all(place.join("sub")).expect("a folder");
        for file in ["package-lock.json", "sub/package-lock.json", "sub/requirements.txt"] {
            std::fs::write(place.join(file), file).expect("a file");
        }
        let first = of(Tool::Node, "npm", "").expect("a digest");
        assert_eq!(first, Digest::of(Digest::of(b"package-lock.json").as_bytes()).hex());
        assert_ne!(of(Tool::Node, "npm", "**/package-lock.json").expect("a digest"), first);
        for (name, lock) in [("pipenv", "Pipfile.lock"), ("poetry", "poetry.lock")] {
            let missing = format!("Dependencies lock file is not found in ROOT. Supported file patterns: **/{lock}");
            assert_eq!(of(Tool::Python, name, ""), Err(missing));
            std::fs::write(place.join("sub").join(lock), lock).expect("a file");
            assert_eq!(of(Tool::Python, name, "").expect("a digest"), Digest::of(Digest::of(lock.as_bytes()).as_bytes()).hex());
        }
        assert_eq!(of(Tool::Python, "pip", "").expect("a digest"), Digest::of(Digest::of(b"sub/requirements.txt").as_bytes()).hex());
    }
}
