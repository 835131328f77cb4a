//! What ends a run.

use std::fmt;
use std::io;

/// Why there are no figures.
#[derive(Debug)]
pub enum BenchError {
    /// A file or a process failed.
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended with a failure.
    Program {
        /// The program.
        name: String,
        /// The end of what it printed.
        output: String,
    },
    /// Envoy did not start.
    Envoy(envoy_test::envoy::EnvoyError),
    /// The rendered bootstrap is not shaped as expected.
    Bootstrap(String),
    /// Not every answer was 2xx, or not every token looked at: something else was measured.
    Answers {
        /// The arm.
        arm: String,
        /// What Envoy counted.
        counted: String,
    },
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Program { name, output } => write!(f, "{name} failed:\n{output}"),
            Self::Envoy(error) => write!(f, "{error}"),
            Self::Bootstrap(what) => write!(f, "the rendered bootstrap has no {what}"),
            Self::Answers { arm, counted } => write!(f, "{arm}: {counted}"),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<envoy_test::envoy::EnvoyError> for BenchError {
    fn from(error: envoy_test::envoy::EnvoyError) -> Self {
        Self::Envoy(error)
    }
}

/// Names what was tried when it failed.
pub trait Doing<T> {
    /// `what` comes before the system's own words.
    ///
    /// # Errors
    /// The same, named.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BenchError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BenchError> {
        self.map_err(|source| BenchError::Io { doing: what(), source })
    }
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It cannot be started, or fails.
pub fn output(command: &mut std::process::Command) -> Result<String, BenchError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(std::process::Stdio::null()).output().doing(|| name.clone())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(BenchError::Program { name, output: text })
}
