//! Setup actions: the tool that the machine has, if its version is the one that is wanted.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    package_cache::{self, Tool},
    problems,
    step::{Failed, Phase, Step, failed},
    versions::{Version, fits},
};

/// A tool that was found.
struct Found {
    version: Version,
    /// The folder of its programs.
    bin: PathBuf,
}

/// Every copy of a tool that the machine has, the one on the path first.
fn installed(step: &Step, program: &str, argument: &str, places: &[PathBuf]) -> Vec<Found> {
    let on_path = std::env::split_paths(step.env("PATH")).map(|folder| folder.join(program));
    let below = places.iter().flat_map(|place| {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let folders = entries.flat_map(|entry| ["x64/bin", "arm64/bin", "bin"].map(|bin| entry.path().join(bin)));
        folders.map(|folder| folder.join(program)).collect::<Vec<_>>()
    });
    let mut found: Vec<Found> = Vec::new();
    for file in on_path.chain(below).filter(|file| file.is_file()) {
        let Ok(output) = Command::new(&file).arg(argument).output() else { continue };
        let told = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let (true, Some(version)) = (output.status.success(), Version::find(&told)) else { continue };
        if !found.iter().any(|it| it.version == version)
            && let Some(bin) = file.parent()
        {
            found.push(Found { version, bin: bin.to_owned() });
        }
    }
    found
}

/// The newest that fits, but what is on the path already is left there.
fn choose<'a>(title: &str, wanted: &str, found: &'a [Found]) -> Result<&'a Found, Failed> {
    if let Some(first) = found.first().filter(|it| fits(wanted, it.version)) {
        return Ok(first);
    }
    let fitting = found.iter().filter(|it| fits(wanted, it.version));
    fitting.max_by_key(|it| it.version).ok_or_else(|| {
        let there: Vec<_> = found.iter().map(|it| it.version.to_string()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Failed(format!(
            "{title} {wanted} is not on this machine; there is {there}. Install it, ask for one that is there, or name a source of the action in the `actions` map of the configuration"
        ))
    })
}

/// The wanted version: an input, or a file of the workspace.
fn wanted(step: &Step, input: &str, file_input: &str, read: fn(&str, &str) -> Option<String>) -> Result<String, Failed> {
    let given = step.input(input);
    let file = step.input(file_input);
    if !given.is_empty() || file.is_empty() {
        return Ok(given.to_owned());
    }
    let text = std::fs::read_to_string(step.path(file)).map_err(failed(format_args!("{file_input}: `{file}`")))?;
    read(file, &text).ok_or_else(|| Failed(format!("{file_input}: `{file}` names no version")))
}

fn first_word(_: &str, text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(line.split_whitespace().next_back()?.trim_start_matches(['v', '=']).to_owned())
}

fn note(step: &Step, title: &str, found: &Found) {
    step.say(format_args!("Found {title} {} in {}", found.version, found.bin.display()));
}

/// Puts a folder in front of the path unless its programs are found already.
fn use_folder(step: &Step, program: &str, found: &Found) -> Result<(), Failed> {
    let first = step.find(program).and_then(|it| it.parent().map(Path::to_owned));
    if first.as_deref() == Some(&found.bin) { Ok(()) } else { step.add_path(&found.bin) }
}

fn hosted(step: &Step, name: &str) -> PathBuf {
    Path::new(step.env("RUNNER_TOOL_CACHE")).join(name)
}

pub fn node(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return package_cache::save(step);
    }
    let of_file = |file: &str, text: &str| {
        if !file.ends_with("package.json") {
            return first_word(file, text);
        }
        let package: serde_json::Value = serde_json::from_str(text).ok()?;
        let found = package.pointer("/volta/node").or_else(|| package.pointer("/engines/node"))?;
        found.as_str().map(str::to_owned)
    };
    let wanted = wanted(step, "node-version", "node-version-file", of_file)?;
    let places = [hosted(step, "node"), step.home().join(".nvm/versions/node")];
    let all = installed(step, "node", "--version", &places);
    let found = choose("Node", &wanted, &all)?;
    note(step, "Node", found);
    use_folder(step, "node", found)?;
    let registry = step.input("registry-url");
    if !registry.is_empty() {
        let address = registry.trim_end_matches('/').split_once("://").map_or(registry, |(_, rest)| rest);
        let scope = step.input("scope").trim_start_matches('@');
        let line = if scope.is_empty() { format!("registry={registry}") } else { format!("@{scope}:registry={registry}") };
        let file = step.temp().join(".npmrc");
        let text = format!("//{}/:_authToken=${{NODE_AUTH_TOKEN}}\n{line}\n", address.trim_end_matches('/'));
        std::fs::write(&file, text).map_err(failed(file.display()))?;
        step.export("NPM_CONFIG_USERCONFIG", &file.display().to_string())?;
        if step.env("NODE_AUTH_TOKEN").is_empty() {
            step.export("NODE_AUTH_TOKEN", "XXXXX-XXXXX-XXXXX-XXXXX")?;
        }
    }
    step.set_output("node-version", &format!("v{}", found.version))?;
    problems::announce(step, Tool::Node)?;
    package_cache::restore(step, Tool::Node)
}

