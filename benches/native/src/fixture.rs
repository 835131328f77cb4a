//! One provider with a key of each kind, and the tokens that it signs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256, RsaPublicKeyComponents,
};
use registry_auth::authenticator::{Authenticator, Environment};
use registry_auth::base64url;
use registry_auth::config;
use registry_auth::keys::SharedKeys;
use registry_auth::policy::Policy;
use registry_auth::signature::{Algorithm, Backend};
use registry_auth::time::UnixTime;
use serde_json::{Value, json};

/// What is measured: one algorithm of each family.
pub(crate) const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

pub(crate) const ISSUER: &str = "https://idp.example.com/realms/registry";
pub(crate) const AUDIENCE: &str = "https://registry.example.com";
/// Of the request that is asked for, everywhere.
pub(crate) const PATH: &str = "/v0.1/servers?limit=30";

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A token, and what a library that only verifies needs of it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) signing_input: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// The provider's keys.
pub(crate) struct Fixture {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    issued_at: u64,
    /// Signed once, when they are first wanted.
    tokens: RefCell<BTreeMap<Algorithm, Rc<[Token]>>>,
}

/// Of each algorithm; more than are ever wanted.
const TOKENS: usize = 2_000;

impl Fixture {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048)?,
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            ed25519: Ed25519KeyPair::generate()?,
            issued_at: now().as_secs(),
            tokens: RefCell::default(),
        })
    }

    /// The JWK Set; a key's kid is its algorithm's name.
    pub(crate) fn jwk_set(&self) -> Value {
        let keys: Vec<Value> = ALGORITHMS
            .iter()
            .map(|algorithm| {
                let (mut jwk, name) = (self.jwk(*algorithm), algorithm.as_str());
                for (member, value) in [("kid", name), ("alg", name), ("use", "sig")] {
                    jwk.as_object_mut().map(|jwk| jwk.insert(member.to_owned(), json!(value)));
                }
                jwk
            })
            .collect();
        json!({ "keys": keys })
    }

    fn jwk(&self, algorithm: Algorithm) -> Value {
        match algorithm {
            Algorithm::ES256 => {
                let point = self.ec.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url::encode(x), "y": base64url::encode(y)})
            }
            Algorithm::EdDSA => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(self.ed25519.public_key().as_ref())})
            }
            _ => {
                let (n, e) = self.rsa_components();
                json!({"kty": "RSA", "n": base64url::encode(&n), "e": base64url::encode(&e)})
            }
        }
    }

    fn rsa_components(&self) -> (Vec<u8>, Vec<u8>) {
        let key = self.rsa.public_key();
        (
            key.modulus().big_endian_without_leading_zero().to_vec(),
            key.exponent().big_endian_without_leading_zero().to_vec(),
        )
    }

    /// The key as aws-lc-rs alone uses it, parsed once.
    pub(crate) fn parsed(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, Failure> {
        let rsa = |parameters| {
            let (n, e) = self.rsa_components();
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
        };
        Ok(match algorithm {
            Algorithm::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.ec.public_key()),
            Algorithm::EdDSA => ParsedPublicKey::new(&ED25519, self.ed25519.public_key()),
            Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256),
            _ => rsa(&RSA_PKCS1_2048_8192_SHA256),
        }?)
    }

    /// Different tokens, as Keycloak writes them: about 1,000 bytes with RS256.
    pub(crate) fn tokens(&self, algorithm: Algorithm, count: usize) -> Result<Vec<Token>, Failure> {
        let known = self.tokens.borrow().get(&algorithm).cloned();
        let tokens = match known {
            Some(tokens) => tokens,
            None => {
                let tokens =
                    (0..TOKENS).map(|number| self.token(algorithm, number)).collect::<Result<_, _>>()?;
                Rc::clone(self.tokens.borrow_mut().entry(algorithm).or_insert(tokens))
            }
        };
        Ok(tokens.get(..count).ok_or("too few tokens")?.to_vec())
    }

    fn token(&self, algorithm: Algorithm, number: usize) -> Result<Token, Failure> {
        let header = json!({"alg": algorithm.as_str(), "typ": "JWT", "kid": algorithm.as_str()});
        let claims = json!({
            "exp": self.issued_at + 36_000, "iat": self.issued_at, "jti": format!("onrtac:4f6a9c1e-1d0b-4f1c-9a53-{number:012}"),
            "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": format!("7a1f0c9e-93f4-4f0a-8f5e-{number:012}"), "typ": "Bearer",
            "azp": "mcp-client", "sid": format!("b1b3f0b6-5f2f-49c6-9d2d-{number:012}"), "acr": "1",
            "realm_access": {"roles": ["offline_access", "uma_authorization"]},
            "scope": "openid profile email mcp-registry:read", "email_verified": true, "name": "Ada Lovelace",
            "preferred_username": "ada", "email": "ada.lovelace@example.com",
        });
        let signing_input = [header, claims]
            .map(|part| base64url::encode(part.to_string().as_bytes()))
            .join(".")
            .into_bytes();
        let signature = self.sign(algorithm, &signing_input)?;
        let text = format!("{}.{}", std::str::from_utf8(&signing_input)?, base64url::encode(&signature));
        Ok(Token { text, signing_input, signature })
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let random = SystemRandom::new();
        let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
            Algorithm::ES256 => return Ok(self.ec.sign(&random, message)?.as_ref().to_vec()),
            Algorithm::EdDSA => return Ok(self.ed25519.sign(message).as_ref().to_vec()),
            Algorithm::PS256 => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(padding, &random, message, &mut signature)?;
        Ok(signature)
    }

    /// An authenticator that has the provider's keys and knows no token yet.
    pub(crate) fn authenticator(&self, backend: Backend, threads: usize) -> Result<Authenticator, Failure> {
        let document = json!({"auth": {"mode": "oauth", "oauth": {
            "resourceUrl": AUDIENCE, "publicPaths": ["/health", "/docs"],
            // What is measured is what a signature costs.
            "signatureLimits": {"perSecond": 1_000_000, "perClient": 1_000_000},
            "providers": [{"name": "keycloak", "issuerUrl": ISSUER, "jwksUrl": "https://idp.example.com/jwks", "audience": AUDIENCE}],
        }}});
        let loaded = Policy::from_document(&document, &config::Environment::default())
            .map_err(|error| format!("{error:?}"))?;
        let environment = Environment { backend, threads, ..Environment::new([7; 16]) };
        let authenticator = Authenticator::new(loaded.policy, environment);
        let keys = SharedKeys {
            requested_at: now(),
            fresh_for: Duration::from_secs(3600),
            jwks_uri: None,
            body: self.jwk_set().to_string().as_bytes(),
        }
        .encode();
        if !authenticator.import_keys(0, &keys, now())? {
            return Err("the authenticator does not take the keys".into());
        }
        Ok(authenticator)
    }
}

/// What a browser-like client sends besides its token.
pub(crate) const HEADERS: [(&str, &str); 10] = [
    ("host", "registry.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
    ("accept", "application/json, text/event-stream"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.9"),
    ("x-request-id", "0d4f3c1e-6c22-4c0b-9c93-8f4b5c0a6d11"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("mcp-protocol-version", "2025-06-18"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

/// The time of the system's clock.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
