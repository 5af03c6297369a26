//! The same workflows under `act` (on the machine itself, without images) and `landfall run`.
//!
//! What counts are the lines that begin with `> ` of each job, in their order, and how the job
//! and the run ended. In `same.yml` and `fails.yml` both do the same; for `differs.yml`, which
//! the guide to compatibility explains, this test says what each does.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, run};

const FILES: [(&str, &str); 8] = [
    (".github/workflows/same.yml", include_str!("act/same.yml")),
    (".github/workflows/fails.yml", include_str!("act/fails.yml")),
    (".github/workflows/differs.yml", include_str!("act/differs.yml")),
    (".github/workflows/called.yml", include_str!("act/called.yml")),
    ("greet/action.yml", include_str!("act/greet.yml")),
    ("script/action.yml", include_str!("act/script.yml")),
    ("script/main.js", include_str!("act/main.js")),
    ("script/post.js", include_str!("act/post.js")),
];

/// Jobs by their id; legs of a matrix are several, sorted.
pub type Told = BTreeMap<String, Vec<String>>;

struct Folder {
    place: TempDir,
}

impl Folder {
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "a local run makes sandboxes, so this test needs root");
        let it = Self { place: tempfile::Builder::new().prefix("landfall-act-").tempdir().expect("a folder") };
        for (path, text) in FILES.into_iter().chain([("message.txt", "as it is\n")]) {
            let file = it.root().join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        fs::write(it.path("secrets"), "TOKEN=hunter2hunter2\n").expect("a file");
        fs::write(it.path("variables"), "REGION=eu\n").expect("a file");
        for arguments in [["init", "--quiet", "--initial-branch=main"].as_slice(), &["add", "--all"], &["commit", "--quiet", "-m", "all"]] {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).current_dir(it.root());
            run(&mut command).succeeded();
        }
        it
    }

    fn root(&self) -> PathBuf {
        self.path("shop")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn act(&self, file: &str) -> (i32, Told) {
        let mut command = Command::new(act());
        command.arg("push").arg("--workflows").arg(format!(".github/workflows/{file}"));
        command.args(["--platform", "ubuntu-latest=-self-hosted", "--json", "--secret-file"]).arg(self.path("secrets"));
        command.arg("--var-file").arg(self.path("variables")).current_dir(self.root());
        // Its own settings and caches must not be those of whoever runs the test.
        command.env("HOME", self.path("home")).env("XDG_CONFIG_HOME", self.path("home")).env("XDG_CACHE_HOME", self.path("home/cache"));
        let ran = run(&mut command);
        let mut legs: BTreeMap<(String, String), String> = BTreeMap::new();
        for line in ran.out.lines().chain(ran.err.lines()) {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |name: &str| line[name].as_str().unwrap_or_default().trim_end_matches('\n').to_owned();
            let told = match line["jobResult"].as_str() {
                Some(result) => format!("= {result}"),
                None if line["raw_output"] == true && text("msg").starts_with("> ") => text("msg"),
                None => continue,
            };
            let leg = legs.entry((text("jobID"), text("job"))).or_default();
            leg.push_str(&told);
            leg.push('\n');
        }
        (code(&ran), by_job(legs))
    }

    fn landfall(&self, file: &str) -> (i32, Told) {
        fs::create_dir_all(self.path("tmp")).expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(["run", "--workflow", file, "--var", "REGION=eu", "--secret-file"]).arg(self.path("secrets"));
        command.current_dir(self.root()).env("TMPDIR", self.path("tmp")).env("LANDFALL_DATA", self.path("data"));
        let ran = run(&mut command);
        (code(&ran), told_by_landfall(&ran.out))
    }
}

fn code(ran: &Ran) -> i32 {
    ran.code.unwrap_or_else(|| panic!("{ran}"))
}

/// What `landfall run` prints into a pipe, by jobs; the last line, which is about the run, is left out.
pub fn told_by_landfall(out: &str) -> Told {
    let mut legs: BTreeMap<(String, String), String> = BTreeMap::new();
    let lines: Vec<_> = out.lines().collect();
    for line in lines.iter().take(lines.len().saturating_sub(1)) {
        let mut parts = line.splitn(2, " | ");
        let (name, told) = match (parts.next(), parts.next()) {
            // Names of steps are scripts, which may hold bars, so the mark decides.
            (Some(job), Some(rest)) => match rest.rsplit_once(" | > ") {
                Some((_, text)) => (job, format!("> {text}")),
                None => continue,
            },
            (Some(end), None) => match end.split_once(": ") {
                Some((job, how)) if how.starts_with("success") => (job, "= success".to_owned()),
                Some((job, how)) if how.starts_with("failure") => (job, "= failure".to_owned()),
                _ => continue,
            },
            (None, _) => continue,
        };
        let id = name.rsplit(" / ").next().unwrap_or(name);
        let id = id.split_once(" (").map_or(id, |(id, _)| id);
        let leg = legs.entry((id.to_owned(), name.to_owned())).or_default();
        leg.push_str(&told);
        leg.push('\n');
    }
    by_job(legs)
}

fn by_job(legs: BTreeMap<(String, String), String>) -> Told {
    let mut told = Told::new();
    for ((id, _), lines) in legs {
        told.entry(id).or_default().push(lines);
    }
    told.values_mut().for_each(|legs| legs.sort());
    told
}

fn act() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin");
    let tools = std::env::var_os("LANDFALL_TOOLS").map_or(own, PathBuf::from);
    let act = tools.join("act");
    assert!(act.is_file(), "no `{}`: `cargo xtask test` installs it, `LANDFALL_TOOLS` names another folder", act.display());
    act
}

#[test]
fn what_act_does_landfall_does() {
    let folder = Folder::new();
    let (code, told) = folder.landfall("same.yml");
    let behaviours: usize = told.values().flatten().map(|leg| leg.lines().count()).sum();
    assert!(code == 0 && told.len() >= 20 && behaviours >= 60, "{code} {told:#?}");
    assert_eq!((code, told), folder.act("same.yml"));
    let (code, told) = folder.landfall("fails.yml");
    assert!(code == 1 && told.len() >= 6, "{code} {told:#?}");
    assert_eq!((code, told), folder.act("fails.yml"));
}

#[test]
fn where_they_differ_landfall_follows_github() {
    let folder = Folder::new();
    let shown = |(code, told): (i32, Told)| {
        let jobs = told.into_iter().map(|(job, legs)| format!("{job}: {}", legs.concat().trim_end().replace('\n', ", ")));
        format!("exit code {code}\n{}", jobs.collect::<Vec<_>>().join("\n"))
    };
    let expected = "exit code 0
after-secret: > true, = success
after-tolerated: > success, = success
masked-in-base64: > ***, = success
matcher: = success
secret: = success
set-env: > failure [], = success
tolerated: = failure";
    assert_eq!(shown(folder.landfall("differs.yml")), expected);
    let expected = "exit code 1
after-secret: > false, = success
masked-in-base64: > aHVudGVyMmh1bnRlcjI=, = success
matcher: > it: bad, = success
secret: = success
set-env: > success [], = success
tolerated: = failure";
    assert_eq!(shown(folder.act("differs.yml")), expected);
}
