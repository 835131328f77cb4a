//! Whether tokens are needed: what the document says, and what the command line may change (SPEC C-2, N-2).

use std::fmt;

use serde_json::Value;

use super::reader::Reader;

/// `auth.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// A valid bearer token is needed. The default.
    Oauth,
    /// Every request passes. Never a default: it must be spelled out.
    Anonymous,
}

impl AuthMode {
    /// Parses `oauth` or `anonymous`, case-sensitively.
    ///
    /// # Errors
    /// What was expected.
    pub fn from_text(text: &str) -> Result<Self, &'static str> {
        match text {
            "oauth" => Ok(Self::Oauth),
            "anonymous" => Ok(Self::Anonymous),
            _ => Err("`oauth` or `anonymous`"),
        }
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oauth => "oauth",
            Self::Anonymous => "anonymous",
        })
    }
}

/// Why the mode asked for is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// The document protects the registry, and the command line takes that away without saying where it will listen.
    #[error(
        "--auth-mode anonymous over a document whose auth.mode is oauth needs an explicit --address, such as --address 127.0.0.1:8080"
    )]
    AddressNotExplicit,
}

/// The mode in force.
///
/// # Errors
/// [`ModeError::AddressNotExplicit`] when `wanted` opens what the document protects and no address was given beside it.
pub fn effective_mode(
    document: AuthMode,
    wanted: Option<AuthMode>,
    address_is_explicit: bool,
) -> Result<AuthMode, ModeError> {
    match (document, wanted.unwrap_or(document)) {
        (AuthMode::Oauth, AuthMode::Anonymous) if !address_is_explicit => Err(ModeError::AddressNotExplicit),
        (_, mode) => Ok(mode),
    }
}

/// `auth.mode`; the other keys of `auth` are the core's.
pub(super) fn from_document(auth: &Value, reader: &mut Reader) -> Option<AuthMode> {
    let map = match auth {
        Value::Null => return Some(AuthMode::Oauth),
        Value::Object(map) => map,
        other => {
            reader.error("auth", Some(other), "a mapping");
            return None;
        }
    };
    if map.get("mode").is_none_or(Value::is_null) {
        return Some(AuthMode::Oauth);
    }
    reader.parsed(map, "auth", "mode", AuthMode::from_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_decides_when_nothing_else_is_said() {
        for mode in [AuthMode::Oauth, AuthMode::Anonymous] {
            assert_eq!(effective_mode(mode, None, false), Ok(mode));
            assert_eq!(effective_mode(mode, None, true), Ok(mode));
        }
    }

    #[test]
    fn opening_a_protected_document_needs_an_explicit_address() {
        let opened = |explicit| effective_mode(AuthMode::Oauth, Some(AuthMode::Anonymous), explicit);
        assert_eq!(opened(false), Err(ModeError::AddressNotExplicit));
        assert_eq!(opened(true), Ok(AuthMode::Anonymous));
    }

    #[test]
    fn a_protected_mode_can_always_be_asked_for() {
        for document in [AuthMode::Oauth, AuthMode::Anonymous] {
            assert_eq!(effective_mode(document, Some(AuthMode::Oauth), false), Ok(AuthMode::Oauth));
        }
    }
}
