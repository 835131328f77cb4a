//! What ends a run.

use std::fmt;
use std::io;
use std::path::Path;

/// Why there are no counts.
#[derive(Debug)]
pub(crate) enum GateError {
    /// A file could not be read or written.
    File { path: String, source: io::Error },
    /// The module does not load, lacks an export, or trapped.
    Wasm(wasmtime::Error),
    /// A key of the test's does not sign.
    Key(String),
    /// The filter refused the configuration, or left no keys.
    Start(String),
    /// A request ended otherwise than the scenario says.
    Outcome { scenario: String, found: String },
    /// The baseline cannot be read.
    Baseline { line: usize, text: String },
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{path}: {source}"),
            Self::Wasm(error) => write!(f, "{error:?}"),
            Self::Key(what) => write!(f, "test key: {what}"),
            Self::Start(what) => write!(f, "start: {what}"),
            Self::Outcome { scenario, found } => write!(f, "{scenario}: not the expected outcome: {found}"),
            Self::Baseline { line, text } => write!(f, "baseline, line {line}: not understood: {text}"),
        }
    }
}

impl std::error::Error for GateError {}

impl From<wasmtime::Error> for GateError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(error)
    }
}

impl GateError {
    /// A failure about a file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}
