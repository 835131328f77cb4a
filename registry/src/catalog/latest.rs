//! Which version of a server is `latest`.

use std::cmp::Ordering;

use time::OffsetDateTime;

use super::version::Version;

/// What the rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) version: &'a Version,
    pub(super) published_at: OffsetDateTime,
    pub(super) deleted: bool,
}

/// The position of the latest of one server's versions.
///
/// Semantic versions compare as such; others by publication time; of one each, the semantic one is later. What then still is equal is decided by
/// publication time and last by the text. A deleted version is latest only where all are deleted.
pub(super) fn latest<'a>(versions: impl IntoIterator<Item = Candidate<'a>>) -> Option<usize> {
    versions.into_iter().enumerate().max_by(|(_, a), (_, b)| compare(a, b)).map(|(index, _)| index)
}

fn compare(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    b.deleted
        .cmp(&a.deleted)
        .then_with(|| a.version.precedence(b.version).unwrap_or(Ordering::Equal))
        .then_with(|| a.published_at.cmp(&b.published_at))
        .then_with(|| a.version.cmp(b.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(version, published, deleted)`, the expected one first; every rotation must give the same.
    fn assert_first_is_latest(cases: &[(&str, i64, bool)]) {
        let versions: Vec<(Version, OffsetDateTime, bool)> = cases
            .iter()
            .map(|(text, published, deleted)| {
                let published = OffsetDateTime::from_unix_timestamp(*published).unwrap();
                (Version::from_text(*text), published, *deleted)
            })
            .collect();
        for shift in 0..versions.len() {
            let mut rotated: Vec<_> = versions.iter().collect();
            rotated.rotate_left(shift);
            let found = latest(rotated.iter().map(|(version, published_at, deleted)| Candidate {
                version,
                published_at: *published_at,
                deleted: *deleted,
            }));
            assert_eq!(rotated[found.unwrap()].0.as_str(), cases[0].0, "{cases:?}");
        }
    }

    #[test]
    fn semantic_versions_compare_as_such_whatever_their_publication() {
        assert_first_is_latest(&[("1.10.0", 1, false), ("1.9.0", 9, false), ("1.2.0", 5, false)]);
        assert_first_is_latest(&[("1.0.0", 1, false), ("1.0.0-rc.1", 9, false)]);
    }

    #[test]
    fn others_compare_by_publication() {
        assert_first_is_latest(&[("alpha", 9, false), ("zulu", 1, false)]);
        assert_first_is_latest(&[("2023.1", 9, false), ("2024.1", 1, false)]);
    }

    #[test]
    fn a_semantic_version_is_later_than_one_that_is_not() {
        assert_first_is_latest(&[("0.0.1", 1, false), ("snapshot", 9, false)]);
    }

    #[test]
    fn equal_precedence_is_decided_by_publication_then_text() {
        assert_first_is_latest(&[("1.0.0+a", 9, false), ("1.0.0+b", 1, false)]);
        assert_first_is_latest(&[("1.0.0+b", 1, false), ("1.0.0+a", 1, false)]);
        assert_first_is_latest(&[("b", 1, false), ("a", 1, false)]);
    }

    #[test]
    fn a_deleted_version_is_latest_only_where_all_are_deleted() {
        assert_first_is_latest(&[("1.0.0", 1, false), ("2.0.0", 2, true)]);
        assert_first_is_latest(&[("2.0.0", 1, true), ("1.0.0", 2, true)]);
    }

    #[test]
    fn nothing_has_no_latest() {
        assert_eq!(latest([]), None);
    }
}
