//! `actions/checkout`: the wanted commit in the workspace, by the machine's git.

use std::{path::{Path, PathBuf}, process::Command, time::Duration};

use base64::Engine as _;

use super::{
    server::Server,
    step::{Failed, Phase, Step, failed},
};

/// A server that is being started again is there within this many tries.
const TRIES: u32 = 40;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// What git says when the server is not there or goes away in the middle.
const AWAY: [&str; 7] =
    ["onnect", "reset", "RPC failed", "early EOF", "hung up", "Empty reply", "unexpected disconnect"];

pub fn run(step: &Step) -> Result<(), Failed> {
    match step.phase {
        Phase::Pre => Ok(()),
        Phase::Main => Checkout::read(step)?.carry_out(),
        Phase::Post => forget(step),
    }
}

/// What the inputs ask for.
struct Checkout<'a> {
    step: &'a Step,
    folder: PathBuf,
    url: String,
    header: Option<String>,
    wanted: Wanted,
    depth: u64,
}

/// Which commit, and under which name.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// What is fetched: a commit or a full ref; `None` for a name that may be a branch or a tag.
    exact: Option<String>,
    /// As given; the output `ref`.
    name: String,
}

impl Wanted {
    fn read(given: &str, is_own: bool, step: &Step) -> Result<Self, Failed> {
        if given.starts_with('-') {
            return Err(Failed(format!("`{given}` is no ref")));
        }
        if given.is_empty() && is_own {
            return Ok(Self { exact: Some(step.env("GITHUB_SHA").to_owned()), name: step.env("GITHUB_REF").to_owned() });
        }
        let is_commit = matches!(given.len(), 40 | 64) && given.bytes().all(|byte| byte.is_ascii_hexdigit());
        let exact = match given {
            "" => Some("HEAD".to_owned()),
            full if is_commit || full.starts_with("refs/") => Some(full.to_owned()),
            _ => None,
        };
        Ok(Self { exact, name: given.to_owned() })
    }
}

