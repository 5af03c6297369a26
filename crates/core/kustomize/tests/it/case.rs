//! Cases in files: several trees in one text, each with its files.

use std::{collections::BTreeMap, path::Path};

use files::MemoryFiles;
use kustomize::{BuildError, Builder, Built, Options};

/// One tree and the folder in it that is built.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub name: String,
    pub folder: String,
    pub files: BTreeMap<String, String>,
}

impl Case {
    pub fn build(&self) -> Result<Built, BuildError> {
        let mut files = MemoryFiles::new();
        for (path, text) in &self.files {
            files
                .insert(path.clone(), text.as_bytes())
                .expect("paths of cases are clean");
        }
        Builder::new().build(&files, &self.folder, &Options::default())
    }

    /// Writes the tree to a folder of the machine, for the referee.
    pub fn lay_out(&self, root: &Path) {
        for (path, text) in &self.files {
            let path = root.join(path);
            let parent = path.parent().expect("a file lies in a folder");
            std::fs::create_dir_all(parent).expect("folder");
            std::fs::write(path, text).expect("file");
        }
    }
}

/// Reads cases: `=== name [@folder]`, then files as `-- path --`.
pub fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut file: Option<String> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if let Some(head) = bare.strip_prefix("=== ") {
            let (name, folder) = head.split_once(" @").unwrap_or((head, ""));
            cases.push(Case {
                name: name.to_owned(),
                folder: folder.to_owned(),
                files: BTreeMap::new(),
            });
            file = None;
        } else if let Some(path) = bare
            .strip_prefix("-- ")
            .and_then(|it| it.strip_suffix(" --"))
        {
            file = Some(path.to_owned());
            if let Some(case) = cases.last_mut() {
                case.files.insert(path.to_owned(), String::new());
            }
        } else if let (Some(case), Some(file)) = (cases.last_mut(), &file) {
            case.files.entry(file.clone()).or_default().push_str(line);
        }
    }
    cases
}
