//! Faults by dice: requests and writes that fail before or after they took effect, and moments to crash.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{Method, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use store::{Expected, Records, RecordsError, Revision, Stored, Watch};
use tokio::sync::Notify;

/// Of so many places, about one is hit by each kind of fault.
const ODDS: u64 = 16;

/// Where something breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing comes of it.
    Before,
    /// It takes effect, and who asked is not told.
    After,
    /// The service ends with it under way.
    Crash,
    /// Who is asked has no time.
    Busy,
}

/// What decides what fails; the same seed fails in the same places of the same story.
#[derive(Clone)]
pub struct Faults(Arc<State>);

struct State {
    dice: Dice,
    rolls: AtomicU64,
    left: AtomicU64,
    crash: Notify,
    /// Writes that reached the cluster, by object.
    writes: Mutex<BTreeMap<String, u32>>,
}

/// Numbers that follow from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The number at a place, below `sides`.
    pub fn at(self, place: u64, sides: u64) -> u64 {
        let mut it = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(place.wrapping_mul(0xd134_2543_de82_ef95));
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % sides
    }
}

impl Faults {
    /// At most `count` faults, so that every story ends.
    pub fn new(dice: Dice, count: u64) -> Self {
        let state = State { dice, rolls: AtomicU64::new(0), left: AtomicU64::new(count), crash: Notify::new(), writes: Mutex::default() };
        Self(Arc::new(state))
    }

    fn roll(&self) -> Option<Fault> {
        let place = self.0.rolls.fetch_add(1, Ordering::Relaxed);
        let fault = match self.0.dice.at(place, ODDS) {
            0 => Fault::Before,
            1 => Fault::After,
            2 => Fault::Crash,
            3 => Fault::Busy,
            _ => return None,
        };
        let left = self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.ok().map(|_| fault)
    }

    /// No fault comes any more.
    pub fn stop(&self) {
        self.0.left.store(0, Ordering::Relaxed);
    }

    /// Returns when the service is to be ended.
    pub async fn crash(&self) {
        self.0.crash.notified().await;
    }

    /// Ends the service here: what called never comes back.
    async fn never<T>(&self) -> T {
        self.0.crash.notify_one();
        std::future::pending().await
    }

    /// Writes since the last call.
    pub fn take_writes(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.0.writes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same API, whose answers may be lost.
    pub fn before(&self, router: Router) -> Router {
        let faults = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let faults = faults.clone();
            async move { faults.pass(request, next).await }
        }))
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.contains("watch=");
        let is_write = *request.method() != Method::GET && !query.contains("dryRun");
        let place = format!("{} {}", request.method(), request.uri().path());
        let fault = self.roll();
        match fault {
            Some(Fault::Before) => return broken(),
            Some(Fault::Busy) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Some(Fault::Crash) if !is_write => return self.never().await,
            Some(Fault::Crash | Fault::After) | None => {}
        }
        let answer = next.run(request).await;
        if is_write && answer.status().is_success() {
            *self.0.writes.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default() += 1;
        }
        match fault {
            Some(Fault::After) if !is_watch => broken(),
            // The write took effect, and nobody lives to hear of it.
            Some(Fault::Crash) => self.never().await,
            Some(Fault::After | Fault::Before | Fault::Busy) | None => answer,
        }
    }
}

/// An answer that breaks off before its body.
fn broken() -> Response {
    let lost = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("the connection broke")) });
    Response::new(Body::from_stream(lost))
}

/// Records whose writes may fail.
pub struct FrailRecords {
    pub inner: Arc<dyn Records>,
    pub faults: Faults,
}

impl FrailRecords {
    async fn around<T>(&self, write: impl Future<Output = Result<T, RecordsError>>) -> Result<T, RecordsError> {
        let broken = || RecordsError::Unavailable { reason: "the disk had a moment".to_owned() };
        let fault = self.faults.roll();
        if matches!(fault, Some(Fault::Before | Fault::Busy)) {
            return Err(broken());
        }
        let done = write.await?;
        match fault {
            Some(Fault::After) => Err(broken()),
            Some(Fault::Crash) => self.faults.never().await,
            Some(Fault::Before | Fault::Busy) | None => Ok(done),
        }
    }
}

#[async_trait]
impl Records for FrailRecords {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Stored>, RecordsError> {
        self.inner.get(kind, key).await
    }

    async fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Stored>, RecordsError> {
        self.inner.list(kind, prefix).await
    }

    async fn put(&self, kind: &str, key: &str, value: Bytes, expected: Expected) -> Result<Revision, RecordsError> {
        self.around(self.inner.put(kind, key, value, expected)).await
    }

    async fn delete(&self, kind: &str, key: &str, expected: Expected) -> Result<(), RecordsError> {
        self.around(self.inner.delete(kind, key, expected)).await
    }

    async fn watch(&self, kind: &str, from: Revision) -> Result<Watch, RecordsError> {
        self.inner.watch(kind, from).await
    }
}
