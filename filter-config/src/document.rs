//! A registry's configuration file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use registry_auth::config::{ConfigErrors, Environment, LoadedFilter, load_filter, yaml};
use serde_json::Value;

/// A sound configuration file.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it says, other top-level keys included.
    pub value: Value,
    /// What it means.
    pub loaded: LoadedFilter,
    /// Absolute; what relative names of files in it start from.
    pub directory: PathBuf,
}

impl Document {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that is wrong.
    pub fn read(file: &Path, environment: &Environment) -> Result<Self, DocumentError> {
        let unreadable = |error| DocumentError::Unreadable { file: file.to_owned(), error };
        let bytes = std::fs::read(file).map_err(unreadable)?;
        let directory =
            std::path::absolute(file).map_err(unreadable)?.parent().map(Path::to_owned).unwrap_or_default();
        let text = String::from_utf8(bytes).map_err(|_| DocumentError::NotUtf8 { file: file.to_owned() })?;
        let value = yaml::parse(&text)?;
        let loaded = load_filter(&value, environment)?;
        Ok(Self { value, loaded, directory })
    }

    /// The absolute name of a file the document names.
    pub fn resolve(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }
}

/// The environment variable behind [`Environment`], as this process sees it.
pub fn environment() -> Environment {
    Environment {
        insecure_http: std::env::var(Environment::INSECURE_HTTP).is_ok_and(|value| value == "true"),
    }
}

/// Why there is no [`Document`].
#[derive(Debug)]
pub enum DocumentError {
    /// The operating system says no.
    Unreadable {
        /// Its name, as given.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no text.
    NotUtf8 {
        /// Its name, as given.
        file: PathBuf,
    },
    /// It is not what it should be.
    Unsound(ConfigErrors),
}

impl From<ConfigErrors> for DocumentError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Unsound(errors)
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => {
                write!(f, "{}: cannot be read: {error}", file.display())
            }
            Self::NotUtf8 { file } => write!(f, "{}: expected text in UTF-8", file.display()),
            Self::Unsound(errors) => errors.fmt(f),
        }
    }
}

impl std::error::Error for DocumentError {}
