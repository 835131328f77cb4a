//! Ed25519 (RFC 8032, RFC 8037) on the group of `curve25519-dalek`, with the multiples of each key made once.

use curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsBasepointTable};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::BasepointTable as _;
use sha2::{Digest as _, Sha512};

use super::{KeyError, SignatureError};

/// A canonical point that is not of small order.
pub(super) struct Key {
    pub(super) bytes: [u8; 32],
    /// Multiples of -A, 30 KB of them: without, verification has to double 256 times, which is half of its work.
    multiples: Box<EdwardsBasepointTable>,
}

impl Key {
    pub(super) fn new(x: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = x.try_into().map_err(|_| KeyError::CoordinateLength { expected: 32 })?;
        let point = CompressedEdwardsY(bytes).decompress().ok_or(KeyError::NotOnCurve)?;
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        // RFC 8032 §5.1.3, step 1: y is below p. The library also decodes y + p.
        if point.compress().as_bytes() != &bytes {
            return Err(KeyError::NotOnCurve);
        }
        Ok(Self { bytes, multiples: Box::new(EdwardsBasepointTable::create(&-point)) })
    }

    /// RFC 8032 §5.1.7, strictly: s below the group's order, R canonical and not of small order, no cofactor. What `ed25519-dalek`'s `verify_strict`
    /// accepts, nothing else.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let (r, s) = parts(signature)?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)).ok_or(SignatureError::Invalid)?;
        let digest = Sha512::new().chain_update(r).chain_update(self.bytes).chain_update(message).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&digest.into());
        // R = sB + k(-A). The encoding that the library makes is the canonical one: R is that point if the bytes are equal, and otherwise no point or
        // another one, so that R itself need not be decoded.
        let expected = ED25519_BASEPOINT_TABLE.mul_base(&s) + self.multiples.mul_base(&k);
        if expected.compress().as_bytes() != r || expected.is_small_order() {
            return Err(SignatureError::Invalid);
        }
        Ok(())
    }
}

/// R and s.
pub(super) fn parts(signature: &[u8]) -> Result<(&[u8; 32], &[u8; 32]), SignatureError> {
    let (r, s) = signature.split_first_chunk().ok_or(SignatureError::Malformed)?;
    Ok((r, s.try_into().map_err(|_| SignatureError::Malformed)?))
}
