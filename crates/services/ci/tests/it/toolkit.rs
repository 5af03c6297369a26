//! The services for jobs, as the server wires them.

use std::{path::Path, sync::Arc};

use api::JobGrant;
use axum::Router;
use ci::JobServices;
use repo::Repositories;
use store::{Blobs, DiskBlobs, Records};
use toolkit::{JobEnvironment, Toolkit};

#[derive(Clone)]
pub struct Services(Arc<Toolkit>);

pub fn open(folder: &Path, url: &str, records: &Arc<dyn Records>, kept: &Path, repositories: &Repositories) -> Services {
    let config = toolkit::Config { folder: folder.to_owned(), url: url.to_owned(), server_url: url.to_owned() };
    let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(kept.to_owned()).expect("blobs"));
    Services(Arc::new(Toolkit::open(config, records.clone(), blobs, repositories.clone()).expect("the services")))
}

impl Services {
    pub fn variables(&self, grant: &JobGrant) -> JobServices {
        let JobEnvironment { for_all, for_actions, secrets } = self.0.job_environment(grant, store::now());
        JobServices { for_all, for_actions, secrets }
    }

    pub fn caches(&self) -> keep::Caches {
        self.0.caches().clone()
    }

    pub fn router(&self) -> Router {
        self.0.router()
    }
}
