//! J-3 and J-5: issuer, audience, times, and what is not an access token. The skew is 10 seconds unless a document says otherwise.
//!
//! Times are whole seconds and requests take time, so boundaries are tested on the side that the clock cannot cross.

use serde_json::{Value, json};

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;
use crate::provider::{TokenSpec, unix_time};

type Change = fn(String) -> String;
type Make = fn() -> Value;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    [issuers(), audiences(), times(), kinds()].into_iter().flatten().collect()
}

fn case(rule: &'static str, name: &str, expected: Expected, spec: fn(TokenSpec) -> TokenSpec) -> Case {
    Case::new(
        rule,
        name,
        move |world: &World| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
        expected,
    )
}

fn issuers() -> Vec<Case> {
    let refused = || Expected::invalid_token("token issuer not accepted");
    let mut cases = vec![
        case("J-3", "no iss", refused(), |token| token.without("iss")),
        case("J-3", "an unknown iss", refused(), |token| {
            token.issuer("https://evil.example/realms/production")
        }),
        case("J-3", "an empty iss", refused(), |token| token.issuer("")),
        case("J-3", "an iss that is an array", refused(), |token| {
            token.edit_claims(|text| wrap(&text, "iss"))
        }),
        case("J-3", "an iss that is a number", refused(), |token| token.claim("iss", 1)),
        case("J-3", "an iss that is null", refused(), |token| token.claim("iss", Value::Null)),
    ];
    let changes: [(&str, Change); 9] = [
        ("a trailing slash", |iss| iss + "/"),
        ("upper case", |iss| iss.to_uppercase()),
        ("white space", |iss| iss + " "),
        ("a query", |iss| iss + "?"),
        ("a fragment", |iss| iss + "#"),
        ("https", |iss| iss.replace("http:", "https:")),
        ("localhost for 127.0.0.1", |iss| iss.replace("127.0.0.1", "localhost")),
        ("an empty segment", |iss| iss.replace("/realms", "//realms")),
        ("an escape", |iss| iss.replace("production", "%70roduction")),
    ];
    for (name, change) in changes {
        let request = move |world: &World| {
            RawRequest::get(SERVERS).bearer(&world.token().issuer(&change(world.issuer("production"))).mint())
        };
        cases.push(Case::new("J-3", format!("the issuer with {name}"), request, refused()));
    }
    let slash = |world: &World| RawRequest::get(SERVERS).bearer(&world.token_of("trailing-slash").mint());
    cases.push(
        Case::new(
            "J-6",
            "an issuer that ends with a slash, like Auth0's",
            slash,
            Expected::forwarded().upstream("x-auth-provider", "trailing-slash"),
        )
        .under(Document::Troubled),
    );
    let no_slash = |world: &World| {
        RawRequest::get(SERVERS).bearer(
            &world
                .token_of("trailing-slash")
                .issuer(world.issuer("trailing-slash").trim_end_matches('/'))
                .mint(),
        )
    };
    cases.push(
        Case::new("J-3", "the same issuer without its slash", no_slash, refused()).under(Document::Troubled),
    );
    cases
}

fn audiences() -> Vec<Case> {
    let refused = || Expected::invalid_token("token audience not accepted");
    vec![
        case("J-5", "aud as a string", Expected::forwarded(), |token| token.audience("registry-api")),
        case("J-5", "aud as an array of one", Expected::forwarded(), |token| {
            token.audience(json!(["registry-api"]))
        }),
        case("J-5", "aud among others", Expected::forwarded(), |token| {
            token.audience(json!(["account", "registry-api", "x"]))
        }),
        case("J-5", "aud twice in its array", Expected::forwarded(), |token| {
            token.audience(json!(["registry-api", "registry-api"]))
        }),
        case("J-5", "no aud", refused(), |token| token.without("aud")),
        case("J-5", "another aud", refused(), |token| token.audience("account")),
        case("J-5", "other auds", refused(), |token| token.audience(json!(["account", "other"]))),
        case("J-5", "an empty aud", refused(), |token| token.audience("")),
        case("J-5", "an empty array", refused(), |token| token.audience(json!([]))),
        case("J-5", "a longer aud", refused(), |token| token.audience("registry-api-staging")),
        case("J-5", "a shorter aud", refused(), |token| token.audience("registry")),
        case("J-5", "aud in upper case", refused(), |token| token.audience("REGISTRY-API")),
        case("J-5", "aud with white space", refused(), |token| token.audience("registry-api ")),
        case("J-5", "a list in a string", refused(), |token| token.audience("account registry-api")),
        case("J-5", "a list with commas in a string", refused(), |token| {
            token.audience("account,registry-api")
        }),
        case("J-5", "an array with a number in it", refused(), |token| {
            token.audience(json!(["registry-api", 1]))
        }),
        case("J-5", "an array in an array", refused(), |token| token.audience(json!([["registry-api"]]))),
        case("J-5", "an object", refused(), |token| token.audience(json!({ "registry-api": true }))),
        case("J-5", "null", refused(), |token| token.audience(Value::Null)),
        case("J-5", "the audience in azp only", refused(), |token| {
            token.without("aud").claim("azp", "registry-api")
        }),
        case("J-5", "the other provider's audience", refused(), |token| {
            token.audience("registry-api-staging")
        }),
        case("J-5", "the resource's URL", refused(), |token| token.audience("https://registry.example.com")),
    ]
}

