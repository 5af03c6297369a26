//! The way to the server: takes over what is to be followed, tells how it stands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use api::{App, AppStatus, Push, Record as _};
use gitops::{Assigned, AssignedApp, Report};
use names::{CommitId, ProjectName};
use repo::Repositories;
use reqwest::{StatusCode, Url};
use store::{Change, Records, Revision};

use super::Choice;

/// The server answers a request without news before.
const PATIENCE: Duration = Duration::from_secs(60);

/// After a failure.
const RETRY: Duration = Duration::from_secs(2);

/// One agent's way to its server; clones share it.
#[derive(Clone)]
pub struct Link {
    server: Url,
    token: String,
    http: reqwest::Client,
    records: Arc<dyn Records>,
    repositories: Repositories,
    /// What the project's repository held when it was copied last.
    copied: Arc<Mutex<Vec<(String, CommitId)>>>,
}

impl Link {
    pub fn new(choice: &Choice, records: Arc<dyn Records>, repositories: Repositories) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder().timeout(PATIENCE);
        if let Some(file) = &choice.authority {
            let pem = std::fs::read(file).with_context(|| format!("the authority `{}` cannot be read", file.display()))?;
            http = http.add_root_certificate(reqwest::Certificate::from_pem(&pem)?);
        }
        Ok(Self {
            server: choice.server.clone(),
            token: choice.token.clone(),
            http: http.build()?,
            records,
            repositories,
            copied: Arc::default(),
        })
    }

    /// Where the repository of a project is, with the right to read and write it.
    pub fn repository_address(&self) -> impl Fn(&ProjectName) -> String + Send + Sync + use<> {
        let (server, token) = (self.server.clone(), self.token.clone());
        move |project| {
            let mut url = server.clone();
            // A server's address is one that can carry both.
            let _ = url.set_username("landfall");
            let _ = url.set_password(Some(&token));
            url.set_path(&format!("{}/git/{project}.git", server.path().trim_end_matches('/')));
            url.to_string()
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("{}/landfall/v1/agent/{path}", self.server.path().trim_end_matches('/')));
        url
    }

    /// Takes over what the server says, for good.
    pub async fn follow(&self) -> anyhow::Result<()> {
        let mut seen = String::new();
        loop {
            match self.take_over(&seen).await {
                Ok(now) => seen = now,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the server could not be asked; what is known is followed meanwhile");
                    // All of it again, since it is not known what was missed.
                    seen.clear();
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn take_over(&self, seen: &str) -> anyhow::Result<String> {
        let request = self.http.get(self.url("apps")).query(&[("seen", seen)]).bearer_auth(&self.token);
        let answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("the server says {status}: {}", answer.text().await.unwrap_or_default());
        }
        let assigned: Assigned = answer.json().await.context("the server's answer is not readable")?;
        let known = store::list::<App>(&*self.records, "").await?;
        for app in &known {
            if !assigned.apps.iter().any(|it| it.name == app.name) {
                // Its actor ends; what it brought stays, as when a server forgets an app.
                store::remove::<App>(&*self.records, &app.name).await?;
            }
        }
        // The commits come before the apps that want them.
        self.copy(&assigned).await?;
        for app in &assigned.apps {
            self.keep(app).await?;
        }
        Ok(assigned.seen)
    }

    async fn keep(&self, assigned: &AssignedApp) -> anyhow::Result<()> {
        let AssignedApp { name, spec, generation, request } = assigned.clone();
        // Here it is the cluster of the installation.
        let spec = api::AppSpec { cluster: None, ..spec };
        let fresh = App { name, spec, generation, request, status: AppStatus::default() };
        if store::create(&*self.records, &fresh).await? {
            return Ok(());
        }
        store::modify::<App>(&*self.records, &fresh.name, |app| {
            if app.generation < fresh.generation {
                app.spec.clone_from(&fresh.spec);
                app.request.clone_from(&fresh.request);
                app.generation = fresh.generation;
            }
        })
        .await?;
        Ok(())
    }

    /// Copies the repository of the project, where its refs are others than before.
    async fn copy(&self, assigned: &Assigned) -> anyhow::Result<()> {
        let copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(project) = assigned.apps.first().map(|app| &app.spec.project) else { return Ok(()) };
        if copied == assigned.refs {
            return Ok(());
        }
        let project: ProjectName = project.parse().with_context(|| format!("`{project}` is no name of a project"))?;
        let repository = self.repositories.create(&project).await?;
        let address = self.repository_address()(&project);
        repository.become_copy_of(&address).await.context("the project's repository could not be copied")?;
        *self.copied.lock().unwrap_or_else(PoisonError::into_inner) = assigned.refs.clone();
        let Some((git_ref, after)) = assigned.refs.first().cloned() else { return Ok(()) };
        // Tells the apps to look again; nothing here reads more of it.
        let push = Push {
            project,
            number: 1,
            git_ref,
            before: CommitId::ZERO,
            after,
            subject: String::new(),
            author: String::new(),
            at: store::now(),
            pusher: "server".to_owned(),
            errors: Vec::new(),
            notes: Vec::new(),
            runs: None,
        };
        store::put(&*self.records, &push).await?;
        Ok(())
    }

    /// Tells the server how each app stands, for good.
    pub async fn report(&self) -> anyhow::Result<()> {
        let mut changes = self.records.watch(App::KIND, Revision(0)).await?;
        // The latest of each app; `None` for one that is gone.
        let mut untold: BTreeMap<String, Option<App>> = BTreeMap::new();
        loop {
            tokio::select! {
                change = changes.next() => match change? {
                    Change::Put(stored) => {
                        let app: App = serde_json::from_slice(&stored.value).context("an app is not readable")?;
                        untold.insert(app.name.clone(), Some(app));
                    }
                    Change::Deleted { key, .. } => drop(untold.insert(key, None)),
                },
                () = tokio::time::sleep(RETRY), if !untold.is_empty() => {}
            }
            self.tell_all(&mut untold).await;
        }
    }

    async fn tell_all(&self, untold: &mut BTreeMap<String, Option<App>>) {
        while let Some((name, app)) = untold.pop_first() {
            let told = match &app {
                // It was only taken over; the first look tells something.
                Some(app) if app.status.observed == 0 => continue,
                Some(app) => self.tell(app).await,
                None => self.tell_removed(&name).await,
            };
            if let Err(error) = told {
                tracing::warn!(app = name, error = format!("{error:#}"), "the server could not be told; it is tried again");
                untold.insert(name, app);
                return;
            }
        }
    }

    /// An app is gone: because the server forgot it, or because what it brought was to be deleted.
    async fn tell_removed(&self, name: &str) -> anyhow::Result<()> {
        let answer = self.http.delete(self.url(&format!("apps/{name}"))).bearer_auth(&self.token).send().await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            status => bail!("the server says {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    async fn tell(&self, app: &App) -> anyhow::Result<()> {
        let report = Report { generation: app.generation, request: app.request.clone(), status: app.status.clone() };
        let request = self.http.put(self.url(&format!("apps/{}", app.name))).bearer_auth(&self.token).json(&report);
        let answer = request.send().await?;
        match answer.status() {
            // The server forgot the app, and the next answer says so.
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            status => bail!("the server says {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }
}
