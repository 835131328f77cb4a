//! J-3, J-4, J-7, J-8: which key verifies whose token.

use super::world::{SHARED_KID, TWIN_KID};
use super::{Case, Document, Expected, World};
use crate::Algorithm;
use crate::message::RawRequest;
use crate::provider::TokenSpec;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case =
        |rule, name: &str, document: Document, expected: Expected, token: fn(&World) -> TokenSpec| {
            cases.push(
                Case::new(
                    rule,
                    name,
                    move |world| RawRequest::get(SERVERS).bearer(&token(world).mint()),
                    expected,
                )
                .under(document),
            );
        };
    let complete = Document::Complete;
    let from = |provider: &str| Expected::forwarded().upstream("x-auth-provider", provider);
    let unknown = || Expected::invalid_token("token signing key unknown");
    let misfit = || Expected::invalid_token_one_of(&["token signature invalid", "token signing key unknown"]);
    let wrong_audience = || Expected::invalid_token("token audience not accepted");

    case("J-4", "no kid", complete, from("keycloak-prod"), |world| world.token().without_kid());
    case("J-4", "no kid, signed with a foreign key", complete, Expected::bad_signature(), |world| {
        world.token().foreign_key().without_kid()
    });
    case("J-8", "an unknown kid", complete, unknown(), |world| world.token().kid("unknown"));
    case("J-8", "an unknown kid and a foreign key", complete, unknown(), |world| {
        world.token().foreign_key().kid("unknown")
    });
    case("J-4", "an empty kid", complete, unknown(), |world| world.token().kid(""));
    case("J-4", "another key's kid", complete, misfit(), |world| {
        let other = world.provider().signing_key("production", Algorithm::EdDsa);
        world.token().kid(other.kid())
    });
    case("J-4", "another curve's kid", complete, misfit(), |world| {
        let other = world.provider().signing_key("production", Algorithm::Es384);
        world.token().kid(other.kid())
    });
    case("J-4", "the kid of the encryption key", complete, misfit(), |world| {
        let kid = world.provider().jwks("production")["keys"][0]["kid"].clone();
        world.token().algorithm(Algorithm::Rs256).kid(kid)
    });
    case("J-7", "the kid of a key of unknown type", complete, misfit(), |world| {
        world.token().kid("post-quantum")
    });
    case("J-4", "two keys with one kid: the newer", complete, from("keycloak-prod"), |world| {
        world.token().algorithm(Algorithm::Es512).kid(TWIN_KID)
    });
    case("J-4", "two keys with one kid: the older", complete, from("keycloak-prod"), |world| {
        world.token().algorithm(Algorithm::Es512).key(world.first_twin())
    });
    case("J-4", "two keys with one kid: neither", complete, Expected::bad_signature(), |world| {
        world.token().algorithm(Algorithm::Es512).key(world.first_twin()).foreign_key().kid(TWIN_KID)
    });

    case("J-3", "staging's token", complete, from("keycloak-staging"), |world| world.token_of("staging"));
    case("J-5", "staging's token for production's audience", complete, wrong_audience(), |world| {
        world.token_of("staging").audience("registry-api")
    });
    case("J-5", "production's token for staging's audience", complete, wrong_audience(), |world| {
        world.token().audience("registry-api-staging")
    });
    case("J-3", "one kid, two providers: production's", complete, from("keycloak-prod"), |world| {
        world.token().algorithm(Algorithm::Es384).kid(SHARED_KID)
    });
    case("J-3", "one kid, two providers: staging's", complete, from("keycloak-staging"), |world| {
        world.token_of("staging").algorithm(Algorithm::Es384).kid(SHARED_KID)
    });
    case(
        "J-4",
        "one kid, two providers: staging's key under production's name",
        complete,
        Expected::bad_signature(),
        |world| {
            world
                .token()
                .algorithm(Algorithm::Es384)
                .key(world.provider().signing_key("staging", Algorithm::Es384))
        },
    );
    case(
        "J-4",
        "one kid, two providers: production's key under staging's name",
        complete,
        Expected::bad_signature(),
        |world| {
            world
                .token_of("staging")
                .algorithm(Algorithm::Es384)
                .key(world.provider().signing_key("production", Algorithm::Es384))
        },
    );
    case("J-4", "staging's key under production's name", complete, unknown(), |world| {
        world.token().key(world.provider().signing_key("staging", Algorithm::Es256))
    });
    case(
        "J-3",
        "a token of a realm that is not configured",
        complete,
        Expected::invalid_token("token issuer not accepted"),
        |world| world.token_of("tenants"),
    );

    let shared = Document::SharedIssuer;
    case("J-3", "one issuer, two audiences: the first", shared, from("first"), |world| {
        world.token_of("tenants")
    });
    case("J-3", "one issuer, two audiences: the second", shared, from("second"), |world| {
        world.token_of("tenants").audience("second-api")
    });
    case("J-3", "one issuer, two audiences: both", shared, from("first"), |world| {
        world.token_of("tenants").audience(serde_json::json!(["second-api", "first-api"]))
    });
    case("J-3", "one issuer, two audiences: neither", shared, wrong_audience(), |world| {
        world.token_of("tenants").audience("third-api")
    });
    case("J-3", "one issuer, two audiences: a third provider's", shared, wrong_audience(), |world| {
        world.token_of("tenants").audience("registry-api")
    });
    case(
        "J-3",
        "one issuer, two audiences: expired",
        shared,
        Expected::invalid_token("token expired"),
        |world| world.token_of("tenants").audience("second-api").expires_in(-60),
    );
    case("J-3", "one issuer, two audiences: a bad signature", shared, Expected::bad_signature(), |world| {
        world.token_of("tenants").audience("second-api").foreign_key()
    });
    case("J-3", "a third provider beside a shared issuer", shared, from("keycloak-prod"), World::token);
    cases
}
