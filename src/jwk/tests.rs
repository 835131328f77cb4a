//! What identity providers publish, and what may be trusted of it.

use super::*;
use crate::base64url;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// RFC 7638 §3.1.
fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "2011-04-29", "alg": "RS256", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"})
}

/// RFC 7515, appendix A.3.
fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

/// RFC 8037, appendix A.2.
fn okp() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

/// `base` with members set, or removed where the value is null.
fn with(base: Value, changes: Value) -> Value {
    let (Value::Object(mut members), Value::Object(changes)) = (base, changes) else { panic!("objects") };
    for (name, value) in changes {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    Value::Object(members)
}

fn parse(keys: &[Value]) -> JwkSet {
    JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn one(key: Value) -> Result<Arc<Jwk>, String> {
    let set = parse(&[key]);
    set.keys().first().cloned().ok_or_else(|| set.skipped()[0].reason.to_string())
}

fn kids(keys: &[Arc<Jwk>]) -> Vec<&str> {
    keys.iter().filter_map(|jwk| jwk.kid()).collect()
}

#[test]
fn thumbprints_are_those_of_the_rfcs_however_a_key_is_decorated() {
    let rfc7638 = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let rfc8037 = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(base64url::encode(one(rsa()).unwrap().thumbprint()), rfc7638);
    assert_eq!(base64url::encode(one(okp()).unwrap().thumbprint()), rfc8037);
    let n = base64url::decode(rsa()["n"].as_str().unwrap().as_bytes()).unwrap();
    let padded = with(
        rsa(),
        json!({"n": base64url::encode(&[&[0, 0], &n[..]].concat()), "e": "AAEAAQ", "alg": null, "kid": null, "use": "sig"}),
    );
    assert_eq!(base64url::encode(one(padded).unwrap().thumbprint()), rfc7638);
}

#[test]
fn keycloaks_signature_key_is_used_and_its_encryption_key_is_not() {
    let x509 = json!({"x5c": ["MIIClzCCAX8"], "x5t": "a", "x5t#S256": "b"});
    let set = parse(&[
        with(with(rsa(), x509.clone()), json!({"kid": "sig", "use": "sig"})),
        with(with(rsa(), x509), json!({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"})),
        json!({"kty": "AKP", "kid": "ml-dsa", "alg": "ML-DSA-65", "pub": "AAAA"}),
        with(okp(), json!({"kid": "ed448", "crv": "Ed448"})),
        with(okp(), json!({"kid": "ed25519", "use": "sig", "alg": "EdDSA"})),
    ]);
    assert_eq!(kids(set.keys()), ["sig", "ed25519"]);
    let skipped: Vec<_> = set.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            r#"keys[1] (kid "enc"): use is "enc", not "sig""#,
            r#"keys[2] (kid "ml-dsa"): kty "AKP" is not supported"#,
            r#"keys[3] (kid "ed448"): crv "Ed448" is not supported"#,
        ]
    );
    assert!(!set.contains_kid("enc"));
    assert!(set.select(Some("enc"), Algorithm::RS256).is_empty());
}

#[test]
fn entras_keys_without_alg_fit_every_rsa_algorithm_and_no_other() {
    let key = one(with(
        rsa(),
        json!({"alg": null, "use": "sig", "issuer": "https://login.example/v2.0", "x5c": ["MIIC"]}),
    ))
    .unwrap();
    for algorithm in Algorithm::ALL {
        let is_rsa = algorithm.as_str().starts_with("RS") || algorithm.as_str().starts_with("PS");
        assert_eq!(key.fits(algorithm), is_rsa, "{algorithm}");
    }
}

#[test]
fn a_keys_own_alg_is_the_only_one_it_fits() {
    for (key, own) in [
        (with(rsa(), json!({"alg": "PS512"})), Algorithm::PS512),
        (rsa(), Algorithm::RS256),
        (with(ec(), json!({"alg": "ES256"})), Algorithm::ES256),
        (ec(), Algorithm::ES256),
        (with(okp(), json!({"alg": "EdDSA"})), Algorithm::EdDSA),
        (with(okp(), json!({"alg": "Ed25519"})), Algorithm::EdDSA),
    ] {
        let key = one(key).unwrap();
        let fitting: Vec<_> = Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)).collect();
        assert_eq!(fitting, [own]);
    }
}

#[test]
fn use_and_key_ops_are_honoured() {
    for changes in [
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"use": "sig", "key_ops": ["encrypt", "verify"]}),
    ] {
        assert!(one(with(rsa(), changes)).is_ok());
    }
    for (changes, reason) in [
        (json!({"use": "enc"}), r#"use is "enc", not "sig""#),
        (json!({"use": "SIG"}), r#"use is "SIG", not "sig""#),
        (json!({"use": ""}), r#"use is "", not "sig""#),
        (json!({"use": ["sig"]}), r#"malformed member "use""#),
        (json!({"key_ops": []}), r#"key_ops lacks "verify""#),
        (json!({"key_ops": ["sign", "Verify"]}), r#"key_ops lacks "verify""#),
        (json!({"key_ops": "verify"}), r#"malformed member "key_ops""#),
        (json!({"key_ops": ["verify", 1]}), r#"malformed member "key_ops""#),
        (json!({"use": "enc", "key_ops": ["verify"]}), r#"use is "enc", not "sig""#),
    ] {
        assert_eq!(one(with(rsa(), changes)).unwrap_err(), reason);
    }
}

#[test]
fn published_secrets_are_not_trusted() {
    let private = "a private key does not belong in a public JWK Set";
    for base in [rsa(), ec(), okp()] {
        assert_eq!(one(with(base, json!({"d": "AAAA"}))).unwrap_err(), private);
    }
    for member in ["p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert_eq!(one(with(rsa(), json!({ member: 1 }))).unwrap_err(), private);
    }
    let oct = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T", "alg": "HS256"});
    assert_eq!(one(oct).unwrap_err(), "a symmetric key does not belong in a public JWK Set");
}

#[test]
fn broken_keys_are_skipped_with_their_reason() {
    for (key, reason) in [
        (json!(1), "not a JSON object"),
        (json!([]), "not a JSON object"),
        (json!({}), r#"no member "kty""#),
        (json!({"kty": 1}), r#"malformed member "kty""#),
        (with(rsa(), json!({"kty": "rsa"})), r#"kty "rsa" is not supported"#),
        (with(rsa(), json!({"n": null})), r#"no member "n""#),
        (with(rsa(), json!({"n": 1})), r#"malformed member "n""#),
        (with(rsa(), json!({"e": "AQAB=="})), r#"malformed member "e""#),
        (with(rsa(), json!({"e": "AQ+/"})), r#"malformed member "e""#),
        (with(rsa(), json!({"e": ""})), "RSA exponent is not an odd number from 3 to 2^33"),
        (with(rsa(), json!({"e": "AQ"})), "RSA exponent is not an odd number from 3 to 2^33"),
        (with(rsa(), json!({"n": "AQAB"})), "RSA modulus of 17 bits, not 2048 to 8192"),
        (with(rsa(), json!({"kid": 7})), r#"malformed member "kid""#),
        (with(rsa(), json!({"alg": 256})), r#"malformed member "alg""#),
        (with(rsa(), json!({"alg": "RSA-OAEP-256"})), r#"alg "RSA-OAEP-256" is not supported"#),
        (with(rsa(), json!({"alg": "none"})), r#"alg "none" is not supported"#),
        (with(rsa(), json!({"alg": "HS256"})), r#"alg "HS256" is not supported"#),
        (with(rsa(), json!({"alg": "Ed25519"})), r#"alg "Ed25519" is not supported"#),
        (with(rsa(), json!({"alg": "ES256"})), r#"alg "ES256" is not for this type of key"#),
        (with(ec(), json!({"alg": "RS256"})), r#"alg "RS256" is not for this type of key"#),
        (with(ec(), json!({"alg": "ES384"})), r#"alg "ES384" is not for this type of key"#),
        (with(ec(), json!({"crv": null})), r#"no member "crv""#),
        (with(ec(), json!({"crv": "secp256k1", "alg": "ES256K"})), r#"crv "secp256k1" is not supported"#),
        (with(ec(), json!({"crv": "P-384"})), "coordinate is not 48 bytes long"),
        (with(ec(), json!({"x": ec()["y"], "y": ec()["x"]})), "point is not on the curve"),
        (with(okp(), json!({"crv": "X25519"})), r#"crv "X25519" is not supported"#),
        (with(okp(), json!({"crv": "P-256"})), r#"crv "P-256" is not supported"#),
        (with(okp(), json!({"alg": "Ed448"})), r#"alg "Ed448" is not supported"#),
        (with(okp(), json!({"x": "AQ"})), "coordinate is not 32 bytes long"),
        (with(okp(), json!({"x": base64url::encode(&[0; 32])})), "point has small order"),
    ] {
        let set = parse(&[key.clone(), ec()]);
        assert_eq!(set.skipped().len(), 1, "{key}");
        assert_eq!((set.skipped()[0].index, set.skipped()[0].reason.to_string()), (0, reason.to_owned()));
        assert_eq!(set.keys().len(), 1, "{key} costs us another key");
    }
}

#[test]
fn a_key_that_is_ambiguous_or_too_deep_is_skipped_alone() {
    let deep = format!(r#"{{"kty":"RSA","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let twice = r#"{"kty":"EC","kid":"a","\u006bid":"b"}"#;
    let text = format!(r#"{{"keys":[{deep},{twice},{{"kty":"RSA","n":1e999}},{}]}}"#, ec());
    let set = JwkSet::parse(text.as_bytes()).unwrap();
    let reasons: Vec<_> = set.skipped().iter().map(|skipped| &skipped.reason).collect();
    assert!(matches!(reasons[0], SkipReason::Json(JsonError::TooDeep { limit: 32, .. })));
    assert!(matches!(reasons[1], SkipReason::Json(JsonError::DuplicateMember { path }) if path == "kid"));
    assert!(matches!(reasons[2], SkipReason::Json(JsonError::Syntax(_))));
    assert_eq!(set.keys().len(), 1);
}

#[test]
fn what_is_no_jwk_set_is_an_error() {
    for text in [
        "",
        "[]",
        "null",
        "\"keys\"",
        "<html>",
        "{\"keys\":[]",
        "{\"keys\":[{]}",
        "{\"keys\":[]} x",
        "{\"keys\":[],\"keys\":[]}",
        "{\"a\":1,\"a\":2,\"keys\":[]}",
        "{\"keys\":[],\"\\u006beys\":[]}",
    ] {
        assert!(matches!(JwkSet::parse(text.as_bytes()), Err(JwkSetError::Json(_))), "{text}");
    }
    for text in ["{}", "{\"Keys\":[]}", "{\"error\":\"unauthorized\"}"] {
        assert!(matches!(JwkSet::parse(text.as_bytes()), Err(JwkSetError::NoKeys)), "{text}");
    }
    for text in ["{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":\"SECRET\"}", "{\"keys\":1}"] {
        let error = JwkSet::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, JwkSetError::KeysNotAnArray), "{text}");
        assert!(!error.to_string().contains("SECRET"));
    }
    assert!(JwkSet::parse("{\"keys\":[\"\u{7f}\"]}".as_bytes()).is_ok());
    assert!(JwkSet::parse(b"{\"keys\":[\"\xff\"]}").is_err());
}

#[test]
fn a_set_without_usable_keys_is_the_callers_to_judge() {
    for text in [r#"{"keys":[]}"#, r#" { "keys" : [ 1 ] , "other" : { } } "#] {
        let set = JwkSet::parse(text.as_bytes()).unwrap();
        assert!(set.keys().is_empty() && set.select(None, Algorithm::RS256).is_empty());
    }
}

#[test]
fn of_many_keys_the_first_hundred_are_looked_at() {
    let numbered = |count: usize| {
        (0..count).map(|index| with(okp(), json!({"kid": index.to_string()}))).collect::<Vec<_>>()
    };
    let set = parse(&numbered(100));
    assert_eq!((set.keys().len(), set.truncated()), (100, None));
    let set = parse(&numbered(103));
    assert_eq!((set.keys().len(), set.truncated()), (100, Some(3)));
    assert!(set.contains_kid("99") && !set.contains_kid("100"));
}

#[test]
fn hostile_megabytes_are_harmless() {
    for text in
        [format!("{{\"keys\":{}", "[".repeat(1 << 20)), format!("{{\"a\":{}", "{\"a\":".repeat(1 << 18))]
    {
        assert!(JwkSet::parse(text.as_bytes()).is_err());
    }
    let text = format!("{{\"keys\":[{}0]}}", "0,".repeat(1 << 19));
    let set = JwkSet::parse(text.as_bytes()).unwrap();
    assert_eq!((set.skipped().len(), set.truncated()), (100, Some((1 << 19) + 1 - 100)));
    let text = format!("{{\"keys\":[{}{}]}}", "[".repeat(1 << 19), "]".repeat(1 << 19));
    assert_eq!(JwkSet::parse(text.as_bytes()).unwrap().skipped().len(), 1);
}

#[test]
fn a_kid_selects_every_fitting_key_that_has_it() {
    let set = parse(&[
        with(rsa(), json!({"kid": "a"})),
        with(rsa(), json!({"kid": "a", "alg": "PS256"})),
        with(rsa(), json!({"kid": "a", "alg": null})),
        with(ec(), json!({"kid": "a"})),
        with(rsa(), json!({"kid": "b"})),
        with(rsa(), json!({"kid": null})),
    ]);
    assert_eq!(set.keys().len(), 6);
    for (kid, algorithm, expected) in [
        ("a", Algorithm::RS256, 2),
        ("a", Algorithm::PS256, 2),
        ("a", Algorithm::ES256, 1),
        ("a", Algorithm::EdDSA, 0),
        ("b", Algorithm::RS256, 1),
        ("A", Algorithm::RS256, 0),
        ("", Algorithm::RS256, 0),
    ] {
        let selected = set.select(Some(kid), algorithm);
        assert_eq!(selected.len(), expected, "{kid} {algorithm}");
        assert!(selected.iter().all(|jwk| jwk.kid() == Some(kid) && jwk.fits(algorithm)));
    }
    assert!(set.contains_kid("a") && !set.contains_kid("A") && !set.contains_kid(""));
}

#[test]
fn without_a_kid_the_first_four_fitting_keys_are_tried() {
    let mut keys: Vec<_> = (0..3).map(|index| with(okp(), json!({"kid": format!("okp-{index}")}))).collect();
    keys.extend((0..6).map(|index| with(rsa(), json!({"kid": index.to_string()}))));
    let set = parse(&keys);
    assert_eq!(kids(&set.select(None, Algorithm::RS256)), ["0", "1", "2", "3"]);
    assert_eq!(set.select(None, Algorithm::EdDSA).len(), 3);
    assert!(set.select(None, Algorithm::RS512).is_empty());
}
