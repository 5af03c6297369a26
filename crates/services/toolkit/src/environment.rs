//! The variables through which a job finds these services.

use api::JobGrant;
use names::Timestamp;

use crate::{
    Toolkit,
    token::{self, Purpose},
};

/// What a job gets, and what of it must be masked in its output.
#[derive(Clone, PartialEq, Eq)]
pub struct JobEnvironment {
    /// For every step: identity tokens, if the job may have them.
    pub for_all: Vec<(String, String)>,
    /// For actions only, as on GitHub: where caches and artifacts are, and the token for them.
    pub for_actions: Vec<(String, String)>,
    pub secrets: Vec<String>,
}

impl Toolkit {
    /// The variables of a job. Its [`JobGrant`] must be in the records for as long as the job runs.
    pub fn job_environment(&self, grant: &JobGrant, now: Timestamp) -> JobEnvironment {
        let url = &self.config.url;
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let results = self.runtime_key.token(grant, Purpose::Results, url, now);
        // Clients put paths behind these addresses without a slash between.
        let base = format!("{url}/");
        let mode = if keep::Reach::of(grant).write.is_some() { "write" } else { "read" };
        let for_actions = vec![
            pair("ACTIONS_RUNTIME_URL", base.clone()),
            pair("ACTIONS_RUNTIME_TOKEN", results.clone()),
            pair("ACTIONS_RESULTS_URL", base.clone()),
            pair("ACTIONS_CACHE_URL", base),
            pair("ACTIONS_CACHE_SERVICE_V2", "True".to_owned()),
            pair("ACTIONS_CACHE_MODE", mode.to_owned()),
        ];
        let mut environment = JobEnvironment { for_all: Vec::new(), for_actions, secrets: vec![results] };
        if token::may_identify(grant) {
            let token = self.runtime_key.token(grant, Purpose::Identity, url, now);
            // Clients add `&audience=` behind it.
            environment.for_all.push(pair("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{url}/oidc/token?api-version=2.0")));
            environment.for_all.push(pair("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token.clone()));
            environment.secrets.push(token);
        }
        environment
    }
}
