//! `registry serve`: configuration, authentication mode, signals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use registry_auth::config::Environment;
use registry_auth::policy::Policy;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::auth::{self, AuthLayer, AuthMetrics};
use crate::cli::ServeArgs;
use crate::config::{
    AuthMode, Config, ConfigError, ModeError, Overrides, effective_mode, is_loopback_or_private, yaml,
};
use crate::metrics::Metrics;
use crate::server::{self, Protection, Running, StartError, Tuning};

/// Why `serve` ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Neither flag nor variable.
    #[error("--config FILE is required")]
    NoConfig,
    /// The configuration file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// As given.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// The configuration is not sound; all of its errors.
    #[error("{}", lines(path, errors))]
    Config {
        /// As given.
        path: PathBuf,
        /// In document order.
        errors: Vec<ConfigError>,
    },
    /// The mode asked for is refused.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// Tokens are needed and cannot be checked: rather none is served.
    #[error("cannot enforce auth: {0}")]
    Auth(auth::StartError),
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(std::io::Error),
}

impl ServeError {
    /// 2 where the command line or the configuration must be changed, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoConfig | Self::Read { .. } | Self::Config { .. } | Self::Mode(_) => 2,
            Self::Auth(_) | Self::Start(_) | Self::Signals(_) => 1,
        }
    }
}

fn lines(path: &Path, errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(|error| format!("{}: {error}", path.display())).collect();
    lines.join("\n")
}

/// Serves until SIGTERM or SIGINT, then stops gracefully; a second signal stops at once.
///
/// # Errors
/// When the configuration is not sound, or the server cannot start.
pub async fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let overrides = args.overrides.or_environment(|name| std::env::var(name).ok());
    let path = args
        .config
        .or_else(|| std::env::var_os("REGISTRY_CONFIG").map(PathBuf::from))
        .ok_or(ServeError::NoConfig)?;
    let text =
        std::fs::read_to_string(&path).map_err(|error| ServeError::Read { path: path.clone(), error })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let unsound = |errors| ServeError::Config { path: path.clone(), errors };
    let (config, policy) = load(&text, directory, &overrides).map_err(unsound)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }

    let mode = effective_mode(config.auth_mode, overrides.wanted_mode(), overrides.address.is_some())?;
    let is_opened = config.auth_mode == AuthMode::Oauth && mode == AuthMode::Anonymous;
    let metrics = Arc::new(Metrics::default());
    let protection = match mode {
        AuthMode::Anonymous => Protection::Anonymous,
        AuthMode::Oauth => protect(policy, directory, &metrics).map_err(|error| match error {
            auth::StartError::Files(errors) => unsound(errors),
            error => ServeError::Auth(error),
        })?,
    };

    // Before the server starts, so that no signal is missed.
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let running = tokio::select! {
        started = server::start_with_metrics(config, protection, Tuning::default(), metrics) => started?,
        () = signals.next() => return Ok(()),
    };
    announce(&running, mode, is_opened);

    signals.next().await;
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => {}
        () = signals.next() => {}
    }
    Ok(())
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Reads the whole document: this program's part, and `auth` for what may have to be enforced. All errors of both are told at once (SPEC C-3).
fn load(text: &str, directory: &Path, overrides: &Overrides) -> Result<(Config, Policy), Vec<ConfigError>> {
    let config = Config::parse(text, directory, overrides);
    let policy = load_policy(text, overrides);
    match (config, policy) {
        (Ok(config), Ok(policy)) => Ok((config, policy)),
        (Ok(_), Err(errors)) | (Err(errors), Ok(_)) => Err(errors),
        (Err(mut errors), Err(more)) => {
            // Both read `auth.mode`.
            let known: Vec<String> = errors.iter().map(|error| error.path.clone()).collect();
            errors.extend(more.into_iter().filter(|error| !known.contains(&error.path)));
            Err(errors)
        }
    }
}

/// The policy of the document in the mode that is asked for.
fn load_policy(text: &str, overrides: &Overrides) -> Result<Policy, Vec<ConfigError>> {
    let mut document = yaml::parse(text)?;
    match overrides.wanted_mode() {
        // Enforced elsewhere: in the filter, under its own environment.
        Some(AuthMode::Anonymous) => return Ok(Policy::Anonymous),
        Some(AuthMode::Oauth) => require_tokens(&mut document),
        None => {}
    }
    let insecure_http = std::env::var(Environment::INSECURE_HTTP).is_ok_and(|value| value == "true");
    let loaded = Policy::from_document(&document, &Environment { insecure_http })
        .map_err(|errors| errors.iter().cloned().collect::<Vec<_>>())?;
    for warning in loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.policy)
}

/// `--auth-mode oauth` over a document that says anonymous.
fn require_tokens(document: &mut Value) {
    let mode = document.get_mut("auth").and_then(|auth| auth.get_mut("mode"));
    if let Some(mode) = mode.filter(|mode| **mode == "anonymous") {
        *mode = json!("oauth");
    }
}

fn protect(policy: Policy, directory: &Path, metrics: &Metrics) -> Result<Protection, auth::StartError> {
    let gate = auth::start(policy, directory, &auth::Tuning::default())?;
    metrics.register(|registry| registry.register_collector(Box::new(AuthMetrics::new(Arc::clone(&gate)))));
    let layer = AuthLayer::new(gate);
    Ok(Protection::Layer(Box::new(move |router| layer.protect(router))))
}

fn announce(running: &Running, mode: AuthMode, is_opened: bool) {
    let (public, internal) = (running.public, running.internal);
    tracing::info!(%public, %internal, auth_mode = %mode, "listening");
    if is_opened && !is_loopback_or_private(public.ip()) {
        tracing::warn!(
            %public,
            "anonymous over an oauth document, on an address that is neither loopback nor private: whoever reaches it needs no token"
        );
    }
}
