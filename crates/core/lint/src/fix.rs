//! Carries out the edits that are certain.

use std::collections::BTreeMap;

use yaml::Diagnostic;

use crate::{Tree, check};

/// A repaired file may show what could not be seen before; a file that is never done is left.
const ROUNDS_MAX: usize = 8;

/// What became of a repository.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The new texts of the files that changed.
    pub changed: BTreeMap<String, String>,
    /// The findings whose edits were carried out, with their places at that time.
    pub repaired: Vec<Diagnostic>,
    /// What is left, with its places in the new texts.
    pub left: Vec<Diagnostic>,
    pub tree: Tree,
}

/// Repairs until no certain edit is left; doing it again changes nothing more.
pub fn fix(mut tree: Tree, actions: &[&str]) -> Fixed {
    let mut changed = BTreeMap::new();
    let mut repaired = Vec::new();
    let mut left = check(&tree, actions);
    for _ in 0..ROUNDS_MAX {
        let mut files: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
        for found in left.iter().filter(|it| !it.fixes.is_empty()) {
            files.entry(found.file.clone()).or_default().push(found.clone());
        }
        let mut moved = false;
        for (file, found) in files {
            let Some(text) = tree.text(&file) else { continue };
            let mended = yaml::apply_fixes(text, &found);
            if mended != text {
                moved = true;
                tree.add(file.clone(), Some(mended.clone()));
                changed.insert(file, mended);
                repaired.extend(found);
            }
        }
        if !moved {
            break;
        }
        left = check(&tree, actions);
    }
    Fixed { changed, repaired, left, tree }
}
