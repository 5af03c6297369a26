//! What may stand behind the `?` of a list.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use names::ProjectName;
use serde::{Deserialize, de::DeserializeOwned};
use store::Records;

use crate::{refusal::Refusal, threads};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// A query that is refused in the API's own form.
pub struct Asked<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Refusal::Wrong(rejection.body_text())),
        }
    }
}

/// Which records of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Selection {
    limit: Option<usize>,
    pub project: Option<ProjectName>,
}

impl Selection {
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX)
    }

    /// Refuses a project that is not there: an empty list would hide the typing error.
    pub async fn check(&self, records: &dyn Records) -> Result<(), Refusal> {
        let Some(project) = &self.project else { return Ok(()) };
        if store::find::<api::Project>(records, project.as_str()).await?.is_some() {
            return Ok(());
        }
        let known = store::list::<api::Project>(records, "").await?;
        let known = known.iter().map(|project| project.name.to_string());
        Err(Refusal::missing("project", project, threads::nearest(project.as_str(), known)))
    }
}
