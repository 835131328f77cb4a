//! Microsoft Entra ID: tokens of two versions from one tenant, under one set of keys that do not say what they are for.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, and, line, not_found, with_header};
use crate::message::{RawRequest, RawResponse};

const V1_ISSUER: &str = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/";
const V2_ISSUER: &str = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const API: &str = "66666666-7777-8888-9999-000000000000";

/// A tenant.
#[derive(Debug)]
pub struct Entra {
    keys: Vec<Arc<SigningKey>>,
    jwks: Mutex<Vec<Value>>,
}

impl Entra {
    /// With new keys.
    pub fn new() -> Arc<Self> {
        let (keys, jwks) = (0..3).map(|_| new_key()).unzip();
        Arc::new(Self { keys, jwks: Mutex::new(jwks) })
    }

    /// Exchanges a key without announcing it: this one signs, from now on.
    pub fn rotate(&self) -> Arc<SigningKey> {
        let (key, jwk) = new_key();
        self.jwks.lock().unwrap_or_else(PoisonError::into_inner).push(jwk);
        key
    }

    /// The key that is not in use yet.
    pub fn next(&self) -> Arc<SigningKey> {
        Arc::clone(&self.keys[2])
    }

    /// A user's token for an API whose manifest says 2.
    pub fn v2_token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "aud": API,
            "iss": V2_ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "aio": "AXQAi/8TAAAA",
            "azp": "77777777-8888-9999-0000-111111111111",
            "azpacr": "0",
            "name": "Alice Example",
            "oid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "preferred_username": "alice@example.com",
            "rh": "0.AXkA",
            "scp": "Servers.Read Servers.Publish",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "tid": TENANT,
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        });
        TokenSpec::signed_by(&self.keys[0], claims)
    }

    /// A user's token for an API whose manifest says nothing.
    pub fn v1_token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "aud": format!("api://{API}"),
            "iss": V1_ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "acr": "1",
            "amr": ["pwd", "mfa"],
            "appid": "77777777-8888-9999-0000-111111111111",
            "appidacr": "0",
            "family_name": "Example",
            "given_name": "Alice",
            "ipaddr": "192.0.2.7",
            "name": "Alice Example",
            "oid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "scp": "Servers.Read",
            "sub": "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA",
            "tid": TENANT,
            "unique_name": "alice@example.com",
            "upn": "alice@example.com",
            "ver": "1.0",
        });
        let kid = self.keys[1].kid();
        TokenSpec::signed_by(&self.keys[1], claims).header("x5t", kid)
    }

    /// An application's own: roles, and neither scopes nor a user.
    pub fn application_token(&self) -> TokenSpec {
        self.v2_token()
            .without("scp")
            .without("name")
            .without("preferred_username")
            .claim("idtyp", "app")
            .claim("sub", "bbbbbbbb-cccc-dddd-eeee-ffffffffffff")
            .claim("oid", "bbbbbbbb-cccc-dddd-eeee-ffffffffffff")
            .claim("roles", json!(["Servers.Read.All"]))
    }
}

/// A key and how it is published: named by its certificate's thumbprint, with an `issuer` of its own and without `alg`.
fn new_key() -> (Arc<SigningKey>, Value) {
    let key = SigningKey::generate(Algorithm::Rs256, None);
    let certificate = key.certificate("accounts.accesscontrol.windows.net");
    let key = key.with_kid(certificate["x5t"].as_str().expect("a text"));
    let mut jwk = and(
        and(key.jwk(), &certificate),
        &json!({
            "cloud_instance_name": "microsoftonline.com",
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        }),
    );
    let members = jwk.as_object_mut().expect("an object");
    members.retain(|name, _| name != "alg" && name != "x5t#S256");
    (Arc::new(key), jwk)
}

impl Vendor for Entra {
    fn hosts(&self) -> &'static [&'static str] {
        &["login.microsoftonline.com", "sts.windows.net"]
    }

    fn answer(&self, host: &str, request: &RawRequest) -> RawResponse {
        let v2_keys = format!("/{TENANT}/discovery/v2.0/keys");
        let line = line(request);
        let path = line.strip_prefix("GET ").unwrap_or_default();
        let metadata = |issuer: &str, jwks_uri: &str| {
            let body = json!({
                "issuer": issuer,
                "jwks_uri": format!("https://login.microsoftonline.com{jwks_uri}"),
                "token_endpoint": format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"),
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
            });
            super::json(200, &body)
        };
        let keys = || {
            let jwks = json!({ "keys": *self.jwks.lock().unwrap_or_else(PoisonError::into_inner) });
            with_header(super::json(200, &jwks), "Cache-Control", "max-age=86400, private")
        };
        match (host, path) {
            ("login.microsoftonline.com", path)
                if path == format!("/{TENANT}/v2.0/.well-known/openid-configuration") =>
            {
                metadata(V2_ISSUER, &v2_keys)
            }
            ("sts.windows.net", path) if path == format!("/{TENANT}/.well-known/openid-configuration") => {
                metadata(V1_ISSUER, "/common/discovery/keys")
            }
            ("login.microsoftonline.com", "/common/discovery/keys") => keys(),
            ("login.microsoftonline.com", path) if path == v2_keys => keys(),
            _ => not_found(),
        }
    }
}
