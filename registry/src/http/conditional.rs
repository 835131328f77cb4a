//! Entity tags and `If-None-Match` (RFC 9110 §8.8.3, §13.1.2).

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::respond;

/// A strong validator: equal tags mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag(String);

impl EntityTag {
    /// The tag of a body that these parts determine. Parts of fixed length only, or one part of any length at the end.
    pub(super) fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let (half, _) = digest.split_at(16);
        Self(format!("\"{}\"", URL_SAFE_NO_PAD.encode(half)))
    }

    /// Whether the client has this already.
    fn is_known_to(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

/// 200 with a body, which is made only when needed, or 304.
pub(super) fn respond(
    request: &HeaderMap,
    tag: &EntityTag,
    content_type: &'static str,
    body: impl FnOnce() -> Bytes,
) -> Response {
    let mut response = if tag.is_known_to(request) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        respond::full(StatusCode::OK, content_type, body())
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag.0) {
        headers.insert(ETAG, tag);
    }
    // Data changes at any time: a cache asks each time, and is mostly answered 304.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[&str]) -> bool {
        let tag = EntityTag("\"abc\"".to_owned());
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
        }
        tag.is_known_to(&headers)
    }

    #[test]
    fn a_tag_is_found_in_lists_and_compared_weakly() {
        for values in [&["\"abc\""][..], &["W/\"abc\""], &["*"], &["\"x\" , \"abc\""], &["\"x\"", "\"abc\""]]
        {
            assert!(known(values), "{values:?}");
        }
    }

    #[test]
    fn other_tags_are_not() {
        for values in [&[][..], &["\"ABC\""], &["abc"], &["\"abcd\""], &["w/\"abc\""], &[""]] {
            assert!(!known(values), "{values:?}");
        }
    }
}
