//! The configurations the cases run under, as the registry's own documents.

use serde_json::{Value, json};

use super::world::{AUDIENCE, STAGING_AUDIENCE, TROUBLED, World};

/// A configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The seed's complete example: two realms of one provider.
    Complete,
    /// `mode: anonymous`.
    Anonymous,
    /// A resource with a path, a realm with quotes in it, documentation.
    Path,
    /// Everything is public.
    EverythingPublic,
    /// One issuer, two audiences.
    SharedIssuer,
    /// ES256 only, no clock skew, the token is not forwarded.
    Strict,
    /// `claimsToHeaders`.
    Claims,
    /// One scope for every request.
    Scopes,
    /// Scopes by method and path.
    ScopeRules,
    /// Preflights are answered.
    Cors,
    /// A live provider among many that are in trouble.
    Troubled,
}

/// The resource of every document but [`Document::Path`].
pub(crate) const RESOURCE: &str = "https://registry.example.com";

/// What a document says of every response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The realm of challenges, as it stands in quotes.
    pub(crate) realm: &'static str,
    /// RFC 9728 §3.1: the well-known path goes between host and path.
    pub(crate) metadata_url: &'static str,
    /// Whether the upstream sees `Authorization`.
    pub(crate) forwards_token: bool,
}

impl Terms {
    /// Those of a document that says nothing, for [`RESOURCE`].
    pub(crate) const DEFAULT: Self = Self {
        realm: "mcp-registry",
        metadata_url: "https://registry.example.com/.well-known/oauth-protected-resource",
        forwards_token: true,
    };
}

impl Document {
    /// All documents.
    pub const ALL: [Self; 11] = [
        Self::Complete,
        Self::Anonymous,
        Self::Path,
        Self::EverythingPublic,
        Self::SharedIssuer,
        Self::Strict,
        Self::Claims,
        Self::Scopes,
        Self::ScopeRules,
        Self::Cors,
        Self::Troubled,
    ];

    /// The registry's configuration, `{"auth": {…}}`.
    pub fn configuration(self, world: &World) -> Value {
        let production =
            json!({ "name": "keycloak-prod", "issuerUrl": world.issuer("production"), "audience": AUDIENCE });
        let staging = json!({ "name": "keycloak-staging", "issuerUrl": world.issuer("staging"), "audience": STAGING_AUDIENCE });
        let mut oauth = json!({ "resourceUrl": RESOURCE, "providers": [production] });
        // Hundreds of tokens come from one address in a second, wrong signatures among them: `e2e/signatures.rs` is about that.
        oauth["signatureLimits"] = json!({ "perSecond": 100_000, "perClient": 100_000 });
        match self {
            Self::Anonymous => return json!({ "auth": { "mode": "anonymous" } }),
            Self::Complete => {
                oauth["realm"] = json!("mcp-registry");
                oauth["scopesSupported"] = json!(["mcp-registry:read", "mcp-registry:write"]);
                oauth["publicPaths"] = json!(["/custom-health", "/metrics", "/files/*", "/trailing/"]);
                oauth["providers"] = json!([production, staging]);
            }
            Self::Path => {
                oauth["resourceUrl"] = json!("https://registry.example.com/mcp/registry");
                oauth["realm"] = json!(r#"say "registry" \ here"#);
                oauth["resourceDocumentation"] = json!("https://docs.example.com/registry");
                oauth["scopesSupported"] = json!(["one"]);
                // Two providers with one issuer are one authorization server.
                let mut again = production.clone();
                again["name"] = json!("again");
                again["audience"] = json!("another-api");
                oauth["providers"] = json!([production, again, staging]);
            }
            Self::EverythingPublic => oauth["publicPaths"] = json!(["/"]),
            Self::SharedIssuer => {
                let tenant = |name: &str, audience: &str| json!({ "name": name, "issuerUrl": world.issuer("tenants"), "audience": audience });
                oauth["providers"] =
                    json!([tenant("first", "first-api"), tenant("second", "second-api"), production]);
            }
            Self::Strict => {
                oauth["providers"][0]["allowedAlgorithms"] = json!(["ES256"]);
                oauth["providers"][0]["clockSkew"] = json!("0s");
                oauth["forwardToken"] = json!(false);
                oauth["publicPaths"] = json!(["/custom-health"]);
            }
            Self::Claims => {
                oauth["providers"][0]["claimsToHeaders"] = json!([
                    { "claim": "azp", "header": "X-Client" },
                    { "claim": "realm_access.roles", "header": "X-Roles" },
                    { "claim": ["https://app.example/tenant", "id"], "header": "X-Tenant" },
                    { "claim": "level", "header": "X-Level" },
                ]);
            }
            Self::Scopes => oauth["requiredScopes"] = json!(["mcp-registry:read"]),
            Self::ScopeRules => {
                oauth["publicPaths"] = json!(["/custom-health"]);
                oauth["requiredScopes"] = json!([
                    { "methods": ["GET", "HEAD"], "paths": ["/registry"], "scopes": ["mcp-registry:read"] },
                    { "methods": ["POST"], "paths": ["/v1/entries"], "scopes": ["mcp-registry:write"] },
                    { "paths": ["/v1/me"], "scopes": [] },
                ]);
            }
            Self::Cors => {
                oauth["cors"] = json!({ "allowOrigins": ["https://app.example.com"], "allowMethods": ["GET", "POST"], "allowHeaders": ["Authorization"], "maxAge": "10m" });
            }
            Self::Troubled => oauth["providers"] = troubled(world),
        }
        json!({ "auth": { "mode": "oauth", "oauth": oauth } })
    }

    pub(crate) fn terms(self) -> Terms {
        match self {
            Self::Path => Terms {
                realm: r#"say "registry" \ here"#,
                metadata_url: "https://registry.example.com/.well-known/oauth-protected-resource/mcp/registry",
                ..Terms::DEFAULT
            },
            Self::Strict => Terms { forwards_token: false, ..Terms::DEFAULT },
            _ => Terms::DEFAULT,
        }
    }
}

/// The dead provider first: it must not delay or hurt anybody else.
fn troubled(world: &World) -> Value {
    let entry =
        |realm: &str| json!({ "name": realm, "issuerUrl": world.issuer(realm), "audience": AUDIENCE });
    let mut providers = vec![entry("dead")];
    providers.extend(TROUBLED.iter().map(|realm| entry(realm)));
    providers.extend(["trailing-slash", "rfc8414-only", "production"].map(entry));
    let mut direct = entry("direct-keys");
    direct["jwksUrl"] = json!(world.provider().jwks_url("direct-keys"));
    providers.push(direct);
    Value::Array(providers)
}
