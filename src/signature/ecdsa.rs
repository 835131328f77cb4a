//! ECDSA (RFC 7518 §3.4) by the RustCrypto curve crates.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Curve, KeyError, SignatureError};

/// A point of its curve, decoded, and not the identity.
pub(super) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl Key {
    pub(super) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let expected = curve.field_len();
        if x.len() != expected || y.len() != expected {
            return Err(KeyError::CoordinateLength { expected });
        }
        // SEC 1 §2.3.4, uncompressed: the only form that has both coordinates, and no form of the identity.
        let point = [&[4], x, y].concat();
        match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P521),
        }
        .map_err(|_| KeyError::NotOnCurve)
    }

    pub(super) const fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    /// `signature` is `r || s`, each as long as the curve's order; s in either half of its range (RFC 7518 §3.4 does not bound it).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::P256(key) => {
                let signature =
                    p256::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha256::digest(message), &signature)
            }
            Self::P384(key) => {
                let signature =
                    p384::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha384::digest(message), &signature)
            }
            Self::P521(key) => {
                let signature =
                    p521::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha512::digest(message), &signature)
            }
        }
        .map_err(|_| SignatureError::Invalid)
    }
}
