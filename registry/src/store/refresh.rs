//! Keeping one source fresh.
//!
//! The file is looked at once in each poll period: by its metadata, which is cheap, follows symbolic links, and so notices what file events miss, such as
//! the swap of a Kubernetes `..data` directory or a change on a network mount. It is read when it seems changed, when the source's interval is over, and
//! every [`RETRY`] after a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::Store;
use crate::catalog::{self, Fingerprint, LoadError};

/// How soon a file that failed to load is read again, although it seems unchanged.
const RETRY: Duration = Duration::from_secs(30);

/// What the last attempt saw.
#[derive(Debug)]
pub(crate) struct Attempt {
    fingerprint: Option<Fingerprint>,
    at: Instant,
    succeeded: bool,
}

/// Loads a source, whatever its state.
pub(crate) async fn load_once(store: &Arc<Store>, index: usize) -> Attempt {
    let at = Instant::now();
    let mut attempt = Attempt { fingerprint: None, at, succeeded: false };
    let Some(source) = store.source(index) else {
        return attempt;
    };
    let config = source.config.clone();
    let loaded = tokio::task::spawn_blocking(move || {
        // Before reading: a change in between is noticed at the next poll.
        let fingerprint = Fingerprint::of(&config.path);
        (fingerprint, catalog::load(&config.path, config.format, &config.filter))
    });
    let (fingerprint, result) = loaded.await.unwrap_or_else(|_| {
        let error = std::io::Error::other("the loader stopped");
        (None, Err(LoadError::Read(error)))
    });
    attempt.fingerprint = fingerprint;
    attempt.succeeded = result.is_ok();
    store.accept(index, result);
    attempt
}

/// Reloads a source whenever it is due, for ever.
pub(crate) async fn refresh(store: Arc<Store>, index: usize, mut last: Attempt, poll: Duration) {
    let Some(source) = store.source(index) else {
        return;
    };
    let interval = source.config.interval;
    let path = source.config.path.clone();
    let mut ticks = tokio::time::interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let path = path.clone();
        let seen = tokio::task::spawn_blocking(move || Fingerprint::of(&path)).await;
        if last.is_due(seen.ok().flatten(), interval) {
            last = load_once(&store, index).await;
        }
    }
}

impl Attempt {
    fn is_due(&self, seen: Option<Fingerprint>, interval: Option<Duration>) -> bool {
        let age = self.at.elapsed();
        seen != self.fingerprint
            || interval.is_some_and(|interval| age >= interval)
            || (!self.succeeded && age >= RETRY)
    }
}
