//! What the core asks its shells to fetch. The core performs no I/O: it says what is needed and judges what came.

use std::fmt;

use crate::policy::Purpose;
use crate::url::Url;

/// The longest body of an introspection response, in bytes (SPEC O-4).
pub const MAX_INTROSPECTION_LENGTH: usize = 64 * 1024;

/// The longest body of a discovery document or JWK Set, in bytes (SPEC J-6).
pub const MAX_DOCUMENT_LENGTH: usize = 1024 * 1024;

/// A document of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// OpenID Connect Discovery 1.0 §4.
    OpenidConfiguration,
    /// RFC 8414 §3.
    AuthorizationServerMetadata,
    /// RFC 7517 §5.
    JwkSet,
    /// RFC 7662 §2.2, or Google's tokeninfo.
    Introspection,
}

impl Document {
    /// For logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenidConfiguration => "openid-configuration",
            Self::AuthorizationServerMetadata => "oauth-authorization-server",
            Self::JwkSet => "JWKS",
            Self::Introspection => "introspection",
        }
    }
}

/// One HTTP request to a provider. Redirects are not followed. The shell adds the provider's credentials.
#[derive(Clone)]
pub struct FetchRequest {
    /// The provider's place in the configuration.
    pub provider: usize,
    /// Selects the host's upstream, and credentials.
    pub purpose: Purpose,
    /// What is fetched.
    pub document: Document,
    /// From where. Its query may be a token: it is never logged.
    pub url: Url,
    /// The `Accept` header.
    pub accept: &'static str,
    /// A form to POST (`application/x-www-form-urlencoded`); without one, the method is GET. It may be a token.
    pub form: Option<String>,
    /// Longer bodies are not read.
    pub max_body: usize,
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FetchRequest({} of provider {}: {})",
            self.document.as_str(),
            self.provider,
            self.url.without_query()
        )
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub enum FetchResult {
    /// A complete response of any status.
    Response(FetchResponse),
    /// None.
    Failed(FetchError),
}

/// A provider's response.
#[derive(Clone, Debug)]
pub struct FetchResponse {
    /// HTTP status.
    pub status: u16,
    /// The `Cache-Control` header.
    pub cache_control: Option<String>,
    /// At most the request's `max_body`.
    pub body: Vec<u8>,
}

/// Why there is no response, or none that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The host has no upstream of this name.
    NoUpstream {
        /// The upstream's name in the host.
        upstream: String,
        /// The origin that it has to lead to.
        origin: String,
    },
    /// Not connected, reset, or TLS failed; with the cause in the shell's words.
    Unreachable(String),
    /// Nothing within the time allowed.
    TimedOut,
    /// A body longer than allowed.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Another status than 200.
    Status(u16),
    /// Not what the document should be, and how.
    Invalid(String),
    /// An address or scheme that the policy refuses.
    Refused(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUpstream { upstream, origin } => {
                write!(f, "the proxy has no upstream {upstream:?}: add one that leads to {origin}")
            }
            Self::Unreachable(cause) => f.write_str(cause),
            Self::TimedOut => f.write_str("timed out"),
            Self::TooLong { limit } => write!(f, "the body is longer than {limit} bytes"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Invalid(how) | Self::Refused(how) => f.write_str(how),
        }
    }
}

impl std::error::Error for FetchError {}

/// The `max-age` of a `Cache-Control` value in seconds (RFC 9111 §5.2.2); zero for `no-store` and `no-cache`.
pub fn max_age(cache_control: &str) -> Option<u64> {
    let directives = || cache_control.split(',').map(str::trim);
    if directives().any(|directive| {
        directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache")
    }) {
        return Some(0);
    }
    directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("max-age")
            .then(|| value.trim().trim_matches('"').parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn max_age_is_read_from_any_place_in_the_list() {
        assert_eq!(max_age("public, max-age=300"), Some(300));
        assert_eq!(max_age("Max-Age=\"7\", must-revalidate"), Some(7));
        assert_eq!(max_age("max-age=300, no-cache"), Some(0));
        assert_eq!(max_age("no-store"), Some(0));
    }

    #[test]
    fn what_is_not_a_number_of_seconds_is_no_max_age() {
        for value in [
            "",
            "public",
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=99999999999999999999999",
            "x-max-age=5",
            "s-maxage=5",
        ] {
            assert_eq!(max_age(value), None, "{value}");
        }
    }
}
