//! The examples of RFC 7515, 7520, 7797, 8037, and of the ML-DSA draft.

use registry_auth::jwk::JwkSet;
use registry_auth::signature::Algorithm;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Compact, Verdict, data, only_key, verify};

const VECTORS: &str = include_str!("../jose/rfc/rfc_jws.json");

fn asymmetric() -> Vec<(String, JwkSet)> {
    let vectors = data(VECTORS);
    let vectors = vectors.as_array().unwrap().iter();
    let ours = vectors.filter(|vector| Algorithm::parse(vector["alg"].as_str().unwrap()).is_some());
    ours.map(|vector| {
        let set = json!({ "keys": [vector["jwk"]] }).to_string();
        (vector["compact"].as_str().unwrap().to_owned(), JwkSet::parse(set.as_bytes()).unwrap())
    })
    .collect()
}

#[test]
fn compact_asymmetric_examples_verify() {
    let vectors = asymmetric();
    assert_eq!(vectors.len(), 7);
    for (token, set) in vectors {
        assert_eq!(Compact::parse(&token).verify(&set), Verdict::Verified, "{token}");
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    for (token, set) in asymmetric() {
        let sound = Compact::parse(&token);
        let (key, algorithm) = (set.keys()[0].key(), sound.algorithm.unwrap());
        for at in [0, sound.signing_input.len() / 2, sound.signing_input.len() - 1] {
            let mut changed = sound.signing_input.to_vec();
            changed[at] ^= 1;
            assert!(verify(key, algorithm, &changed, &sound.signature).is_err());
        }
        for at in [0, sound.signature.len() / 2, sound.signature.len() - 1] {
            let mut changed = sound.signature.clone();
            changed[at] ^= 1;
            assert!(verify(key, algorithm, sound.signing_input, &changed).is_err());
        }
    }
}

#[test]
fn hmac_none_and_ml_dsa_have_neither_algorithm_nor_key() {
    let vectors = data(VECTORS);
    let others = vectors.as_array().unwrap().iter();
    let others: Vec<&Value> =
        others.filter(|vector| Algorithm::parse(vector["alg"].as_str().unwrap()).is_none()).collect();
    assert_eq!(others.len(), 9);
    for vector in others {
        let expected = match vector["jwk"]["kty"].as_str() {
            Some("oct") => "a symmetric key does not belong in a public JWK Set",
            Some("AKP") => "kty \"AKP\" is not supported",
            _ => continue,
        };
        assert_eq!(only_key(&vector["jwk"]).unwrap_err(), expected, "{}", vector["source"]);
    }
}
