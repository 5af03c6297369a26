//! Finds what is wrong in a repository before anything runs: files in, diagnostics out.
//!
//! Workflows, Dockerfiles and Kubernetes manifests are each read by their own
//! crate; on top stand the checks that need several of them at once, such as an
//! image that is pushed and that no step builds. [`check`] reports, [`fix`]
//! carries out the edits that are certain.

mod codes;
mod deployed;
mod dockerfile;
mod field;
mod fix;
mod images;
mod job;
mod manifest;
mod mend;
mod paths;
mod project_file;
mod sarif;
mod script;
mod tree;
mod workflow;

pub use codes::{CODES, explain_code};
pub use fix::{Fixed, fix};
pub use sarif::sarif;
pub use tree::{FileKind, Tree};

use yaml::Diagnostic;

/// Everything that is wrong, by file and place; `actions` are those that are carried out without being fetched.
pub fn check(tree: &Tree, actions: &[&str]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (path, source) in tree.sources() {
        match tree::FileKind::of(path) {
            FileKind::Workflow => workflow::check(path, source, tree, actions, &mut found),
            FileKind::Action => workflow::check_manifest(path, source, &mut found),
            FileKind::Dockerfile => dockerfile::check(path, source, &mut found),
            FileKind::Project => project_file::check(source, &mut found),
            FileKind::Yaml => manifest::check(path, source, tree, &mut found),
            FileKind::Other => {}
        }
    }
    for (path, source) in tree.sources() {
        if FileKind::of(path) == FileKind::Workflow {
            let Some(jobs) = job::read(path, source) else { continue };
            for job in &jobs {
                let seen = images::check(job, &jobs, tree, &mut found);
                deployed::check(job, &jobs, &seen, tree, &mut found);
                paths::check(job, tree, &mut found);
            }
        }
    }
    found.sort_by(|a, b| (&a.file, a.span.start, a.span.end, a.code).cmp(&(&b.file, b.span.start, b.span.end, b.code)));
    found.dedup();
    found
}
