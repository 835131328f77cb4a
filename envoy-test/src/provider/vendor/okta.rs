//! Okta: a custom authorization server, whose tokens have no `typ`, a text for an audience, and scopes as a list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, and, claims, line, not_found, parameter, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://example.okta.com/oauth2/default";

/// The authorization server `default`.
#[derive(Debug)]
pub struct Okta {
    current: Arc<SigningKey>,
    next: Arc<SigningKey>,
    /// What introspection tells; while there is anything, keys cannot be had.
    sessions: Mutex<BTreeMap<String, Value>>,
}

impl Okta {
    /// With new keys.
    pub fn new() -> Arc<Self> {
        let key = || Arc::new(SigningKey::generate(Algorithm::Rs256, None));
        Arc::new(Self { current: key(), next: key(), sessions: Mutex::default() })
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

    /// Mints a token that introspection knows, with `more` in its answer. Keys cannot be had from now on.
    pub fn known(&self, token: TokenSpec, more: &Value) -> String {
        let token = token.mint();
        let mut answer = json!({ "active": true, "token_type": "Bearer", "username": "alice@example.com", "client_id": "0oabcdefghijklmno5d7" });
        let claims = claims(&token);
        for name in ["iss", "aud", "sub", "exp", "iat", "jti", "uid"] {
            answer[name] = claims[name].clone();
        }
        // A text here, where the token has a list.
        answer["scope"] = json!("openid mcp-registry:read");
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), and(answer, more));
        token
    }

    fn introspect(&self, request: &RawRequest) -> RawResponse {
        if request.values("authorization")
            != [format!("Basic {}", STANDARD.encode("0oaregistry:okta-secret"))]
        {
            let body = json!({ "errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter." });
            return super::json(401, &body);
        }
        let token = parameter(&String::from_utf8_lossy(&request.body), "token").unwrap_or_default();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        super::json(200, sessions.get(&token).unwrap_or(&json!({ "active": false })))
    }
}

impl Vendor for Okta {
    fn hosts(&self) -> &'static [&'static str] {
        &["example.okta.com"]
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        vec![("/etc/registry/okta-client-secret", "okta-secret".to_owned())]
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
            "POST /oauth2/default/v1/introspect" => self.introspect(request),
            "GET /oauth2/default/v1/keys"
                if !self.sessions.lock().unwrap_or_else(PoisonError::into_inner).is_empty() =>
            {
                super::json(
                    429,
                    &json!({ "errorCode": "E0000047", "errorSummary": "API call exceeded rate limit due to too many requests." }),
                )
            }
            "GET /oauth2/default/v1/keys" => with_header(
                super::json(200, &json!({ "keys": [self.current.jwk(), self.next.jwk()] })),
                "Cache-Control",
                "max-age=5184000, must-revalidate",
            ),
            _ => not_found(),
        }
    }
}