impl<'a> Checkout<'a> {
    fn read(step: &'a Step) -> Result<Self, Failed> {
        for (name, why) in [
            ("ssh-key", "Landfall's server speaks HTTP; use `token`"),
            ("ssh-known-hosts", "Landfall's server speaks HTTP; use `token`"),
        ] {
            if !step.input(name).is_empty() {
                return Err(Failed(format!("the input `{name}` of actions/checkout is not supported: {why}")));
            }
        }
        let repository = step.input("repository");
        let own = step.env("GITHUB_REPOSITORY");
        let is_own = repository.is_empty() || repository.eq_ignore_ascii_case(own);
        if !is_own && let Ok(server) = Server::of(step) {
            // Where it comes from another host, only this action knows.
            server.ask(step, "checkout", &serde_json::json!({"repository": repository}))?;
        }
        let url = if is_own { step.env("LANDFALL_CLONE_URL").to_owned() } else { url_of(step, repository)? };
        let token = step.input("token");
        let token = if token.is_empty() && is_own { step.env("LANDFALL_TOKEN") } else { token };
        // A foreign host must not see the token of this job.
        let for_host = !token.is_empty() && (token != step.env("LANDFALL_TOKEN") || url.starts_with(step.env("LANDFALL_URL")));
        let header = for_host.then(|| {
            let pair = format!("x-access-token:{token}");
            format!("AUTHORIZATION: basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        let path = step.input("path").trim_start_matches("./").trim_end_matches('/');
        let inside = !path.starts_with('/') && path.split('/').all(|part| part != "..");
        if !inside {
            return Err(Failed(format!("path: expected a path below the workspace, found `{path}`")));
        }
        let path = if path == "." { "" } else { path };
        Ok(Self {
            step,
            folder: if path.is_empty() { step.workspace() } else { step.workspace().join(path) },
            url,
            header,
            wanted: Wanted::read(step.input("ref"), is_own, step)?,
            depth: step.number("fetch-depth", 1)?,
        })
    }

    fn carry_out(&self) -> Result<(), Failed> {
        let step = self.step;
        let repository = if step.input("repository").is_empty() { step.env("GITHUB_REPOSITORY") } else { step.input("repository") };
        step.say(format_args!("Syncing repository: {repository}"));
        std::fs::create_dir_all(&self.folder).map_err(failed(self.folder.display()))?;
        step.set_state("path", &self.folder.display().to_string())?;
        self.prepare()?;
        let commit = self.fetch()?;
        self.check_out(&commit)?;
        self.submodules()?;
        if step.flag("lfs")? {
            self.lfs()?;
        }
        if step.flag("persist-credentials")? {
            self.persist()?;
        }
        step.say(format_args!("HEAD is now at {}", self.told(&["log", "-1", "--format=%h %s"])?));
        step.set_output("ref", &self.wanted.name)?;
        step.set_output("commit", &commit)
    }

    fn prepare(&self) -> Result<(), Failed> {
        let step = self.step;
        let fresh = !self.folder.join(".git").exists();
        if fresh {
            // As GitHub's own: a folder that is no repository is emptied first.
            empty(&self.folder, &step.workspace().join(".git"))?;
            self.quiet(&["init", "--quiet", "--initial-branch=main"])?;
        } else {
            let remote = self.told(&["config", "--get", "remote.origin.url"]).unwrap_or_default();
            if remote != self.url && !remote.is_empty() {
                empty(&self.folder, Path::new(""))?;
                self.quiet(&["init", "--quiet", "--initial-branch=main"])?;
            } else if step.flag("clean")? {
                self.clean()?;
                // A repository without a commit has nothing to reset.
                let _ = self.quiet(&["reset", "--hard", "--quiet", "HEAD"]);
            }
        }
        let _ = self.quiet(&["remote", "remove", "origin"]);
        self.quiet(&["remote", "add", "origin", &self.url])?;
        if step.input("set-safe-directory") != "false" {
            let folder = self.folder.display().to_string();
            // Without a home there is no place for it, and a job's own files need none.
            let _ = self.quiet(&["config", "--global", "--add", "safe.directory", &folder]);
        }
        if !step.flag("lfs")? {
            // Files stay pointers, as without `lfs: true` on GitHub.
            for (name, value) in [("filter.lfs.smudge", "git-lfs smudge --skip %f"), ("filter.lfs.required", "false")] {
                self.quiet(&["config", "--local", name, value])?;
            }
        }
        Ok(())
    }

    /// Removes what Git does not know; the place of a mounted cache stays as an empty folder.
    fn clean(&self) -> Result<(), Failed> {
        match self.quiet(&["clean", "-ffdxq"]) {
            Err(Failed(why)) if why.contains("evice or resource busy") => Ok(()),
            other => other,
        }
    }

    /// Fetches what is wanted and gives its commit.
    fn fetch(&self) -> Result<String, Failed> {
        let step = self.step;
        let name = &self.wanted.name;
        let mut arguments = vec!["fetch".to_owned(), "--prune".to_owned(), "--no-recurse-submodules".to_owned()];
        let sparse = !step.input("sparse-checkout").is_empty();
        match step.input("filter") {
            "" if sparse => arguments.push("--filter=blob:none".to_owned()),
            "" => {}
            filter => arguments.push(format!("--filter={filter}")),
        }
        if !step.flag("show-progress")? {
            arguments.push("--quiet".to_owned());
        }
        if self.depth > 0 {
            arguments.push(format!("--depth={}", self.depth));
        }
        let tags = step.flag("fetch-tags")?;
        arguments.push(if tags { "--tags" } else { "--no-tags" }.to_owned());
        arguments.push("origin".to_owned());
        let Some(exact) = &self.wanted.exact else { return self.fetch_by_name(&arguments, name) };
        if self.depth == 0 {
            let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"].map(str::to_owned);
            self.try_fetch(&[arguments.as_slice(), &all].concat())?;
        }
        if self.depth > 0 || self.told(&["rev-parse", "--verify", "--quiet", &format!("{exact}^{{commit}}")]).is_err() {
            self.try_fetch(&[arguments.as_slice(), &[exact.clone()]].concat())?;
            return self.told(&["rev-parse", "FETCH_HEAD^{commit}"]);
        }
        self.told(&["rev-parse", &format!("{exact}^{{commit}}")])
    }

    /// A plain name is a branch, or else a tag.
    fn fetch_by_name(&self, arguments: &[String], name: &str) -> Result<String, Failed> {
        if self.depth == 0 {
            let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"].map(str::to_owned);
            self.try_fetch(&[arguments, &all].concat())?;
            for found in [format!("refs/remotes/origin/{name}"), format!("refs/tags/{name}"), name.to_owned()] {
                if let Ok(commit) = self.told(&["rev-parse", "--verify", "--quiet", &format!("{found}^{{commit}}")]) {
                    return Ok(commit);
                }
            }
            return Err(Failed(format!("A branch or tag with the name '{name}' could not be found")));
        }
        let branch = format!("+refs/heads/{name}:refs/remotes/origin/{name}");
        let tag = format!("+refs/tags/{name}:refs/tags/{name}");
        for refspec in [branch, tag, name.to_owned()] {
            match self.try_fetch(&[arguments, &[refspec]].concat()) {
                Ok(()) => return self.told(&["rev-parse", "FETCH_HEAD^{commit}"]),
                Err(Failed(why)) if why.contains("find remote ref") => {}
                Err(error) => return Err(error),
            }
        }
        Err(Failed(format!("A branch or tag with the name '{name}' could not be found")))
    }

    /// The server may be on its way up again; what else goes wrong, goes wrong at once.
    fn try_fetch(&self, arguments: &[String]) -> Result<(), Failed> {
        self.step.say(format_args!("[command]git {}", arguments.join(" ")));
        let mut tries = 0;
        loop {
            let output = self.git().args(arguments).output().map_err(failed("git"))?;
            if output.status.success() {
                return Ok(());
            }
            let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if tries >= TRIES || !AWAY.iter().any(|word| told.contains(word)) {
                return Err(Failed(told));
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        }
    }

    fn check_out(&self, commit: &str) -> Result<(), Failed> {
        let patterns = self.step.lines("sparse-checkout");
        if patterns.is_empty() {
            let _ = self.quiet(&["sparse-checkout", "disable"]);
        } else {
            let cone = if self.step.input("sparse-checkout-cone-mode") == "false" { "--no-cone" } else { "--cone" };
            let mut arguments = vec!["sparse-checkout", "set", cone];
            arguments.extend(patterns);
            self.quiet(&arguments)?;
        }
        let name = &self.wanted.name;
        let branch = name.strip_prefix("refs/heads/").map(str::to_owned).or_else(|| {
            let plain = self.wanted.exact.is_none();
            let is_branch = plain && self.told(&["rev-parse", "--verify", "--quiet", &format!("refs/remotes/origin/{name}")]).is_ok();
            is_branch.then(|| name.clone())
        });
        match branch {
            Some(branch) => {
                self.quiet(&["update-ref", &format!("refs/remotes/origin/{branch}"), commit])?;
                self.quiet(&["checkout", "--quiet", "--force", "-B", &branch, commit])
            }
            None => self.quiet(&["checkout", "--quiet", "--force", "--detach", commit]),
        }
    }

    fn submodules(&self) -> Result<(), Failed> {
        let recursive = match self.step.input("submodules") {
            "recursive" => true,
            "true" => false,
            _ => return Ok(()),
        };
        let depth = format!("--depth={}", self.depth);
        let mut update = vec!["-c", "protocol.version=2", "submodule", "update", "--init", "--force"];
        if self.depth > 0 {
            update.push(&depth);
        }
        if recursive {
            update.push("--recursive");
            self.quiet(&["submodule", "sync", "--recursive"])?;
        } else {
            self.quiet(&["submodule", "sync"])?;
        }
        self.quiet(&update)
    }

    fn lfs(&self) -> Result<(), Failed> {
        if self.step.find("git-lfs").is_none() {
            return Err(Failed("`lfs: true` needs `git-lfs`, which is not on this machine".to_owned()));
        }
        self.quiet(&["lfs", "install", "--local"])?;
        self.quiet(&["lfs", "pull", "origin"])
    }

    /// Later steps may fetch and push; the post step takes this away.
    fn persist(&self) -> Result<(), Failed> {
        let Some(header) = &self.header else { return Ok(()) };
        let file = PathBuf::from(self.told(&["rev-parse", "--git-path", "config"])?);
        let file = self.folder.join(file);
        let key = header_key(&self.url);
        // The header must not stand in the arguments, which every process can read.
        let placeholder = "landfall-credentials-go-here";
        self.quiet(&["config", "--local", &key, placeholder])?;
        let text = std::fs::read_to_string(&file).map_err(failed(file.display()))?;
        std::fs::write(&file, text.replace(placeholder, header)).map_err(failed(file.display()))?;
        self.step.set_state("header", &key)
    }

    fn git(&self) -> Command {
        let mut command = git_in(self.step, &self.folder);
        if let Some(header) = &self.header {
            command.env("GIT_CONFIG_COUNT", "2");
            command.env("GIT_CONFIG_KEY_1", header_key(&self.url)).env("GIT_CONFIG_VALUE_1", header);
        }
        command
    }

    fn quiet(&self, arguments: &[&str]) -> Result<(), Failed> {
        self.told(arguments).map(drop)
    }

    fn told(&self, arguments: &[&str]) -> Result<String, Failed> {
        let output = self.git().args(arguments).output().map_err(failed("git"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failed(format!("`git {}`: {told}", arguments.first().unwrap_or(&""))))
    }
}

fn git_in(step: &Step, folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).stdin(std::process::Stdio::null());
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    if step.home().as_os_str().is_empty() {
        command.env("HOME", step.temp());
    }
    command
}

/// The setting that adds a header to requests of the server of `url`.
fn header_key(url: &str) -> String {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    format!("http.{}/.extraheader", url.get(..end).unwrap_or(url))
}

fn url_of(step: &Step, repository: &str) -> Result<String, Failed> {
    let Some((owner, name)) = repository.split_once('/') else {
        return Err(Failed(format!("repository: expected `owner/name`, found `{repository}`")));
    };
    if name.is_empty() || name.contains('/') || repository.starts_with('-') {
        return Err(Failed(format!("repository: expected `owner/name`, found `{repository}`")));
    }
    let given = step.input("github-server-url");
    if given.is_empty() || given == step.env("LANDFALL_URL") || given == step.env("GITHUB_SERVER_URL") {
        if owner.eq_ignore_ascii_case("landfall") {
            return Ok(format!("{}/git/{}.git", step.env("LANDFALL_URL"), name.to_lowercase()));
        }
        let forge = step.env("LANDFALL_FORGE");
        return Ok(format!("{}/{repository}", if forge.is_empty() { "https://github.com" } else { forge }));
    }
    Ok(format!("{}/{repository}", given.trim_end_matches('/')))
}

/// Removes everything in `folder`, but not `kept`.
fn empty(folder: &Path, kept: &Path) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder).map_err(failed(folder.display()))? {
        let path = entry?.path();
        if path == kept {
            continue;
        }
        let removed = if path.is_dir() && !path.is_symlink() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            // A cache is mounted there, or below; it is empty now.
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {}
            other => other.map_err(failed(path.display()))?,
        }
    }
    Ok(())
}

/// The post step: no credential stays in the repository.
fn forget(step: &Step) -> Result<(), Failed> {
    let (folder, key) = (PathBuf::from(step.state("path")), step.state("header"));
    if key.is_empty() || !folder.join(".git").exists() {
        return Ok(());
    }
    // Nothing to forget is fine.
    let _ = git_in(step, &folder).args(["config", "--local", "--unset-all", key]).status();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, own: bool, exact: Option<&str>, name: &str) {
        let step = Step::of(Phase::Main, &[("GITHUB_SHA", "5ba"), ("GITHUB_REF", "refs/heads/main")]);
        let expected = Wanted { exact: exact.map(str::to_owned), name: name.to_owned() };
        assert_eq!(Wanted::read(given, own, &step), Ok(expected));
    }

    #[test]
    fn refs_are_read_as_the_original_does() {
        check("", true, Some("5ba"), "refs/heads/main");
        check("", false, Some("HEAD"), "");
        check("v1", true, None, "v1");
        check("refs/tags/v1", true, Some("refs/tags/v1"), "refs/tags/v1");
        let commit = "0123456789012345678901234567890123456789";
        check(commit, true, Some(commit), commit);
    }

    #[test]
    fn a_header_belongs_to_one_server() {
        assert_eq!(header_key("http://127.0.0.1:5/git/shop.git"), "http.http://127.0.0.1:5/.extraheader");
    }
}
