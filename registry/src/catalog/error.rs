//! Why a catalog file could not be loaded.

use std::fmt;

/// Errors of entries shown before the rest is only counted.
const SHOWN: usize = 20;

/// Nothing of the file is used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing or cannot be read.
    #[error("cannot read the file: {0}")]
    Read(#[from] std::io::Error),
    /// The path leads to a directory, a pipe or a device.
    #[error("not a regular file")]
    NotAFile,
    /// Larger than the limit, in bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Not UTF-8, as JSON must be (RFC 8259 §8.1).
    #[error("not UTF-8")]
    NotUtf8,
    /// Not JSON, or not of the expected shape, with line and column.
    #[error("not a catalog: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("not a catalog: expected {0}")]
    Shape(&'static str),
    /// Entries that are not sound; all of them.
    #[error("{}", Entries(.0))]
    Entries(Vec<EntryError>),
}

/// What is wrong with one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryError {
    /// Position in the list of servers, from 0.
    pub index: usize,
    /// The server's name, where it could be read.
    pub name: Option<String>,
    /// The member concerned, as in `description` or `_meta…publishedAt`.
    pub field: String,
    /// What was expected and found.
    pub problem: String,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}", self.index)?;
        if let Some(name) = &self.name {
            write!(f, " ({name:?})")?;
        }
        write!(f, ": {}: {}", self.field, self.problem)
    }
}

struct Entries<'a>(&'a [EntryError]);

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
