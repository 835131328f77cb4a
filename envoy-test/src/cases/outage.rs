//! C-5, J-6, J-9: providers in trouble. Their own tokens are answered 503, nobody else's suffer.

use super::world::TROUBLED;
use super::{Case, Document, Expected, World};
use crate::message::RawRequest;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for realm in TROUBLED.into_iter().chain(["dead"]) {
        let good = move |world: &World| RawRequest::get(SERVERS).bearer(&world.token_of(realm).mint());
        // An empty set, or one without a usable key, is no keys: an outage, not a verdict on the token.
        let expected = Expected::unavailable;
        cases.push(Case::new("J-9", format!("{realm}: its token"), good, expected()));
        let no_kid =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token_of(realm).without_kid().mint());
        cases.push(Case::new("J-9", format!("{realm}: its token without kid"), no_kid, expected()));
        let expired = move |world: &World| {
            RawRequest::get(SERVERS).bearer(&world.token_of(realm).expires_in(-60).mint())
        };
        let refused = Expected::invalid_token("token expired");
        cases.push(Case::new(
            "J-5",
            format!("{realm}: an expired token is refused without keys"),
            expired,
            refused,
        ));
        let live = |world: &World| RawRequest::get(SERVERS).bearer(&world.token().mint());
        let passes = Expected::forwarded().upstream("x-auth-provider", "production");
        cases.push(Case::new("J-3", format!("{realm}: another provider's token right after"), live, passes));
    }
    let mut case = |rule, name: &str, expected: Expected, request: fn(&World) -> RawRequest| {
        cases.push(Case::new(rule, name, request, expected));
    };
    case("J-9", "HEAD gets no body", Expected::unavailable().no_body(), |world| {
        RawRequest::new("HEAD", SERVERS).bearer(&world.token_of("dead").mint())
    });
    case("J-9", "no credentials are 401 whoever is dead", Expected::unauthenticated(), |_| {
        RawRequest::get(SERVERS)
    });
    case("J-2", "alg none is 401 whoever is dead", Expected::bad_signature(), |world| {
        RawRequest::get(SERVERS).bearer(&world.token_of("dead").unsigned().mint())
    });
    case(
        "J-3",
        "an unknown issuer is 401 whoever is dead",
        Expected::invalid_token("token issuer not accepted"),
        |world| {
            RawRequest::get(SERVERS).bearer(&world.token_of("dead").issuer("https://other.example").mint())
        },
    );
    case(
        "J-5",
        "the wrong audience is 401 whoever is dead",
        Expected::invalid_token("token audience not accepted"),
        |world| RawRequest::get(SERVERS).bearer(&world.token_of("dead").audience("other").mint()),
    );
    case(
        "J-6",
        "RFC 8414's form after a 404",
        Expected::forwarded().upstream("x-auth-provider", "rfc8414-only"),
        |world| RawRequest::get(SERVERS).bearer(&world.token_of("rfc8414-only").mint()),
    );
    case(
        "J-6",
        "jwksUrl skips discovery",
        Expected::forwarded().upstream("x-auth-provider", "direct-keys"),
        |world| RawRequest::get(SERVERS).bearer(&world.token_of("direct-keys").mint()),
    );
    case("P-4", "public paths do not need a provider", Expected::forwarded(), |_| {
        RawRequest::get("/openapi.json")
    });
    cases.into_iter().map(|case| case.under(Document::Troubled)).collect()
}
