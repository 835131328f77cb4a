//! Signing keys that are the same in every run, and signatures that are, too: RFC 6979 for ECDSA, a salt from a counter for PSS.

use std::convert::Infallible;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use rand_core::{TryCryptoRng, TryRng};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use crate::error::GateError;

const RSA_KEYS: &str = include_str!("rsa-keys.json");

/// Nothing but 7s is below every curve's order.
const SECRET: [u8; 66] = [7; 66];

/// An algorithm with one of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Rs256,
    Rs512,
    Ps256,
    Rs256With4096,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Signer {
    pub(crate) const ALL: [Self; 8] = [
        Self::Rs256,
        Self::Rs512,
        Self::Ps256,
        Self::Rs256With4096,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The JWS `alg`.
    pub(crate) const fn algorithm(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Rs256With4096 => "RS256",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// As long as Keycloak's.
    pub(crate) fn kid(self) -> String {
        let name = match self {
            Self::Rs256 | Self::Rs512 | Self::Ps256 => "rsa-2048",
            Self::Rs256With4096 => "rsa-4096",
            Self::Es256 => "p-256",
            Self::Es384 => "p-384",
            Self::Es512 => "p-521",
            Self::EdDsa => "ed25519",
        };
        format!("{name:-<43}")
    }

    /// The JWS signature of a message.
    pub(crate) fn sign(self, message: &[u8]) -> Result<Vec<u8>, GateError> {
        match self {
            Self::Rs256 => sign_rsa(rsa_key(0)?, Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)),
            Self::Rs512 => sign_rsa(rsa_key(0)?, Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message)),
            Self::Ps256 => sign_rsa(rsa_key(0)?, Pss::<Sha256>::new_with_salt(32), &Sha256::digest(message)),
            Self::Rs256With4096 => {
                sign_rsa(rsa_key(1)?, Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message))
            }
            Self::Es256 => {
                let signature: p256::ecdsa::Signature = p256_key()?.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Self::Es384 => {
                let signature: p384::ecdsa::Signature = p384_key()?.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Self::Es512 => {
                let signature: p521::ecdsa::Signature = p521_key()?.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Self::EdDsa => Ok(ed25519_key().sign(message).to_bytes().to_vec()),
        }
    }
}

/// The public halves, and a key for encryption as Keycloak has one.
pub(crate) fn jwks() -> Result<Value, GateError> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let rsa = |kid: String, purpose: &str, number: usize| -> Result<Value, GateError> {
        let key = rsa_key(number)?;
        let (n, e) = (encode(&key.n_bytes()), encode(&key.e_bytes()));
        Ok(json!({ "kid": kid, "kty": "RSA", "use": purpose, "n": n, "e": e }))
    };
    // SEC 1 §2.3.3: 0x04, then both coordinates at full length.
    let ec = |kid: String, curve: &str, point: &[u8]| {
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        json!({ "kid": kid, "kty": "EC", "use": "sig", "crv": curve, "x": encode(x), "y": encode(y) })
    };
    let ed25519 = encode(ed25519_key().verifying_key().as_bytes());
    Ok(json!({ "keys": [
        rsa("encryption".to_owned(), "enc", 0)?,
        rsa(Signer::Rs256.kid(), "sig", 0)?,
        rsa(Signer::Rs256With4096.kid(), "sig", 1)?,
        ec(Signer::Es256.kid(), "P-256", p256_key()?.verifying_key().to_sec1_point(false).as_bytes()),
        ec(Signer::Es384.kid(), "P-384", p384_key()?.verifying_key().to_sec1_point(false).as_bytes()),
        ec(Signer::Es512.kid(), "P-521", p521_key()?.verifying_key().to_sec1_point(false).as_bytes()),
        json!({ "kid": Signer::EdDsa.kid(), "kty": "OKP", "use": "sig", "crv": "Ed25519", "x": ed25519 }),
    ] }))
}

fn sign_rsa(
    key: &RsaPrivateKey,
    scheme: impl rsa::traits::SignatureScheme,
    digest: &[u8],
) -> Result<Vec<u8>, GateError> {
    key.sign_with_rng(&mut Counter(0), scheme, digest).map_err(unusable)
}

fn rsa_key(number: usize) -> Result<&'static RsaPrivateKey, GateError> {
    static KEYS: [OnceLock<RsaPrivateKey>; 2] = [OnceLock::new(), OnceLock::new()];
    let cell = KEYS.get(number).ok_or_else(|| unusable("no such key"))?;
    if let Some(key) = cell.get() {
        return Ok(key);
    }
    let document: Value = serde_json::from_str(RSA_KEYS).map_err(unusable)?;
    let part = |name: &str| {
        let text =
            document.pointer(&format!("/keys/{number}/{name}")).and_then(Value::as_str).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).map(|bytes| BoxedUint::from_be_slice_vartime(&bytes)).map_err(unusable)
    };
    let key =
        RsaPrivateKey::from_components(part("n")?, part("e")?, part("d")?, vec![part("p")?, part("q")?]);
    let key = key.map_err(unusable)?;
    Ok(cell.get_or_init(|| key))
}

fn p256_key() -> Result<p256::ecdsa::SigningKey, GateError> {
    p256::ecdsa::SigningKey::from_slice(SECRET.get(..32).unwrap_or_default()).map_err(unusable)
}

fn p384_key() -> Result<p384::ecdsa::SigningKey, GateError> {
    p384::ecdsa::SigningKey::from_slice(SECRET.get(..48).unwrap_or_default()).map_err(unusable)
}

fn p521_key() -> Result<p521::ecdsa::SigningKey, GateError> {
    // The order has 521 bits: the first of 66 bytes is 0 or 1.
    let mut secret = SECRET;
    secret[0] = 0;
    p521::ecdsa::SigningKey::from_slice(&secret).map_err(unusable)
}

fn ed25519_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

fn unusable(error: impl ToString) -> GateError {
    GateError::Key(error.to_string())
}

/// Not random at all, so that salts are the same in every run.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 += 1;
        Ok(u32::try_from(self.0 & 0xffff_ffff).unwrap_or(0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 += 1;
            *byte = u8::try_from(self.0 % 251).unwrap_or(0);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
