//! The three pushes: a first release, a second one under load, and a bad one that heals itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use api::{Release, ReleaseState};
use delivery::Outcome;
use serde_json::Value;

use super::{
    app::{App, BAD, FIRST, SECOND, Version},
    installation::{Cluster, Installation, Told},
    load::{Load, Tally},
    repository::Repository,
    teller::Teller,
    unmet::expect,
    wire::{Use, Wire},
};

/// A push that takes longer will not end: a slow machine needs half a minute.
const PUSH_PATIENCE: Duration = Duration::from_secs(300);

/// So many answers are enough to see a load going, or a roll-out being over.
const ENOUGH: u64 = 100;

/// Those answers come within this time, or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// With so many requests a pod, one that is never asked gets no requests.
const SURVEY_PER_POD: u32 = 60;

/// How often a Service that is not there yet is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// One push and what came of it.
pub struct Act {
    pub told: Told,
    /// From the push to the first answer of the new version, or to the end of the rollback.
    pub took: Duration,
    /// Requests that were sent meanwhile.
    pub sent: u64,
}

/// Where the story plays.
pub struct Stage<'a> {
    pub app: &'a App,
    pub installation: &'a Installation,
    pub cluster: Cluster,
    pub repository: &'a Repository,
    pub teller: Teller,
}

/// All three acts, each checked; `acts` grows as they end, so that a failure can show what was.
pub async fn play(stage: &Stage<'_>, acts: &mut Vec<Act>) -> anyhow::Result<SocketAddr> {
    let (first, address) = stage.first().await?;
    acts.push(first);
    acts.push(stage.second(address).await?);
    let good = acts.last().and_then(|act| image_of(&act.told)).context("the second release holds no image")?;
    acts.push(stage.bad(address, &good).await?);
    Ok(address)
}

