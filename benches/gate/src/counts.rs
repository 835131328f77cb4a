//! What one request, or one start, cost.

use std::collections::BTreeMap;

/// Counts since they were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Host calls by name.
    pub(crate) calls: BTreeMap<String, Call>,
    /// Entries into the module by the export's name, re-entries not counted.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Allocations that the host asked for in the middle of a host call, to return data.
    pub(crate) reentries: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
}

/// A host function's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) count: u64,
    /// Those that returned data in memory allocated for it.
    pub(crate) with_data: u64,
}

/// An export's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) count: u64,
    /// All of their instructions, re-entries included.
    pub(crate) instructions: u64,
}

impl Counts {
    /// A host function was called.
    pub(crate) fn call(&mut self, name: &str) {
        self.calls.entry(name.to_owned()).or_default().count += 1;
    }

    /// It asked for memory.
    pub(crate) fn reentry(&mut self, name: &str, bytes: u64) {
        self.calls.entry(name.to_owned()).or_default().with_data += 1;
        self.reentries += 1;
        self.bytes += bytes;
    }

    /// An export was called.
    pub(crate) fn entry(&mut self, name: &str, instructions: u64) {
        let entry = self.entries.entry(name.to_owned()).or_default();
        entry.count += 1;
        entry.instructions += instructions;
    }

    /// Of all entries.
    pub(crate) fn instructions(&self) -> u64 {
        self.entries.values().map(|entry| entry.instructions).sum()
    }

    /// Host calls of any name.
    pub(crate) fn host_calls(&self) -> u64 {
        self.calls.values().map(|call| call.count).sum()
    }

    /// Host calls that returned data.
    pub(crate) fn data_calls(&self) -> u64 {
        self.calls.values().map(|call| call.with_data).sum()
    }
}
