//! Auth0: an issuer with a slash at its end, audiences as lists and as texts, claims with names like URLs, and tokens that are no JWTs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, and, line, not_found, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://example-tenant.eu.auth0.com/";

/// A tenant.
#[derive(Debug)]
pub struct Auth0 {
    current: Arc<SigningKey>,
    next: Arc<SigningKey>,
}

impl Auth0 {
    /// With new keys.
    pub fn new() -> Arc<Self> {
        // 21 characters, as Auth0 makes them.
        let key = |kid: &str| Arc::new(SigningKey::generate(Algorithm::Rs256, Some(kid)));
        Arc::new(Self { current: key("mQ7yX0vJ2rT4pKc9LhB1d"), next: key("Zs5uW8nA3eF6gHj0VtR2k") })
    }

    /// The key after the next rotation.
    pub fn next(&self) -> Arc<SigningKey> {
        Arc::clone(&self.next)
    }

    /// A user's access token for the API, which is for `userinfo` as well.
    pub fn token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "iss": ISSUER,
            "sub": "auth0|507f1f77bcf86cd799439020",
            "aud": ["https://registry.example.com", "https://example-tenant.eu.auth0.com/userinfo"],
            "iat": now,
            "exp": now + 300,
            "scope": "openid profile mcp-registry:read",
            "azp": "my_client_id",
            "permissions": ["read:servers", "publish:servers, all"],
            "https://registry.example.com/roles": ["publisher"],
        });
        TokenSpec::signed_by(&self.current, claims)
    }

    /// A machine's: client credentials.
    pub fn machine_token(&self) -> TokenSpec {
        self.token()
            .claim("sub", "my_machine@clients")
            .claim("aud", "https://registry.example.com")
            .claim("azp", "my_machine")
            .claim("gty", "client-credentials")
            .without("https://registry.example.com/roles")
            .without("permissions")
            .scope("read:servers")
    }

    /// What a client gets that asks for no audience: five parts, `dir` and an empty second one.
    pub fn encrypted_token(&self) -> String {
        let header = json!({ "alg": "dir", "enc": "A256GCM", "iss": ISSUER }).to_string();
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        [encode(header.as_bytes()), String::new(), encode(&[1; 12]), encode(&[2; 90]), encode(&[3; 16])]
            .join(".")
    }

    fn jwks(&self) -> Value {
        let shaped = |key: &SigningKey| {
            let mut certificate = key.certificate("example-tenant.eu.auth0.com");
            certificate.as_object_mut().expect("an object").remove("x5t#S256");
            and(key.jwk(), &certificate)
        };
        json!({ "keys": [shaped(&self.current), shaped(&self.next)] })
    }
}

impl Vendor for Auth0 {
    fn hosts(&self) -> &'static [&'static str] {
        &["example-tenant.eu.auth0.com"]
    }

    fn answer(&self, _: &str, request: &RawRequest) -> RawResponse {
        match line(request).as_str() {
            "GET /.well-known/openid-configuration" => super::json(
                200,
                &json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": format!("{ISSUER}authorize"),
                    "token_endpoint": format!("{ISSUER}oauth/token"),
                    "userinfo_endpoint": format!("{ISSUER}userinfo"),
                    "jwks_uri": format!("{ISSUER}.well-known/jwks.json"),
                    "code_challenge_methods_supported": ["S256", "plain"],
                    "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
                }),
            ),
            "GET /.well-known/jwks.json" => with_header(
                super::json(200, &self.jwks()),
                "Cache-Control",
                "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400",
            ),
            _ => not_found(),
        }
    }
}
