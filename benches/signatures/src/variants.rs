//! The libraries.

#![allow(unused_imports, unused_macros, dead_code, reason = "each build has some variants")]

use std::hint::black_box;

use crate::data::{
    ED25519, EDDSA, ES256, ES384, MESSAGE, P256_POINT, P384_POINT, PS256, RS256, RSA_EXPONENT, RSA_MODULUS,
};
use crate::{Check, Variant};

/// Every function here under its feature's name.
macro_rules! variants {
    ($($name:literal $prepare:ident)*) => {
        pub(crate) fn all() -> Vec<Variant> {
            vec![$(#[cfg(feature = $name)] Variant { name: $name, prepare: $prepare }),*]
        }
    };
}

variants! {
    "rs256-rsa-0_10" rs256_rsa_10
    "rs256-crypto-bigint" rs256_crypto_bigint
    "rs256-rsa-0_9" rs256_rsa_9
    "rs256-jwt-compact" rs256_jwt_compact
    "rs256-ring" rs256_ring
    "rs256-aws-lc" rs256_aws_lc
    "ps256-rsa-0_10" ps256_rsa_10
    "ps256-rsa-0_9" ps256_rsa_9
    "ps256-jwt-compact" ps256_jwt_compact
    "ps256-ring" ps256_ring
    "ps256-aws-lc" ps256_aws_lc
    "es256-p256-0_14" es256_p256_14
    "es256-p256-0_13" es256_p256_13
    "es256-jwt-compact" es256_jwt_compact
    "es256-ring" es256_ring
    "es256-aws-lc" es256_aws_lc
    "es384-p384-0_14" es384_p384_14
    "es384-p384-0_13" es384_p384_13
    "es384-ring" es384_ring
    "es384-aws-lc" es384_aws_lc
    "eddsa-dalek-3" eddsa_dalek
    "eddsa-dalek-3-per-key-tables" eddsa_tables
    "eddsa-dalek-3-per-key-comb" eddsa_comb
    "eddsa-ed25519-compact" eddsa_compact
    "eddsa-jwt-compact" eddsa_jwt_compact
    "eddsa-ring" eddsa_ring
    "eddsa-aws-lc" eddsa_aws_lc
}

#[cfg(any(feature = "rs256-rsa-0_10", feature = "ps256-rsa-0_10"))]
mod rsa_10 {
    use rsa_10::{BoxedUint, RsaPublicKey};

    pub(super) fn key() -> RsaPublicKey {
        let number = |bytes| BoxedUint::from_be_slice_vartime(bytes);
        RsaPublicKey::new(number(super::RSA_MODULUS), number(super::RSA_EXPONENT)).expect("a key")
    }
}

#[cfg(feature = "rs256-rsa-0_10")]
fn rs256_rsa_10() -> Check {
    use sha2_11::{Digest as _, Sha256};
    let key = rsa_10::key();
    Box::new(move || {
        let digest = Sha256::digest(black_box(MESSAGE));
        key.verify(::rsa_10::Pkcs1v15Sign::new::<Sha256>(), &digest, black_box(RS256)).is_ok()
    })
}

/// RSAVP1 by square and multiply on the integers of rsa 0.10, and the one encoding that is right (RFC 8017 §8.2.2): for a public exponent nothing
/// has to be hidden.
#[cfg(feature = "rs256-crypto-bigint")]
fn rs256_crypto_bigint() -> Check {
    use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
    use crypto_bigint::{BoxedUint, Odd};
    use sha2_11::{Digest as _, Sha256};
    const DIGEST_INFO: &[u8] =
        b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let modulus = BoxedUint::from_be_slice_vartime(RSA_MODULUS);
    let params = BoxedMontyParams::new_vartime(Odd::new(modulus.clone()).expect("an odd number"));
    Box::new(move || {
        let digest = Sha256::digest(black_box(MESSAGE));
        let Ok(s) = BoxedUint::from_be_slice(black_box(RS256), modulus.bits_precision()) else {
            return false;
        };
        if s >= modulus {
            return false;
        }
        let base = BoxedMontyForm::new(s, &params);
        let power = (0..16).fold(base.clone(), |power, _| power.square());
        let found = (power * &base).retrieve().to_be_bytes();
        let padding = RSA_MODULUS.len() - 3 - DIGEST_INFO.len() - digest.len();
        let encoded = [&[0, 1][..], &vec![0xff; padding], &[0], DIGEST_INFO, &digest].concat();
        *found == *encoded
    })
}

#[cfg(feature = "ps256-rsa-0_10")]
fn ps256_rsa_10() -> Check {
    use sha2_11::{Digest as _, Sha256};
    let key = rsa_10::key();
    Box::new(move || {
        let digest = Sha256::digest(black_box(MESSAGE));
        key.verify(::rsa_10::Pss::<Sha256>::new_with_salt(32), &digest, black_box(PS256)).is_ok()
    })
}

#[cfg(any(feature = "rs256-rsa-0_9", feature = "ps256-rsa-0_9"))]
mod rsa_9 {
    use rsa_9::{BigUint, RsaPublicKey};

    pub(super) fn key() -> RsaPublicKey {
        let number = |bytes| BigUint::from_bytes_be(bytes);
        RsaPublicKey::new(number(super::RSA_MODULUS), number(super::RSA_EXPONENT)).expect("a key")
    }
}

#[cfg(feature = "rs256-rsa-0_9")]
fn rs256_rsa_9() -> Check {
    use sha2_10::{Digest as _, Sha256};
    let key = rsa_9::key();
    Box::new(move || {
        let digest = Sha256::digest(black_box(MESSAGE));
        key.verify(::rsa_9::Pkcs1v15Sign::new::<Sha256>(), &digest, black_box(RS256)).is_ok()
    })
}

#[cfg(feature = "ps256-rsa-0_9")]
fn ps256_rsa_9() -> Check {
    use sha2_10::{Digest as _, Sha256};
    let key = rsa_9::key();
    Box::new(move || {
        let digest = Sha256::digest(black_box(MESSAGE));
        key.verify(::rsa_9::Pss::new_with_salt::<Sha256>(32), &digest, black_box(PS256)).is_ok()
    })
}

macro_rules! ecdsa {
    ($name:literal, $function:ident, $library:ident, $point:ident, $signature:ident) => {
        #[cfg(feature = $name)]
        fn $function() -> Check {
            use $library::ecdsa::signature::Verifier as _;
            use $library::ecdsa::{Signature, VerifyingKey};
            let key = VerifyingKey::from_sec1_bytes($point).expect("a key");
            Box::new(move || {
                let signature = Signature::from_slice(black_box($signature));
                signature.is_ok_and(|signature| key.verify(black_box(MESSAGE), &signature).is_ok())
            })
        }
    };
}

ecdsa!("es256-p256-0_14", es256_p256_14, p256_14, P256_POINT, ES256);
ecdsa!("es256-p256-0_13", es256_p256_13, p256_13, P256_POINT, ES256);
ecdsa!("es384-p384-0_14", es384_p384_14, p384_14, P384_POINT, ES384);
ecdsa!("es384-p384-0_13", es384_p384_13, p384_13, P384_POINT, ES384);

#[cfg(feature = "eddsa-dalek-3")]
fn eddsa_dalek() -> Check {
    let key = ed25519_dalek::VerifyingKey::from_bytes(ED25519).expect("a key");
    Box::new(move || {
        let signature = ed25519_dalek::Signature::from_bytes(black_box(EDDSA));
        key.verify_strict(black_box(MESSAGE), &signature).is_ok()
    })
}

/// What `verify_strict` accepts, with the multiples of the key and of the base point made once (RFC 8032 §5.1.7).
#[cfg(feature = "eddsa-dalek-3-per-key-tables")]
fn eddsa_tables() -> Check {
    use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    use curve25519_dalek::edwards::{CompressedEdwardsY, VartimeEdwardsPrecomputation};
    use curve25519_dalek::scalar::Scalar;
    use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul as _;
    use sha2_11::{Digest as _, Sha512};
    let key = CompressedEdwardsY(*ED25519).decompress().expect("a key");
    assert!(!key.is_small_order());
    let tables = VartimeEdwardsPrecomputation::new([-key, ED25519_BASEPOINT_POINT]);
    Box::new(move || {
        let (r, s) = black_box(EDDSA).split_at(32);
        let Ok(s) = <[u8; 32]>::try_from(s) else { return false };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else { return false };
        let digest = Sha512::new().chain_update(r).chain_update(ED25519).chain_update(black_box(MESSAGE));
        let k = Scalar::from_bytes_mod_order_wide(&digest.finalize().into());
        let expected = tables.vartime_multiscalar_mul([k, s]);
        // Equal to a canonical encoding, R is one; and no other point has it.
        expected.compress().as_bytes() == r && !expected.is_small_order()
    })
}

/// The same with all multiples of 16 powers of each: no doublings are left, and the table has 30 KB.
#[cfg(feature = "eddsa-dalek-3-per-key-comb")]
fn eddsa_comb() -> Check {
    use curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
    use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsBasepointTable};
    use curve25519_dalek::scalar::Scalar;
    use curve25519_dalek::traits::BasepointTable as _;
    use sha2_11::{Digest as _, Sha512};
    let key = CompressedEdwardsY(*ED25519).decompress().expect("a key");
    assert!(!key.is_small_order());
    let multiples = EdwardsBasepointTable::create(&-key);
    Box::new(move || {
        let (r, s) = black_box(EDDSA).split_at(32);
        let Ok(s) = <[u8; 32]>::try_from(s) else { return false };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else { return false };
        let digest = Sha512::new().chain_update(r).chain_update(ED25519).chain_update(black_box(MESSAGE));
        let k = Scalar::from_bytes_mod_order_wide(&digest.finalize().into());
        let expected = multiples.mul_base(&k) + ED25519_BASEPOINT_TABLE.mul_base(&s);
        expected.compress().as_bytes() == r && !expected.is_small_order()
    })
}

#[cfg(feature = "eddsa-ed25519-compact")]
fn eddsa_compact() -> Check {
    let key = ed25519_compact::PublicKey::new(*ED25519);
    Box::new(move || {
        let signature = ed25519_compact::Signature::new(*black_box(EDDSA));
        key.verify(black_box(MESSAGE), &signature).is_ok()
    })
}

#[cfg(any(
    feature = "rs256-jwt-compact",
    feature = "ps256-jwt-compact",
    feature = "es256-jwt-compact",
    feature = "eddsa-jwt-compact"
))]
mod compact {
    use std::hint::black_box;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jwt_compact::jwk::JsonWebKey;
    use jwt_compact::{Algorithm, AlgorithmSignature as _};

