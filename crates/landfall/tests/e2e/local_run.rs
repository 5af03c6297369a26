//! `landfall run`: workflows of a folder, here and now, with nothing left behind.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    program::{Ran, run},
    wait::until_ok,
};

const PIPELINE: &str = r#"name: Pipeline
on: [push, workflow_dispatch]
env:
  GREETING: hello
jobs:
  build:
    runs-on: ubuntu-latest
    outputs:
      version: ${{ steps.version.outputs.version }}
    steps:
      - uses: actions/checkout@v4
      - name: Read
        run: cat message.txt
      - id: version
        run: echo "version=1.2" >> "$GITHUB_OUTPUT"
      - name: May fail
        continue-on-error: true
        run: exit 3
      - name: Hidden
        run: echo "the token is $TOKEN in $REGION"
        env:
          TOKEN: ${{ secrets.TOKEN }}
          REGION: ${{ vars.REGION }}
  test:
    needs: build
    runs-on: ubuntu-latest
    strategy:
      matrix:
        node: [18, 20]
    steps:
      - name: Test
        run: echo "$GREETING ${{ needs.build.outputs.version }} on ${{ matrix.node }}"
  release:
    needs: test
    if: startsWith(github.ref, 'refs/tags/')
    runs-on: ubuntu-latest
    steps:
      - run: echo released
"#;

/// A folder with files and a place for temporary ones.
struct Folder {
    place: TempDir,
}

impl Folder {
    fn new(workflow: &str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "a local run makes sandboxes, so this test needs root");
        let it = Self { place: tempfile::Builder::new().prefix("landfall-e2e-").tempdir().expect("a folder") };
        fs::create_dir_all(it.temporary()).expect("a folder");
        it.write(".github/workflows/pipeline.yml", workflow);
        it.write("message.txt", "as it is now\n");
        it
    }

    fn root(&self) -> std::path::PathBuf {
        self.place.path().join("shop")
    }

    fn temporary(&self) -> std::path::PathBuf {
        self.place.path().join("tmp")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn git(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).current_dir(self.root());
        run(&mut command)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.arg("run").args(arguments).current_dir(self.root());
        command.env("TMPDIR", self.temporary()).env("LANDFALL_DATA", self.place.path().join("data"));
        command
    }

    /// Runs, and checks that nothing is left.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = run(&mut self.command(arguments));
        self.is_clean();
        ran
    }

    #[track_caller]
    fn is_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.temporary()).expect("listed").map(|it| it.expect("listed").path()).collect();
        assert_eq!(left, Vec::<std::path::PathBuf>::new(), "temporary files are left");
        let here = self.temporary().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        assert!(!mounts.contains(&here), "a mount is left:\n{mounts}");
        assert_eq!(processes_that_name(&here), Vec::<String>::new(), "a process is left");
    }
}

/// The command lines and folders of processes that name a path.
fn processes_that_name(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("listed").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let folder = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if line.contains(path) || folder.starts_with(path) {
            found.push(line);
        }
    }
    found
}

#[test]
fn a_pipeline_runs_from_a_plain_folder() {
    let folder = Folder::new(PIPELINE);
    let secrets = folder.place.path().join("secrets");
    fs::write(&secrets, "# mine\nTOKEN=hunter2hunter2\n").expect("written");
    let secrets = secrets.display().to_string();
    let ran = folder.run(&["--secret-file", &secrets, "--var", "region=eu"]);
    let out = ran.ended_with(0);
    for line in [
        "build | Read | as it is now",
        "build | May fail | failed, and may: process completed with exit code 3",
        "build | Hidden | the token is *** in eu",
        "test (18) | Test | hello 1.2 on 18",
        "test (20) | Test | hello 1.2 on 20",
        "release: skipped: its condition `startsWith(github.ref, 'refs/tags/')` does not hold",
        "Pipeline: success in ",
    ] {
        out.told(line);
    }
    assert!(!out.out.contains("hunter2"), "{out}");
    assert!(!out.out.contains("\u{1b}["), "no terminal, no colours: {out}");
}

#[test]
fn uncommitted_changes_count_and_the_repository_stays_as_it_is() {
    let folder = Folder::new(PIPELINE);
    folder.git(&["init", "--quiet", "--initial-branch=main"]).succeeded();
    folder.git(&["add", "."]).succeeded();
    folder.git(&["commit", "--quiet", "-m", "First"]).succeeded();
    folder.write("message.txt", "not committed\n");
    let before = folder.git(&["status", "--porcelain"]).succeeded();
    folder.run(&["--job", "build"]).ended_with(0).told("build | Read | not committed");
    assert_eq!(folder.git(&["status", "--porcelain"]).succeeded(), before);
    assert_eq!(folder.git(&["count-objects"]).succeeded().split(' ').next(), Some("6"), "objects of the repository");
}

