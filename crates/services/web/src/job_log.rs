//! The lines of jobs' logs, wherever they are at the moment: a growing file, a
//! file that a restart left, or a blob.

use std::{collections::BTreeSet, time::Duration};

use api::{Job, Record as _, Run, Status};
use futures_util::{Stream, StreamExt as _, stream};
use names::RunId;
use store::{LogError, LogLine, LogLines, LogName, RecordsError, Revision, TypedError, Watch};

use crate::Web;

/// A job is running a moment before its log is opened, and no record tells of that.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How far to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// What there is now.
    Now,
    /// Whatever comes until the jobs are over.
    Over,
}

/// Why the lines end early.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Records(#[from] TypedError),
}

impl From<RecordsError> for LinesError {
    fn from(error: RecordsError) -> Self {
        Self::Records(error.into())
    }
}

struct Place {
    web: Web,
    run: RunId,
    /// Only this job; all jobs in the order of the run without it.
    only: Option<String>,
    until: Until,
    told: BTreeSet<String>,
    job: Option<JobPlace>,
    watch: Option<Watch>,
}

/// Where we are in the log of one job.
struct JobPlace {
    id: String,
    lines: Option<LogLines>,
    read: usize,
    /// Whether no more is written than there was when `lines` were opened.
    ended: bool,
    /// Whether the log was opened after it had ended.
    looked: bool,
    /// Whether `lines` are the last there are.
    over: bool,
}

/// The lines of a run, each with the id of its job; of one job only if `only` is its id.
pub fn lines(
    web: &Web,
    run: &RunId,
    only: Option<String>,
    until: Until,
) -> impl Stream<Item = Result<(String, LogLine), LinesError>> + Send + use<> {
    let place = Place {
        web: web.clone(),
        run: run.clone(),
        only,
        until,
        told: BTreeSet::new(),
        job: None,
        watch: None,
    };
    stream::unfold(Some(place), |place| async move {
        let mut place = place?;
        match place.next().await {
            Ok(Some(line)) => Some((Ok(line), Some(place))),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, run = %place.run, "a log could not be read");
                Some((Err(error), None))
            }
        }
    })
}

impl JobPlace {
    fn new(job: &Job) -> Self {
        let id = job.id.clone();
        Self { id, lines: None, read: 0, ended: false, looked: false, over: false }
    }
}

impl Place {
    async fn next(&mut self) -> Result<Option<(String, LogLine)>, LinesError> {
        loop {
            let Some(job) = &mut self.job else {
                if !self.begin_job().await? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(lines) = &mut job.lines {
                if let Some(line) = lines.next().await {
                    job.read += 1;
                    return Ok(Some((job.id.clone(), line?)));
                }
                job.lines = None;
                if job.over {
                    self.job = None;
                    continue;
                }
                if !job.ended {
                    self.wait().await?;
                }
            }
            self.open().await?;
        }
    }

    /// Takes up the next job; false if there is none.
    async fn begin_job(&mut self) -> Result<bool, LinesError> {
        loop {
            let Some(run) = self.read_run().await? else { return Ok(false) };
            let wanted = |job: &&Job| {
                self.only.as_ref().is_none_or(|only| *only == job.id) && !self.told.contains(&job.id)
            };
            if let Some(job) = run.jobs.iter().find(wanted) {
                self.told.insert(job.id.clone());
                self.job = Some(JobPlace::new(job));
                return Ok(true);
            }
            let whole = self.until == Until::Now
                || run.status == Status::Completed
                || (self.only.is_some() && !self.told.is_empty());
            if whole {
                return Ok(false);
            }
            self.wait().await?;
        }
    }

    /// Opens the log of the current job behind the lines that were read.
    async fn open(&mut self) -> Result<(), LinesError> {
        let run = self.read_run().await?;
        let Some(place) = &mut self.job else { return Ok(()) };
        let job = run.as_ref().and_then(|run| run.jobs.iter().find(|job| job.id == place.id));
        let (Some(run), Some(job)) = (&run, job) else {
            self.job = None;
            return Ok(());
        };
        let name = LogName::new(&run.id, &job.id);
        let lines = match self.until {
            Until::Now => self.web.logs.so_far(&name, job.log).await?,
            Until::Over => self.web.logs.follow(&name, job.log).await?,
        };
        place.lines = Some(Box::pin(lines.skip(place.read)));
        place.ended = self.until == Until::Now
            || run.status == Status::Completed
            || job.status == Status::Completed;
        // The file of a log goes once a record names its blob, which may have been
        // between our two looks; a second look then finds the blob.
        place.over = place.ended && (job.log.is_some() || place.looked);
        place.looked = place.ended;
        Ok(())
    }

    /// Waits until the run changed, or until its log may have.
    async fn wait(&mut self) -> Result<(), LinesError> {
        let watch = match &mut self.watch {
            Some(watch) => watch,
            None => {
                let watch = self.web.records.watch(Run::KIND, Revision::LATEST).await?;
                self.watch.insert(watch)
            }
        };
        let key = Run::key_of(&self.run);
        let changed = async {
            while watch.next().await?.key() != key {}
            Ok::<(), RecordsError>(())
        };
        match tokio::time::timeout(LOOK_AGAIN, changed).await {
            Ok(changed) => Ok(changed?),
            Err(_) => Ok(()),
        }
    }

    async fn read_run(&mut self) -> Result<Option<Run>, LinesError> {
        Ok(store::find(&*self.web.records, &Run::key_of(&self.run)).await?)
    }
}
