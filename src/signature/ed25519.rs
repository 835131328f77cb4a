//! Ed25519 (RFC 8032, RFC 8037) by `ed25519-dalek`.

use ed25519_dalek::{Signature, VerifyingKey};

use super::{KeyError, SignatureError};

pub(super) struct Key(pub(super) VerifyingKey);

impl Key {
    pub(super) fn new(x: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = x.try_into().map_err(|_| KeyError::CoordinateLength { expected: 32 })?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotOnCurve)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // RFC 8032 §5.1.3, step 1: y is below p. The library also decodes y + p.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotOnCurve);
        }
        Ok(Self(key))
    }

    /// Strictly: s below the group's order, R canonical and not of small order, no cofactor.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
        self.0.verify_strict(message, &signature).map_err(|_| SignatureError::Invalid)
    }
}