    use super::{Check, MESSAGE, RSA_EXPONENT, RSA_MODULUS};

    pub(super) fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn rsa_jwk() -> String {
        format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, encode(RSA_MODULUS), encode(RSA_EXPONENT))
    }

    pub(super) fn check<A: Algorithm + 'static>(algorithm: A, jwk: String, signature: &'static [u8]) -> Check
    where
        for<'a> A::VerifyingKey: TryFrom<&'a JsonWebKey<'a>>,
        for<'a> <A::VerifyingKey as TryFrom<&'a JsonWebKey<'a>>>::Error: std::fmt::Debug,
    {
        let jwk: JsonWebKey<'static> = serde_json::from_str(Box::leak(jwk.into_boxed_str())).expect("a JWK");
        let key = A::VerifyingKey::try_from(Box::leak(Box::new(jwk))).expect("a key");
        Box::new(move || {
            let signature = A::Signature::try_from_slice(black_box(signature));
            signature.is_ok_and(|signature| algorithm.verify_signature(&signature, &key, black_box(MESSAGE)))
        })
    }
}

#[cfg(feature = "rs256-jwt-compact")]
fn rs256_jwt_compact() -> Check {
    compact::check(jwt_compact::alg::Rsa::rs256(), compact::rsa_jwk(), RS256)
}