impl Stage<'_> {
    /// A new project: tested, built, deployed, and answering from every replica.
    async fn first(&self) -> anyhow::Result<(Act, SocketAddr)> {
        let push = "push 1";
        let commit = self.commit(push, &FIRST).await?;
        let began = Instant::now();
        let following = async {
            self.push(push).await?;
            self.outcome(push, &commit, Outcome::Healthy).await
        };
        let (told, (address, took)) = tokio::try_join!(following, self.first_answer(began))?;
        let tally = self.survey(address).await;
        let replicas = self.app.replicas;
        tally.check("push 1: the Service answers with version 1", &[FIRST])?;
        let what = format!("push 1: {replicas} different pods answer");
        expect(tally.pods.len() == replicas as usize, &what, format!("{replicas} pods"), listed(&tally))?;
        self.teller.holds(push, &format!("http://{address}/ answers: {tally}"));
        self.teller.holds(push, &format!("{replicas} pods take turns: {}", listed(&tally)));
        Ok((Act { told, took, sent: tally.sent }, address))
    }

    /// A new version and a new configuration, without one failed request.
    async fn second(&self, address: SocketAddr) -> anyhow::Result<Act> {
        let push = "push 2";
        let load = self.load(push, address).await?;
        let commit = self.commit(push, &SECOND).await?;
        let began = Instant::now();
        self.push(push).await?;
        let told = self.outcome(push, &commit, Outcome::Healthy).await?;
        let is_over = |tally: &Tally| tally.streak.0 == SECOND.number && tally.streak.1 >= ENOUGH;
        let tally = load.wait(PATIENCE, is_over).await;
        expect(is_over(&tally), "push 2: only version 2 answers in the end", format!("{ENOUGH} answers of it in a row"), &tally)?;
        let tally = load.stop().await;
        tally.check("push 2: the roll-out loses no request", &[FIRST, SECOND])?;
        let took = tally.first.get(&SECOND.number).map(|first| first.duration_since(began)).unwrap_or_default();
        self.teller.holds(push, &format!("not one request failed during the roll-out: {tally}"));
        Ok(Act { told, took, sent: tally.sent })
    }

    /// A version whose pods never become ready: noticed, explained, taken back with its configuration.
    async fn bad(&self, address: SocketAddr, good: &str) -> anyhow::Result<Act> {
        let push = "push 3";
        let load = self.load(push, address).await?;
        let commit = self.commit(push, &BAD).await?;
        let began = Instant::now();
        self.push(push).await?;
        let told = self.outcome(push, &commit, Outcome::RolledBack).await?;
        let took = began.elapsed();
        let sent = load.sent();
        load.wait(PATIENCE, |tally| tally.sent >= sent + ENOUGH).await;
        let tally = load.stop().await;
        tally.check("push 3: version 2 goes on answering, with its own configuration", &[SECOND])?;
        self.explained(push, &told)?;
        self.teller.holds(push, &format!("version 2 went on answering: {tally}"));
        self.restored(push, good).await?;
        Ok(Act { told, took, sent: tally.sent })
    }

    async fn commit(&self, push: &str, version: &Version) -> anyhow::Result<String> {
        let commit = self.repository.commit(self.app, version).await?;
        let short = commit.get(..7).unwrap_or(&commit);
        let says = format!("commit {short} `{}`: version {}, greeting `{}`", version.subject, version.number, version.greeting);
        self.teller.tell(push, &says);
        Ok(commit)
    }

    async fn push(&self, push: &str) -> anyhow::Result<()> {
        self.teller.tell(push, "$ git push landfall main");
        let pushing = self.repository.push(|line| self.teller.tell(push, &format!("remote: {line}")));
        match tokio::time::timeout(PUSH_PATIENCE, pushing).await {
            Ok(pushed) => pushed,
            Err(_) => bail!("`git push` does not end; it was given {PUSH_PATIENCE:?}"),
        }
    }

    /// Follows a commit to its end by `landfall watch`, whose exit code must tell the outcome.
    async fn outcome(&self, push: &str, commit: &str, wanted: Outcome) -> anyhow::Result<Told> {
        let watched = self.installation.run(&["watch", commit, "--timeout", "120s"]).await?;
        let told = self.installation.thread(&self.app.name, commit).await?;
        let what = format!("{push}: the outcome");
        let seen = format!("{}\n{}", told.outcome.words(), told.lines.join("\n"));
        expect(told.outcome == wanted, &what, wanted.words(), seen)?;
        let code = if wanted == Outcome::RolledBack { 10 } else { 0 };
        let what = format!("{push}: `landfall watch {commit}` tells the outcome");
        let said = format!("{}\n{}", watched.status, String::from_utf8_lossy(&watched.stderr));
        expect(watched.status.code() == Some(code), &what, format!("exit code {code}"), said)?;
        self.teller.holds(push, &format!("{}; `landfall watch` exits with {code}", wanted.words()));
        Ok(told)
    }

    /// Asks from before there is a Service until its first answer.
    async fn first_answer(&self, began: Instant) -> anyhow::Result<(SocketAddr, Duration)> {
        let name = &self.app.name;
        let path = format!("/api/v1/namespaces/{name}/services/{name}");
        while began.elapsed() < PUSH_PATIENCE {
            if let Some(address) = self.cluster.get(&path).await?.as_ref().and_then(address_of)
                && Wire::new(address, Use::Once).ask().await.is_ok()
            {
                return Ok((address, began.elapsed()));
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the Service `{name}` does not answer within {PUSH_PATIENCE:?}")
    }

    /// Asks until every pod has answered.
    async fn survey(&self, address: SocketAddr) -> Tally {
        let mut tally = Tally::default();
        let mut wire = Wire::new(address, Use::Once);
        for _ in 0..self.app.replicas * SURVEY_PER_POD {
            let began = Instant::now();
            let answer = wire.ask().await;
            tally.count(answer, began.elapsed());
        }
        tally
    }

    async fn load(&self, push: &str, address: SocketAddr) -> anyhow::Result<Load> {
        let load = Load::start(address);
        let tally = load.wait(PATIENCE, |tally| tally.sent >= ENOUGH).await;
        let what = format!("{push}: the app answers before the push");
        expect(tally.sent >= ENOUGH && tally.failed == 0, &what, format!("{ENOUGH} answers"), &tally)?;
        self.teller.tell(push, "a steady load begins: half of it on kept connections, half on new ones");
        Ok(load)
    }

    /// The cause must name what was really wrong: the health check that answers 500.
    fn explained(&self, push: &str, told: &Told) -> anyhow::Result<()> {
        let release = told.thread.releases.last().context("the bad commit has no release")?;
        expect(release.state == ReleaseState::RolledBack, "push 3: the release's state", "rolled back", release.state)?;
        let left = release.leftovers.join("\n");
        expect(left.is_empty(), "push 3: everything is taken back", "nothing left over", &left)?;
        let cause = release.cause.as_ref().context("the rolled back release tells no cause")?;
        let evidence = cause.evidence.join("\n");
        expect(evidence.contains("500"), "push 3: the evidence names the answer of the health check", "500", &evidence)?;
        self.teller.holds(push, "the cause was found:");
        self.teller.tell(push, &format!("      error[{}]: {}", cause.code, cause.summary));
        for line in evidence.lines() {
            self.teller.tell(push, &format!("        evidence  {line}"));
        }
        Ok(())
    }

    /// The cluster holds version 2 again, its ConfigMap included.
    async fn restored(&self, push: &str, good: &str) -> anyhow::Result<()> {
        let name = &self.app.name;
        let path = format!("/api/v1/namespaces/{name}/configmaps/{name}");
        let map = self.cluster.get(&path).await?.unwrap_or_default();
        let greeting = map.pointer("/data/GREETING").and_then(Value::as_str).unwrap_or("nothing");
        expect(greeting == SECOND.greeting, "push 3: the ConfigMap is restored", SECOND.greeting, greeting)?;
        let path = format!("/apis/apps/v1/namespaces/{name}/deployments/{name}");
        let deployment = self.cluster.get(&path).await?.unwrap_or_default();
        let image = deployment.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
        let image = image.unwrap_or("nothing");
        expect(image.ends_with(good), "push 3: the Deployment is restored", good, image)?;
        self.teller.holds(push, &format!("restored: ConfigMap `{greeting}`, Deployment {image}"));
        Ok(())
    }
}

/// The digest of the image that the last release of a commit runs.
pub fn image_of(told: &Told) -> Option<String> {
    let release: &Release = told.thread.releases.last()?;
    release.images.first().map(|image| image.digest.to_string())
}

fn address_of(service: &Value) -> Option<SocketAddr> {
    let address = service.pointer("/spec/clusterIP")?.as_str()?.parse().ok()?;
    let port = service.pointer("/spec/ports/0/port")?.as_u64()?.try_into().ok()?;
    Some(SocketAddr::new(address, port))
}

fn listed(tally: &Tally) -> String {
    tally.pods.iter().cloned().collect::<Vec<_>>().join(", ")
}
