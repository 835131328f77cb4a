//! What can be true: the configuration after every check that can be made once.
//!
//! `Config` is what users write (`config.rs`); [`Policy`] is what the authenticator enforces. A `Policy` exists only when the whole document was
//! sound, so the request path checks nothing here again.

use std::time::Duration;

use crate::address::AddressRule;
use crate::header::HeaderName;
use crate::public_path::PublicPaths;
use crate::signature::Algorithm;
use crate::url::Url;

/// How requests are decided.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Every request passes; identity headers are still stripped (SPEC I-1).
    Anonymous,
    /// A valid bearer token is needed, except on public paths.
    Oauth(Box<OauthPolicy>),
}

/// The `auth.oauth` section.
#[derive(Clone, Debug)]
pub struct OauthPolicy {
    /// The protected resource, and how refusals describe it.
    pub resource: ResourcePolicy,
    /// Where no token is needed, besides the built-in paths.
    pub public_paths: PublicPaths,
    /// At least one, names unique, in the order of the document.
    pub providers: Vec<Provider>,
    /// Whether the upstream sees `Authorization`. Default true.
    pub forward_token: bool,
    /// Scopes a request needs.
    pub required_scopes: RequiredScopes,
    /// Cross-origin rules; `None` leaves preflights to the upstream.
    pub cors: Option<CorsPolicy>,
    /// Verified tokens remembered by one worker. Default 10,000.
    pub token_cache_size: usize,
    /// Introspection results remembered by one worker.
    pub introspection_cache: IntrospectionCachePolicy,
    /// How much one worker asks one provider.
    pub introspection_limits: IntrospectionLimits,
    /// How many signatures one worker verifies.
    pub signature_limits: SignatureLimits,
}

/// RFC 9728's description of the resource.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// `auth.oauth.resourceUrl`.
    pub url: Url,
    /// Default `mcp-registry`.
    pub realm: String,
    /// Default `mcp-registry:read`, `mcp-registry:write`.
    pub scopes_supported: Vec<String>,
    /// `resourceDocumentation`.
    pub documentation: Option<Url>,
}

/// One entry of `auth.oauth.providers`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Unique; shown in logs, metrics and `x-auth-provider`. 1–64 characters of `[A-Za-z0-9._-]`.
    pub name: String,
    /// `issuerUrl`, byte for byte as written: it is compared with `iss`.
    pub issuer: String,
    /// The same, parsed.
    pub issuer_url: Url,
    /// Expected in `aud`.
    pub audience: String,
    /// `jwksUrl`; without it the JWK Set is found by discovery.
    pub jwks_url: Option<Url>,
    /// `introspectionUrl`, for opaque tokens.
    pub introspection_url: Option<Url>,
    /// `clientId`, for introspection with HTTP Basic.
    pub client_id: Option<String>,
    /// `clientSecretFile`: a path, read by native shells only.
    pub client_secret_file: Option<String>,
    /// `caCertPath`: a path, read by native shells only.
    pub ca_cert_path: Option<String>,
    /// `authTokenFile`: a path, read by native shells only.
    pub auth_token_file: Option<String>,
    /// Where this provider's requests may go (SPEC C-5).
    pub addresses: AddressRule,
    /// Whether discovered URLs may be plain http: `REGISTRY_AUTH_INSECURE_HTTP`, or a loopback issuer.
    pub allow_http: HttpRule,
    /// Default: all of J-2.
    pub allowed_algorithms: Vec<Algorithm>,
    /// Added in the token's favour to `exp`, `nbf` and `iat`. Default 10 s, at most 5 min.
    pub clock_skew: Duration,
    /// How long keys live.
    pub jwks: JwksPolicy,
    /// Claims the upstream sees as headers.
    pub claims_to_headers: Vec<ClaimHeader>,
}

/// Where `http:` URLs are accepted (SPEC C-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRule {
    /// Loopback hosts only.
    Loopback,
    /// Anywhere: the environment says `REGISTRY_AUTH_INSECURE_HTTP=true`.
    Anywhere,
}

/// `providers[].jwks` (SPEC J-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksPolicy {
    /// The least time a set is fresh. Default 60 s.
    pub min_refresh: Duration,
    /// The longest time a set is fresh. Default 1 h; not below `min_refresh`.
    pub max_age: Duration,
    /// How long a set is trusted when it cannot be refreshed. Default 24 h; not below `max_age`.
    pub max_stale: Duration,
    /// Refetches for unknown kids that may come at once. Default 3.
    pub unknown_kid_burst: u32,
    /// One more such refetch each. Default 20 s.
    pub unknown_kid_interval: Duration,
}

