//! Signatures by `aws-lc-rs`, for native shells. Keys come here after every check of the default backend, and signatures after its checks of form: the
//! verdicts are the same, only sooner.

use std::sync::OnceLock;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};

use rsa::traits::PublicKeyParts as _;

use super::{Algorithm, Curve, Kind, Material, SignatureError, ecdsa};

/// A key of the default backend, parsed once more.
pub(super) enum Key {
    Rsa(Box<RsaKey>),
    Ec(Curve, ParsedPublicKey),
    Ed25519(ParsedPublicKey),
}

impl Key {
    /// `None`: the library does not take this key, and the default backend keeps it.
    pub(super) fn new(checked: &Material) -> Option<Self> {
        match checked {
            Material::Rsa(key) => {
                let key = RsaKey { n: key.0.n_bytes(), e: key.0.e_bytes(), parsed: Default::default() };
                // What is taken for one algorithm is taken for all.
                key.parsed(Algorithm::RS256).ok()?;
                Some(Self::Rsa(Box::new(key)))
            }
            Material::Ec(key) => {
                let parsed = match key {
                    ecdsa::Key::P256(key) => {
                        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.to_sec1_point(false))
                    }
                    ecdsa::Key::P384(key) => {
                        ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key.to_sec1_point(false))
                    }
                    ecdsa::Key::P521(key) => {
                        ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, key.to_sec1_point(false))
                    }
                };
                Some(Self::Ec(key.curve(), parsed.ok()?))
            }
            Material::Ed25519(key) => {
                Some(Self::Ed25519(ParsedPublicKey::new(&ED25519, key.0.as_bytes()).ok()?))
            }
            Material::AwsLc(_) => None,
        }
    }

    pub(super) fn modulus_bits(&self) -> usize {
        match self {
            Self::Rsa(key) => key.n.len() * 8,
            Self::Ec(..) | Self::Ed25519(_) => 0,
        }
    }

    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Rsa(_) => Kind::Rsa,
            Self::Ec(curve, _) => Kind::Ec(*curve),
            Self::Ed25519(_) => Kind::Ed25519,
        }
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let key = match self {
            Self::Rsa(key) => {
                // RFC 8017 §8.1.2 and §8.2.2, step 1.
                if signature.len() != key.n.len() {
                    return Err(SignatureError::Malformed);
                }
                key.parsed(algorithm)?
            }
            Self::Ec(curve, key) => {
                check_ecdsa(*curve, signature)?;
                key
            }
            Self::Ed25519(key) => {
                check_ed25519(signature)?;
                key
            }
        };
        key.verify_sig(message, signature).map_err(|_| SignatureError::Invalid)
    }
}

/// The library ties a parsed key to one algorithm. Most RSA keys are ever used with one of their six: each is parsed when it is first needed.
pub(super) struct RsaKey {
    n: Box<[u8]>,
    e: Box<[u8]>,
    parsed: [OnceLock<Option<ParsedPublicKey>>; 6],
}

impl RsaKey {
    fn parsed(&self, algorithm: Algorithm) -> Result<&ParsedPublicKey, SignatureError> {
        let (place, parameters): (usize, &'static RsaParameters) = match algorithm {
            Algorithm::RS256 => (0, &RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => (1, &RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => (2, &RSA_PKCS1_2048_8192_SHA512),
            // Their salt is as long as the hash, and MGF1 has the same hash (RFC 7518 §3.5).
            Algorithm::PS256 => (3, &RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => (4, &RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => (5, &RSA_PSS_2048_8192_SHA512),
            _ => return Err(SignatureError::UnsupportedAlgorithm),
        };
        let parse =
            || RsaPublicKeyComponents { n: &self.n, e: &self.e }.to_parsed_public_key(parameters).ok();
        let parsed = self.parsed.get(place).and_then(|parsed| parsed.get_or_init(parse).as_ref());
        parsed.ok_or(SignatureError::UnsupportedAlgorithm)
    }
}

/// `r || s` of the curve's length, both from 1 to below the order.
fn check_ecdsa(curve: Curve, signature: &[u8]) -> Result<(), SignatureError> {
    match curve {
        Curve::P256 => p256::ecdsa::Signature::from_slice(signature).map(|_| ()),
        Curve::P384 => p384::ecdsa::Signature::from_slice(signature).map(|_| ()),
        Curve::P521 => p521::ecdsa::Signature::from_slice(signature).map(|_| ()),
    }
    .map_err(|_| SignatureError::Malformed)
}

/// What `verify_strict` demands beyond this library, which computes `R' = sB - kA`, compares its encoding with R's bytes (so that no other encoding
/// of R' passes), and demands s below the group's order: an R that is not of small order.
fn check_ed25519(signature: &[u8]) -> Result<(), SignatureError> {
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
    let mut y = *signature.r_bytes();
    // The highest bit is the sign of x.
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER_Y.contains(&y) { Err(SignatureError::Invalid) } else { Ok(()) }
}

/// The y of the eight points whose order divides 8, little-endian: 1, -1, 0, and the two of order 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    *b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    *b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    *b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_small_order_are_those_of_the_strict_library() {
        let mut points = 0;
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let mut encoded = y;
                encoded[31] |= sign;
                let key = ed25519_dalek::VerifyingKey::from_bytes(&encoded).unwrap();
                assert!(key.is_weak(), "{encoded:02x?}");
                points += usize::from(key.to_edwards().compress().as_bytes() == &encoded);
                let signature = [encoded, [0; 32]].concat();
                assert_eq!(check_ed25519(&signature), Err(SignatureError::Invalid));
            }
        }
        assert_eq!(points, 8, "all there are: the torsion group has eight");
    }
}
