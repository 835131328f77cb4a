//! What has to become of a request.

use super::world::World;

/// The end of a request, with what has to be true of it besides.
#[derive(Clone, Debug)]
#[must_use]
pub struct Expected {
    pub(crate) outcome: Outcome,
    pub(crate) checks: Vec<Check>,
}

#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It reached the upstream: method, target and body as they were, unless another target is given.
    Forwarded { target: Option<String> },
    /// A refusal as say; one of the descriptions.
    Refused { status: u16, code: &'static str, descriptions: Vec<&'static str> },
    /// A response of ours that is no refusal.
    Answered(u16),
    /// The host refuses it before the core is asked, in whatever form; the upstream sees nothing.
    RefusedByHost,
}

#[derive(Clone)]
pub(crate) enum Check {
    /// A response header has this value.
    Header(&'static str, String),
    /// A response header's values in this order, over however many lines (RFC 9110 §5.3): Envoy joins some.
    Headers(&'static str, Vec<&'static str>),
    /// A response header is absent.
    NoHeader(&'static str),
    /// The `scope` parameter of the challenge.
    ChallengeScope(&'static str),
    /// The challenge, word for word.
    Challenge(String),
    /// The response's body is this JSON.
    Json(fn(&World) -> serde_json::Value),
    /// The response has no body.
    NoBody,
    /// The upstream saw this header, once, with this value.
    Upstream(&'static str, String),
    /// The upstream did not see this header, in any spelling, or saw it empty.
    NotUpstream(&'static str),
    /// The upstream saw these values of a header, in this order.
    UpstreamAll(&'static str, Vec<String>),
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name, value) => write!(f, "response header {name}: {value}"),
            Self::Headers(name, values) => write!(f, "response headers {name}: {values:?}"),
            Self::NoHeader(name) => write!(f, "no response header {name}"),
            Self::ChallengeScope(scope) => write!(f, "challenge with scope {scope:?}"),
            Self::Challenge(text) => write!(f, "challenge {text}"),
            Self::Json(_) => f.write_str("the body"),
            Self::NoBody => f.write_str("no body"),
            Self::Upstream(name, value) => write!(f, "upstream header {name}: {value}"),
            Self::NotUpstream(name) => write!(f, "no upstream header {name}"),
            Self::UpstreamAll(name, values) => write!(f, "upstream headers {name}: {values:?}"),
        }
    }
}

impl Expected {
    fn new(outcome: Outcome) -> Self {
        Self { outcome, checks: Vec::new() }
    }

    /// It reaches the upstream unchanged but for headers.
    pub(crate) fn forwarded() -> Self {
        Self::new(Outcome::Forwarded { target: None })
    }

    /// It reaches the upstream with this target.
    pub(crate) fn forwarded_as(target: &str) -> Self {
        Self::new(Outcome::Forwarded { target: Some(target.to_owned()) })
    }

    fn refused(status: u16, code: &'static str, description: &'static str) -> Self {
        Self::new(Outcome::Refused { status, code, descriptions: vec![description] })
    }

    /// 401 without `error`: there were no credentials.
    pub(crate) fn unauthenticated() -> Self {
        Self::refused(401, "unauthorized", "authentication required")
    }

    /// 401 `invalid_token`.
    pub(crate) fn invalid_token(description: &'static str) -> Self {
        Self::refused(401, "invalid_token", description)
    }

    /// 401 `invalid_token` with one of several descriptions, where SPEC.md leaves it open which.
    pub(crate) fn invalid_token_one_of(descriptions: &[&'static str]) -> Self {
        Self::new(Outcome::Refused {
            status: 401,
            code: "invalid_token",
            descriptions: descriptions.to_vec(),
        })
    }

    pub(crate) fn malformed() -> Self {
        Self::invalid_token("token is malformed")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::invalid_token("token signature invalid")
    }

    pub(crate) fn wrong_type() -> Self {
        Self::invalid_token("token type not accepted")
    }

    /// 401 `invalid_request`: one `Authorization` header that is not RFC 6750's.
    pub(crate) fn malformed_authorization() -> Self {
        Self::refused(401, "invalid_request", "malformed authorization header")
    }

    /// 400 `invalid_request`: several credentials.
    pub(crate) fn several_credentials() -> Self {
        Self::refused(400, "invalid_request", "malformed authorization header")
    }

    /// 400 `invalid_request`: a path or header that two parties could read differently.
    pub(crate) fn malformed_request() -> Self {
        Self::refused(400, "invalid_request", "malformed request")
    }

    /// 403 with all scopes needed.
    pub(crate) fn insufficient_scope(scope: &'static str) -> Self {
        Self::refused(403, "insufficient_scope", "token scope insufficient")
            .check(Check::ChallengeScope(scope))
    }

    /// 503: good tokens must not be thrown away.
    pub(crate) fn unavailable() -> Self {
        Self::refused(503, "temporarily_unavailable", "identity provider unavailable")
    }

    pub(crate) fn answered(status: u16) -> Self {
        Self::new(Outcome::Answered(status))
    }

    pub(crate) fn refused_by_host() -> Self {
        Self::new(Outcome::RefusedByHost)
    }

    fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        self.check(Check::Header(name, value.to_owned()))
    }

    pub(crate) fn headers(self, name: &'static str, values: &[&'static str]) -> Self {
        self.check(Check::Headers(name, values.to_vec()))
    }

    pub(crate) fn no_header(self, name: &'static str) -> Self {
        self.check(Check::NoHeader(name))
    }

    pub(crate) fn challenge_scope(self, scope: &'static str) -> Self {
        self.check(Check::ChallengeScope(scope))
    }

    pub(crate) fn challenge(self, text: &str) -> Self {
        self.check(Check::Challenge(text.to_owned()))
    }

    pub(crate) fn json(self, body: fn(&World) -> serde_json::Value) -> Self {
        self.check(Check::Json(body))
    }

    pub(crate) fn no_body(self) -> Self {
        self.check(Check::NoBody)
    }

    pub(crate) fn upstream(self, name: &'static str, value: &str) -> Self {
        self.check(Check::Upstream(name, value.to_owned()))
    }

    pub(crate) fn not_upstream(self, name: &'static str) -> Self {
        self.check(Check::NotUpstream(name))
    }

    pub(crate) fn upstream_all(self, name: &'static str, values: &[&str]) -> Self {
        self.check(Check::UpstreamAll(name, values.iter().map(|&value| value.to_owned()).collect()))
    }

    /// Hosts may close the connection on what is not HTTP.
    pub(crate) fn allows_closing(&self) -> bool {
        matches!(self.outcome, Outcome::RefusedByHost)
    }
}
