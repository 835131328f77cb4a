//! Signatures of JWS (RFC 7515, RFC 7518 §3, RFC 8037), verified by libraries; nothing here computes.
//!
//! A [`PublicKey`] is checked and prepared once, when its JWK Set is parsed; [`PublicKey::verify`] then only verifies. The algorithm is the
//! caller's argument, decided by policy and key, never read from a key or a signature. There is no symmetric key and no `none`.
//!
//! Which library verifies is the shell's choice of a [`Backend`]; which keys and signatures are accepted does not depend on it.

#[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
mod aws_lc;
mod ecdsa;
mod ed25519;
mod rsa;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::rsa::without_leading_zeros;

/// The signature algorithms a token may use (SPEC J-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, and 32 bytes of salt.
    PS256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, and 48 bytes of salt.
    PS384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, and 64 bytes of salt.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519 (RFC 8037 §3.1); Ed448 is not supported.
    EdDSA,
}

impl Algorithm {
    /// All of them, in the order of SPEC J-2.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The value of `alg` (RFC 7518 §3.1, RFC 8037 §3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of exactly this name (RFC 7515 §4.1.1: case-sensitive). `none`, HMAC, and every other name: `None`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The curves of ECDSA in JWS (RFC 7518 §6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// `P-256`, for ES256.
    P256,
    /// `P-384`, for ES384.
    P384,
    /// `P-521`, for ES512.
    P521,
}

impl Curve {
    /// The value of `crv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The curve of exactly this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.as_str() == name)
    }

    /// Length of a coordinate, of `r`, and of `s`, in bytes.
    pub(crate) const fn field_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The one algorithm that uses this curve (RFC 7518 §3.4).
    const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::P521 => Algorithm::ES512,
        }
    }
}

/// Why a public key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// RSA modulus below 2048 bits (RFC 7518 §3.3) or above 8192, where one verification would take too long.
    RsaModulusSize {
        /// Bits of the modulus, leading zeros not counted.
        bits: usize,
    },
    /// An even RSA modulus is no product of two large primes.
    RsaModulusEven,
    /// RSA exponent that is even, below 3, or not below 2³³.
    RsaExponent,
    /// A coordinate that has not exactly the length of its curve's field (RFC 7518 §6.2.1.2, RFC 8037 §2).
    CoordinateLength {
        /// Bytes a coordinate must have.
        expected: usize,
    },
    /// Coordinates that are no point of the curve, or not its canonical encoding.
    NotOnCurve,
    /// An Ed25519 point of small order: anyone can sign for it.
    SmallOrder,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaModulusSize { bits } => {
                write!(f, "RSA modulus of {bits} bits, not 2048 to 8192")
            }
            Self::RsaModulusEven => f.write_str("RSA modulus is even"),
            Self::RsaExponent => f.write_str("RSA exponent is not an odd number from 3 to 2^33"),
            Self::CoordinateLength { expected } => {
                write!(f, "coordinate is not {expected} bytes long")
            }
            Self::NotOnCurve => f.write_str("point is not on the curve"),
            Self::SmallOrder => f.write_str("point has small order"),
        }
    }
}

impl std::error::Error for KeyError {}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// The key is not of the algorithm's type or curve.
    UnsupportedAlgorithm,
    /// The signature has not the algorithm's form: wrong length, DER, or a number out of range.
    Malformed,
    /// The signature is not of this message under this key.
    Invalid,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedAlgorithm => "key does not support the algorithm",
            Self::Malformed => "signature has not the form the algorithm demands",
            Self::Invalid => "signature does not verify",
        })
    }
}

impl std::error::Error for SignatureError {}

/// The libraries that can verify, of those in this build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The RustCrypto crates and `ed25519-dalek`: pure Rust, for every target.
    #[default]
    RustCrypto,
    /// `aws-lc-rs`: assembly and C, natively only, with the feature `aws-lc`.
    #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
    AwsLc,
}

impl Backend {
    /// All in this build.
    pub const ALL: &[Self] = &[
        Self::RustCrypto,
        #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
        Self::AwsLc,
    ];
}

