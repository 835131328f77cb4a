//! J-1: what is a JWT, what is a broken one, and what is none. No provider here introspects, so each is refused as malformed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Case, Expected, World};
use crate::message::RawRequest;
use crate::provider::TokenSpec;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut text = |name: &str, token: fn(&World) -> String| {
        cases.push(Case::new(
            "J-1",
            name,
            move |world| RawRequest::get(SERVERS).bearer(&token(world)),
            Expected::malformed(),
        ));
    };
    text("an opaque token", |_| "opaque".to_owned());
    text("an opaque token with dots, like Google's", |_| "ya29.a0AfH6SMBx.y-_z".to_owned());
    text("dots only", |_| "..".to_owned());
    text("one dot", |_| "a.b".to_owned());
    text("a JWT without its signature part", |world| part(world, 0) + "." + &part(world, 1));
    text("a JWT with a fourth part", |world| world.token().mint() + ".AAAA");
    text("a JWT with an empty fourth part", |world| world.token().mint() + ".");
    text("a five-part JWE", |_| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#);
        format!("{header}.QUJD.REVG.R0hJ.SktM")
    });
    text("a padded signature", |world| world.token().mint() + "==");
    text("claims in the standard alphabet", |world| format!("{}.ey+/.{}", part(world, 0), part(world, 2)));
    text("a signature with a tilde", |world| format!("{}.{}.AA~A", part(world, 0), part(world, 1)));
    text("a signature that is not canonical", |world| {
        // ES256's 64 bytes leave four unused bits in the last character.
        let token = world.token().mint();
        let last = token.chars().last().unwrap_or('A');
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let place = alphabet.find(last).unwrap_or(0);
        let other = alphabet.chars().nth(place | 1).unwrap_or('B');
        format!("{}{other}", token.strip_suffix(last).unwrap_or_default())
    });
    text("a header that is not JSON", |world| {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{alg:ES256}"), part(world, 1), part(world, 2))
    });
    text("a header that is an array", |world| {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"["ES256"]"#), part(world, 1), part(world, 2))
    });
    text("a header without alg", |world| {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT"}"#), part(world, 1), part(world, 2))
    });
    text("an alg that is a number", |world| {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":256}"#), part(world, 1), part(world, 2))
    });
    text("an empty header", |world| format!(".{}.{}", part(world, 1), part(world, 2)));
    text("empty claims", |world| format!("{}..{}", part(world, 0), part(world, 2)));

    // From here on the signature is right: only the form is not.
    let mut signed = |name: &str, spec: fn(TokenSpec) -> TokenSpec| {
        cases.push(Case::new(
            "J-1",
            name,
            move |world| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
            Expected::malformed(),
        ));
    };
    signed("claims that are not JSON", |token| token.edit_claims(|_| "not JSON".to_owned()));
    signed("claims that are an array", |token| token.edit_claims(|text| format!("[{text}]")));
    signed("claims that are a string", |token| token.edit_claims(|text| json!(text).to_string()));
    signed("claims that are null", |token| token.edit_claims(|_| "null".to_owned()));
    signed("something after the claims", |token| token.edit_claims(|text| text + "{}"));
    signed("a comma at the end of the claims", |token| token.edit_claims(|text| text.replace('}', ",}")));
    signed("a comment in the claims", |token| token.edit_claims(|text| text.replacen('{', "{/**/", 1)));
    signed("a byte order mark before the claims", |token| {
        token.edit_claims(|text| format!("\u{feff}{text}"))
    });
    signed("a line feed inside a claim", |token| {
        token.edit_claims(|text| text.replacen("alice", "al\nice", 1))
    });
    signed("NaN", |token| token.edit_claims(|text| text.replacen('{', r#"{"x":NaN,"#, 1)));
    signed("a duplicate iss", |token| token.duplicate_claim("iss", &json!("https://other.example")));
    signed("a duplicate iss before the right one", |token| {
        token.edit_claims(|text| text.replacen(r#""iss":"#, r#""iss":"x","iss":"#, 1))
    });
    signed("a duplicate exp", |token| token.duplicate_claim("exp", &json!(4_000_000_000_u64)));
    signed("a duplicate aud", |token| token.duplicate_claim("aud", &json!("registry-api")));
    signed("a duplicate claim behind an escape", |token| {
        token.edit_claims(|text| text.replacen('{', "{\"i\\u0073s\":\"x\",", 1))
    });
    signed("a duplicate of any claim", |token| token.claim("x", 1).duplicate_claim("x", &json!(1)));
    signed("a duplicate alg", |token| token.duplicate_header("alg", &json!("none")));
    signed("a duplicate kid", |token| token.duplicate_header("kid", &json!("other")));
    signed("33 levels of arrays", |token| token.claim("nested", arrays(32)));
    signed("33 levels of objects", |token| token.claim("nested", objects(32)));
    signed("a thousand levels", |token| {
        token.edit_claims(|text| {
            text.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(1000), "]".repeat(1000)), 1)
        })
    });
    signed("33 levels in the header", |token| token.header("nested", arrays(32)));

    let mut good = |name: &str, spec: fn(TokenSpec) -> TokenSpec| {
        cases.push(Case::new(
            "J-1",
            name,
            move |world| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
            Expected::forwarded(),
        ));
    };
    good("32 levels of arrays", |token| token.claim("nested", arrays(31)));
    good("32 levels of objects", |token| token.claim("nested", objects(31)));
    good("white space between claims", |token| token.edit_claims(|text| text.replacen(',', " ,\r\n\t", 3)));
    good("escapes in names and values", |token| {
        token.edit_claims(|text| text.replacen(r#""iss""#, r#""\u0069ss""#, 1))
    });
    good("claims of every JSON type", |token| {
        token.claim("a", json!({ "b": [1, 2.5e3, null, true, "é", {}] }))
    });
    good("an empty claim name", |token| token.claim("", ""));
    good("unknown members of the header", |token| {
        token.header("nonce", "x").header("x", json!({ "y": [1] }))
    });
    cases
}

fn part(world: &World, number: usize) -> String {
    world.token().mint().split('.').nth(number).unwrap_or_default().to_owned()
}

fn arrays(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| if inner.is_null() { json!([]) } else { json!([inner]) })
}

fn objects(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| if inner.is_null() { json!({}) } else { json!({ "x": inner }) })
}
