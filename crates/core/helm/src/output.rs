//! The text that `helm template` prints.

use crate::{
    Compat, Crd, Hook, HookEvent, Manifest, Rendered,
    load::path_matches,
    manifest::split,
};

/// Whether crds/ is part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crds {
    #[default]
    Left,
    Included,
}

/// Which hooks are part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hooks {
    #[default]
    All,
    /// All but tests.
    WithoutTests,
    None,
}

/// What is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputOptions {
    pub crds: Crds,
    pub hooks: Hooks,
    /// Only documents of these templates, as paths below the chart, with `*` and `?`.
    pub show_only: Vec<String>,
}

/// A template that was asked for wrote nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not find template {0} in chart")]
pub struct OutputError(pub String);

impl Rendered {
    /// The text of `helm template`.
    ///
    /// # Errors
    ///
    /// When one of [`OutputOptions::show_only`] matches nothing.
    pub fn text(&self, options: &OutputOptions) -> Result<String, OutputError> {
        let mut body = String::new();
        if options.crds == Crds::Included {
            for Crd { source, content } in &self.crds {
                document(&mut body, source, content);
            }
        }
        body.push_str(&self.body());
        let mut text = format!("{}\n", body.trim());
        for hook in self.hooks_shown(options.hooks) {
            let Manifest { source, content, .. } = &hook.manifest;
            document(&mut text, source, content);
        }
        if options.show_only.is_empty() {
            return Ok(text);
        }
        show_only(&text, &options.show_only, self.compat)
    }

    /// The manifests without hooks and crds/, as the record of a release holds them.
    pub fn body(&self) -> String {
        let mut body = String::new();
        for manifest in &self.manifests {
            document(&mut body, &manifest.source, &manifest.content);
        }
        body
    }

    /// The hooks that are part of the text.
    pub fn hooks_shown(&self, hooks: Hooks) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| match hooks {
            Hooks::All => true,
            Hooks::WithoutTests => !hook.events.contains(&HookEvent::Test),
            Hooks::None => false,
        })
    }
}

fn document(text: &mut String, source: &str, content: &str) {
    text.push_str("---\n# Source: ");
    text.push_str(source);
    text.push('\n');
    text.push_str(content);
    text.push('\n');
}

fn show_only(text: &str, wanted: &[String], compat: Compat) -> Result<String, OutputError> {
    let documents = split(text, compat);
    let mut shown = String::new();
    for pattern in wanted {
        let mut missing = true;
        for document in &documents {
            if source(document).is_some_and(|path| path_matches(pattern, path)) {
                shown.push_str("---\n");
                shown.push_str(document);
                shown.push('\n');
                missing = false;
            }
        }
        if missing {
            return Err(OutputError(pattern.clone()));
        }
    }
    Ok(shown)
}

/// The path of the first source comment, without the name of the root chart.
fn source(document: &str) -> Option<&str> {
    document.match_indices("# Source: ").find_map(|(at, mark)| {
        let line = document[at + mark.len()..].lines().next()?;
        let (chart, path) = line.split_once('/')?;
        (!chart.is_empty() && !path.is_empty()).then_some(path)
    })
}
