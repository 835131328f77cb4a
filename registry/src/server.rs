//! The two listeners and their life.
//!
//! `start` loads every source once, listens, and returns; what it started runs until [`Running::stop`]: readiness turns first, then the public listener
//! closes, requests in progress get [`Tuning::drain`] to end, and the internal listener closes last.

mod connection;
mod listener;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{Address, Config};
use crate::http::guard::{guarded, limited};
use crate::http::internal::{Internal, internal_router};
use crate::http::public_router;
use crate::metrics::Metrics;
use crate::store::{self, Store};

use listener::Listener;

/// What stands between the public listener and the API.
pub enum Protection {
    /// Nothing: every request passes.
    Anonymous,
    /// This, wrapped around the whole public router, unknown paths included.
    Layer(Box<dyn FnOnce(Router) -> Router + Send>),
}

/// Times and sizes that have good defaults.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// How often files are looked at. Default 1 s.
    pub poll: Duration,
    /// How long a request may take until it is answered, not counting what protects the API. Default 10 s.
    pub request_timeout: Duration,
    /// How long the head of a request may take from its first byte. Default 10 s.
    pub header_timeout: Duration,
    /// How long a connection may be idle between requests. Default 90 s.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of a response. Default 30 s.
    pub write_timeout: Duration,
    /// How long requests may take to end after the server was told to stop. Default 30 s.
    pub drain: Duration,
    /// Requests in progress in the API at once; further ones are answered 503. Default 1024.
    pub max_requests: usize,
    /// Open connections of the public listener; further ones are answered 503 and closed. Default 10,000.
    pub max_connections: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            write_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            max_requests: 1024,
            max_connections: 10_000,
        }
    }
}

/// Connections of the internal listener: a scraper, probes, and somebody with a browser.
const INTERNAL_CONNECTIONS: usize = 64;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// As configured.
        address: Address,
        /// The system's answer.
        error: io::Error,
    },
}

/// A server that was started.
#[derive(Debug)]
pub struct Running {
    /// Where the API is served.
    pub public: SocketAddr,
    /// Where health and metrics are served.
    pub internal: SocketAddr,
    store: Arc<Store>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    // Aborted when dropped.
    _refreshers: JoinSet<()>,
}

/// Starts a server.
///
/// # Errors
/// When an address cannot be listened on. A source that cannot be loaded is no error: `/readiness` shows it, and it is tried again.
pub async fn start(config: Config, protection: Protection, tuning: Tuning) -> Result<Running, StartError> {
    let metrics = Arc::new(Metrics::default());
    start_with_metrics(config, protection, tuning, metrics).await
}

/// As [`start`], with metrics that other parts may have registered theirs in.
///
/// # Errors
/// As [`start`].
pub async fn start_with_metrics(
    config: Config,
    protection: Protection,
    tuning: Tuning,
    metrics: Arc<Metrics>,
) -> Result<Running, StartError> {
    let listen = async |address: &Address| {
        listener::bind(address).await.map_err(|error| StartError::Listen { address: address.clone(), error })
    };
    let public = listen(&config.address).await?;
    let internal = listen(&config.internal_address).await?;

    let sources = config.sources.len();
    let store = Arc::new(Store::new(config.sources, config.registries, Arc::clone(&metrics)));
    let refreshers = keep_fresh(&store, sources, tuning.poll).await;

    let (stop, stopping) = watch::channel(false);
    // The one place where the API meets what protects it. Requests that wait for an identity provider take nothing from the API's limits.
    let api = public_router(Arc::clone(&store));
    let api = limited(api, tuning.max_requests, tuning.request_timeout, Arc::clone(&metrics));
    let api = match protection {
        Protection::Anonymous => api,
        Protection::Layer(wrap) => wrap(api),
    };
    let api = guarded(api, Arc::clone(&metrics));
    let internal_api = internal_router(Internal {
        store: Arc::clone(&store),
        metrics: Arc::clone(&metrics),
        stopping: stopping.clone(),
    });
    let public_address = public.address;
    let internal_address = internal.address;
    let task = tokio::spawn(run(public, api, internal, internal_api, tuning, metrics, stopping));
    Ok(Running {
        public: public_address,
        internal: internal_address,
        store,
        stop,
        task,
        _refreshers: refreshers,
    })
}

/// Loads all sources, at once, and goes on reloading them.
async fn keep_fresh(store: &Arc<Store>, sources: usize, poll: Duration) -> JoinSet<()> {
    let loads: Vec<_> = (0..sources)
        .map(|index| {
            let store = Arc::clone(store);
            tokio::spawn(async move { store::load_once(&store, index).await })
        })
        .collect();
    let mut refreshers = JoinSet::new();
    for (index, load) in loads.into_iter().enumerate() {
        if let Ok(attempt) = load.await {
            refreshers.spawn(store::refresh(Arc::clone(store), index, attempt, poll));
        }
    }
    refreshers
}

async fn run(
    public: Listener,
    api: Router,
    internal: Listener,
    internal_api: Router,
    tuning: Tuning,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
) {
    let (stop_internal, internal_stopping) = watch::channel(false);
    let internal_tuning = Tuning {
        max_connections: INTERNAL_CONNECTIONS,
        // A scraper that holds its connection must not hold up the end.
        drain: Duration::from_secs(1),
        ..tuning
    };
    let internal = tokio::spawn(internal.serve(internal_api, internal_tuning, None, internal_stopping));
    public.serve(api, tuning, Some(metrics), stopping).await;
    stop_internal.send_replace(true);
    let _ = internal.await;
}

impl Running {
    /// Counts finished loads of sources, successful or not.
    pub fn loads(&self) -> watch::Receiver<u64> {
        self.store.loads()
    }

    /// Stops, gracefully.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}
