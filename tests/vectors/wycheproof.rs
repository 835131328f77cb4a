//! Project Wycheproof: `valid` verifies, `invalid` and `acceptable` do not. No key in these files is refused by our rules.

use std::sync::Arc;

use registry_auth::base64url;
use registry_auth::jwk::Jwk;
use registry_auth::signature::{Algorithm, PublicKey, SignatureError};
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{data, only_key, verify};

/// Runs every test of a file. `counts` are those of valid, invalid and acceptable tests, so that none is lost.
fn run(text: &str, algorithm: Algorithm, counts: [usize; 3]) {
    let file = data(text);
    let mut seen = [0; 3];
    for group in file["testGroups"].as_array().unwrap() {
        let jwk = key(group, algorithm);
        let key = jwk.key();
        for test in group["tests"].as_array().unwrap() {
            let result = test["result"].as_str().unwrap();
            let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
            let verdict = verify(key, algorithm, &message, &signature);
            assert_eq!(
                verdict.is_ok(),
                result == "valid",
                "tcId {}: {} is {result}, got {verdict:?}",
                test["tcId"],
                test["comment"]
            );
            seen[["valid", "invalid", "acceptable"].iter().position(|known| *known == result).unwrap()] += 1;
            if result == "valid" {
                only_as_it_is(key, algorithm, &message, &signature);
            }
        }
    }
    assert_eq!(seen, counts);
    assert_eq!(seen.iter().sum::<usize>() as u64, file["numberOfTests"].as_u64().unwrap());
}

/// A good signature is good in one form, and for one algorithm, only.
fn only_as_it_is(key: &PublicKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) {
    let longer = [signature, &[0]].concat();
    let padded = [&[0], signature].concat();
    let shorter = &signature[..signature.len() - 1];
    for wrong_length in [&longer[..], &padded, shorter, &[]] {
        assert_eq!(verify(key, algorithm, message, wrong_length), Err(SignatureError::Malformed));
    }
    for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm && !key.supports(*other)) {
        assert_eq!(verify(key, other, message, signature), Err(SignatureError::UnsupportedAlgorithm));
    }
}

/// The group's key; the JWK of the file, where there is one, must be the same key and for this algorithm.
fn key(group: &Value, algorithm: Algorithm) -> Arc<Jwk> {
    let key = only_key(&jwk(group)).unwrap();
    if let Some(theirs) = ["publicKeyJwk", "keyJwk"].iter().find_map(|name| group.get(name)) {
        let theirs = only_key(theirs).unwrap();
        assert!(theirs.fits(algorithm));
        assert_eq!(theirs.thumbprint(), key.thumbprint());
    }
    assert!(key.fits(algorithm));
    key
}

/// The group's key as a JWK, from its own encoding: some groups have no JWK.
pub(crate) fn jwk(group: &Value) -> Value {
    let public = &group["publicKey"];
    let encoded = |bytes: &[u8]| base64url::encode(bytes);
    match group["type"].as_str().unwrap() {
        "RsassaPkcs1Verify" | "RsassaPssVerify" => {
            json!({"kty": "RSA", "n": encoded(&hex(&public["modulus"])), "e": encoded(&hex(&public["publicExponent"]))})
        }
        "EcdsaP1363Verify" => {
            let point = hex(&public["uncompressed"]);
            let (x, y) = point[1..].split_at(point.len() / 2);
            let curve = match public["curve"].as_str().unwrap() {
                "secp256r1" => "P-256",
                "secp384r1" => "P-384",
                "secp521r1" => "P-521",
                other => panic!("curve {other}"),
            };
            json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)})
        }
        "EddsaVerify" => json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(&hex(&public["pk"]))}),
        other => panic!("type {other}"),
    }
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

macro_rules! files {
    ($($name:ident: $file:literal, $algorithm:ident, $counts:expr;)*) => {
        /// Text, algorithm, and the numbers of valid, invalid and acceptable tests.
        pub(crate) const FILES: &[(&str, Algorithm, [usize; 3])] =
            &[$((include_str!(concat!("../jose/wycheproof/", $file)), Algorithm::$algorithm, $counts)),*];

        #[allow(non_camel_case_types)]
        enum At { $($name),* }

        $(
            #[test]
            fn $name() {
                let (text, algorithm, counts) = FILES[At::$name as usize];
                run(text, algorithm, counts);
            }
        )*
    };
}

files! {
    rsa_2048_sha256: "rsa_signature_2048_sha256_test.json", RS256, [9, 249, 1];
    rsa_2048_sha384: "rsa_signature_2048_sha384_test.json", RS384, [7, 250, 1];
    rsa_2048_sha512: "rsa_signature_2048_sha512_test.json", RS512, [8, 250, 1];
    rsa_3072_sha256: "rsa_signature_3072_sha256_test.json", RS256, [8, 250, 1];
    rsa_4096_sha256: "rsa_signature_4096_sha256_test.json", RS256, [7, 250, 1];
    rsa_pss_2048_sha256: "rsa_pss_2048_sha256_mgf1_32_test.json", PS256, [63, 45, 0];
    rsa_pss_2048_sha384: "rsa_pss_2048_sha384_mgf1_48_test.json", PS384, [95, 46, 0];
    rsa_pss_3072_sha256: "rsa_pss_3072_sha256_mgf1_32_test.json", PS256, [63, 45, 0];
    rsa_pss_4096_sha512: "rsa_pss_4096_sha512_mgf1_64_test.json", PS512, [132, 47, 0];
    ecdsa_p256: "ecdsa_secp256r1_sha256_p1363_test.json", ES256, [173, 89, 0];
    ecdsa_p384: "ecdsa_secp384r1_sha384_p1363_test.json", ES384, [193, 87, 0];
    ecdsa_p521: "ecdsa_secp521r1_sha512_p1363_test.json", ES512, [231, 87, 0];
    ed25519: "ed25519_test.json", EdDSA, [88, 63, 0];
}
