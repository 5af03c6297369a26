//! A base image made from the Node of this machine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{busybox, program::run};

/// Where this machine keeps Node and npm.
pub struct Node {
    program: PathBuf,
    npm: PathBuf,
}

/// Finds them; `None`, having said so, if there are none.
pub fn find() -> Option<Node> {
    let path = std::env::var_os("PATH")?;
    let program = |name: &str| {
        let files = std::env::split_paths(&path).map(|folder| folder.join(name));
        files.filter_map(|file| file.canonicalize().ok()).find(|file| file.is_file())
    };
    let found = program("node").zip(program("npm"));
    let Some((program, npm)) = found else {
        println!("skipped: there is no Node with npm on this machine");
        return None;
    };
    // The program lies in `bin` of the folder of npm.
    let npm = npm.parent()?.parent()?.to_owned();
    Some(Node { program, npm })
}

impl Node {
    /// Fills a folder with Node, what it links to, npm and a shell.
    pub fn make_root(&self, root: &Path) {
        busybox::make_root(root);
        for folder in ["usr/bin", "usr/lib/node_modules"] {
            fs::create_dir_all(root.join(folder)).expect("a folder can be made");
        }
        fs::copy(&self.program, root.join("usr/bin/node")).expect("Node can be copied");
        for library in self.libraries() {
            let target = root.join(library.strip_prefix("/").expect("a library has a whole path"));
            fs::create_dir_all(target.parent().expect("a file is in a folder")).expect("a folder can be made");
            fs::copy(&library, target).expect("a library can be copied");
        }
        let modules = root.join("usr/lib/node_modules");
        run(Command::new("cp").arg("-rL").arg(&self.npm).arg(modules.join("npm"))).succeeded();
        symlink("../lib/node_modules/npm/bin/npm-cli.js", root.join("usr/bin/npm")).expect("a link can be made");
        symlink("/bin/busybox", root.join("usr/bin/env")).expect("a link can be made");
    }

    /// The files that the loader maps for Node.
    fn libraries(&self) -> Vec<PathBuf> {
        let told = run(Command::new("ldd").arg(&self.program)).succeeded();
        let words = told.split_whitespace().filter(|word| word.starts_with('/'));
        words.map(PathBuf::from).collect()
    }
}