/// A public key that passed every check that does not need a signature, prepared for verification. Clones share it.
#[derive(Clone)]
pub struct PublicKey(Arc<Material>);

enum Material {
    Rsa(rsa::Key),
    Ec(ecdsa::Key),
    Ed25519(ed25519::Key),
    #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
    AwsLc(aws_lc::Key),
}

enum Kind {
    Rsa,
    Ec(Curve),
    Ed25519,
}

impl PublicKey {
    /// An RSA key from modulus and exponent, big-endian; leading zero bytes do not count (SPEC J-4).
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(Material::Rsa(rsa::Key::new(n, e)?))))
    }

    /// An elliptic curve key from its affine coordinates, each exactly as long as the field.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(Material::Ec(ecdsa::Key::new(curve, x, y)?))))
    }

    /// An Ed25519 key from its 32 bytes (RFC 8032 §5.1.5).
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(Material::Ed25519(ed25519::Key::new(x)?))))
    }

    /// The same key, verified with by `backend` from now on: what it accepts stays the same. To be chosen once; a choice after the first changes nothing.
    #[must_use]
    pub fn with_backend(self, backend: Backend) -> Self {
        match backend {
            Backend::RustCrypto => self,
            #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
            Backend::AwsLc => match aws_lc::Key::new(&self.0) {
                Some(key) => Self(Arc::new(Material::AwsLc(key))),
                None => self,
            },
        }
    }

    /// Whether type and curve of this key are the algorithm's.
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self.kind() {
            Kind::Rsa => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Kind::Ec(curve) => curve.algorithm() == algorithm,
            Kind::Ed25519 => algorithm == EdDSA,
        }
    }

    /// Whether `signature` is one of `message` under this key and `algorithm`, in the one form that JWS allows.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if !self.supports(algorithm) {
            return Err(SignatureError::UnsupportedAlgorithm);
        }
        match &*self.0 {
            Material::Rsa(key) => key.verify(algorithm, message, signature),
            Material::Ec(key) => key.verify(message, signature),
            Material::Ed25519(key) => key.verify(message, signature),
            #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
            Material::AwsLc(key) => key.verify(algorithm, message, signature),
        }
    }

    /// How long one verification takes, in about the time of ES256: from the counts of `benches/gate`, rounded down for what providers usually have.
    pub fn cost(&self) -> u32 {
        match self.kind() {
            Kind::Ed25519 | Kind::Ec(Curve::P256) => 1,
            Kind::Ec(Curve::P384 | Curve::P521) => 4,
            Kind::Rsa => match self.modulus_bits() {
                0..=3072 => 1,
                3073..=4096 => 2,
                _ => 8,
            },
        }
    }

    /// What verifies with this key.
    pub fn backend(&self) -> Backend {
        match &*self.0 {
            Material::Rsa(_) | Material::Ec(_) | Material::Ed25519(_) => Backend::RustCrypto,
            #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
            Material::AwsLc(_) => Backend::AwsLc,
        }
    }

    /// Of an RSA key, in whole bytes. Takes its time: not for every key of a set.
    fn modulus_bits(&self) -> usize {
        match &*self.0 {
            Material::Rsa(key) => key.modulus_bits(),
            #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
            Material::AwsLc(key) => key.modulus_bits(),
            Material::Ec(_) | Material::Ed25519(_) => 0,
        }
    }

    fn kind(&self) -> Kind {
        match &*self.0 {
            Material::Rsa(_) => Kind::Rsa,
            Material::Ec(key) => Kind::Ec(key.curve()),
            Material::Ed25519(_) => Kind::Ed25519,
            #[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
            Material::AwsLc(key) => key.kind(),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind() {
            Kind::Rsa => "RSA",
            Kind::Ec(curve) => curve.as_str(),
            Kind::Ed25519 => "Ed25519",
        };
        write!(f, "PublicKey({kind})")
    }
}

#[cfg(test)]
mod tests;
