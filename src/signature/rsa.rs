//! RSA (RFC 8017) by the `rsa` crate: public-key operations only.

use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Algorithm, KeyError, SignatureError};

const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Holds the modulus with its Montgomery parameters.
pub(super) struct Key(pub(super) RsaPublicKey);

impl Key {
    pub(super) fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !MODULUS_BITS.contains(&bits) {
            return Err(KeyError::RsaModulusSize { bits });
        }
        if n.last().is_none_or(|last| last % 2 == 0) {
            return Err(KeyError::RsaModulusEven);
        }
        // Odd and at least 3; five bytes or fewer, so that nothing large is computed with. The upper bound proper is the library's, 2³³ - 1.
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e == [1] || e.len() > 5 {
            return Err(KeyError::RsaExponent);
        }
        let (n, e) = (BoxedUint::from_be_slice_vartime(n), BoxedUint::from_be_slice_vartime(e));
        RsaPublicKey::new_with_size_limits(n, e, MODULUS_BITS).map(Self).map_err(|_| KeyError::RsaExponent)
    }

    pub(super) fn modulus_bits(&self) -> usize {
        self.0.size() * 8
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        // RFC 8017 §8.1.2 and §8.2.2, step 1. The library checks s < n, as RSAVP1 demands.
        if signature.len() != self.0.size() {
            return Err(SignatureError::Malformed);
        }
        let verified = match algorithm {
            Algorithm::RS256 => {
                self.0.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature)
            }
            Algorithm::RS384 => {
                self.0.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message), signature)
            }
            Algorithm::RS512 => {
                self.0.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message), signature)
            }
            // RFC 7518 §3.5: MGF1 with the same hash, salt as long as the hash.
            Algorithm::PS256 => {
                self.0.verify(Pss::<Sha256>::new_with_salt(32), &Sha256::digest(message), signature)
            }
            Algorithm::PS384 => {
                self.0.verify(Pss::<Sha384>::new_with_salt(48), &Sha384::digest(message), signature)
            }
            Algorithm::PS512 => {
                self.0.verify(Pss::<Sha512>::new_with_salt(64), &Sha512::digest(message), signature)
            }
            _ => return Err(SignatureError::UnsupportedAlgorithm),
        };
        verified.map_err(|_| SignatureError::Invalid)
    }
}

/// The same number without the zero bytes that ASN.1 habits put before it.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
