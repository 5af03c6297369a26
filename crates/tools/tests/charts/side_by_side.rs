//! A folder in which two programs run the same line.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use tools::Console;

/// An exit code, standard output and standard error.
pub type Ran = (u8, String, String);

pub struct SideBySide {
    pub folder: tempfile::TempDir,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Heard {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

/// Where a referee is.
pub fn referee(name: &str) -> PathBuf {
    let folder = std::env::var_os("LANDFALL_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "no `{name}` in {}: set LANDFALL_TOOLS to the folder of the referees", folder.display());
    path
}

impl SideBySide {
    /// A folder with files, each `-- path --` and its lines.
    pub fn new(tree: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut path = None;
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for line in tree.lines() {
            if let Some(name) = line.strip_prefix("-- ").and_then(|it| it.strip_suffix(" --")) {
                path = Some(name.to_owned());
            } else if let Some(path) = &path {
                let text = files.entry(path.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        Self { folder }
    }

    pub fn real(&self, program: &str, words: &[&str]) -> Ran {
        let output = Command::new(referee(program))
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .env("TZ", "UTC")
            .output()
            .expect("the referee starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX);
        (code, text(&output.stdout), text(&output.stderr))
    }

    pub async fn ours(&self, tool: &str, words: &[&str]) -> Ran {
        let home = self.folder.path().join("home").display().to_string();
        let (out, err) = (Heard::default(), Heard::default());
        let env = [("HOME".to_owned(), home)].into();
        let folder = self.folder.path().canonicalize().expect("a folder");
        let mut console = Console::new(Box::new(out.clone()), Box::new(err.clone()), Box::new(io::empty()), env, folder);
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        let code = tools::main(tool, &words, &mut console).await;
        (code, out.text(), err.text())
    }

    /// Runs both and compares all of the output, and the first line of the error.
    #[track_caller]
    pub fn same<'a>(&'a self, tool: &'a str, line: &'a str) -> impl Future<Output = String> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let words: Vec<&str> = line.split(' ').collect();
            let program = if tool == "helm" { "helm4" } else { "kubectl-1.37" };
            let real = essence(self.real(program, &words));
            let ours = essence(self.ours(tool, &words).await);
            assert_eq!(ours, real, "{tool} {line} at {place}: ours is left");
            ours.1
        }
    }
}

/// What scripts look at: warnings and what we explain further are left out.
fn essence((code, out, err): Ran) -> Ran {
    let first = err.lines().find(|it| it.starts_with("Error: ") || it.starts_with("error: ")).unwrap_or_default();
    (code, out, first.to_owned())
}
