//! Names of header fields: what identity is forwarded in, and what clients may not send.

use std::fmt;

/// The headers of SPEC I-1 every forwarded identity has. A client's own are removed from every request.
pub const IDENTITY_HEADERS: [&str; 4] = ["x-auth-provider", "x-auth-subject", "x-auth-user", "x-auth-scopes"];

/// SPEC P-4: would undo decisions made on method and path, and are removed from every request.
pub const OVERRIDE_HEADERS: [&str; 4] =
    ["x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// The longest accepted name, in bytes.
const MAX_LENGTH: usize = 64;

/// A header's name (RFC 9110 §5.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(String);

impl HeaderName {
    /// Any name that is a token (RFC 9110 §5.6.2).
    ///
    /// # Errors
    /// [`HeaderError::NotAToken`], which pseudo headers (`:path`) are too.
    pub fn parse(name: &str) -> Result<Self, HeaderError> {
        if name.is_empty() || name.len() > MAX_LENGTH || !name.bytes().all(is_tchar) {
            return Err(HeaderError::NotAToken);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// A name a claim may be forwarded in (SPEC C-7).
    ///
    /// # Errors
    /// As [`Self::parse`], and for names that mean something to a proxy, to an HTTP server or to us.
    pub fn for_claim(name: &str) -> Result<Self, HeaderError> {
        let name = Self::parse(name)?;
        let bytes = name.as_bytes();
        if IDENTITY_HEADERS.iter().chain(&OVERRIDE_HEADERS).any(|ours| same_name(ours.as_bytes(), bytes)) {
            return Err(HeaderError::Ours);
        }
        let reserved = RESERVED.iter().any(|reserved| same_name(reserved.as_bytes(), bytes));
        let prefixed = RESERVED_PREFIXES
            .iter()
            .any(|prefix| bytes.get(..prefix.len()).is_some_and(|start| same_name(prefix.as_bytes(), start)));
        if reserved || prefixed { Err(HeaderError::Reserved) } else { Ok(name) }
    }

    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hop-by-hop (RFC 9110 §7.6.1), routing, framing and credentials.
const RESERVED: [&str; 18] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
    "host",
    "authorization",
    "cookie",
    "set-cookie",
    "expect",
    "forwarded",
    "via",
    "x-real-ip",
];

/// The last are Envoy's instructions to itself.
const RESERVED_PREFIXES: [&str; 3] = ["content-", "x-forwarded-", "x-envoy-"];

/// Whether two names are one to some server behind us: letters in any case, `_` and `-` alike (CGI and its heirs see no difference).
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fold(*a) == fold(*b))
}

pub(crate) const fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Why a text cannot name a claim's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Empty, longer than 64 bytes, or not a token.
    NotAToken,
    /// Hop-by-hop, routing, framing, credentials.
    Reserved,
    /// One of [`IDENTITY_HEADERS`] or [`OVERRIDE_HEADERS`].
    Ours,
}

impl fmt::Display for HeaderError {
    /// What was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAToken => write!(f, "a header name: a token of at most {MAX_LENGTH} characters"),
            Self::Reserved => f.write_str(
                "a header that is not hop-by-hop, Host, Authorization, Cookie, Content-*, Forwarded, X-Forwarded-* or another the proxy uses",
            ),
            Self::Ours => f.write_str("a header that is neither set nor removed by the authentication itself"),
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn names_are_lower_case_tokens() {
        assert_eq!(HeaderName::for_claim("X-Team").unwrap().as_str(), "x-team");
        assert_eq!(HeaderName::for_claim("x-auth-email").unwrap().as_str(), "x-auth-email");
        for name in [
            "",
            " x",
            "x y",
            "x:y",
            ":path",
            ":authority",
            "x\r\ny",
            "x\u{fc}",
            "x/y",
            "x\"",
            "x(y)",
            "x\0",
            &"x".repeat(65),
        ] {
            assert_eq!(HeaderName::parse(name), Err(HeaderError::NotAToken), "{name:?}");
        }
    }

    #[test]
    fn claims_go_into_no_header_with_a_meaning() {
        for name in [
            "Connection",
            "keep-alive",
            "TE",
            "Trailer",
            "transfer-encoding",
            "Transfer_Encoding",
            "upgrade",
            "Proxy-Authorization",
            "Host",
            "AUTHORIZATION",
            "cookie",
            "Content-Length",
            "content_type",
            "Content-",
            "forwarded",
            "X-Forwarded-For",
            "x_forwarded_proto",
            "x-envoy-original-path",
        ] {
            assert_eq!(HeaderName::for_claim(name), Err(HeaderError::Reserved), "{name}");
        }
        for name in [
            "x-auth-user",
            "X-Auth-Subject",
            "x_auth_scopes",
            "x-auth_provider",
            "X-HTTP-Method-Override",
            "x_original_url",
        ] {
            assert_eq!(HeaderName::for_claim(name), Err(HeaderError::Ours), "{name}");
        }
        for name in ["contents", "x-forwarded", "hosts", "x-auth-users"] {
            assert!(HeaderName::for_claim(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_are_compared_as_the_laxest_server_does() {
        for (a, b, same) in [
            ("x-auth-user", "X-AUTH-USER", true),
            ("x-auth-user", "x_auth_user", true),
            ("x-auth-user", "X_Auth-User", true),
            ("x-auth-user", "x-auth-use", false),
            ("x-auth-user", "x-auth-users", false),
            ("x-auth-user", "x.auth.user", false),
            ("", "", true),
        ] {
            assert_eq!(same_name(a.as_bytes(), b.as_bytes()), same, "{a} {b}");
        }
        assert!(!same_name(b"x-auth-user\xff", b"x-auth-user\xfe"));
    }
}