#[test]
fn jobs_and_legs_are_chosen() {
    let folder = Folder::new(PIPELINE);
    let told = folder.run(&["--job", "test", "--matrix", "node:20", "--output", "json"]).json();
    let jobs = told["runs"][0]["jobs"].as_array().expect("jobs");
    let jobs: Vec<_> = jobs.iter().map(|job| format!("{} {}", job["name"], job["conclusion"]).replace('"', "")).collect();
    assert_eq!(jobs, ["build success", "test (20) success", "release skipped"]);
    assert_eq!(told["runs"][0]["jobs"][2]["reason"], "only test was asked for");
    folder.run(&["--job", "tset"]).ended_with(5).told("did you mean `test`?");
}

#[test]
fn a_failure_is_told_by_the_exit_code() {
    let folder = Folder::new(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - name: Break\n        run: exit 7\n  \
         b:\n    needs: a\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo never\n",
    );
    let ran = folder.run(&[]).ended_with(1);
    ran.told("a | Break | failed: ").told("exit code 7").told("b: skipped: it needs `a`, which failed");
}

#[test]
fn nothing_runs_that_is_only_shown() {
    let folder = Folder::new(PIPELINE);
    let listed = folder.run(&["--list"]).succeeded();
    let rows: Vec<_> = listed.lines().map(|row| row.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join("|")).collect();
    assert_eq!(
        rows,
        [
            "WORKFLOW|JOB|LEGS|NEEDS|EVENTS",
            "pipeline.yml|build|-|-|push, workflow_dispatch",
            "pipeline.yml|test|test (18), test (20)|build|push, workflow_dispatch",
            "pipeline.yml|release|-|test|push, workflow_dispatch",
        ]
    );
    let planned = folder.run(&["--dry-run", "--output", "json"]).json();
    assert_eq!(planned["items"][0]["starts"], true);
    folder.run(&["--workflow", "none.yml"]).ended_with(2).told("there are pipeline.yml");
    let none = folder.run(&["--event", "release"]).ended_with(5);
    none.told("no workflow starts on `release`").told("pipeline.yml does not start");
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let folder = Folder::new("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz:\n      - run: true\n");
    for arguments in [&[][..], &["--list"], &["--dry-run"]] {
        folder.run(arguments).ended_with(2).told("pipeline.yml:5:5").told("steps");
    }
}

#[test]
fn ctrl_c_cancels_and_cleans_up() {
    let folder = Folder::new(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: sleep 613\n      \
         - if: always()\n        run: echo cleaned\n",
    );
    let out = fs::File::create(folder.place.path().join("out")).expect("a file");
    let mut command = folder.command(&[]);
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().expect("it starts");
    let pid = rustix::process::Pid::from_child(&child);
    until_ok("the step sleeps", || match processes_sleeping(&folder.temporary()) {
        true => Ok(()),
        false => Err("no sandbox yet".to_owned()),
    });
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    let code = child.wait().expect("it ends").code();
    let said = fs::read_to_string(folder.place.path().join("out")).expect("read");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("| cleaned") && said.contains("a: cancelled"), "{said}");
    folder.is_clean();
}

/// Whether the step of a run sleeps: the run's folder holds its output.
fn processes_sleeping(temporary: &Path) -> bool {
    let is_step = |line: &[u8]| line.split(|it| *it == 0).eq([&b"sleep"[..], b"613", b""]);
    let begun = fs::read_dir(temporary).is_ok_and(|mut it| it.next().is_some());
    let processes = fs::read_dir("/proc").expect("listed").flatten();
    begun && processes.into_iter().any(|it| fs::read(it.path().join("cmdline")).is_ok_and(|line| is_step(&line)))
}

#[test]
fn a_run_knows_the_repository_and_calls_its_workflows() {
    let folder = Folder::new(
        "on: pull_request\njobs:\n  own:\n    if: github.repository == 'acme/shop' && github.base_ref == 'main'\n    \
         uses: ./.github/workflows/called.yml\n    with:\n      who: world\n",
    );
    folder.write(
        ".github/workflows/called.yml",
        "on:\n  workflow_call:\n    inputs:\n      who: {type: string}\njobs:\n  greet:\n    runs-on: ubuntu-latest\n    steps:\n      \
         - name: Greet\n        run: echo \"hello ${{ inputs.who }} from $GITHUB_REPOSITORY\"\n",
    );
    folder.git(&["init", "--quiet", "--initial-branch=main"]).succeeded();
    folder.git(&["remote", "add", "origin", "https://github.com/acme/shop.git"]).succeeded();
    folder.write(".github/workflows/other.yml", "on: pull_request\njobs:\n  other:\n    runs-on: ubuntu-latest\n    steps:\n      - run: true\n");
    let ran = folder.run(&["--event", "pull_request", "--job", "own"]).ended_with(0);
    assert!(!ran.out.contains("other"), "{ran}");
    ran.told("own / greet | Greet | hello world from acme/shop");
}
