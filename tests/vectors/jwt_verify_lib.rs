//! The tests of Envoy's JWT library: token, JWK Set and verdict. Where our verdict differs, a table says why, by `source`.
//!
//! Expiry (`now`) and the header's other members are the JWT parser's business.

use std::collections::BTreeMap;

use registry_auth::jwk::{JwkSet, JwkSetError};
use serde_json::Value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Compact, Verdict, data};

/// Stricter: keys it takes and we do not, with the number that remains. There is no key that we take and it does not.
const STRICTER_SETS: [(&str, usize, &str); 7] = [
    ("GoodOKP", 0, NOT_ON_CURVE),
    ("JwksIgnoreUnsupportedKey", 0, NOT_ON_CURVE),
    ("JwksIgnoreUnsupportedKeyInMiddle", 1, NOT_ON_CURVE),
    ("JwksECMissingBothAlgCrvES256", 0, NO_CURVE),
    ("JwkECMissingCrv", 0, NO_CURVE),
    ("JwksECUnspecifiedCrv", 0, NO_CURVE),
    ("CreateFromPemPopulatesExpectedFields", 0, NOT_A_JWK_SET),
];

const NOT_ON_CURVE: &str =
    "the x of a P-256 key, used as Ed25519 key, is no point of that curve; it only counts the bytes";
const NO_CURVE: &str = "crv is required (RFC 7518 §6.2.1); it guesses P-256, or by alg";
const NOT_A_JWK_SET: &str = "PEM and X.509 are no JWK Set (RFC 7517 §5)";

#[test]
fn tokens_get_the_same_verdict() {
    let vectors = data(include_str!("../jose/jwt_verify_lib/verify_jwk.json"));
    assert_eq!(vectors.as_array().unwrap().len(), 26);
    for vector in vectors.as_array().unwrap() {
        let source = vector["source"].as_str().unwrap();
        let expected = match vector["status"].as_str().unwrap() {
            "Ok" => Verdict::Verified,
            "JwksKidAlgMismatch" => Verdict::NoKey,
            "JwtVerificationFail" => Verdict::Signature,
            other => panic!("status {other}"),
        };
        let set = match &vector["jwks"] {
            Value::String(text) => JwkSet::parse(text.as_bytes()),
            set => JwkSet::parse(set.to_string().as_bytes()),
        };
        let verdict = Compact::parse(vector["jwt"].as_str().unwrap()).verify(&set.unwrap());
        assert_eq!(verdict, expected, "{source}");
    }
}

#[test]
fn sets_yield_the_same_keys_or_fewer() {
    let mut stricter: BTreeMap<_, _> = STRICTER_SETS.iter().map(|(test, keys, _)| (*test, *keys)).collect();
    let vectors = data(include_str!("../jose/jwt_verify_lib/jwks_parse.json"));
    assert_eq!(vectors.as_array().unwrap().len(), 59);
    for vector in vectors.as_array().unwrap() {
        let source = vector["source"].as_str().unwrap();
        let theirs = match (vector["status"].as_str().unwrap(), &vector["keys"]) {
            ("Ok", Value::Null) => 1,
            ("Ok", keys) => keys.as_u64().unwrap() as usize,
            // One bad key costs it the whole set; here each of those sets has no other.
            _ => 0,
        };
        let test = source.split(':').next_back().unwrap();
        let expected = stricter.remove(test).inspect(|ours| assert!(*ours < theirs)).unwrap_or(theirs);
        let ours =
            JwkSet::parse(vector["jwks_text"].as_str().unwrap().as_bytes()).map_or(0, |set| set.keys().len());
        assert_eq!(ours, expected, "{source}");
    }
    assert!(stricter.is_empty(), "not among the vectors: {stricter:?}");
}

#[test]
fn what_is_no_jwk_set_is_an_error_and_a_bad_key_is_not() {
    let vectors = data(include_str!("../jose/jwt_verify_lib/jwks_parse.json"));
    let count = |wanted: fn(&Result<JwkSet, JwkSetError>) -> bool| {
        let vectors = vectors.as_array().unwrap().iter();
        vectors
            .filter(|vector| wanted(&JwkSet::parse(vector["jwks_text"].as_str().unwrap().as_bytes())))
            .count()
    };
    assert_eq!(count(|set| matches!(set, Err(JwkSetError::Json(_)))), 9);
    assert_eq!(count(|set| matches!(set, Err(JwkSetError::NoKeys))), 2);
    assert_eq!(count(Result::is_ok), 48);
}
