//! J-2, J-4: every algorithm, and every way a signature can be wrong.

use super::{Case, Expected, World};
use crate::message::RawRequest;
use crate::provider::{Algorithm, Damage};

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for algorithm in Algorithm::ALL {
        let token = move |world: &World| world.provider().token("production").algorithm(algorithm);
        let good = move |world: &World| RawRequest::get(SERVERS).bearer(&token(world).mint());
        cases.push(Case::new(
            "J-2",
            format!("{algorithm}"),
            good,
            Expected::forwarded().upstream("x-auth-provider", "keycloak-prod"),
        ));
        for damage in Damage::ALL {
            let request =
                move |world: &World| RawRequest::get(SERVERS).bearer(&token(world).damage(damage).mint());
            cases.push(Case::new(
                "J-2",
                format!("{algorithm}: {damage:?}"),
                request,
                Expected::bad_signature(),
            ));
        }
        let foreign =
            move |world: &World| RawRequest::get(SERVERS).bearer(&token(world).foreign_key().mint());
        cases.push(Case::new(
            "J-4",
            format!("{algorithm}: a key that nobody has published"),
            foreign,
            Expected::bad_signature(),
        ));
    }
    // The header names an algorithm, the signature was made with another one of the same key type.
    for (header, signed) in [
        (Algorithm::Rs256, Algorithm::Rs512),
        (Algorithm::Rs256, Algorithm::Ps256),
        (Algorithm::Ps256, Algorithm::Rs256),
        (Algorithm::Ps256, Algorithm::Ps384),
        (Algorithm::Ps512, Algorithm::Ps256),
    ] {
        let request = move |world: &World| {
            let key = world.provider().signing_key("production", header);
            RawRequest::get(SERVERS)
                .bearer(&world.token().key(key).algorithm(signed).header("alg", header.as_str()).mint())
        };
        cases.push(Case::new(
            "J-4",
            format!("{header} in the header, {signed} in the signature"),
            request,
            Expected::bad_signature(),
        ));
    }
    // The signature is right under the header's algorithm, but the JWK's own `alg` is another one.
    for (published, used) in [
        (Algorithm::Rs256, Algorithm::Rs512),
        (Algorithm::Rs256, Algorithm::Ps256),
        (Algorithm::Ps256, Algorithm::Rs256),
        (Algorithm::Ps384, Algorithm::Ps512),
    ] {
        let request = move |world: &World| {
            let key = world.provider().signing_key("production", published);
            RawRequest::get(SERVERS).bearer(&world.token().key(key).algorithm(used).mint())
        };
        let expected =
            Expected::invalid_token_one_of(&["token signature invalid", "token signing key unknown"]);
        cases.push(Case::new(
            "J-4",
            format!("a key published for {published} does not verify {used}"),
            request,
            expected,
        ));
    }
    cases
}
