//! Waits for pushes whose server was killed: `git receive-pack` lives on and may still move refs.
//!
//! Each of them holds a lock, so that what it did is seen before anything is recovered.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    time::{Duration, Instant},
};

use repo::Repository;

const LOCK: &str = "landfall-receive.lock";

/// Without its server a `receive-pack` reads the end of its input and ends; a large pack is checked before that.
const PATIENCE: Duration = Duration::from_secs(10);

const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

fn open(repository: &Repository) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(repository.path().join(LOCK))
}

/// A lock that lasts as long as any process has the file.
pub fn hold(repository: &Repository) -> io::Result<File> {
    let file = open(repository)?;
    file.lock_shared()?;
    Ok(file)
}

/// Returns when no `receive-pack` of an earlier server works on the repository.
pub async fn wait(repository: &Repository) -> io::Result<()> {
    let file = open(repository)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                tracing::warn!(repository = %repository.path().display(), "a push of an earlier server does not end");
                return Ok(());
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(BETWEEN_LOOKS).await,
        }
    }
}
