//! Access tokens shaped like Keycloak's, about 1,000 bytes long.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::error::GateError;
use crate::keys::Signer;
use crate::world::{AUDIENCE, ISSUER, NOW};

/// A token to be.
pub(crate) struct Token {
    signer: Signer,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Token {
    /// A good one, valid for an hour; each `number` is another user's.
    pub(crate) fn new(signer: Signer, number: u64) -> Self {
        let header = json!({ "alg": signer.algorithm(), "typ": "JWT", "kid": signer.kid() });
        let claims = json!({
            "exp": NOW + 3600,
            "iat": NOW - 5,
            "jti": format!("onrtac:9e3c1c0b-6b2c-4f0e-9d3c-{number:012x}"),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": format!("3f2b7c1e-52f7-4f6f-8f44-{number:012x}"),
            "typ": "Bearer",
            "azp": "mcp-client",
            "sid": "4a0c8a51-6f0b-4b0b-8f0e-7e3f0d5c2b19",
            "realm_access": { "roles": ["offline_access", "publisher"] },
            "scope": "openid mcp-registry:read",
            "name": "Alice Example",
            "preferred_username": "alice",
            "email": "alice@example.com",
            "email_verified": true,
        });
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        Self { signer, header: object(header), claims: object(claims) }
    }

    /// With another member, or another value of one.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// With another member in the header, or another value of one.
    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    /// Signed, in the compact form (RFC 7515 §7.1).
    pub(crate) fn sign(&self) -> Result<String, GateError> {
        let encode = |object: &Map<_, _>| URL_SAFE_NO_PAD.encode(Value::Object(object.clone()).to_string());
        let message = format!("{}.{}", encode(&self.header), encode(&self.claims));
        let signature = self.signer.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
