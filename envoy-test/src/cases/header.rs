//! J-2 and J-4: the JOSE header.

use serde_json::{Value, json};

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;
use crate::provider::{Algorithm, SigningKey, TokenSpec};

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |rule, name: &str, expected: Expected, spec: fn(TokenSpec) -> TokenSpec| {
        cases.push(Case::new(
            rule,
            name,
            move |world| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
            expected,
        ));
    };
    let refused = Expected::bad_signature;
    case("J-2", "alg none without a signature", refused(), TokenSpec::unsigned);
    case("J-2", "alg none with a signature", refused(), |token| token.header("alg", "none"));
    case("J-2", "alg None", refused(), |token| token.unsigned().header("alg", "None"));
    case("J-2", "alg NONE", refused(), |token| token.unsigned().header("alg", "NONE"));
    case("J-2", "an empty alg", refused(), |token| token.header("alg", ""));
    case("J-2", "HS256 keyed with the public key's PEM", refused(), |token| {
        token.algorithm(Algorithm::Rs256).hmac_of_public_pem()
    });
    case("J-2", "HS256 keyed with the public key's JWK", refused(), |token| {
        token.algorithm(Algorithm::Rs256).hmac_of_public_jwk()
    });
    case("J-2", "HS256 keyed with an EC key's JWK", refused(), TokenSpec::hmac_of_public_jwk);
    case("J-2", "HS384", refused(), |token| token.hmac_of_public_pem().header("alg", "HS384"));
    for name in [
        "HS512",
        "ES256K",
        "RS1",
        "es256",
        "rs256",
        "Ed448",
        "Ed25519",
        "RSA-OAEP",
        "dir",
        "ML-DSA-65",
        "PS1024",
        "ES256 ",
    ] {
        let request =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token().header("alg", name).mint());
        cases.push(Case::new("J-2", format!("alg {name:?}"), request, refused()));
    }

    for name in
        ["JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "Application/AT+JWT"]
    {
        let request =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token().header("typ", name).mint());
        cases.push(Case::new("J-4", format!("typ {name}"), request, Expected::forwarded()));
    }
    for name in [
        "",
        "JWE",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "entity-statement+jwt",
        "id_token",
        "JWT ",
        "at+jwt; x",
        "application/jwtx",
        "rt+jwt",
    ] {
        let request =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token().header("typ", name).mint());
        cases.push(Case::new("J-4", format!("typ {name:?}"), request, Expected::wrong_type()));
    }
    let mut case = |rule, name: &str, expected: Expected, spec: fn(TokenSpec) -> TokenSpec| {
        cases.push(Case::new(
            rule,
            name,
            move |world| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
            expected,
        ));
    };
    case("J-4", "no typ, as Okta and Kubernetes have it", Expected::forwarded(), |token| {
        token.without_header("typ")
    });
    case("J-4", "a typ that is not a string", Expected::malformed(), |token| {
        token.header("typ", json!(["JWT"]))
    });
    case("J-4", "crit", Expected::malformed(), |token| token.header("crit", json!(["exp"])));
    case("J-4", "crit that names an extension", Expected::malformed(), |token| {
        token.header("crit", json!(["urn:x"])).header("urn:x", true)
    });
    case("J-4", "an empty crit", Expected::malformed(), |token| token.header("crit", json!([])));
    case("J-4", "crit with b64", Expected::malformed(), |token| {
        token.header("crit", json!(["b64"])).header("b64", false)
    });
    case("J-4", "b64 false without crit", Expected::malformed(), |token| token.header("b64", false));
    case("J-4", "a kid that is a number", Expected::malformed(), |token| token.kid(json!(1)));
    case("J-4", "a kid that is an object", Expected::malformed(), |token| token.kid(json!({ "a": 1 })));
    for name in ["jku", "x5u"] {
        let good = move |world: &World| {
            RawRequest::get(SERVERS).bearer(&world.token().header(name, "https://evil.example/keys").mint())
        };
        cases.push(Case::new("J-4", format!("{name} is ignored"), good, Expected::forwarded()));
        let forged = move |world: &World| {
            RawRequest::get(SERVERS).bearer(
                &world.token().foreign_key().header(name, world.provider().jwks_url("staging")).mint(),
            )
        };
        cases.push(Case::new(
            "J-4",
            format!("{name} does not lead to a key"),
            forged,
            Expected::bad_signature(),
        ));
    }
    let embedded = |world: &World| {
        let kid = world.provider().signing_key("production", Algorithm::Es256).kid().to_owned();
        let key = std::sync::Arc::new(SigningKey::generate(Algorithm::Es256, Some(&kid)));
        let jwk: Value = key.jwk();
        RawRequest::get(SERVERS).bearer(&world.token().key(key).header("jwk", jwk).mint())
    };
    cases.push(Case::new("J-4", "an embedded jwk is not a key", embedded, Expected::bad_signature()));
    let certificate = |world: &World| {
        RawRequest::get(SERVERS)
            .bearer(&world.token().header("x5c", json!(["MIIB"])).header("x5t", "x").mint())
    };
    cases.push(Case::new("J-4", "x5c is ignored", certificate, Expected::forwarded()));

    for algorithm in Algorithm::ALL {
        let expected =
            if algorithm == Algorithm::Es256 { Expected::forwarded() } else { Expected::bad_signature() };
        let request = move |world: &World| {
            RawRequest::get(SERVERS)
                .bearer(&world.provider().token("production").algorithm(algorithm).claim("iat", 1).mint())
        };
        cases.push(
            Case::new("C-7", format!("{algorithm} where only ES256 is allowed"), request, expected)
                .under(Document::Strict),
        );
    }
    cases
}
