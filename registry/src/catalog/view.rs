//! What one registry serves: its sources merged, sorted, and asked page by page.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Entry, ServerName, Snapshot, Status, Version};
use crate::timestamp::Timestamp;

/// Sources merged in order: the first that has a server's name shadows the later ones, with all its versions. Immutable; a reload makes another one.
#[derive(Debug)]
pub struct View {
    /// Sorted by name, then by version.
    entries: Vec<Arc<Entry>>,
}

/// A place in the order by name and version, whether or not an entry is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The server.
    pub name: ServerName,
    /// Its version.
    pub version: Version,
}

/// `version` of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionFilter {
    /// The latest of each server.
    Latest,
    /// This text.
    Exact(String),
}

/// Which entries a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Only what comes strictly after it.
    pub after: Option<Position>,
    /// At most so many.
    pub limit: usize,
    /// In lower case; in name, title or description.
    pub search: Option<String>,
    /// Only what was updated strictly later. Implies `include_deleted`: who follows changes must see deletions.
    pub updated_since: Option<Timestamp>,
    /// Only these versions.
    pub version: Option<VersionFilter>,
    /// Deleted versions, too.
    pub include_deleted: bool,
}

/// Some entries, in order.
#[derive(Debug)]
pub struct Page {
    /// At most the query's limit.
    pub entries: Vec<Arc<Entry>>,
    /// The last entry's place, where there is more.
    pub next: Option<Position>,
}

impl View {
    /// Merges snapshots, the first being the strongest.
    pub fn merge<'s>(snapshots: impl IntoIterator<Item = &'s Snapshot>) -> Self {
        let mut taken = BTreeSet::new();
        let mut entries = Vec::new();
        for snapshot in snapshots {
            let new: Vec<_> =
                snapshot.entries.iter().filter(|entry| !taken.contains(&entry.name)).cloned().collect();
            taken.extend(new.iter().map(|entry| entry.name.clone()));
            entries.extend(new);
        }
        entries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Self { entries }
    }

    /// Entries, deleted ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One page of the list.
    pub fn page(&self, query: &Query) -> Page {
        let start = self.start(query);
        let mut found = self.entries.iter().skip(start).filter(|entry| query.selects(entry));
        let entries: Vec<_> = found.by_ref().take(query.limit).cloned().collect();
        let next = match (entries.last(), found.next()) {
            (Some(last), Some(_)) => {
                Some(Position { name: last.name.clone(), version: last.version.clone() })
            }
            _ => None,
        };
        Page { entries, next }
    }

    /// The index of the first entry after the query's position.
    fn start(&self, query: &Query) -> usize {
        let Some(after) = &query.after else { return 0 };
        // One entry a server: when a newer version of a server comes in between two pages, the server is not shown again.
        if query.version == Some(VersionFilter::Latest) {
            return self.entries.partition_point(|entry| entry.name <= after.name);
        }
        self.entries.partition_point(|entry| (&entry.name, &entry.version) <= (&after.name, &after.version))
    }

    /// All versions of a server, the last published first.
    pub fn versions(&self, name: &ServerName, include_deleted: bool) -> Vec<Arc<Entry>> {
        let mut versions: Vec<_> =
            self.of(name).filter(|entry| include_deleted || !entry.is_deleted()).cloned().collect();
        versions.sort_by(|a, b| {
            let key = |entry: &Entry| Reverse(entry.meta.published_at.at());
            key(a).cmp(&key(b)).then_with(|| b.version.cmp(&a.version))
        });
        versions
    }

    /// One version of a server.
    pub fn version(
        &self,
        name: &ServerName,
        version: &VersionFilter,
        include_deleted: bool,
    ) -> Option<Arc<Entry>> {
        self.of(name)
            .filter(|entry| include_deleted || !entry.is_deleted())
            .find(|entry| version.selects(entry))
            .cloned()
    }

    fn of(&self, name: &ServerName) -> impl Iterator<Item = &Arc<Entry>> {
        let start = self.entries.partition_point(|entry| entry.name < *name);
        self.entries.iter().skip(start).take_while(move |entry| entry.name == *name)
    }
}

impl Query {
    fn selects(&self, entry: &Entry) -> bool {
        let show_deleted = self.include_deleted || self.updated_since.is_some();
        (show_deleted || !entry.is_deleted())
            && self.updated_since.as_ref().is_none_or(|since| entry.meta.updated_at > *since)
            && self.version.as_ref().is_none_or(|version| version.selects(entry))
            && self.search.as_ref().is_none_or(|needle| entry.matches(needle))
    }
}

impl VersionFilter {
    fn selects(&self, entry: &Entry) -> bool {
        match self {
            Self::Latest => entry.is_latest,
            Self::Exact(text) => entry.version.as_str() == text,
        }
    }
}

impl Entry {
    fn is_deleted(&self) -> bool {
        self.meta.status == Status::Deleted
    }
}

#[cfg(test)]
mod tests;
