//! The services for GitHub's client libraries, and how jobs are told of them.

use std::sync::Arc;

use anyhow::Context as _;
use api::JobGrant;
use repo::Repositories;
use sandbox::Local;
use store::{Blobs, DiskBlobs, Records};
use toolkit::Toolkit;

use crate::data::DataFolder;

/// Opens the services; their bytes lie apart from images, because they are deleted when their time is over.
pub fn open(
    data: &DataFolder,
    port: u16,
    records: Arc<dyn Records>,
    repositories: Repositories,
) -> anyhow::Result<Arc<Toolkit>> {
    let folder = data.join("job-services");
    let blobs: Arc<dyn Blobs> =
        Arc::new(DiskBlobs::open(folder.join("blobs")).context("the store for artifacts and caches cannot be opened")?);
    let config = toolkit::Config {
        folder,
        url: format!("http://127.0.0.1:{port}"),
        server_url: server_url(port),
    };
    let toolkit = Toolkit::open(config, records, blobs, repositories).context("the services for jobs cannot be opened")?;
    Ok(Arc::new(toolkit))
}

/// What jobs get as `GITHUB_SERVER_URL`.
///
/// GitHub's libraries refuse artifacts and the current cache protocol on a server whose name is
/// neither `github.com` nor below `localhost`: they take it for an old GitHub Enterprise Server.
pub fn server_url(port: u16) -> String {
    format!("http://landfall.localhost:{port}")
}

/// Lets jobs get their caches as mounts.
pub fn mounted_caches(toolkit: &Toolkit, sandbox: &Local) -> ci::MountedCaches {
    ci::MountedCaches::new(toolkit.caches().clone(), Arc::new(sandbox.clone()))
}

/// Tells the pipeline service what a job needs to reach the services.
pub fn for_jobs(toolkit: Arc<Toolkit>) -> Box<dyn Fn(&JobGrant) -> ci::JobServices + Send + Sync> {
    Box::new(move |grant| {
        let toolkit::JobEnvironment { for_all, for_actions, secrets } = toolkit.job_environment(grant, store::now());
        ci::JobServices { for_all, for_actions, secrets }
    })
}
