//! Where an action comes from: a folder, another forge, this server, or GitHub.

use std::{collections::BTreeMap, path::PathBuf};

use names::ProjectName;

/// The owner under which workflows find the projects of this server.
pub const OWN_OWNER: &str = "landfall";

/// What the configuration says about actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSources {
    /// `owner/name`, `owner/*` or `*` to a folder or the address of a Git repository; behind a
    /// star stands the place below which repositories lie as `owner/name`.
    pub map: BTreeMap<String, String>,
    /// Where every other action lies as `owner/name`, e.g. `https://github.com`.
    pub server: String,
}

impl Default for ActionSources {
    fn default() -> Self {
        Self { map: BTreeMap::new(), server: "https://github.com".to_owned() }
    }
}

/// Where one repository of actions is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder that is used as it is, whatever version is asked for.
    Folder(PathBuf),
    /// A Git repository by address or path.
    Git(String),
    /// A project of this server.
    Own(ProjectName),
}

impl ActionSources {
    /// Whether the configuration names this repository, which then is never answered by Landfall itself.
    pub fn names(&self, repository: &str) -> bool {
        self.map.keys().any(|key| key.eq_ignore_ascii_case(repository))
    }

    /// Where `repository` (`owner/name`) is found.
    pub fn find(&self, repository: &str) -> Source {
        let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
        let exact = self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(repository));
        if let Some((_, place)) = exact {
            return place_of(place);
        }
        if owner.eq_ignore_ascii_case(OWN_OWNER)
            && let Ok(project) = name.to_lowercase().parse()
        {
            return Source::Own(project);
        }
        let starred = |wanted: &str| self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        let below = match starred(&format!("{owner}/*")) {
            Some((_, base)) => format!("{}/{name}", base.trim_end_matches('/')),
            None => {
                let base = starred("*").map_or(self.server.as_str(), |(_, base)| base.as_str());
                format!("{}/{repository}", base.trim_end_matches('/'))
            }
        };
        place_of(&below)
    }
}

/// An address stays one; a folder is a Git repository if it is bare.
fn place_of(place: &str) -> Source {
    let is_address = place.contains("://") || place.split_once(':').is_some_and(|(host, _)| host.contains('@'));
    if is_address {
        return Source::Git(place.to_owned());
    }
    for candidate in [PathBuf::from(place), PathBuf::from(format!("{place}.git"))] {
        if candidate.join("HEAD").is_file() && candidate.join("objects").is_dir() {
            return Source::Git(candidate.display().to_string());
        }
    }
    Source::Folder(PathBuf::from(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(repository: &str, expected: Source) {
        let map = [
            ("acme/tool", "/srv/actions/tool"),
            ("acme/*", "https://git.acme.test/mirror/"),
            ("ssh/tool", "git@git.acme.test:ssh/tool.git"),
        ];
        let map = map.map(|(key, place)| (key.to_owned(), place.to_owned())).into();
        let sources = ActionSources { map, ..ActionSources::default() };
        assert_eq!(sources.find(repository), expected);
    }

    #[test]
    fn the_narrowest_entry_wins() {
        check("Acme/tool", Source::Folder("/srv/actions/tool".into()));
        check("acme/other", Source::Git("https://git.acme.test/mirror/other".to_owned()));
        check("ssh/tool", Source::Git("git@git.acme.test:ssh/tool.git".to_owned()));
        check("actions/cache", Source::Git("https://github.com/actions/cache".to_owned()));
        check("landfall/Shop", Source::Own("shop".parse().expect("a name")));
    }

    #[test]
    fn a_star_stands_for_every_owner() {
        let map = [("*".to_owned(), "/srv/mirror".to_owned())].into();
        let sources = ActionSources { map, ..ActionSources::default() };
        assert_eq!(sources.find("a/b"), Source::Folder("/srv/mirror/a/b".into()));
        assert!(!sources.names("a/b"));
    }
}
