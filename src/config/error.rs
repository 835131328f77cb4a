//! What is wrong, or remarkable, with a document, and where.

use std::fmt;

/// One error of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `auth.oauth.providers[1].issuerUrl`, empty for the document as a whole, or `line 3, column 5` of a text that could not be parsed.
    pub path: String,
    /// What is there; never a secret, never a URL's user info or query. `None` where nothing is, or where it is not shown.
    pub value: Option<String>,
    /// What should be there.
    pub expected: String,
    /// Of an unknown key or word, the valid one that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "document" } else { &self.path };
        write!(f, "{place}: expected {}", self.expected)?;
        if let Some(value) = &self.value {
            write!(f, ", found {value}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// All errors of a document; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(super) const fn new(errors: Vec<ConfigError>) -> Self {
        Self(errors)
    }

    /// In the order of reading.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl<'e> IntoIterator for &'e ConfigErrors {
    type Item = &'e ConfigError;
    type IntoIter = std::slice::Iter<'e, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something legal its author should know about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub path: String,
    /// What.
    pub kind: WarningKind,
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// `/` is public.
    EverythingIsPublic,
    /// SPEC C-5.
    LoopbackIssuer,
    /// `allowPrivateIP: true`.
    PrivateAddresses,
    /// `http:` on a host that is not loopback (SPEC C-4).
    PlainHttp,
    /// SPEC O-1.
    SeveralIntrospectingProviders,
    /// `introspectionUrl` with only one of `clientId` and `clientSecretFile`.
    HalfAClient,
    /// `auth.oauth` or `auth.publicPaths` in anonymous mode.
    IgnoredInAnonymousMode,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            WarningKind::EverythingIsPublic => "every path is public: no request needs a token",
            WarningKind::LoopbackIssuer => {
                "the issuer is on a loopback host: this provider's requests may go to loopback addresses, for development only"
            }
            WarningKind::PrivateAddresses => {
                "this provider's requests may go to private and loopback addresses"
            }
            WarningKind::PlainHttp => "plain http: keys and tokens travel unprotected, for development only",
            WarningKind::SeveralIntrospectingProviders => {
                "more than one provider introspects: opaque tokens are shown to each in turn"
            }
            WarningKind::HalfAClient => {
                "introspection is authenticated with clientId and clientSecretFile together: one of them is missing"
            }
            WarningKind::IgnoredInAnonymousMode => "has no effect in anonymous mode",
        };
        write!(f, "{}: {text}", self.path)
    }
}