#[cfg(feature = "ps256-jwt-compact")]
fn ps256_jwt_compact() -> Check {
    compact::check(jwt_compact::alg::Rsa::ps256(), compact::rsa_jwk(), PS256)
}

#[cfg(feature = "es256-jwt-compact")]
fn es256_jwt_compact() -> Check {
    let (x, y) = P256_POINT[1..].split_at(32);
    let (x, y) = (compact::encode(x), compact::encode(y));
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    compact::check(jwt_compact::alg::Es256, jwk, ES256)
}

#[cfg(feature = "eddsa-jwt-compact")]
fn eddsa_jwt_compact() -> Check {
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, compact::encode(ED25519));
    compact::check(jwt_compact::alg::Ed25519, jwk, EDDSA)
}

/// ring and aws-lc-rs have one interface. A parsed RSA key is theirs to prepare where they can.
macro_rules! ring_like {
    ($library:ident: $($name:literal $function:ident $algorithm:ident $key:expr, $signature:ident;)*) => {
        $(#[cfg(feature = $name)]
        fn $function() -> Check {
            use $library::signature;
            let key = $key;
            Box::new(move || {
                signature::UnparsedPublicKey::new(&signature::$algorithm, black_box(&key)).verify(black_box(MESSAGE), black_box($signature)).is_ok()
            })
        })*
    };
}

