//! An independent second opinion: jwt-compact, on other versions of the libraries (rsa 0.9, p256 0.13, ed25519-dalek 2).
//!
//! It has no ES384 and no ES512. Where it exists, it must agree with us on every vector and on every mutation of a good token.

use jwt_compact::alg::{Ed25519, Es256, Rsa};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use registry_auth::jwk::Jwk;
use registry_auth::signature::Algorithm;
use serde_json::{Value, json};

use crate::{Compact, data, only_key, verify, wycheproof};

/// jwt-compact's verdict; `None` where it has no such algorithm.
fn oracle(algorithm: Algorithm, jwk: &Value, message: &[u8], signature: &[u8]) -> Option<bool> {
    fn verdict<A: jwt_compact::Algorithm>(
        algorithm: A,
        jwk: &JsonWebKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> bool
    where
        for<'a> A::VerifyingKey: TryFrom<&'a JsonWebKey<'a>>,
        for<'a> <A::VerifyingKey as TryFrom<&'a JsonWebKey<'a>>>::Error: std::fmt::Debug,
    {
        let key = A::VerifyingKey::try_from(jwk).unwrap();
        let length = A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len());
        length
            && A::Signature::try_from_slice(signature)
                .is_ok_and(|signature| algorithm.verify_signature(&signature, &key, message))
    }
    let jwk: JsonWebKey<'_> = serde_json::from_value(jwk.clone()).unwrap();
    match algorithm {
        Algorithm::ES256 => Some(verdict(Es256, &jwk, message, signature)),
        Algorithm::EdDSA => Some(verdict(Ed25519, &jwk, message, signature)),
        Algorithm::ES384 | Algorithm::ES512 => None,
        _ => Some(verdict(Rsa::with_name(algorithm.as_str()), &jwk, message, signature)),
    }
}

/// Both verdicts, which are one.
fn agreed(algorithm: Algorithm, jwk: &Value, ours: &Jwk, message: &[u8], signature: &[u8]) -> Option<bool> {
    let theirs = oracle(algorithm, jwk, message, signature)?;
    let verdict = verify(ours.key(), algorithm, message, signature);
    assert_eq!(
        verdict.is_ok(),
        theirs,
        "{algorithm}: we say {verdict:?}, jwt-compact says {theirs}; signature {signature:02x?}"
    );
    Some(theirs)
}

#[test]
fn it_agrees_on_every_wycheproof_test() {
    let mut verdicts = [0, 0];
    for &(text, algorithm, _) in wycheproof::FILES {
        for group in data(text)["testGroups"].as_array().unwrap() {
            let jwk = wycheproof::jwk(group);
            let ours = only_key(&jwk).unwrap();
            for test in group["tests"].as_array().unwrap() {
                let (message, signature) = (wycheproof::hex(&test["msg"]), wycheproof::hex(&test["sig"]));
                if let Some(valid) = agreed(algorithm, &jwk, &ours, &message, &signature) {
                    verdicts[usize::from(valid)] += 1;
                }
            }
        }
    }
    assert_eq!(verdicts, [1589, 653]);
}

/// Good tokens with their JWK: the RFCs' and those of Envoy's JWT library.
fn tokens() -> Vec<(String, Value)> {
    let mut tokens = Vec::new();
    for vector in data(include_str!("../jose/rfc/rfc_jws.json")).as_array().unwrap() {
        if let Some(token) = vector["compact"].as_str().filter(|_| vector["jwk"].is_object()) {
            tokens.push((token.to_owned(), vector["jwk"].clone()));
        }
    }
    for vector in data(include_str!("../jose/jwt_verify_lib/verify_jwk.json")).as_array().unwrap() {
        let set = match &vector["jwks"] {
            Value::String(text) => data(text),
            set => set.clone(),
        };
        for jwk in set["keys"].as_array().unwrap() {
            tokens.push((vector["jwt"].as_str().unwrap().to_owned(), jwk.clone()));
        }
    }
    tokens.push((
        include_str!("../kubernetes/client-token-aud-registry-server.jwt").trim().to_owned(),
        data(include_str!("../kubernetes/jwks.json"))["keys"][0].clone(),
    ));
    tokens
}

#[test]
fn it_agrees_on_mutations_of_good_tokens() {
    let mut verdicts = [0, 0];
    let mut algorithms = std::collections::BTreeSet::new();
    for (token, jwk) in tokens() {
        let token = Compact::parse(&token);
        let Some(algorithm) = token.algorithm else {
            continue;
        };
        let Some(ours) = only_key(&jwk).ok().filter(|jwk| jwk.fits(algorithm)) else {
            continue;
        };
        let (message, signature) = (token.signing_input, &token.signature);
        for signature in mutations(signature) {
            if let Some(valid) = agreed(algorithm, &jwk, &ours, message, &signature) {
                verdicts[usize::from(valid)] += 1;
                algorithms.insert(algorithm);
            }
        }
        for message in mutations(message).split_first().unwrap().1 {
            if let Some(valid) = agreed(algorithm, &jwk, &ours, message, signature) {
                assert!(!valid);
                verdicts[0] += 1;
            }
        }
    }
    assert_eq!(verdicts, [1834, 38]);
    use Algorithm::{ES256, EdDSA, PS256, PS384, PS512, RS256};
    assert_eq!(algorithms.into_iter().collect::<Vec<_>>(), [RS256, PS256, PS384, PS512, ES256, EdDSA]);
}

/// `bytes` itself, then bits flipped, halves swapped, and wrong lengths.
fn mutations(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![bytes.to_vec()];
    for at in (0..bytes.len()).step_by(bytes.len().div_ceil(5)).chain([bytes.len() - 1]) {
        for bit in [0x01, 0x80] {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= bit;
            all.push(flipped);
        }
    }
    let (first, second) = bytes.split_at(bytes.len() / 2);
    all.extend([
        [second, first].concat(),
        [bytes, &[0]].concat(),
        [&[0], bytes].concat(),
        bytes[1..].to_vec(),
        vec![0; bytes.len()],
        vec![0xff; bytes.len()],
        Vec::new(),
    ]);
    all
}

#[test]
fn what_it_signs_we_verify() {
    // RFC 7515, appendix A.3, and RFC 8037, appendix A.1.
    let es256 = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"});
    let eddsa = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"});
    for length in 0..40 {
        let message: Vec<u8> = (0..length * 7).map(|byte| byte as u8).collect();
        let key = <Es256 as jwt_compact::Algorithm>::SigningKey::try_from(
            &serde_json::from_value::<JsonWebKey<'_>>(es256.clone()).unwrap(),
        )
        .unwrap();
        let signature = Es256.sign(&key, &message).as_bytes().into_owned();
        assert_eq!(public(&es256).key().verify(Algorithm::ES256, &message, &signature), Ok(()));
        let key = <Ed25519 as jwt_compact::Algorithm>::SigningKey::try_from(
            &serde_json::from_value::<JsonWebKey<'_>>(eddsa.clone()).unwrap(),
        )
        .unwrap();
        let signature = Ed25519.sign(&key, &message).as_bytes().into_owned();
        assert_eq!(public(&eddsa).key().verify(Algorithm::EdDSA, &message, &signature), Ok(()));
    }
}

fn public(jwk: &Value) -> std::sync::Arc<Jwk> {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().remove("d");
    only_key(&jwk).unwrap()
}
