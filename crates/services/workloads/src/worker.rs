//! The loop around a reconcile function.

use std::{hash::Hash, sync::Arc, time::Duration};

use names::Timestamp;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    hand::now,
    queue::{Outcome, Queue},
};

/// Looks at one object, whatever changed, and says when to look again at the latest.
pub trait Reconcile: Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Ord + std::fmt::Debug + Send + Sync + 'static;

    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Option<Timestamp>, kube::Error>> + Send;
}

/// Starts `count` workers on a queue; they end with the set of tasks.
pub fn spawn<R: Reconcile>(tasks: &mut JoinSet<()>, count: usize, queue: &Arc<Queue<R::Key>>, controller: R) {
    let controller = Arc::new(controller);
    for _ in 0..count {
        tasks.spawn(work(Arc::clone(queue), Arc::clone(&controller)));
    }
}

async fn work<R: Reconcile>(queue: Arc<Queue<R::Key>>, controller: Arc<R>) {
    loop {
        let key = queue.next().await;
        let outcome = match controller.reconcile(&key).await {
            Ok(None) => Outcome::Settled,
            Ok(Some(time)) => Outcome::At(Instant::now() + time.since(now()).max(Duration::from_millis(1))),
            Err(error) => {
                tracing::debug!(?key, %error, "a reconcile failed and is tried again");
                Outcome::Failed
            }
        };
        queue.done(key, outcome);
    }
}
