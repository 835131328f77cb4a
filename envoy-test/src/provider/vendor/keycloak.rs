//! Keycloak 26: a realm with a key for encryption beside those for signatures, keys of types we do not know, and introspection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::key::unknown_jwk;
use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, and, claims, line, not_found, parameter, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://keycloak.example.com/realms/mcp";
/// What the example's `clientSecretFile` holds.
const SECRET: &str = "Kc7-s3cr3t/with:odd characters";

/// The realm `mcp`.
#[derive(Debug)]
pub struct Keycloak {
    signing: Arc<SigningKey>,
    previous: Arc<SigningKey>,
    ed25519: Arc<SigningKey>,
    encryption: Arc<SigningKey>,
    sessions: Mutex<BTreeMap<String, Value>>,
    has_lost_keys: AtomicBool,
}

impl Keycloak {
    /// `kid` of the key on a curve we do not know.
    pub const ED448_KID: &str = "ed448-ed448-ed448-ed448-ed448-ed448-ed448-x";

    /// With new keys.
    pub fn new() -> Arc<Self> {
        let key = || Arc::new(SigningKey::generate(Algorithm::Rs256, None));
        Arc::new(Self {
            signing: key(),
            previous: key(),
            ed25519: Arc::new(SigningKey::generate(Algorithm::EdDsa, None)),
            encryption: key(),
            sessions: Mutex::default(),
            has_lost_keys: AtomicBool::new(false),
        })
    }

    /// The JWK Set cannot be had from now on.
    pub fn lose_keys(&self) {
        self.has_lost_keys.store(true, Ordering::Relaxed);
    }

    /// The key that signs.
    pub fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.signing)
    }

    /// The key before the last rotation, still published.
    pub fn previous(&self) -> Arc<SigningKey> {
        Arc::clone(&self.previous)
    }

    /// A key on a curve that we do know.
    pub fn ed25519(&self) -> Arc<SigningKey> {
        Arc::clone(&self.ed25519)
    }

    /// The key for encryption.
    pub fn encryption(&self) -> Arc<SigningKey> {
        Arc::clone(&self.encryption)
    }

    /// A user's access token.
    pub fn token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "exp": now + 300,
            "iat": now,
            "auth_time": now - 60,
            "jti": "onrtac:9e3c1c0b-6b2c-4f0e-9d3c-2f1d8f0b7a11",
            "iss": ISSUER,
            "aud": ["registry-api", "account"],
            "sub": "3f2b7c1e-52f7-4f6f-8f44-6f2b0f1f9a77",
            "typ": "Bearer",
            "azp": "mcp-client",
            "sid": "0f5b5c8e-6a1e-4b53-9c4e-6d3d3a8f8a10",
            "acr": "1",
            "allowed-origins": ["https://app.example.com"],
            "realm_access": { "roles": ["default-roles-mcp", "offline_access", "publisher"] },
            "resource_access": { "registry-api": { "roles": ["reader"] }, "account": { "roles": ["view-profile"] } },
            "scope": "openid email profile",
            "email_verified": true,
            "name": "Alice Example",
            "preferred_username": "alice",
            "given_name": "Alice",
            "family_name": "Example",
            "email": "alice@example.com",
        });
        TokenSpec::signed_by(&self.signing, claims)
    }

    /// Mints a token that introspection knows, with `more` in its answer.
    pub fn known(&self, token: TokenSpec, more: &Value) -> String {
        let token = token.mint();
        let answer =
            json!({ "active": true, "client_id": "mcp-client", "username": "alice", "token_type": "Bearer" });
        self.remember(&token, and(and(claims(&token), &answer), more));
        token
    }

    /// Answers this to introspection of a token, whatever it is. Null leaves a member out.
    pub fn remember(&self, token: &str, mut answer: Value) {
        answer.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), answer);
    }

    fn jwks(&self) -> Value {
        let shaped = |key: &SigningKey| and(key.jwk(), &key.certificate("mcp"));
        let encryption = and(shaped(&self.encryption), &json!({ "use": "enc", "alg": "RSA-OAEP" }));
        let ed448 = json!({
            "kid": Self::ED448_KID, "kty": "OKP", "alg": "EdDSA", "use": "sig", "crv": "Ed448",
            "x": URL_SAFE_NO_PAD.encode([9_u8; 57]),
        });
        json!({ "keys": [encryption, unknown_jwk(), shaped(&self.signing), ed448, self.ed25519.jwk(), shaped(&self.previous)] })
    }

    /// RFC 7662, by Keycloak's own client authentication.
    fn introspect(&self, request: &RawRequest) -> RawResponse {
        // RFC 6749 §2.3.1: form-encoded before Basic joins them.
        let basic = STANDARD.encode("registry-client:Kc7-s3cr3t%2Fwith%3Aodd+characters");
        if request.values("authorization") != [format!("Basic {basic}")] {
            let body = json!({ "error": "invalid_request", "error_description": "Authentication failed." });
            return super::json(401, &body);
        }
        let form = String::from_utf8_lossy(&request.body);
        let token = parameter(&form, "token").unwrap_or_default();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        super::json(200, sessions.get(&token).unwrap_or(&json!({ "active": false })))
    }
}

impl Vendor for Keycloak {
    fn hosts(&self) -> &'static [&'static str] {
        &["keycloak.example.com"]
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        vec![("/etc/registry/keycloak-client-secret", format!("{SECRET}\n"))]
    }

    fn answer(&self, _: &str, request: &RawRequest) -> RawResponse {
        let endpoint = |name: &str| format!("{ISSUER}/protocol/openid-connect/{name}");
        match line(request).as_str() {
            "GET /realms/mcp/.well-known/openid-configuration" => super::json(
                200,
                &json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": endpoint("auth"),
                    "token_endpoint": endpoint("token"),
                    "introspection_endpoint": endpoint("token/introspect"),
                    "userinfo_endpoint": endpoint("userinfo"),
                    "jwks_uri": endpoint("certs"),
                    "response_types_supported": ["code", "none", "id_token", "token"],
                    "id_token_signing_alg_values_supported": ["PS384", "RS384", "EdDSA", "ES384", "HS256", "RS256", "ML-DSA-65"],
                    "code_challenge_methods_supported": ["plain", "S256"],
                    "mtls_endpoint_aliases": { "token_endpoint": endpoint("token") },
                }),
            ),
            "GET /realms/mcp/protocol/openid-connect/certs" if self.has_lost_keys.load(Ordering::Relaxed) => {
                super::json(503, &json!({ "error": "unknown_error" }))
            }
            "GET /realms/mcp/protocol/openid-connect/certs" => {
                with_header(super::json(200, &self.jwks()), "Cache-Control", "no-cache")
            }
            "POST /realms/mcp/protocol/openid-connect/token/introspect" => self.introspect(request),
            _ => not_found(),
        }
    }
}
