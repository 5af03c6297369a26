//! `actions/checkout`: a clone of the project into the workspace, by the job's own git.
//!
//! Git runs inside the sandbox, because what a job left in the workspace
//! (hooks, filters, a file system monitor) must not run anywhere else.

use base64::Engine as _;
use sandbox::{Io, Process};

use crate::{Ci, jobs::JobPlace};

/// Inputs that change nothing here: there is one host, and its token is given anyway.
const WITHOUT_EFFECT: [&str; 9] = [
    "token",
    "ssh-strict",
    "ssh-user",
    "persist-credentials",
    "set-safe-directory",
    "show-progress",
    "fetch-tags",
    "clean",
    "github-server-url",
];

/// The work: everything it needs stands in the environment, so no value is read as a program.
const SCRIPT: &str = r#"
set -e
mkdir -p -- "$LF_PATH"
cd -- "$LF_PATH"
[ -d .git ] || git init --quiet --initial-branch=main
git remote remove origin 2>/dev/null || true
git remote add origin "$LF_ORIGIN"
if [ -n "$LF_DEPTH" ]; then depth="--depth=$LF_DEPTH"; else depth=; fi
# The server may be on its way up again; what else goes wrong, goes wrong at once.
try=0
until told=$(git fetch --quiet --no-tags $depth origin "$LF_COMMIT" 2>&1); do
  try=$((try + 1))
  case $told in
    *"onnect"*|*"reset"*|*"RPC failed"*|*"early EOF"*|*"hung up"*|*"Empty reply"*|*"unexpected disconnect"*) ;;
    *) try=99 ;;
  esac
  if [ "$try" -gt 40 ]; then printf '%s\n' "$told" >&2; exit 128; fi
  sleep 0.25
done
commit=$(git rev-parse FETCH_HEAD)
if [ -n "$LF_BRANCH" ]; then
  git update-ref "refs/remotes/origin/$LF_BRANCH" "$commit"
  git checkout --quiet --force -B "$LF_BRANCH" "$commit"
else
  git checkout --quiet --force --detach "$commit"
fi
git clean -ffdxq
[ "$LF_DEPTH" != "" ] || git fetch --quiet --tags origin '+refs/heads/*:refs/remotes/origin/*'
echo "HEAD is now at $(git log -1 --format='%h %s')"
[ -z "$GITHUB_OUTPUT" ] || printf 'ref=%s\ncommit=%s\n' "$LF_REF" "$commit" >> "$GITHUB_OUTPUT"
"#;

/// The process that checks out what `inputs` ask for.
pub fn process(
    ci: &Ci,
    place: &JobPlace,
    inputs: &[(String, String)],
    mut env: Vec<(String, String)>,
) -> Result<Process, String> {
    let mut path = String::new();
    let (mut wanted, mut depth) = (None, "1".to_owned());
    let own = Ci::repository_name(&place.run.id.project);
    for (name, value) in inputs {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "repository" if value.is_empty() || value == own || value == place.run.id.project.as_str() => {}
            "repository" => return Err(format!("actions/checkout of another repository (`{value}`) is not supported yet")),
            "path" => path = plain_path(value)?,
            "ref" if value.is_empty() => {}
            "ref" => wanted = Some(value.to_owned()),
            "fetch-depth" if value == "0" => depth = String::new(),
            "fetch-depth" => {
                let number: u32 = value.parse().map_err(|_| format!("fetch-depth: expected a number, found `{value}`"))?;
                depth = number.to_string();
            }
            "submodules" | "lfs" | "sparse-checkout" | "filter" | "ssh-key" if !matches!(value, "" | "false") => {
                return Err(format!("the input `{name}` of actions/checkout is not supported yet"));
            }
            "submodules" | "lfs" | "sparse-checkout" | "filter" | "ssh-key" => {}
            known if WITHOUT_EFFECT.contains(&known) => {}
            other => return Err(format!("actions/checkout has no input `{other}`")),
        }
    }
    let git_ref = wanted.clone().unwrap_or_else(|| place.run.git_ref.clone());
    if git_ref.starts_with('-') {
        return Err(format!("`{git_ref}` is no ref"));
    }
    let branch = git_ref.strip_prefix("refs/heads/").unwrap_or_default().to_owned();
    let commit = if wanted.is_some() { git_ref.clone() } else { place.run.commit.to_string() };
    let workspace = &place.place.workspace;
    let folder = if path.is_empty() { workspace.clone() } else { format!("{workspace}/{path}") };
    let pair = format!("landfall:{}", place.token.reveal());
    let header = format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    for (name, value) in [
        ("LF_PATH", folder),
        ("LF_ORIGIN", ci.clone_url(&place.run.id.project)),
        ("LF_DEPTH", depth),
        ("LF_COMMIT", commit),
        ("LF_BRANCH", branch),
        ("LF_REF", git_ref),
        // In the environment and not in the arguments, which every process on a machine can read.
        ("GIT_CONFIG_COUNT", "2".to_owned()),
        ("GIT_CONFIG_KEY_0", format!("http.{}/.extraHeader", ci.config.url)),
        ("GIT_CONFIG_VALUE_0", header),
        ("GIT_CONFIG_KEY_1", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_1", "*".to_owned()),
        ("GIT_TERMINAL_PROMPT", "0".to_owned()),
    ] {
        env.push((name.to_owned(), value));
    }
    let args = ["/bin/sh", "-c", SCRIPT].map(str::to_owned).to_vec();
    Ok(Process { args, env, cwd: place.place.workspace.clone(), user: String::new(), io: Io::Logged })
}

/// A path below the workspace.
fn plain_path(text: &str) -> Result<String, String> {
    let text = text.trim_start_matches("./").trim_end_matches('/');
    let is_plain = text.split('/').all(|part| !part.is_empty() && part != "..");
    if is_plain || text == "." || text.is_empty() {
        return Ok(if text == "." { String::new() } else { text.to_owned() });
    }
    Err(format!("path: expected a path below the workspace, found `{text}`"))
}
