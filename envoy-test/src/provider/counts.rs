//! What was asked of the provider: counts by realm and document, and the log of requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::fault::Document;

/// Requests for one document of one realm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Ever begun.
    pub total: u64,
    /// Begun and neither answered nor given up.
    pub in_flight: u64,
    /// The most there ever were at once.
    pub max_in_flight: u64,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// The realm asked.
    pub realm: String,
    /// The document asked for.
    pub document: Document,
    /// The request method.
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Every header, in order, duplicates included; values that are not UTF-8 are shown with replacement characters.
    pub headers: Vec<(String, String)>,
}

impl LoggedRequest {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

type Key = (String, Document);

/// Shared by the provider's threads and its tests.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    counts: Arc<watch::Sender<BTreeMap<Key, Count>>>,
    log: Arc<Mutex<Vec<LoggedRequest>>>,
}

/// How long [`Ledger::wait_until`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// The log is kept for tests, not for a provider that runs for days.
const LOG_LIMIT: usize = 100_000;

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { counts: Arc::new(watch::Sender::new(BTreeMap::new())), log: Arc::default() }
    }

    /// Notes a request; it counts as in flight until the result is dropped.
    pub(crate) fn begin(&self, request: LoggedRequest) -> InFlight {
        let key = (request.realm.clone(), request.document);
        let mut log = self.lock_log();
        if log.len() < LOG_LIMIT {
            log.push(request);
        }
        drop(log);
        self.counts.send_modify(|counts| {
            let count = counts.entry(key.clone()).or_default();
            count.total += 1;
            count.in_flight += 1;
            count.max_in_flight = count.max_in_flight.max(count.in_flight);
        });
        InFlight { counts: Arc::clone(&self.counts), key }
    }

    pub(crate) fn count(&self, realm: &str, document: Document) -> Count {
        self.counts.borrow().get(&(realm.to_owned(), document)).copied().unwrap_or_default()
    }

    pub(crate) async fn wait_until(
        &self,
        realm: &str,
        document: Document,
        condition: impl Fn(Count) -> bool,
    ) -> Count {
        let key = (realm.to_owned(), document);
        let mut counts = self.counts.subscribe();
        let met = counts.wait_for(|counts| condition(counts.get(&key).copied().unwrap_or_default()));
        let met = tokio::time::timeout(PATIENCE, met).await.is_ok();
        let count = self.count(realm, document);
        assert!(met, "{realm}'s {} stayed at {count:?} for {PATIENCE:?}", document.as_str());
        count
    }

    pub(crate) fn requests(&self, realm: &str) -> Vec<LoggedRequest> {
        self.lock_log().iter().filter(|request| request.realm == realm).cloned().collect()
    }

    pub(crate) fn as_json(&self) -> Value {
        let mut realms = Map::new();
        for ((realm, document), count) in self.counts.borrow().iter() {
            let documents = realms.entry(realm.clone()).or_insert_with(|| json!({}));
            documents[document.as_str()] = json!({ "total": count.total, "inFlight": count.in_flight, "maxInFlight": count.max_in_flight });
        }
        Value::Object(realms)
    }

    fn lock_log(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    counts: Arc<watch::Sender<BTreeMap<Key, Count>>>,
    key: Key,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counts.send_modify(|counts| {
            if let Some(count) = counts.get_mut(&self.key) {
                count.in_flight -= 1;
            }
        });
    }
}