ring_like! { ring:
    "es256-ring" es256_ring ECDSA_P256_SHA256_FIXED P256_POINT, ES256;
    "es384-ring" es384_ring ECDSA_P384_SHA384_FIXED P384_POINT, ES384;
    "eddsa-ring" eddsa_ring ED25519 ED25519, EDDSA;
}

macro_rules! aws_lc {
    ($($name:literal $function:ident $algorithm:ident $key:expr, $signature:ident;)*) => {
        $(#[cfg(feature = $name)]
        fn $function() -> Check {
            use aws_lc_rs::signature;
            let key = signature::ParsedPublicKey::new(&signature::$algorithm, $key).expect("a key");
            Box::new(move || key.verify_sig(black_box(MESSAGE), black_box($signature)).is_ok())
        })*
    };
}

aws_lc! {
    "rs256-aws-lc" rs256_aws_lc RSA_PKCS1_2048_8192_SHA256 rsa_public_key(), RS256;
    "ps256-aws-lc" ps256_aws_lc RSA_PSS_2048_8192_SHA256 rsa_public_key(), PS256;
    "es256-aws-lc" es256_aws_lc ECDSA_P256_SHA256_FIXED P256_POINT, ES256;
    "es384-aws-lc" es384_aws_lc ECDSA_P384_SHA384_FIXED P384_POINT, ES384;
    "eddsa-aws-lc" eddsa_aws_lc ED25519 ED25519, EDDSA;
}

/// RSAPublicKey (RFC 8017 §A.1.1) of 2048 bits in DER.
#[cfg(any(feature = "rs256-aws-lc", feature = "ps256-aws-lc"))]
fn rsa_public_key() -> Vec<u8> {
    [&[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00], RSA_MODULUS, &[0x02, 0x03], RSA_EXPONENT]
        .concat()
}

#[cfg(feature = "rs256-ring")]
fn rs256_ring() -> Check {
    let key = ring::signature::RsaPublicKeyComponents { n: RSA_MODULUS, e: RSA_EXPONENT };
    Box::new(move || {
        key.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, black_box(MESSAGE), black_box(RS256)).is_ok()
    })
}

#[cfg(feature = "ps256-ring")]
fn ps256_ring() -> Check {
    let key = ring::signature::RsaPublicKeyComponents { n: RSA_MODULUS, e: RSA_EXPONENT };
    Box::new(move || {
        key.verify(&ring::signature::RSA_PSS_2048_8192_SHA256, black_box(MESSAGE), black_box(PS256)).is_ok()
    })
}
