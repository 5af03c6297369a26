//! Names of images that only one job sees.
//!
//! A job whose code is not trusted may name images as it likes: its names lie
//! over those of all, in a space of its own, and go when the job is over.

use api::{ImageManifest, ImageTag, Record as _};
use names::{Digest, ImageRef};
use store::TypedError;

use super::{Images, Origin, ResolveError, TagError};
use crate::keychain::Keychain;

/// Whose names of images count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Those that everybody sees and may change.
    #[default]
    Shared,
    /// Those that everybody sees, and over them names of its own.
    Apart(String),
}

impl View {
    /// The key under which the records keep a repository in this view; no repository begins so.
    pub fn repository(&self, repository: &str) -> String {
        match self {
            Self::Shared => repository.to_owned(),
            Self::Apart(space) => format!("~{space}/{repository}"),
        }
    }

    /// The repository behind a key; `None` if the key belongs to another view.
    pub fn shown<'k>(&self, key: &'k str) -> Option<&'k str> {
        let Some(apart) = key.strip_prefix('~') else { return Some(key) };
        match self {
            Self::Shared => None,
            Self::Apart(space) => apart.strip_prefix(space.as_str())?.strip_prefix('/'),
        }
    }
}

impl Images {
    /// As [`Images::find`], in the eyes of `view`.
    pub async fn find_in(&self, view: &View, name: &ImageRef) -> Result<Option<Digest>, TypedError> {
        match self.find_own(view, name).await? {
            Some(own) => Ok(Some(own)),
            None => self.find(name).await,
        }
    }

    /// As [`Images::resolve`], in the eyes of `view`.
    pub async fn resolve_in(&self, view: &View, name: &ImageRef, keychain: &Keychain) -> Result<Digest, ResolveError> {
        match self.find_own(view, name).await? {
            Some(own) => Ok(own),
            None => self.resolve(name, keychain).await,
        }
    }

    /// What a name means in `view` and to nobody else.
    async fn find_own(&self, view: &View, name: &ImageRef) -> Result<Option<Digest>, TypedError> {
        match view {
            View::Shared => Ok(None),
            View::Apart(_) => self.look_up(&view.repository(&self.repository(name)), name).await,
        }
    }

    /// As [`Images::tag`], in the eyes of `view`.
    pub async fn tag_in(&self, view: &View, name: &ImageRef, digest: Digest, by: &Origin) -> Result<(), TagError> {
        self.tag_as(view.repository(&self.repository(name)), name, digest, by).await
    }

    /// Takes away all names of a space.
    pub async fn forget_names(&self, space: &str) -> Result<(), TypedError> {
        let prefix = View::Apart(space.to_owned()).repository("");
        for tag in store::list::<ImageTag>(&*self.records, &prefix).await? {
            store::remove::<ImageTag>(&*self.records, &tag.key()).await?;
        }
        for manifest in store::list::<ImageManifest>(&*self.records, &prefix).await? {
            store::remove::<ImageManifest>(&*self.records, &manifest.key()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_shows_what_all_see_and_its_own() {
        let (one, other) = (View::Apart("shop/4/build".to_owned()), View::Apart("shop/4".to_owned()));
        let key = one.repository("docker.io/library/app");
        assert_eq!(key, "~shop/4/build/docker.io/library/app");
        for (view, expected) in [(&one, Some("docker.io/library/app")), (&View::Shared, None)] {
            assert_eq!(view.shown(&key), expected, "{view:?}");
            assert_eq!(view.shown("shop/web"), Some("shop/web"), "{view:?}");
        }
        assert_eq!(other.shown("~shop/40/docker.io/library/app"), None);
    }
}
