//! A kube-apiserver's own keys and tokens, captured. The audiences are the claims' business; both tokens are signed.

use registry_auth::jwk::JwkSet;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Compact, Verdict};

const JWKS: &[u8] = include_bytes!("../kubernetes/jwks.json");
const TOKENS: [&str; 2] = [
    include_str!("../kubernetes/client-token-aud-registry-server.jwt"),
    include_str!("../kubernetes/client-token-wrong-aud.jwt"),
];

#[test]
fn service_account_tokens_verify_with_the_servers_keys() {
    let set = JwkSet::parse(JWKS).unwrap();
    assert_eq!((set.keys().len(), set.skipped().len(), set.truncated()), (1, 0, None));
    for token in TOKENS {
        let token = Compact::parse(token.trim());
        assert!(set.contains_kid(token.kid.as_deref().unwrap()));
        assert_eq!(token.verify(&set), Verdict::Verified);
    }
}

#[test]
fn one_tokens_signature_is_not_the_others() {
    let set = JwkSet::parse(JWKS).unwrap();
    let [mut one, other] = TOKENS.map(|token| Compact::parse(token.trim()));
    one.signature = other.signature;
    assert_eq!(one.verify(&set), Verdict::Signature);
}
