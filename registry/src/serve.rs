//! `registry serve`: configuration, authentication mode, signals.

use std::path::{Path, PathBuf};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::config::{AuthMode, Config, ConfigError, ModeError, effective_mode, is_loopback_or_private};
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
    /// Tokens are needed and nothing here can check them: rather none is served.
    #[error(
        "auth.mode is oauth, which this build cannot enforce by itself; run it behind the filter, with --auth-mode anonymous --address 127.0.0.1:8080"
    )]
    OauthNotEnforced,
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
            Self::NoConfig
            | Self::Read { .. }
            | Self::Config { .. }
            | Self::Mode(_)
            | Self::OauthNotEnforced => 2,
            Self::Start(_) | Self::Signals(_) => 1,
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
    let config = Config::parse(&text, directory, &overrides)
        .map_err(|errors| ServeError::Config { path: path.clone(), errors })?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }

    let mode = effective_mode(config.auth_mode, overrides.wanted_mode(), overrides.address.is_some())?;
    let is_opened = config.auth_mode == AuthMode::Oauth && mode == AuthMode::Anonymous;
    let protection = protection(mode)?;

    // Before the server starts, so that no signal is missed.
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let running = tokio::select! {
        started = server::start(config, protection, Tuning::default()) => started?,
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

/// What enforces the mode. Without anything that can, oauth does not start (SPEC C-2).
fn protection(mode: AuthMode) -> Result<Protection, ServeError> {
    match mode {
        AuthMode::Anonymous => Ok(Protection::Anonymous),
        AuthMode::Oauth => Err(ServeError::OauthNotEnforced),
    }
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
