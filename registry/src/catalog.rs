//! Catalogs: files of server.json entries, and the merged, sorted view a registry serves.
//!
//! A file becomes a [`Snapshot`] as a whole or not at all: one entry that is not sound rejects the file, because a registry that silently lacks a server
//! looks like one from which it was removed. Entries are serialised once, here, so that a request only copies bytes.

mod check;
mod document;
mod entry;
mod error;
mod file;
mod filter;
mod latest;
mod name;
mod version;
mod view;

pub use entry::{Entry, OfficialMeta, Status};
pub use error::{EntryError, LoadError};
pub use file::{Fingerprint, Snapshot, load, parse};
pub use filter::{Filter, Globs, glob};
pub use name::{NameError, ServerName};
pub use version::Version;
pub use view::{Page, Position, Query, VersionFilter, View};