pub fn python(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return package_cache::save(step);
    }
    let wanted = wanted(step, "python-version", "python-version-file", |file, text| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("requires-python"));
        match line.filter(|_| file.ends_with(".toml")) {
            Some(line) => Some(line.split_once('=')?.1.trim().trim_matches(['"', '\'']).to_owned()),
            None => first_word(file, text),
        }
    })?;
    // Several lines are several versions; the last is the one on the path.
    let lines: Vec<_> = wanted.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let places = [hosted(step, "Python"), step.home().join(".pyenv/versions")];
    let all = installed(step, "python3", "--version", &places);
    for wanted in if lines.is_empty() { vec![""] } else { lines } {
        if wanted.starts_with("pypy") || wanted.starts_with("graalpy") {
            return Err(Failed(format!("Python `{wanted}` is not on this machine")));
        }
        let found = choose("Python", wanted, &all)?;
        note(step, "Python", found);
        let root = real_root(found);
        let bin = root.join("bin");
        step.add_path(&bin)?;
        let location = root.display().to_string();
        if step.input("update-environment") != "false" {
            for name in ["pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"] {
                step.export(name, &location)?;
            }
            step.export("PKG_CONFIG_PATH", &format!("{location}/lib/pkgconfig"))?;
            step.export("LD_LIBRARY_PATH", &format!("{location}/lib"))?;
        }
        step.set_output("python-version", &found.version.to_string())?;
        step.set_output("python-path", &bin.join("python3").display().to_string())?;
    }
    problems::announce(step, Tool::Python)?;
    package_cache::restore(step, Tool::Python)
}

/// A shim on the path stands for the version that it starts.
fn real_root(found: &Found) -> PathBuf {
    let asked = Command::new(found.bin.join("python3")).args(["-c", "import sys; print(sys.prefix)"]).output();
    let told = asked.ok().filter(|it| it.status.success()).map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    let root = told.filter(|it| !it.is_empty()).map(PathBuf::from);
    root.or_else(|| found.bin.parent().map(Path::to_owned)).unwrap_or_default()
}

pub fn go(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return package_cache::save(step);
    }
    let of_file = |file: &str, text: &str| {
        if !file.ends_with("go.mod") && !file.ends_with("go.work") {
            return first_word(file, text);
        }
        let line = |word: &str| text.lines().find_map(|line| line.trim().strip_prefix(word)).map(str::trim);
        let found = line("toolchain go").or_else(|| line("go "))?;
        // A module names the oldest version that will do.
        Some(format!(">={found}"))
    };
    let wanted = wanted(step, "go-version", "go-version-file", of_file)?;
    let places = [hosted(step, "go"), step.home().join(".goenv/versions"), step.home().join("sdk")];
    let all = installed(step, "go", "version", &places);
    let found = choose("Go", &wanted, &all)?;
    note(step, "Go", found);
    use_folder(step, "go", found)?;
    let gopath = step.output(Command::new(found.bin.join("go")).args(["env", "GOPATH"])).unwrap_or_default();
    if !gopath.is_empty() {
        step.add_path(&Path::new(&gopath).join("bin"))?;
    }
    step.set_output("go-version", &found.version.to_string())?;
    problems::announce(step, Tool::Go)?;
    package_cache::restore(step, Tool::Go)
}

pub fn java(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return package_cache::save(step);
    }
    let wanted = wanted(step, "java-version", "java-version-file", first_word)?;
    let wanted = wanted.trim_end_matches("-ea").to_owned();
    let places = [hosted(step, "Java_Temurin-Hotspot_jdk"), "/usr/lib/jvm".into(), step.home().join(".sdkman/candidates/java")];
    let all = installed(step, "java", "-version", &places);
    let found = choose("Java", &wanted, &all)?;
    note(step, "Java", found);
    let program = std::fs::canonicalize(found.bin.join("java")).unwrap_or_else(|_| found.bin.join("java"));
    let home = program.parent().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    step.add_path(&home.join("bin"))?;
    let text = home.display().to_string();
    let arch = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };
    step.export("JAVA_HOME", &text)?;
    step.export(&format!("JAVA_HOME_{}_{arch}", found.version.0), &text)?;
    step.set_output("distribution", step.input("distribution"))?;
    step.set_output("version", &found.version.to_string())?;
    step.set_output("path", &text)?;
    problems::announce(step, Tool::Java)?;
    package_cache::restore(step, Tool::Java)
}

