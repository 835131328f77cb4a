//! One version of one server, checked and serialised.

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::latest::Candidate;
use super::{ServerName, Version};
use crate::timestamp::Timestamp;

/// The registry's own member of `_meta`.
pub(super) const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

/// `status` of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// In use, but not recommended.
    Deprecated,
    /// Shown only with `include_deleted`.
    Deleted,
}

impl Status {
    pub(super) fn from_text(text: &str) -> Option<Self> {
        [Self::Active, Self::Deprecated, Self::Deleted].into_iter().find(|status| status.as_str() == text)
    }

    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
        }
    }
}

/// What the registry knows about a version, as taken from the catalog.
#[derive(Clone, Debug)]
pub struct OfficialMeta {
    /// Default active.
    pub status: Status,
    /// Why, in the publisher's words.
    pub status_message: Option<String>,
    /// Default `published_at`.
    pub status_changed_at: Timestamp,
    /// Default: the catalog's `meta.last_updated`, or the epoch where it has none.
    pub published_at: Timestamp,
    /// Default `published_at`.
    pub updated_at: Timestamp,
}

/// A version of a server as it is served.
#[derive(Debug)]
pub struct Entry {
    /// The server.
    pub name: ServerName,
    /// Its version.
    pub version: Version,
    /// Status and dates.
    pub meta: OfficialMeta,
    /// Whether it is its server's latest version.
    pub is_latest: bool,
    /// `{"server": …, "_meta": …}`.
    pub json: Bytes,
    /// Of `json`; for entity tags.
    pub digest: [u8; 32],
    /// Name, title and description in lower case.
    searched: [String; 3],
}

impl Entry {
    /// Whether name, title or description contain `needle`, which is in lower case.
    pub fn matches(&self, needle: &str) -> bool {
        self.searched.iter().any(|text| text.contains(needle))
    }
}

/// A checked entry that does not know yet whether it is the latest.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: ServerName,
    pub(super) version: Version,
    pub(super) meta: OfficialMeta,
    /// Name, title and description in lower case.
    pub(super) searched: [String; 3],
    /// The server.json.
    pub(super) server: String,
    /// Members of the outer `_meta` besides [`OFFICIAL`].
    pub(super) extensions: Vec<(String, String)>,
}

impl Draft {
    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            version: &self.version,
            published_at: self.published_at(),
            deleted: self.meta.status == Status::Deleted,
        }
    }

    fn published_at(&self) -> OffsetDateTime {
        self.meta.published_at.at()
    }

    /// Serialises it.
    pub(super) fn finish(self, is_latest: bool) -> Entry {
        let text = |text: &str| Value::from(text).to_string();
        let mut json = format!(
            r#"{{"server":{},"_meta":{{"{OFFICIAL}":{{"status":"{}","statusChangedAt":"{}","#,
            self.server,
            self.meta.status.as_str(),
            self.meta.status_changed_at.as_str(),
        );
        if let Some(message) = &self.meta.status_message {
            json.push_str(&format!(r#""statusMessage":{},"#, text(message)));
        }
        json.push_str(&format!(
            r#""publishedAt":"{}","updatedAt":"{}","isLatest":{is_latest}}}"#,
            self.meta.published_at.as_str(),
            self.meta.updated_at.as_str(),
        ));
        for (key, value) in &self.extensions {
            json.push_str(&format!(",{}:{value}", text(key)));
        }
        json.push_str("}}");
        Entry {
            name: self.name,
            version: self.version,
            meta: self.meta,
            is_latest,
            digest: Sha256::digest(&json).into(),
            json: json.into(),
            searched: self.searched,
        }
    }
}
