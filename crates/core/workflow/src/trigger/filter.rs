//! The filters of branches, tags and paths.

use crate::PatternList;

/// The filters of an event; `None` where the key is missing.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    pub branches: Option<PatternList>,
    pub branches_ignore: Option<PatternList>,
    pub tags: Option<PatternList>,
    pub tags_ignore: Option<PatternList>,
    pub paths: Option<PatternList>,
    pub paths_ignore: Option<PatternList>,
}

/// A push of one ref.
#[derive(Clone, Debug)]
pub struct PushEvent<'a> {
    /// `refs/heads/main`, `refs/tags/v1`
    pub git_ref: &'a str,
    pub deleted: bool,
    /// The paths that differ; `None` when they are not known, and then path filters hold.
    pub changed: Option<&'a [String]>,
}

impl Filters {
    /// Why a push does not start the workflow.
    pub(super) fn push_objection(&self, push: &PushEvent<'_>) -> Option<String> {
        if push.deleted {
            return Some(format!("`{}` was deleted", push.git_ref));
        }
        if let Some(branch) = push.git_ref.strip_prefix("refs/heads/") {
            let only_tags = (self.tags.is_some() || self.tags_ignore.is_some())
                && self.branches.is_none()
                && self.branches_ignore.is_none();
            if only_tags {
                return Some(format!(
                    "it listens to pushes of tags only, and `{branch}` is a branch"
                ));
            }
            return self
                .branch_objection(branch)
                .or_else(|| self.path_objection(push.changed));
        }
        let Some(tag) = push.git_ref.strip_prefix("refs/tags/") else {
            return Some(format!("`{}` is neither a branch nor a tag", push.git_ref));
        };
        let only_branches = (self.branches.is_some() || self.branches_ignore.is_some())
            && self.tags.is_none()
            && self.tags_ignore.is_none();
        if only_branches {
            return Some(format!(
                "it listens to pushes of branches only, and `{tag}` is a tag"
            ));
        }
        // Path filters say nothing about tags.
        let name = Named {
            what: "tag",
            name: tag,
        };
        name.objection(
            self.tags.as_ref(),
            "tags",
            self.tags_ignore.as_ref(),
            "tags-ignore",
        )
    }

    pub(super) fn branch_objection(&self, branch: &str) -> Option<String> {
        let name = Named {
            what: "branch",
            name: branch,
        };
        name.objection(
            self.branches.as_ref(),
            "branches",
            self.branches_ignore.as_ref(),
            "branches-ignore",
        )
    }

    pub(super) fn path_objection(&self, changed: Option<&[String]>) -> Option<String> {
        let changed = changed?;
        if let Some(paths) = &self.paths
            && !changed.iter().any(|path| paths.matches(path))
        {
            return Some(format!(
                "none of the {} changed files matches `paths` ({})",
                changed.len(),
                paths.shown()
            ));
        }
        let ignore = self.paths_ignore.as_ref()?;
        let all = !changed.is_empty() && changed.iter().all(|path| ignore.matches(path));
        all.then(|| {
            format!(
                "all {} changed files match `paths-ignore` ({})",
                changed.len(),
                ignore.shown()
            )
        })
    }
}

struct Named<'a> {
    what: &'static str,
    name: &'a str,
}

impl Named<'_> {
    fn objection(
        &self,
        wanted: Option<&PatternList>,
        key: &str,
        ignored: Option<&PatternList>,
        ignore_key: &str,
    ) -> Option<String> {
        let Self { what, name } = self;
        if let Some(wanted) = wanted.filter(|it| !it.matches(name)) {
            return Some(format!(
                "{what} `{name}` does not match `{key}` ({})",
                wanted.shown()
            ));
        }
        let ignored = ignored.filter(|it| it.matches(name))?;
        Some(format!(
            "{what} `{name}` matches `{ignore_key}` ({})",
            ignored.shown()
        ))
    }
}
