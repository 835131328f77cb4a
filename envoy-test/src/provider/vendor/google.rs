//! Google: opaque access tokens and an endpoint of its own kind that tells what they are, and ID tokens whose keys are on another host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, line, not_found, parameter, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://accounts.google.com";
const CLIENT: &str = "407408718192.apps.googleusercontent.com";

/// All of it.
#[derive(Debug)]
pub struct Google {
    current: Arc<SigningKey>,
    next: Arc<SigningKey>,
    tokens: Mutex<BTreeMap<String, (u16, String)>>,
}

impl Google {
    /// With new keys.
    pub fn new() -> Arc<Self> {
        let key = |kid: &str| Arc::new(SigningKey::generate(Algorithm::Rs256, Some(kid)));
        Arc::new(Self {
            current: key("1bd685f5e8fc62d7587057005b5f1b5c6d0e3a94"),
            next: key("b3f9a1d7c2e84f5061728394a5b6c7d8e9f00112"),
            tokens: Mutex::default(),
        })
    }

    /// The key after the next rotation.
    pub fn next(&self) -> Arc<SigningKey> {
        Arc::clone(&self.next)
    }

    /// An access token, and what tokeninfo says of it: every value a text, no `iss`, no `active`. Null leaves a member out.
    pub fn issue(&self, token: &str, more: &Value) -> String {
        let mut info = json!({
            "azp": CLIENT,
            "aud": CLIENT,
            "sub": "110169484474386276334",
            "scope": "openid https://www.googleapis.com/auth/userinfo.email",
            "exp": (unix_time() + 3599).to_string(),
            "expires_in": "3599",
            "email": "alice@example.com",
            "email_verified": "true",
            "access_type": "offline",
        });
        let members = info.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        members.retain(|_, value| !value.is_null());
        self.answer_with(token, 200, &info.to_string())
    }

    /// Answers this about a token.
    pub fn answer_with(&self, token: &str, status: u16, body: &str) -> String {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.to_owned(), (status, body.to_owned()));
        token.to_owned()
    }

    /// A service account's ID token, made for an audience of its own choice: no `at_hash`.
    pub fn id_token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "aud": CLIENT,
            "azp": "102345678901234567890",
            "email": "robot@project.iam.gserviceaccount.com",
            "email_verified": true,
            "exp": now + 300,
            "iat": now,
            "iss": ISSUER,
            "sub": "102345678901234567890",
        });
        TokenSpec::signed_by(&self.current, claims)
    }

    fn tokeninfo(&self, query: &str) -> RawResponse {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let known = parameter(query, "access_token").and_then(|token| tokens.get(&token).cloned());
        let bad = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
        let (status, body) = known.unwrap_or_else(|| (400, bad.to_string()));
        let mut response = super::json(status, &Value::Null);
        response.body = body.into_bytes();
        with_header(response, "Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
    }
}

impl Vendor for Google {
    fn hosts(&self) -> &'static [&'static str] {
        &["accounts.google.com", "www.googleapis.com", "oauth2.googleapis.com"]
    }

    fn answer(&self, host: &str, request: &RawRequest) -> RawResponse {
        let line = line(request);
        match (host, line.as_str()) {
            ("accounts.google.com", "GET /.well-known/openid-configuration") => super::json(
                200,
                &json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
                    "token_endpoint": "https://oauth2.googleapis.com/token",
                    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            ("www.googleapis.com", "GET /oauth2/v3/certs") => with_header(
                super::json(200, &json!({ "keys": [self.next.jwk(), self.current.jwk()] })),
                "Cache-Control",
                "public, max-age=19845, must-revalidate, no-transform",
            ),
            ("oauth2.googleapis.com", line) => match line.strip_prefix("GET /tokeninfo?") {
                Some(query) => self.tokeninfo(query),
                None => not_found(),
            },
            _ => not_found(),
        }
    }
}
