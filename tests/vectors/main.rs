//! Third-party vectors, and the verdict each gets under our rules. The data are in `tests/jose` and `tests/kubernetes`, with their licences.
//!
//! The same functions run natively and, as WebAssembly, in Node (`scripts/test-wasm`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

mod jwt;
#[cfg(not(target_arch = "wasm32"))]
mod jwt_compact_oracle;
mod jwt_verify_lib;
mod kubernetes;
mod rfc;
mod wycheproof;

use registry_auth::base64url;
use registry_auth::jwk::{Jwk, JwkSet};
use registry_auth::signature::{Algorithm, Backend, PublicKey, SignatureError};
use serde_json::{Value, json};

/// A vector file, parsed.
fn data(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The one key of a JWK Set made of `jwk`, or why it is not usable.
fn only_key(jwk: &Value) -> Result<std::sync::Arc<Jwk>, String> {
    let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    set.keys().first().cloned().ok_or_else(|| set.skipped()[0].reason.to_string())
}

/// The verdict of every backend in this build, which is one: to the letter, not only in good or bad.
fn verify(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let of = |backend| key.clone().with_backend(backend).verify(algorithm, message, signature);
    let verdict = of(Backend::default());
    for backend in Backend::ALL {
        assert_eq!(of(*backend), verdict, "{backend:?}: {algorithm}, signature {signature:02x?}");
    }
    verdict
}

/// The parts of a compact JWS that a signature is about. Everything else is the JWT parser's business.
struct Compact<'a> {
    algorithm: Option<Algorithm>,
    kid: Option<String>,
    signing_input: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    fn parse(token: &'a str) -> Self {
        let (signing_input, signature) = token.rsplit_once('.').unwrap();
        let header = base64url::decode(signing_input.split('.').next().unwrap().as_bytes()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        Self {
            algorithm: header["alg"].as_str().and_then(Algorithm::parse),
            kid: header["kid"].as_str().map(str::to_owned),
            signing_input: signing_input.as_bytes(),
            signature: base64url::decode(signature.as_bytes()).unwrap(),
        }
    }

    fn verify(&self, set: &JwkSet) -> Verdict {
        let Some(algorithm) = self.algorithm else {
            return Verdict::Algorithm;
        };
        let keys = set.select(self.kid.as_deref(), algorithm);
        if keys.is_empty() {
            return Verdict::NoKey;
        }
        let verified =
            keys.iter().any(|jwk| verify(jwk.key(), algorithm, self.signing_input, &self.signature).is_ok());
        if verified { Verdict::Verified } else { Verdict::Signature }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Verified,
    /// Not an algorithm of SPEC J-2.
    Algorithm,
    /// No key to try.
    NoKey,
    /// No key verifies it.
    Signature,
}
