//! How long a tool waits for a server that was killed: a job outlives it, and meets the next one.

use std::time::{Duration, Instant};

/// A server that was killed is started again within this time, or nobody starts it.
const LIMIT: Duration = Duration::from_secs(15);

const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Counts how long the server is away.
#[derive(Default)]
pub struct Patience {
    away_since: Option<Instant>,
}

impl Patience {
    /// Waits a moment; `false` when that was long enough.
    pub async fn wait(&mut self) -> bool {
        let has_some = self.away_since.get_or_insert_with(Instant::now).elapsed() < LIMIT;
        if has_some {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        has_some
    }
}
