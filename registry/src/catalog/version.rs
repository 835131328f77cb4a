//! Versions of a server, and their order.

use std::cmp::Ordering;

/// A version as its publisher wrote it.
///
/// The order is total and depends on the texts alone, so that a cursor means the same place before and after a reload:
/// versions that are not semantic come first, by their bytes; then the semantic ones by precedence (SemVer 2.0.0 §11), and those that differ only in
/// build metadata or in the leading `v` by their bytes. A leading `v` is allowed, as in the official registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    semantic: Option<semver::Version>,
}

impl Version {
    /// Any text is a version; some are semantic.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        let bare = text.strip_prefix('v').unwrap_or(&text);
        let semantic = semver::Version::parse(bare).ok();
        Self { text, semantic }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// SemVer precedence, where both are semantic; a semantic version is above one that is not; `None` where neither is.
    pub(super) fn precedence(&self, other: &Self) -> Option<Ordering> {
        match (&self.semantic, &other.semantic) {
            (Some(this), Some(that)) => Some(this.cmp_precedence(that)),
            (Some(_), None) => Some(Ordering::Greater),
            (None, Some(_)) => Some(Ordering::Less),
            (None, None) => None,
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other).unwrap_or(Ordering::Equal).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_documented_one_for_every_pair() {
        let ascending = [
            "",
            "1.0",
            "2024-01-15",
            "latest-ish",
            "0.0.1-seed",
            "0.0.1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0+a",
            "1.0.0+b",
            "v1.0.0",
            "1.2.0",
            "1.10.0",
            "v2.0.0-rc.1",
            "2.0.0",
        ];
        let versions: Vec<Version> = ascending.into_iter().map(Version::from_text).collect();
        for (i, a) in versions.iter().enumerate() {
            for (j, b) in versions.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{} and {}", a.as_str(), b.as_str());
                assert_eq!(a == b, i == j);
            }
        }
    }
}
