//! The project that is pushed: two jobs, steps that tell when they run, an image, a deploy.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::installation::Installation;

/// A push that is not over after this never is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Steps begin with a line that no second execution could print again.
///
/// The first job reports through a step's output while it still runs. The last
/// step asks again when the server is away: `kubectl` itself gives up at once.
const WORKFLOW: &str = r#"name: crash
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    outputs:
      word: ${{ steps.word.outputs.word }}
    steps:
      - name: count
        run: |
          echo "token $(cat /proc/sys/kernel/random/uuid)"
          for number in 1 2 3 4 5 6 7 8 9 10; do echo "line $number"; sleep 0.03; done
      - id: word
        name: word
        run: |
          echo "token $(cat /proc/sys/kernel/random/uuid)"
          echo "word=w-$GITHUB_SHA" >> "$GITHUB_OUTPUT"
          sleep 0.2
  deploy:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: image
        run: |
          echo "token $(cat /proc/sys/kernel/random/uuid)"
          docker build --tag "REGISTRY/crash:app" .
          docker push "REGISTRY/crash:app"
      - name: apply
        run: |
          echo "token $(cat /proc/sys/kernel/random/uuid)"
          sed -i "s/WORD/${{ needs.test.outputs.word }}/" k8s/*.yaml
          for try in $(seq 50); do kubectl apply -f k8s && exit 0; sleep 0.2; done
          exit 1
"#;

const OBJECTS: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data: {word: WORD}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: "REGISTRY/crash:app", env: [{name: WORD, value: WORD}]}
"#;

/// Deployed once; its pods have no reason ever to change.
const ANCHOR: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: anchor}
spec:
  replicas: 2
  selector: {matchLabels: {app: anchor}}
  template:
    metadata: {labels: {app: anchor}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: anchor, image: "REGISTRY/crash:app"}
"#;

/// A server that serves nobody and ends when it is told to.
const APP: &str = "#include <signal.h>\n#include <unistd.h>\n\
    static void end(int s) { _exit(s == 0); }\n\
    int main(void) { signal(SIGTERM, end); for (;;) pause(); }\n";

const DOCKERFILE: &str = "FROM scratch\nCOPY app moment /\nCMD [\"/app\"]\n";

/// A working copy whose remote is the installation.
pub struct Project {
    folder: PathBuf,
}

/// A `git push` under way.
pub struct Push {
    child: Child,
}

impl Project {
    pub fn create(installation: &Installation) -> Self {
        let status = installation.status();
        let text = |key: &str| status[key].as_str().expect("an address").to_owned();
        let project = Self { folder: installation.place("repository") };
        let named = |text: &str| text.replace("REGISTRY", status["registry"].as_str().expect("a registry"));
        project.write(".github/workflows/crash.yml", &named(WORKFLOW));
        project.write("k8s/objects.yaml", &named(OBJECTS));
        project.write("k8s/anchor.yaml", &named(ANCHOR));
        project.write("Dockerfile", DOCKERFILE);
        let source = installation.place("app.c");
        fs::write(&source, APP).expect("write");
        compile(&source, &project.folder.join("app"));
        project.git(&["init", "--quiet", "--initial-branch", "main"]);
        project.git(&["remote", "add", "landfall", &format!("{}/crash.git", text("git_url"))]);
        project
    }

    /// A new commit; gives its id.
    pub fn commit(&self, subject: &str) -> String {
        self.write("moment", subject);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", subject]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits from now on do not deploy the anchor.
    pub fn forget_anchor(&self) {
        // It is there only the first time.
        let _ = fs::remove_file(self.folder.join("k8s/anchor.yaml"));
    }

    pub fn push(&self) -> Push {
        let mut command = self.command(&["push", "landfall", "main"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("git starts");
        Push { child }
    }

    /// Where the branch stands on the server.
    pub fn remote_head(&self) -> Option<String> {
        let told = self.git(&["ls-remote", "landfall", "refs/heads/main"]);
        told.split_whitespace().next().map(str::to_owned)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("write");
    }

    fn git(&self, arguments: &[&str]) -> String {
        succeeded(self.command(arguments).output().expect("git starts"), &arguments.join(" "))
    }

    /// Git without the user's own settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["-c", "http.proxy=", "-c", "credential.helper="]).args(arguments);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Crash Test").env(format!("GIT_{role}_EMAIL"), "crash@example.org");
        }
        command
    }
}

impl Push {
    /// Whether Git told its user that the ref was updated.
    pub fn wait(mut self) -> bool {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("git is ours") {
                return status.success();
            }
            assert!(began.elapsed() < PATIENCE, "`git push` does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn compile(source: &Path, program: &Path) {
    let mut command = Command::new("cc");
    command.args(["-static", "-Os", "-s", "-o"]).arg(program).arg(source);
    succeeded(command.output().expect("there is a C compiler"), "cc");
}

fn succeeded(output: Output, what: &str) -> String {
    assert!(output.status.success(), "`{what}` fails: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
