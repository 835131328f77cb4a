//! browsers.

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;

const SERVERS: &str = "/registry/default/v0.1/servers";
const APP: &str = "https://app.example.com";

fn preflight(origin: &str) -> RawRequest {
    RawRequest::new("OPTIONS", SERVERS)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization")
}

pub(super) fn cases() -> Vec<Case> {
    let complete = vec![
        Case::new(
            "R-4",
            "a preflight passes to the upstream",
            |_| preflight(APP),
            Expected::forwarded().upstream("origin", APP),
        ),
        Case::new(
            "R-4",
            "a preflight passes without its Authorization",
            |world| preflight(APP).bearer(&world.token().mint()),
            Expected::forwarded().not_upstream("authorization").not_upstream("x-auth-provider"),
        ),
        Case::new(
            "R-4",
            "a preflight passes without forged identities",
            |_| preflight(APP).header("X-Auth-User", "forged"),
            Expected::forwarded().not_upstream("x-auth-user"),
        ),
        Case::new(
            "R-4",
            "OPTIONS without an origin needs a token",
            |_| RawRequest::new("OPTIONS", SERVERS).header("Access-Control-Request-Method", "GET"),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-4",
            "OPTIONS without a requested method needs a token",
            |_| RawRequest::new("OPTIONS", SERVERS).header("Origin", APP),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-4",
            "OPTIONS with a body needs a token",
            |_| preflight(APP).body("x"),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-4",
            "GET with a preflight's headers needs a token",
            |_| RawRequest::get(SERVERS).header("Origin", APP).header("Access-Control-Request-Method", "GET"),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-4",
            "OPTIONS with a token passes",
            |world: &World| RawRequest::new("OPTIONS", SERVERS).bearer(&world.token().mint()),
            Expected::forwarded().upstream("x-auth-provider", "keycloak-prod"),
        ),
        Case::new(
            "R-4",
            "refusals tell nothing to browsers by default",
            |_| RawRequest::get(SERVERS).header("Origin", APP),
            Expected::unauthenticated().no_header("access-control-allow-origin"),
        ),
    ];
    let cors = [
        Case::new(
            "R-4",
            "a preflight is answered",
            |_| preflight(APP),
            Expected::answered(204)
                .no_body()
                .header("access-control-allow-origin", APP)
                .header("access-control-allow-methods", "GET, POST")
                .header("access-control-allow-headers", "Authorization")
                .header("access-control-max-age", "600"),
        ),
        Case::new(
            "R-4",
            "a stranger's preflight is answered without permission",
            |_| preflight("https://evil.example"),
            Expected::answered(204).no_header("access-control-allow-origin"),
        ),
        Case::new(
            "R-4",
            "an origin that only begins like the allowed one",
            |_| preflight("https://app.example.com.evil.example"),
            Expected::answered(204).no_header("access-control-allow-origin"),
        ),
        Case::new(
            "R-4",
            "an origin in plain http",
            |_| preflight("http://app.example.com"),
            Expected::answered(204).no_header("access-control-allow-origin"),
        ),
        Case::new(
            "R-4",
            "the origin null",
            |_| preflight("null"),
            Expected::answered(204).no_header("access-control-allow-origin"),
        ),
        Case::new(
            "R-4",
            "a refusal can be read by the allowed origin",
            |_| RawRequest::get(SERVERS).header("Origin", APP),
            Expected::unauthenticated()
                .header("access-control-allow-origin", APP)
                .header("access-control-expose-headers", "WWW-Authenticate"),
        ),
        Case::new(
            "R-4",
            "a refusal cannot be read by a stranger",
            |_| RawRequest::get(SERVERS).header("Origin", "https://evil.example"),
            Expected::unauthenticated().no_header("access-control-allow-origin"),
        ),
        Case::new(
            "R-4",
            "OPTIONS that is no preflight needs a token",
            |_| RawRequest::new("OPTIONS", SERVERS),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-4",
            "a request with a token passes",
            |world: &World| RawRequest::get(SERVERS).header("Origin", APP).bearer(&world.token().mint()),
            Expected::forwarded(),
        ),
    ]
    .map(|case| case.under(Document::Cors));
    complete.into_iter().chain(cors).collect()
}
