//! A catalog file, loaded as a whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::check;
use super::document::Document;
use super::entry::{Draft, Entry};
use super::latest::latest;
use super::{EntryError, Filter, LoadError, ServerName};
use crate::config::Format;

/// Largest file that is read, in bytes.
const MAX_SIZE: u64 = 512 * 1024 * 1024;

/// What a source held at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Sorted by name, then by version; no two alike.
    pub entries: Vec<Arc<Entry>>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// The file says that it is one page of a longer list.
    pub is_partial: bool,
}

/// Tells whether a file may have changed: another file under the same path, through whichever symbolic link, or the same one written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

impl Fingerprint {
    /// Of the file that `path` leads to now; `None` where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        })
    }
}

/// Reads and parses a file. Blocks.
///
/// # Errors
/// When the file cannot be read, is not a catalog, or holds an entry that is not sound.
pub fn load(path: &Path, format: Format, filter: &Filter) -> Result<Snapshot, LoadError> {
    // Asked before opening, which would wait on a pipe.
    if !fs::metadata(path)?.is_file() {
        return Err(LoadError::NotAFile);
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    if file.take(MAX_SIZE + 1).read_to_end(&mut bytes)? as u64 > MAX_SIZE {
        return Err(LoadError::TooLarge(MAX_SIZE));
    }
    parse(&bytes, format, filter)
}

/// Parses the content of a file. A byte order mark is ignored (RFC 8259 §8.1).
///
/// # Errors
/// When the content is not a catalog, or holds an entry that is not sound.
pub fn parse(bytes: &[u8], format: Format, filter: &Filter) -> Result<Snapshot, LoadError> {
    let text = std::str::from_utf8(bytes).map_err(|_| LoadError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::read(text, format)?;
    let drafts = drafts(&document, filter)?;
    Ok(Snapshot {
        entries: finish(drafts),
        digest: Sha256::digest(bytes).into(),
        is_partial: document.is_partial,
    })
}

type ByName = BTreeMap<ServerName, Vec<Draft>>;

fn drafts(document: &Document<'_>, filter: &Filter) -> Result<ByName, LoadError> {
    let mut by_name = ByName::new();
    let mut errors = Vec::new();
    for (index, item) in document.items.iter().enumerate() {
        match check::read(index, item, document, filter) {
            Ok(None) => {}
            Ok(Some(draft)) => {
                let versions = by_name.entry(draft.name.clone()).or_default();
                if versions.iter().any(|known| known.version == draft.version) {
                    errors.push(EntryError {
                        index,
                        name: Some(draft.name.to_string()),
                        field: "version".to_owned(),
                        problem: format!("{:?} is given twice", draft.version.as_str()),
                    });
                } else {
                    versions.push(draft);
                }
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(by_name) } else { Err(LoadError::Entries(errors)) }
}

fn finish(by_name: ByName) -> Vec<Arc<Entry>> {
    let mut entries = Vec::new();
    for mut versions in by_name.into_values() {
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        let latest = latest(versions.iter().map(Draft::candidate));
        entries.extend(
            versions
                .into_iter()
                .enumerate()
                .map(|(index, draft)| Arc::new(draft.finish(Some(index) == latest))),
        );
    }
    entries
}

#[cfg(test)]
mod tests;
