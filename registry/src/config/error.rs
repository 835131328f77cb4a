//! One thing that is wrong with a configuration (SPEC C-3).

use std::fmt;

/// Where, what was found, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The place in the document, as in `sources[0].file.path`; empty for the document as a whole; `--address` or `REGISTRY_ADDRESS` outside of it.
    pub path: String,
    /// What was found there, never a secret; `None` where nothing was, or where it must not be shown.
    pub value: Option<String>,
    /// What would be right.
    pub expected: String,
    /// For an unknown key or name: the nearest valid one.
    pub nearest: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "document" } else { &self.path };
        write!(f, "{place}: expected {}", self.expected)?;
        if let Some(value) = &self.value {
            write!(f, ", found {value}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<registry_auth::config::ConfigError> for ConfigError {
    /// An error of the `auth` section, which is the core's.
    fn from(error: registry_auth::config::ConfigError) -> Self {
        let registry_auth::config::ConfigError { path, value, expected, nearest } = error;
        Self { path, value, expected, nearest }
    }
}
