//! One message and its signatures, by test keys that nothing trusts.

#![allow(dead_code, reason = "a variant needs its own")]

pub(crate) const MESSAGE: &[u8] = include_bytes!("../data/message.txt");
pub(crate) const RSA_MODULUS: &[u8] = include_bytes!("../data/rsa.modulus");
pub(crate) const RSA_EXPONENT: &[u8] = &[1, 0, 1];
pub(crate) const RS256: &[u8] = include_bytes!("../data/rs256.signature");
pub(crate) const PS256: &[u8] = include_bytes!("../data/ps256.signature");
pub(crate) const P256_POINT: &[u8] = include_bytes!("../data/es256.key");
pub(crate) const ES256: &[u8] = include_bytes!("../data/es256.signature");
pub(crate) const P384_POINT: &[u8] = include_bytes!("../data/es384.key");
pub(crate) const ES384: &[u8] = include_bytes!("../data/es384.signature");
pub(crate) const ED25519: &[u8; 32] = include_bytes!("../data/eddsa.key");
pub(crate) const EDDSA: &[u8; 64] = include_bytes!("../data/eddsa.signature");
