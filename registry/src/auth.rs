//! The native shell of the core (SPEC N-2): a tower layer that lets a request through only when [`registry_auth`] says so.
//!
//! [`layer`] is the loop *start; while something is needed, get it and resume; then act*. [`gate`] is what all requests share: the authenticator and the
//! refreshes under way. [`fetcher`] asks the identity providers, over addresses that [`resolver`] permits and certificates that [`trust`] knows.
//! [`files`] reads what the document names, [`metrics`] tells what was counted.

pub mod credentials;
mod fetcher;
pub mod files;
pub mod gate;
pub mod layer;
pub mod metrics;
pub mod resolver;
pub mod trust;
mod words;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use registry_auth::authenticator::{Authenticator, Environment};
use registry_auth::config::ConfigError;
use registry_auth::policy::Policy;
use registry_auth::signature::Backend;

pub use fetcher::Fetcher;
pub use gate::Gate;
pub use layer::AuthLayer;
pub use metrics::AuthMetrics;

use resolver::{Lookup, SystemLookup};

/// Times that have good defaults, and how names become addresses.
#[derive(Clone)]
pub struct Tuning {
    /// How long one request to a provider may take, from the name's resolution to the body's end. Default 5 s.
    pub fetch_timeout: Duration,
    /// How long one request waits for keys in all, before it is answered 503. Default 15 s: a refresh is at most three fetches.
    pub patience: Duration,
    /// How often due refreshes are looked for. Default 200 ms.
    pub tick: Duration,
    /// Resolves names. Default: the system.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            fetch_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(15),
            tick: Duration::from_millis(200),
            lookup: Arc::new(SystemLookup),
        }
    }
}

impl fmt::Debug for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuning")
            .field("fetch_timeout", &self.fetch_timeout)
            .field("patience", &self.patience)
            .field("tick", &self.tick)
            .finish_non_exhaustive()
    }
}

/// Why nothing can be protected.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files that the document names cannot be used; all of them.
    #[error("{}", lines(.0))]
    Files(Vec<ConfigError>),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// A provider's HTTP client cannot be made.
    #[error("provider {provider}: {error}")]
    Client {
        /// The provider's name.
        provider: String,
        /// The library's answer.
        error: trust::ClientError,
    },
}

fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Starts to enforce a policy: reads the files it names, relative ones from `directory`, and begins to fetch keys. To be called within a tokio runtime.
///
/// # Errors
/// When a file cannot be used, or this system lacks what is needed. A provider that cannot be reached is no error.
pub fn start(policy: Policy, directory: &Path, tuning: &Tuning) -> Result<Arc<Gate>, StartError> {
    let certificates = files::read(&policy, directory).map_err(StartError::Files)?;
    let mut digest_key = [0; 16];
    aws_lc_rs::rand::fill(&mut digest_key).map_err(|_| StartError::Random)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let environment = Environment { digest_key, backend: Backend::AwsLc, threads };
    let authenticator = Authenticator::new(policy, environment);
    let fetcher = Fetcher::new(authenticator.providers(), certificates, directory, tuning)?;
    Ok(Gate::start(authenticator, fetcher, tuning))
}
