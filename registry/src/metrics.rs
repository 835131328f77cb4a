//! What `/metrics` shows, in the OpenMetrics text format, which Prometheus reads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Seconds; most requests take well under a millisecond, those that wait for an identity provider far longer.
const BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0];

/// The metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    duration: Family<RouteLabels, Histogram>,
    shed: Counter,
    refused_connections: Counter,
    /// Open connections of the public listener.
    pub(crate) connections: Gauge,
    loads: Family<LoadLabels, Counter>,
    last_success: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    entries: Family<SourceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("registry");
        let info = Info::new([("version", crate::VERSION)]);
        registry.register("build", "The running program", info);
        let requests = Family::default();
        registry.register("http_requests", "Answered requests of the public listener", requests.clone());
        let duration = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register(
            "http_request_duration_seconds",
            "Time to the answer, without sending it",
            duration.clone(),
        );
        let shed = Counter::default();
        registry.register(
            "http_requests_shed",
            "Requests refused because too many were in progress",
            shed.clone(),
        );
        let refused_connections = Counter::default();
        registry.register(
            "connections_refused",
            "Connections refused because too many were open",
            refused_connections.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections", "Open connections of the public listener", connections.clone());
        let loads = Family::default();
        registry.register("source_loads", "Loads of a source, by result", loads.clone());
        let last_success = Family::default();
        registry.register(
            "source_last_success_timestamp_seconds",
            "When a source was last loaded",
            last_success.clone(),
        );
        let entries = Family::default();
        registry.register("source_entries", "Versions of servers a source holds", entries.clone());
        Self {
            registry: Mutex::new(registry),
            requests,
            duration,
            shed,
            refused_connections,
            connections,
            loads,
            last_success,
            entries,
        }
    }
}

impl Metrics {
    /// Adds metrics of other parts; their names get the prefix `registry_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics as text.
    pub fn encode(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &registry);
        out
    }

    pub(crate) fn request(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        self.duration.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    pub(crate) fn request_shed(&self) {
        self.shed.inc();
    }

    pub(crate) fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    pub(crate) fn source_loaded(&self, source: &str, entries: usize, at: SystemTime) {
        self.loads.get_or_create(&LoadLabels { source: source.to_owned(), result: "success" }).inc();
        let labels = SourceLabels { source: source.to_owned() };
        let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.last_success.get_or_create(&labels).set(seconds);
        self.entries.get_or_create(&labels).set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    pub(crate) fn source_failed(&self, source: &str) {
        self.loads.get_or_create(&LoadLabels { source: source.to_owned(), result: "failure" }).inc();
    }
}