fn times() -> Vec<Case> {
    let expired = || Expected::invalid_token("token expired");
    let early = || Expected::invalid_token("token not yet valid");
    let strict = |case: Case| case.under(Document::Strict);
    let mut cases = vec![
        case("J-5", "exp just past, within the skew", Expected::forwarded(), |token| token.expires_in(-5)),
        case("J-5", "exp past by the skew", expired(), |token| token.expires_in(-10)),
        case("J-5", "exp long past", expired(), |token| token.expires_in(-86_400)),
        case("J-5", "exp 0", expired(), |token| token.claim("exp", 0)),
        case("J-5", "a negative exp", expired(), |token| token.claim("exp", -1)),
        case("J-5", "exp with a fraction", Expected::forwarded(), |token| {
            token.edit_claims(|text| fraction(&text, "exp"))
        }),
        case("J-5", "exp with an exponent", Expected::forwarded(), |token| {
            token.edit_claims(|text| text.replacen("\"exp\":", "\"exp\":4e9,\"was\":", 1))
        }),
        case("J-5", "an exp far away", Expected::forwarded(), |token| token.expires_in(10 * 365 * 86_400)),
        case("J-5", "nbf past", Expected::forwarded(), |token| token.not_before_in(-60)),
        case("J-5", "nbf in the future, within the skew", Expected::forwarded(), |token| {
            token.not_before_in(10)
        }),
        case("J-5", "nbf in the future", early(), |token| token.not_before_in(120)),
        case("J-5", "iat in the future, within the skew", Expected::forwarded(), |token| token.issued_in(10)),
        case("J-5", "iat in the future", early(), |token| token.issued_in(120)),
        case("J-5", "nbf in the future, iat past", early(), |token| token.not_before_in(120).issued_in(-120)),
        case("J-5", "nbf past, iat in the future", early(), |token| token.not_before_in(-120).issued_in(120)),
        case("J-5", "an old iat", Expected::forwarded(), |token| token.issued_in(-30 * 86_400)),
        case("J-5", "no iat", Expected::forwarded(), |token| token.without("iat")),
        strict(case("C-7", "exp now, no skew", expired(), |token| token.expires_in(0))),
        strict(case("C-7", "exp just past, no skew", expired(), |token| token.expires_in(-1))),
        strict(case("C-7", "exp in a minute, no skew", Expected::forwarded(), |token| token.expires_in(60))),
        strict(case("C-7", "nbf and iat now, no skew", Expected::forwarded(), |token| {
            token.not_before_in(0).issued_in(0)
        })),
        strict(case("C-7", "nbf in a minute, no skew", early(), |token| token.not_before_in(60))),
        strict(case("C-7", "iat in a minute, no skew", early(), |token| token.issued_in(60))),
        case("J-5", "no exp", Expected::malformed(), |token| token.without("exp")),
    ];
    let not_numbers: [(&str, Make); 6] = [
        ("a string", || json!((unix_time() + 300).to_string())),
        ("a date", || json!("2099-01-01T00:00:00Z")),
        ("null", || Value::Null),
        ("true", || json!(true)),
        ("an array", || json!([4_000_000_000_u64])),
        ("an object", || json!({})),
    ];
    for name in ["exp", "nbf", "iat"] {
        for (kind, value) in not_numbers {
            let request = move |world: &World| {
                RawRequest::get(SERVERS).bearer(&world.token().claim(name, value()).mint())
            };
            cases.push(Case::new("J-5", format!("{name} is {kind}"), request, Expected::malformed()));
        }
    }
    cases
}

fn kinds() -> Vec<Case> {
    let mut cases = vec![
        case("J-5", "bound by DPoP", Expected::wrong_type(), |token| {
            token.claim("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }))
        }),
        case("J-5", "bound to a certificate", Expected::wrong_type(), |token| {
            token.claim("cnf", json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }))
        }),
        case("J-5", "an empty cnf", Expected::wrong_type(), |token| token.claim("cnf", json!({}))),
        case("J-5", "a cnf nobody knows", Expected::wrong_type(), |token| token.claim("cnf", "x")),
        case("J-5", "at_hash", Expected::wrong_type(), |token| token.claim("at_hash", "x")),
        case("J-5", "c_hash", Expected::wrong_type(), |token| token.claim("c_hash", "x")),
        case("J-5", "no typ claim", Expected::forwarded(), |token| token.without("typ")),
        case("J-5", "typ claim Bearer", Expected::forwarded(), |token| token.claim("typ", "Bearer")),
        case("J-5", "a nonce alone is no ID token", Expected::forwarded(), |token| token.claim("nonce", "x")),
    ];
    for kind in ["ID", "Refresh", "Offline", "Logout"] {
        let request =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token().claim("typ", kind).mint());
        cases.push(Case::new("J-5", format!("typ claim {kind}"), request, Expected::wrong_type()));
    }
    cases
}

/// `"name":"x"` becomes `"name":["x"]`.
fn wrap(text: &str, name: &str) -> String {
    let mut claims: Value = serde_json::from_str(text).unwrap_or_default();
    claims[name] = json!([claims[name]]);
    claims.to_string()
}

/// `"name":123` becomes `"name":123.5`.
fn fraction(text: &str, name: &str) -> String {
    let claims: Value = serde_json::from_str(text).unwrap_or_default();
    text.replacen(&format!("\"{name}\":{}", claims[name]), &format!("\"{name}\":{}.5", claims[name]), 1)
}
