//! The data in force: what each source last held, and the merged view of each registry.

mod refresh;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

pub(crate) use refresh::{load_once, refresh};

use crate::catalog::{LoadError, Snapshot, View};
use crate::config::{RegistryConfig, SourceConfig};
use crate::metrics::Metrics;

/// Sources and registries. Readers take a whole [`View`]; a reload swaps it for another, never changes it.
#[derive(Debug)]
pub struct Store {
    sources: Vec<Source>,
    registries: BTreeMap<String, Registry>,
    /// Held while views are made, so that of two reloads the later one's view stays.
    merging: Mutex<()>,
    loads: watch::Sender<u64>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Source {
    config: SourceConfig,
    snapshot: ArcSwapOption<Snapshot>,
    state: Mutex<SourceState>,
}

#[derive(Clone, Debug, Default)]
struct SourceState {
    loaded_at: Option<SystemTime>,
    error: Option<String>,
}

#[derive(Debug)]
struct Registry {
    sources: Vec<usize>,
    view: ArcSwapOption<View>,
}

/// Whether requests can be answered, and how well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All sources are as they should be.
    Ready,
    /// All sources have data, but some could not be reloaded.
    Stale(Vec<SourceStatus>),
    /// Some source never had data.
    NotReady(Vec<SourceStatus>),
}

/// One source, for `/readiness`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// `sources[].name`.
    pub name: String,
    /// `ok`; `stale`: the last reload failed; `failed`: no load ever succeeded.
    pub status: &'static str,
    /// Why the last load failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the last load succeeded, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded_at: Option<String>,
    /// Versions of servers in force.
    pub entries: usize,
}

impl Store {
    /// An empty store: nothing is loaded yet.
    pub fn new(sources: Vec<SourceConfig>, registries: Vec<RegistryConfig>, metrics: Arc<Metrics>) -> Self {
        let sources = sources
            .into_iter()
            .map(|config| Source { config, snapshot: ArcSwapOption::empty(), state: Mutex::default() })
            .collect();
        let registries = registries
            .into_iter()
            .map(|registry| {
                let view = ArcSwapOption::empty();
                (registry.name, Registry { sources: registry.sources, view })
            })
            .collect();
        Self { sources, registries, merging: Mutex::default(), loads: watch::Sender::new(0), metrics }
    }

    /// Whether a registry of this name is configured.
    pub fn has_registry(&self, name: &str) -> bool {
        self.registries.contains_key(name)
    }

    /// What a registry serves now; `None` until all of its sources were loaded once, because what is missing could shadow what is there.
    pub fn view(&self, registry: &str) -> Option<Arc<View>> {
        self.registries.get(registry)?.view.load_full()
    }

    /// Counts finished loads, successful or not, of all sources.
    pub fn loads(&self) -> watch::Receiver<u64> {
        self.loads.subscribe()
    }

    /// The state of all sources.
    pub fn readiness(&self) -> Readiness {
        let statuses: Vec<SourceStatus> = self.sources.iter().map(Source::status).collect();
        let any = |status: &str| statuses.iter().any(|source| source.status == status);
        if any("failed") {
            Readiness::NotReady(statuses)
        } else if any("stale") {
            Readiness::Stale(statuses)
        } else {
            Readiness::Ready
        }
    }

    fn source(&self, index: usize) -> Option<&Source> {
        self.sources.get(index)
    }

    /// Takes the result of a load: new data is in force for every registry at once it is merged; an error leaves the old data in force.
    fn accept(&self, index: usize, result: Result<Snapshot, LoadError>) {
        let Some(source) = self.source(index) else {
            return;
        };
        match result {
            Ok(snapshot) => self.accept_snapshot(index, source, snapshot),
            Err(error) => self.accept_error(source, &error),
        }
        self.loads.send_modify(|count| *count += 1);
    }

    fn accept_snapshot(&self, index: usize, source: &Source, snapshot: Snapshot) {
        let name = &source.config.name;
        let entries = snapshot.entries.len();
        let now = SystemTime::now();
        let previous = source.snapshot.load_full();
        let is_new = previous.is_none_or(|previous| previous.digest != snapshot.digest);
        let recovered = {
            let mut state = lock(&source.state);
            state.loaded_at = Some(now);
            state.error.take().is_some()
        };
        if is_new {
            if snapshot.is_partial {
                tracing::warn!(source = %name, "the file is one page of a longer list: its nextCursor is set");
            }
            source.snapshot.store(Some(Arc::new(snapshot)));
            self.merge(index);
            tracing::info!(source = %name, entries, "source loaded");
        } else if recovered {
            tracing::info!(source = %name, entries, "source can be loaded again");
        }
        self.metrics.source_loaded(name, entries, now);
    }

    fn accept_error(&self, source: &Source, error: &LoadError) {
        let name = &source.config.name;
        let text = format!("{}: {error}", source.config.path.display());
        let previous = lock(&source.state).error.replace(text.clone());
        if previous.as_deref() != Some(&text) {
            let kept = if source.snapshot.load().is_some() {
                "the last good data stay in force"
            } else {
                "its registries answer 503 until it is loaded"
            };
            tracing::warn!(source = %name, error = %text, "failed to load source; {kept}");
        }
        self.metrics.source_failed(name);
    }

    /// Makes the views of all registries that serve a source.
    fn merge(&self, source: usize) {
        let _merging = lock(&self.merging);
        for registry in self.registries.values() {
            if !registry.sources.contains(&source) {
                continue;
            }
            let snapshots: Option<Vec<Arc<Snapshot>>> =
                registry.sources.iter().map(|index| self.source(*index)?.snapshot.load_full()).collect();
            if let Some(snapshots) = snapshots {
                let view = View::merge(snapshots.iter().map(Arc::as_ref));
                registry.view.store(Some(Arc::new(view)));
            }
        }
    }
}

impl Source {
    fn status(&self) -> SourceStatus {
        let state = lock(&self.state).clone();
        let status = match (&state.loaded_at, &state.error) {
            (None, _) => "failed",
            (Some(_), Some(_)) => "stale",
            (Some(_), None) => "ok",
        };
        SourceStatus {
            name: self.config.name.clone(),
            status,
            error: state.error,
            loaded_at: state.loaded_at.and_then(|at| OffsetDateTime::from(at).format(&Rfc3339).ok()),
            entries: self.snapshot.load().as_ref().map_or(0, |snapshot| snapshot.entries.len()),
        }
    }
}

/// A panic while a lock was held leaves plain values behind, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
