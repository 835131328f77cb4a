//! Why a request is not forwarded, and what the client is told about it (SPEC R-1, R-2).
//!
//! Two texts for each: a fixed phrase for the client, and expected and actual values for the log ([`Rejection`]'s `Display`). Neither holds the token.

use std::fmt;

/// The cause of a rejection. Its number (`as usize`) is stable within a build and indexes metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// No bearer token.
    NoCredentials,
    /// Several `Authorization` headers, or a list in one.
    SeveralCredentials,
    /// `Authorization: Bearer`, but not in RFC 6750's form.
    MalformedAuthorization,
    /// A path or header that proxies and backends could read differently.
    MalformedRequest,
    /// Neither a JWT nor anything that a provider could introspect.
    MalformedToken,
    /// An algorithm that is not accepted: `none`, HMAC, unknown, or not among the provider's.
    Algorithm,
    /// Not an access token, or one that is bound to its sender.
    TokenType,
    /// `iss` is nobody's.
    Issuer,
    /// `aud` lacks the provider's audience.
    Audience,
    /// `exp` is past.
    Expired,
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// No key verifies the signature.
    Signature,
    /// The provider's current keys lack the token's.
    UnknownKey,
    /// Introspection says so.
    Inactive,
    /// A scope is missing.
    InsufficientScope,
    /// The provider's keys could not be had.
    KeysUnavailable,
    /// No introspection endpoint could answer.
    IntrospectionUnavailable,
    /// More signatures would have to be verified than may be.
    Busy,
}

impl Cause {
    /// All causes, in order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::NoCredentials,
        Self::SeveralCredentials,
        Self::MalformedAuthorization,
        Self::MalformedRequest,
        Self::MalformedToken,
        Self::Algorithm,
        Self::TokenType,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
        Self::Signature,
        Self::UnknownKey,
        Self::Inactive,
        Self::InsufficientScope,
        Self::KeysUnavailable,
        Self::IntrospectionUnavailable,
        Self::Busy,
    ];

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::SeveralCredentials | Self::MalformedRequest => 400,
            Self::InsufficientScope => 403,
            Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::Busy => 503,
            _ => 401,
        }
    }

    /// The code in the JSON body; RFC 6750 §3.1's where it has one.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCredentials => "unauthorized",
            Self::SeveralCredentials | Self::MalformedAuthorization | Self::MalformedRequest => {
                "invalid_request"
            }
            Self::InsufficientScope => "insufficient_scope",
            Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::Busy => "temporarily_unavailable",
            _ => "invalid_token",
        }
    }

    /// The `error` of the challenge; none without credentials (RFC 6750 §3.1).
    pub const fn challenge_error(self) -> Option<&'static str> {
        match self {
            Self::NoCredentials => None,
            _ => Some(self.code()),
        }
    }

    /// Whether the response carries `WWW-Authenticate`.
    pub const fn is_challenged(self) -> bool {
        !matches!(
            self,
            Self::MalformedRequest | Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::Busy
        )
    }

    /// The fixed description for the client.
    pub const fn description(self) -> &'static str {
        match self {
            Self::NoCredentials => "authentication required",
            Self::SeveralCredentials | Self::MalformedAuthorization => "malformed authorization header",
            Self::MalformedRequest => "malformed request",
            Self::MalformedToken => "token is malformed",
            Self::Algorithm | Self::Signature => "token signature invalid",
            Self::TokenType => "token type not accepted",
            Self::Issuer => "token issuer not accepted",
            Self::Audience => "token audience not accepted",
            Self::Expired => "token expired",
            Self::NotYetValid => "token not yet valid",
            Self::UnknownKey => "token signing key unknown",
            Self::Inactive => "token is not active",
            Self::InsufficientScope => "token scope insufficient",
            Self::KeysUnavailable | Self::IntrospectionUnavailable => "identity provider unavailable",
            Self::Busy => "too many tokens to verify",
        }
    }

    /// The label in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::SeveralCredentials => "several_credentials",
            Self::MalformedAuthorization => "malformed_authorization",
            Self::MalformedRequest => "malformed_request",
            Self::MalformedToken => "malformed_token",
            Self::Algorithm => "algorithm",
            Self::TokenType => "token_type",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Signature => "signature",
            Self::UnknownKey => "unknown_key",
            Self::Inactive => "inactive",
            Self::InsufficientScope => "insufficient_scope",
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::Busy => "busy",
        }
    }
}

/// A rejection with what the log says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub cause: Cause,
    /// The provider that was tried, by its place in the configuration.
    pub provider: Option<usize>,
    /// Expected and actual values: `iss`, `aud`, `kid`, times, header names. Never the token.
    pub detail: String,
}

impl Rejection {
    /// Without detail.
    pub const fn new(cause: Cause) -> Self {
        Self { cause, provider: None, detail: String::new() }
    }

    /// With detail for the log.
    pub const fn with(cause: Cause, detail: String) -> Self {
        Self { cause, provider: None, detail }
    }

    /// Names the provider that was tried.
    #[must_use]
    pub const fn of(mut self, provider: usize) -> Self {
        self.provider = Some(provider);
        self
    }
}

impl From<Cause> for Rejection {
    fn from(cause: Cause) -> Self {
        Self::new(cause)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.description())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// A value from an untrusted token, for the log: quoted, escaped, and at most 200 characters.
pub const fn quote(value: &str) -> Quoted<'_> {
    Quoted(value)
}

/// What [`quote`] shows.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LIMIT: usize = 200;
        let value = self.0;
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        // Nearly always; and formatting looks each character up.
        if value.len() <= LIMIT && value.bytes().all(is_plain) {
            f.write_str("\"")?;
            f.write_str(value)?;
            return f.write_str("\"");
        }
        match value.char_indices().nth(LIMIT) {
            Some((end, _)) => {
                write!(f, "{:?}… ({} bytes)", value.get(..end).unwrap_or_default(), value.len())
            }
            None => write!(f, "{value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn causes_are_numbered_in_order() {
        for (number, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(*cause as usize, number);
        }
    }

    #[test]
    fn everything_for_a_header_is_printable_and_unquoted() {
        for cause in Cause::ALL {
            for text in [cause.description(), cause.code(), cause.as_str()] {
                assert!(
                    text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn untrusted_values_cannot_break_a_log_line() {
        assert_eq!(quote("a b").to_string(), r#""a b""#);
        assert_eq!(quote("a\n\"b").to_string(), r#""a\n\"b""#);
        assert_eq!(quote("\\").to_string(), r#""\\""#);
        assert!(quote(&"é".repeat(5000)).to_string().len() < 500);
        assert!(quote(&"e".repeat(201)).to_string().ends_with("… (201 bytes)"));
    }
}
