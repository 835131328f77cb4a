//! Query parameters. Unknown ones are ignored, as in the official registry; a known one that is repeated is an error.

use super::{ApiError, cursor, percent};
use crate::catalog::{Query, VersionFilter};
use crate::timestamp::Timestamp;

const DEFAULT_LIMIT: usize = 30;
const MAX_LIMIT: usize = 100;

/// The parameters of a list. An empty `cursor`, `search` or `version` counts as absent.
pub(super) fn list(query: Option<&str>) -> Result<Query, ApiError> {
    let [cursor, limit, search, updated_since, version, include_deleted] =
        read(query, ["cursor", "limit", "search", "updated_since", "version", "include_deleted"])?;
    let present = |text: &String| !text.is_empty();
    Ok(Query {
        after: cursor
            .filter(present)
            .map(|text| cursor::decode(&text).ok_or(ApiError::Cursor))
            .transpose()?,
        limit: limit.map_or(Ok(DEFAULT_LIMIT), |text| self::limit(&text))?,
        search: search.filter(present).map(|text| text.to_lowercase()),
        updated_since: updated_since
            .map(|text| Timestamp::from_text(&text).ok_or(ApiError::UpdatedSince))
            .transpose()?,
        version: version.filter(present).map(self::version),
        include_deleted: self::include_deleted(include_deleted)?,
    })
}

/// The only parameter of the other routes.
pub(super) fn only_include_deleted(query: Option<&str>) -> Result<bool, ApiError> {
    let [value] = read(query, ["include_deleted"])?;
    include_deleted(value)
}

/// `latest`, or an exact version.
pub(super) fn version(text: String) -> VersionFilter {
    if text == "latest" { VersionFilter::Latest } else { VersionFilter::Exact(text) }
}

fn limit(text: &str) -> Result<usize, ApiError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::Limit);
    }
    text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(ApiError::Limit)
}

fn include_deleted(value: Option<String>) -> Result<bool, ApiError> {
    match value.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ApiError::IncludeDeleted),
    }
}

/// The values of `names`, in their order.
fn read<const N: usize>(
    query: Option<&str>,
    names: [&'static str; N],
) -> Result<[Option<String>; N], ApiError> {
    let mut values = [const { None }; N];
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    for pair in pairs {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text| percent::decode(text, true).ok_or(ApiError::QueryEncoding);
        let (key, value) = (decode(key)?, decode(value)?);
        for (name, slot) in names.iter().zip(&mut values) {
            if *name == key && slot.replace(value.clone()).is_some() {
                return Err(ApiError::RepeatedParameter(name));
            }
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(query: &str) -> ApiError {
        list(Some(query)).unwrap_err()
    }

    #[test]
    fn nothing_is_the_default() {
        for query in [None, Some(""), Some("&&"), Some("cursor=&search=&version=")] {
            let query = list(query).unwrap();
            assert_eq!(query.limit, 30);
            assert_eq!((query.after, query.search, query.version), (None, None, None));
            assert!(query.updated_since.is_none() && !query.include_deleted);
        }
    }

    #[test]
    fn everything_can_be_asked_at_once() {
        let query = list(Some(
            "cursor=YS9iOjEuMA&limit=100&search=Mixed+Case%2B&updated_since=2025-01-01T00:00:00%2B00:00&version=1.0%2B1&include_deleted=true&unknown=1&unknown=2",
        ))
        .unwrap();
        assert_eq!(query.after.unwrap().name.as_str(), "a/b");
        assert_eq!(query.limit, 100);
        assert_eq!(query.search.as_deref(), Some("mixed case+"));
        assert_eq!(query.updated_since.unwrap().as_str(), "2025-01-01T00:00:00Z");
        assert_eq!(query.version, Some(VersionFilter::Exact("1.0+1".to_owned())));
        assert!(query.include_deleted);
    }

    #[test]
    fn limits_outside_of_1_to_100_are_refused() {
        for limit in ["0", "101", "-1", "+5", "1.5", "", "a", "1e1", "99999999999999999999999", "%205"] {
            assert_eq!(error(&format!("limit={limit}")), ApiError::Limit, "{limit}");
        }
        assert_eq!(error("limit"), ApiError::Limit);
    }

    #[test]
    fn malformed_values_are_refused() {
        assert_eq!(error("cursor=abc"), ApiError::Cursor);
        for date in ["", "2025-01-01", "yesterday", "2025-01-01T00:00:00+00:00"] {
            assert_eq!(error(&format!("updated_since={date}")), ApiError::UpdatedSince, "{date}");
        }
        for flag in ["", "1", "TRUE", "yes"] {
            assert_eq!(error(&format!("include_deleted={flag}")), ApiError::IncludeDeleted);
        }
        for query in ["search=%", "search=%ff", "%zz=1", "unknown=%1"] {
            assert_eq!(error(query), ApiError::QueryEncoding, "{query}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_in_any_spelling() {
        for query in ["limit=1&limit=1", "limit=1&%6cimit=2", "search&search=", "cursor=&cursor="] {
            assert!(matches!(error(query), ApiError::RepeatedParameter(_)), "{query}");
        }
    }
}
