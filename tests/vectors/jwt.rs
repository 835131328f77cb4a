//! Tokens as wholes: what our JWT parser makes of the vectors. Whatever another library accepts beyond asymmetric signatures in compact
//! serialization is refused here.

use registry_auth::bearer::BorrowedToken;
use registry_auth::jwt::{self, Decoded, Format};
use registry_auth::rejection::Cause;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::data;

/// `None`: opaque.
fn parse(token: &str) -> Option<Result<(), Cause>> {
    // Whatever else a text is: as a bearer token it comes to nobody's eyes.
    let token = BorrowedToken::new(token.as_bytes())?;
    match jwt::classify(token, &mut Decoded::default()) {
        Format::Jwt(result) => {
            let signature = result.and_then(|jwt| jwt.signature());
            Some(signature.map(|_| ()).map_err(|rejection| rejection.cause))
        }
        Format::Opaque => None,
    }
}

#[test]
fn forms_are_judged_as_envoys_library_does_or_more_strictly() {
    let vectors = data(include_str!("../jose/jwt_verify_lib/jwt_parse.json"));
    assert_eq!(vectors.as_array().unwrap().len(), 29);
    for vector in vectors.as_array().unwrap() {
        let source = vector["source"].as_str().unwrap();
        let test = source.rsplit(':').next().unwrap();
        let verdict = parse(vector["jwt"].as_str().unwrap());
        let expected = match (test, vector["status"].as_str().unwrap()) {
            // Claims are validated after the form, by the provider that the issuer selects.
            (_, status)
                if status.starts_with("JwtPayloadParseError")
                    && !status.ends_with("BadBase64")
                    && !status.ends_with("BadJson") =>
            {
                let is_hmac = verdict == Some(Err(Cause::Algorithm));
                assert!(is_hmac || verdict == Some(Ok(())), "{source}: {verdict:?}");
                continue;
            }
            ("TestParsePayloadIatDecimalsDrop", _) => Some(Err(Cause::Algorithm)), // HS256
            ("TestTooManySections" | "TestParseHeaderAbsentAlg", _) => None,
            ("TestParseHeaderInvalidAlg", _) => Some(Err(Cause::Algorithm)),
            (_, "Ok") => Some(Ok(())),
            _ => Some(Err(Cause::MalformedToken)),
        };
        assert_eq!(verdict, expected, "{source}");
    }
}

#[test]
fn rfc_examples_beyond_asymmetric_compact_tokens_are_refused() {
    let vectors = data(include_str!("../jose/rfc/rfc_jws.json"));
    let mut refused = 0;
    for vector in vectors.as_array().unwrap() {
        let source = vector["source"].as_str().unwrap();
        let alg = vector["alg"].as_str().unwrap_or("none");
        for member in ["json", "json_flat"] {
            if !vector[member].is_null() {
                assert_eq!(
                    parse(&vector[member].to_string()),
                    None,
                    "{source}: the JSON serialization is no bearer token"
                );
            }
        }
        let Some(compact) = vector["compact"].as_str() else { continue };
        let is_ours =
            ["RS", "PS", "ES", "Ed"].iter().any(|family| alg.starts_with(family)) && !source.contains("b64");
        // The RFCs sign sentences as well as claims; those are malformed for want of claims.
        match parse(compact) {
            Some(Ok(()) | Err(Cause::MalformedToken)) if is_ours => {}
            // HMAC, ML-DSA, `none`; detached and unencoded payloads.
            Some(Err(Cause::Algorithm | Cause::MalformedToken)) | None if !is_ours => refused += 1,
            verdict => panic!("{source}: {verdict:?}"),
        }
    }
    assert!(refused >= 5, "{refused}");
}
