//! Okta: a custom authorization server, whose tokens have no `typ`, a text for an audience, and scopes as a list.

use std::sync::Arc;

use serde_json::json;

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, line, not_found, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://example.okta.com/oauth2/default";

/// The authorization server `default`.
#[derive(Debug)]
pub struct Okta {
    current: Arc<SigningKey>,
    next: Arc<SigningKey>,
}

impl Okta {
    /// With new keys.
    pub fn new() -> Arc<Self> {
        let key = || Arc::new(SigningKey::generate(Algorithm::Rs256, None));
        Arc::new(Self { current: key(), next: key() })
    }

    /// Published ahead of the rotation that puts it to use.
    pub fn next(&self) -> Arc<SigningKey> {
        Arc::clone(&self.next)
    }

    /// A user's access token.
    pub fn token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "iss": ISSUER,
            "aud": "api://default",
            "iat": now,
            "exp": now + 300,
            "cid": "0oabcdefghijklmno5d7",
            "uid": "00u1a2b3c4d5e6f7g5d7",
            "scp": ["openid", "mcp-registry:read"],
            "auth_time": now - 60,
            "sub": "alice@example.com",
            "groups": ["Everyone", "Registry, publishers"],
        });
        TokenSpec::signed_by(&self.current, claims).without_header("typ")
    }
}

impl Vendor for Okta {
    fn hosts(&self) -> &'static [&'static str] {
        &["example.okta.com"]
    }

    fn answer(&self, _: &str, request: &RawRequest) -> RawResponse {
        match line(request).as_str() {
            "GET /oauth2/default/.well-known/openid-configuration" => super::json(
                200,
                &json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": format!("{ISSUER}/v1/authorize"),
                    "token_endpoint": format!("{ISSUER}/v1/token"),
                    "introspection_endpoint": format!("{ISSUER}/v1/introspect"),
                    "jwks_uri": format!("{ISSUER}/v1/keys"),
                    "code_challenge_methods_supported": ["S256"],
                    "request_object_signing_alg_values_supported": ["HS256", "RS256", "ES256"],
                }),
            ),
            "GET /oauth2/default/v1/keys" => with_header(
                super::json(200, &json!({ "keys": [self.current.jwk(), self.next.jwk()] })),
                "Cache-Control",
                "max-age=5184000, must-revalidate",
            ),
            _ => not_found(),
        }
    }
}