impl Default for JwksPolicy {
    fn default() -> Self {
        Self {
            min_refresh: Duration::from_secs(60),
            max_age: Duration::from_secs(3600),
            max_stale: Duration::from_secs(24 * 3600),
            unknown_kid_burst: 3,
            unknown_kid_interval: Duration::from_secs(20),
        }
    }
}

/// `auth.oauth.introspectionCache` (SPEC O-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionCachePolicy {
    /// Longest life of a positive answer. Default 60 s.
    pub ttl: Duration,
    /// Life of a negative answer. Default 10 s.
    pub negative_ttl: Duration,
    /// Entries, each of positive and negative answers. Default 10,000.
    pub size: usize,
}

impl Default for IntrospectionCachePolicy {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(60), negative_ttl: Duration::from_secs(10), size: 10_000 }
    }
}

/// How much one worker asks one provider about tokens; beyond that the answer is 503 (SPEC O-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionLimits {
    /// Questions at once. Default 32.
    pub in_flight: u32,
    /// Questions in a second. Default 100.
    pub per_second: u32,
}

impl Default for IntrospectionLimits {
    fn default() -> Self {
        Self { in_flight: 32, per_second: 100 }
    }
}

/// `auth.oauth.signatureLimits`: how many signatures one worker verifies in any second; beyond that the answer is 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureLimits {
    /// In all. Default 500.
    pub per_second: u32,
    /// For one client, not above `per_second`. Default: half of it.
    pub per_client: u32,
}

impl SignatureLimits {
    /// So many in all, and the default's share for one client.
    pub const fn new(per_second: u32) -> Self {
        Self { per_second, per_client: per_second.div_ceil(2) }
    }
}

impl Default for SignatureLimits {
    fn default() -> Self {
        Self::new(500)
    }
}

/// One entry of `claimsToHeaders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHeader {
    /// Member names from the outermost object inwards; a name may contain dots.
    pub claim: Vec<String>,
    /// The header the upstream sees.
    pub header: HeaderName,
}

/// `auth.oauth.requiredScopes` (SPEC C-7).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum RequiredScopes {
    /// No scope is needed.
    #[default]
    None,
    /// Every request needs all of these.
    All(Vec<String>),
    /// The first rule that matches decides; where none does, all scopes named in any rule are needed.
    Rules(Vec<ScopeRule>),
}

/// One rule of `requiredScopes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRule {
    /// Methods, upper case; empty means every method.
    pub methods: Vec<String>,
    /// Path prefixes, matched as public paths are (SPEC P-3); empty means every path.
    pub paths: PublicPaths,
    /// All of these are needed.
    pub scopes: Vec<String>,
}

/// `auth.oauth.cors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPolicy {
    /// Serialised origins (`https://app.example.com`), or a single `*`.
    pub allow_origins: Vec<String>,
    /// Default GET, HEAD, OPTIONS.
    pub allow_methods: Vec<String>,
    /// Default Authorization, Content-Type, MCP-Protocol-Version.
    pub allow_headers: Vec<String>,
    /// How long a browser keeps the answer to a preflight. Default 10 min.
    pub max_age: Duration,
}

/// The `filter` object: what only a proxy needs (SPEC C-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterPolicy {
    /// Names the host's upstream from `{provider}`, `{purpose}`, `{host}`, `{port}`. Default `{host}:{port}`.
    pub upstream_template: String,
    /// Exceptions to the template; every given field must match.
    pub upstream_overrides: Vec<UpstreamOverride>,
    /// Whether keys are shared over the host's workers. Default false.
    pub shared_data: bool,
    /// How long one callout may take. Default 5 s.
    pub callout_timeout: Duration,
}

impl Default for FilterPolicy {
    fn default() -> Self {
        Self {
            upstream_template: "{host}:{port}".to_owned(),
            upstream_overrides: Vec::new(),
            shared_data: false,
            callout_timeout: Duration::from_secs(5),
        }
    }
}

/// One entry of `filter.upstreams.overrides`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamOverride {
    /// A provider's name; `None` matches all.
    pub provider: Option<String>,
    /// `keys` or `introspection`; `None` matches both.
    pub purpose: Option<Purpose>,
    /// `https://host:port` of the request; `None` matches all.
    pub origin: Option<Url>,
    /// The upstream's name, taken as it is.
    pub name: String,
}

/// What a provider is asked for. Each purpose has an upstream of its own where the host can (SPEC C-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Discovery documents and JWK Sets.
    Keys,
    /// RFC 7662, or Google's tokeninfo.
    Introspection,
}

impl Purpose {
    /// As written in configurations and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Introspection => "introspection",
        }
    }
}
