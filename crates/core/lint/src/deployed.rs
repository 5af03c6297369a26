//! Images of the manifests that a job applies: almost what was built, but not quite.

use names::ImageRef;
use yaml::{Diagnostic, Flavor, Node, NodeValue};

use crate::{
    Tree,
    images::{By, Seen, is_opaque, last_part},
    job::Job,
    paths::applied,
};

pub(crate) fn check(job: &Job<'_>, jobs: &[Job<'_>], seen: &Seen, tree: &Tree, found: &mut Vec<Diagnostic>) {
    // Whatever rewrites manifests or sets images decides by itself what is deployed.
    let rewrites = job.commands().any(|(_, it)| is_opaque(it) || it.begins(&["kubectl", "set"]));
    if seen.is_vague || seen.opaque.is_some() || rewrites {
        return;
    }
    // Another job may build it at the same time or have built it in an earlier run.
    let elsewhere = jobs.iter().filter(|it| it.id != job.id).any(|it| it.commands().any(|(_, it)| it.begins(&["docker"])));
    if elsewhere {
        return;
    }
    for (_, command) in job.commands() {
        for named in applied(command) {
            let folder = format!("{}/", named.path);
            let files = tree.sources().filter(|(path, _)| {
                *path == named.path || path.strip_prefix(&folder).is_some_and(|rest| !rest.contains('/'))
            });
            for (path, source) in files {
                let Ok(documents) = yaml::parse(source.text(), path, Flavor::Go11) else { continue };
                for document in &documents {
                    images(&document.root, &mut |node| {
                        found.extend(image(path, node, job, seen).map(|it| source.place(it)));
                    });
                }
            }
        }
    }
}

/// Shows every image of the containers of a document.
pub(crate) fn images(node: &Node, show: &mut dyn FnMut(&Node)) {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().for_each(|it| images(it, show)),
        NodeValue::Mapping(entries) => {
            for entry in entries {
                if matches!(entry.key.as_str(), "containers" | "initContainers") {
                    let NodeValue::Sequence(items) = &entry.value.value else { continue };
                    items.iter().filter_map(|it| it.get("image")).for_each(&mut *show);
                } else {
                    images(&entry.value, show);
                }
            }
        }
        NodeValue::Scalar { .. } => {}
    }
}

fn image(path: &str, node: &Node, job: &Job<'_>, seen: &Seen) -> Option<Diagnostic> {
    let written = node.text()?;
    let name: ImageRef = written.parse().ok()?;
    // A wrong push of the same name is told where it stands.
    if name.digest.is_some() || seen.made.iter().any(|it| it.name == name) || seen.pushed.contains(&name) {
        return None;
    }
    let built = seen.made.iter().filter(|it| matches!(it.by, By::Build { .. }));
    let meant = built.filter(|it| last_part(&it.name) == last_part(&name)).last()?;
    let message = format!("`{written}` is deployed, but job `{}` of {} builds `{}`", job.id, job.path, meant.written);
    let found = Diagnostic::error(path, node.span, "LF-L0002", message).label("no step makes an image of this name");
    let found = found.help(format!("write `image: {}` here, if that is what is meant", meant.written));
    Some(found.help(format!("or build it under this name: `docker build -t {written}` in {} line {}", job.path, meant.line)))
}