pub fn rust(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let wanted = match (step.input("toolchain"), step.env("GITHUB_ACTION_REF")) {
        // `dtolnay/rust-toolchain@1.80` names the toolchain by its version.
        ("", version) if version.starts_with(|c: char| c.is_ascii_digit()) || ["beta", "nightly"].contains(&version) => version,
        ("", _) => "stable",
        (wanted, _) => wanted,
    };
    let bin = step.home().join(".cargo/bin");
    let rustup = step.find("rustup").or_else(|| Some(bin.join("rustup")).filter(|it| it.is_file()));
    let toolchain = match &rustup {
        Some(rustup) => {
            let listed = step.output(Command::new(rustup).args(["toolchain", "list"]))?;
            let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
            Some(choose_toolchain(step, rustup, wanted, &names)?)
        }
        None => {
            let all = installed(step, "rustc", "--version", &[]);
            choose("Rust", if wanted.chars().next().is_some_and(|c| c.is_ascii_digit()) { wanted } else { "" }, &all)?;
            None
        }
    };
    if bin.is_dir() {
        step.add_path(&bin)?;
    }
    if let Some(toolchain) = &toolchain {
        step.export("RUSTUP_TOOLCHAIN", toolchain)?;
        step.say(format_args!("Found the toolchain {toolchain}"));
    }
    let mut rustc = Command::new(bin.join("rustc").is_file().then(|| bin.join("rustc")).unwrap_or_else(|| "rustc".into()));
    if let Some(toolchain) = &toolchain {
        rustc.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    let told = step.output(rustc.arg("--version").arg("--verbose"))?;
    let line = |word: &str| told.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default().trim().to_owned();
    let (date, hash) = (line("commit-date:").replace('-', ""), line("commit-hash:"));
    step.set_output("cachekey", &format!("{date}{}", hash.get(..4).unwrap_or_default()))?;
    step.set_output("name", toolchain.as_deref().unwrap_or(wanted))?;
    step.export("CARGO_INCREMENTAL", "0")?;
    step.export("CARGO_TERM_COLOR", "always")
}

/// The installed toolchain that is wanted, with its components and targets.
fn choose_toolchain(step: &Step, rustup: &Path, wanted: &str, names: &[&str]) -> Result<String, Failed> {
    let plain = |name: &str| name == wanted || name.starts_with(&format!("{wanted}-"));
    let exact = names.iter().find(|name| plain(name)).map(|name| (*name).to_owned());
    // `stable` is whatever stable version is here.
    let stable = || {
        let versions = names.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        let newest = versions.max_by_key(|name| Version::find(name));
        newest.filter(|_| wanted == "stable").map(|name| (*name).to_owned())
    };
    let partial = || {
        let fitting = names.iter().filter(|name| Version::find(name).is_some_and(|it| fits(wanted, it)));
        let is_number = wanted.starts_with(|c: char| c.is_ascii_digit());
        fitting.max_by_key(|name| Version::find(name)).filter(|_| is_number).map(|name| (*name).to_owned())
    };
    let found = exact.or_else(stable).or_else(partial);
    let found = found.ok_or_else(|| {
        Failed(format!("the Rust toolchain `{wanted}` is not on this machine; there is {}. Install it with `rustup toolchain install {wanted}`", names.join(", ")))
    })?;
    for (input, kind) in [("components", "component"), ("targets", "target"), ("target", "target")] {
        let wanted: Vec<_> = step.items(input).into_iter().flat_map(str::split_whitespace).collect();
        if wanted.is_empty() {
            continue;
        }
        let listed = step.output(Command::new(rustup).args([kind, "list", "--installed", "--toolchain", &found]))?;
        if let Some(missing) = wanted.iter().find(|it| !listed.lines().any(|line| line.starts_with(**it))) {
            return Err(Failed(format!("the {kind} `{missing}` of the toolchain `{found}` is not on this machine; add it with `rustup {kind} add {missing}`")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(versions: &[(u64, u64, u64)]) -> Vec<Found> {
        versions.iter().map(|it| Found { version: Version(it.0, it.1, it.2), bin: PathBuf::new() }).collect()
    }

    #[track_caller]
    fn check(wanted: &str, versions: &[(u64, u64, u64)], expected: &str) {
        let all = found(versions);
        let told = choose("Node", wanted, &all).map_or_else(|Failed(why)| why, |it| it.version.to_string());
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn what_is_on_the_path_is_left_there() {
        check("20", &[(20, 1, 0), (20, 9, 0)], "20.1.0");
        check("18", &[(20, 1, 0), (18, 1, 0), (18, 4, 0)], "18.4.0");
        check("22", &[(20, 1, 0)], "Node 22 is not on this machine; there is 20.1.0.");
        check("22", &[], "Node 22 is not on this machine; there is none.");
    }
}
