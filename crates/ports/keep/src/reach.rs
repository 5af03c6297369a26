//! Which cache entries a job can see, and where it may save.
//!
//! A branch sees its own entries, then those of the branch it goes into, then
//! those of the default branch; never those of a sibling. So what untrusted
//! code saved can never reach the default branch.

use api::{JobGrant, Trust};

/// The refs whose entries a job may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// In the order in which they are searched.
    pub read: Vec<String>,
    /// Where entries are saved; `None` for a job that may not save.
    pub write: Option<String>,
}

impl Reach {
    pub fn of(grant: &JobGrant) -> Self {
        let own = grant.fact("ref");
        let base = branch(grant.fact("base_ref"));
        let default = branch(&grant.default_branch);
        let mut read: Vec<String> = Vec::new();
        for scope in [own, &base, &default] {
            if !scope.is_empty() && !read.iter().any(|known| known == scope) {
                read.push(scope.to_owned());
            }
        }
        let may_write = grant.trust == Trust::Own && !own.is_empty();
        Self { read, write: may_write.then(|| own.to_owned()) }
    }
}

fn branch(name: &str) -> String {
    match name {
        "" => String::new(),
        full if full.starts_with("refs/") => full.to_owned(),
        short => format!("refs/heads/{short}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_branch_sees_itself_and_the_default_branch() {
        check("refs/heads/main", "", Trust::Own, "read refs/heads/main; write refs/heads/main");
        check("refs/heads/x", "", Trust::Own, "read refs/heads/x refs/heads/main; write refs/heads/x");
        check("refs/tags/v1", "", Trust::Own, "read refs/tags/v1 refs/heads/main; write refs/tags/v1");
    }

    #[test]
    fn a_pull_request_sees_its_base() {
        check(
            "refs/pull/3/merge",
            "next",
            Trust::Own,
            "read refs/pull/3/merge refs/heads/next refs/heads/main; write refs/pull/3/merge",
        );
    }

    #[test]
    fn a_fork_saves_nothing() {
        check(
            "refs/pull/3/merge",
            "main",
            Trust::Foreign,
            "read refs/pull/3/merge refs/heads/main; write nothing",
        );
    }

    #[track_caller]
    fn check(git_ref: &str, base: &str, trust: Trust, expected: &str) {
        let facts = [("ref", git_ref), ("base_ref", base)];
        let grant = JobGrant {
            run: "shop#1".parse().expect("a run"),
            job: "build".to_owned(),
            attempt: 1,
            trust,
            outside: None,
            permissions: BTreeMap::new(),
            github: facts.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            default_branch: "main".to_owned(),
            environment: None,
            job_workflow_ref: None,
            job_workflow_sha: None,
            expires: names::Timestamp::default(),
        };
        let reach = Reach::of(&grant);
        let write = reach.write.as_deref().unwrap_or("nothing");
        assert_eq!(format!("read {}; write {write}", reach.read.join(" ")), expected);
    }
}
