//! browsers.

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;
use crate::upstream::ANSWER_HEADER;

const SERVERS: &str = "/registry/default/v0.1/servers";
const APP: &str = "https://app.example.com";

fn preflight(origin: &str) -> RawRequest {
    RawRequest::new("OPTIONS", SERVERS)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization")
}

/// A good request from a web application.
fn from(world: &World, origin: &str) -> RawRequest {
    RawRequest::get(SERVERS).header("Origin", origin).bearer(&world.token().mint())
}

/// The upstream has its own opinion.
fn with_upstreams_own(request: RawRequest) -> RawRequest {
    let own = [
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Origin: https://evil.example",
        "Access-Control-Allow-Credentials: true",
        "Access-Control-Expose-Headers: X-Secret",
        "Vary: Accept",
    ];
    own.iter().fold(request, |request, header| request.header(ANSWER_HEADER, header))
}

const ORIGIN: &str = "access-control-allow-origin";
const CREDENTIALS: &str = "access-control-allow-credentials";
const EXPOSED: &str = "access-control-expose-headers";

/// What the allowed origin is told with every response.
fn readable(expected: Expected) -> Expected {
    expected.headers(ORIGIN, &[APP]).headers(EXPOSED, &["WWW-Authenticate"]).no_header(CREDENTIALS)
}

/// What everybody else is told.
fn unreadable(expected: Expected) -> Expected {
    expected.no_header(ORIGIN).no_header(EXPOSED).no_header(CREDENTIALS)
}

fn responses() -> [Case; 11] {
    const STRANGER: &str = "https://evil.example";
    let varies = |expected: Expected| expected.headers("vary", &["Origin"]);
    let varies_more = |expected: Expected| expected.headers("vary", &["Accept", "Origin"]);
    let forwarded = Expected::forwarded;
    let case = |name, request: fn(&World) -> RawRequest, expected| {
        Case::new("R-4", name, request, expected).under(Document::Cors)
    };
    [
        case(
            "a response can be read by the allowed origin",
            |world| from(world, APP),
            varies(readable(forwarded())),
        ),
        case(
            "a response cannot be read by a stranger",
            |world| from(world, STRANGER),
            varies(unreadable(forwarded())),
        ),
        case(
            "a response cannot be read by null",
            |world| from(world, "null"),
            varies(unreadable(forwarded())),
        ),
        case(
            "a response to a request without an origin says that origins matter",
            |world| RawRequest::get(SERVERS).bearer(&world.token().mint()),
            varies(unreadable(forwarded())),
        ),
        case(
            "ours replaces what the upstream tells browsers",
            |world| with_upstreams_own(from(world, APP)),
            varies_more(readable(forwarded())),
        ),
        case(
            "what the upstream tells browsers does not reach a stranger",
            |world| with_upstreams_own(from(world, STRANGER)),
            varies_more(unreadable(forwarded())),
        ),
        case(
            "a public path's response can be read by the allowed origin",
            |_| RawRequest::get("/openapi.json").header("Origin", APP),
            varies(readable(forwarded())),
        ),
        case(
            "a public path's response cannot be read by a stranger",
            |_| with_upstreams_own(RawRequest::get("/openapi.json").header("Origin", STRANGER)),
            varies_more(unreadable(forwarded())),
        ),
        case(
            "a preflight for a public path is answered as any other",
            |_| {
                RawRequest::new("OPTIONS", "/openapi.json")
                    .header("Origin", APP)
                    .header("Access-Control-Request-Method", "GET")
            },
            Expected::answered(204).header(ORIGIN, APP),
        ),
        case(
            "a stranger's preflight for a public path is answered without permission",
            |_| {
                RawRequest::new("OPTIONS", "/openapi.json")
                    .header("Origin", STRANGER)
                    .header("Access-Control-Request-Method", "GET")
            },
            Expected::answered(204).no_header(ORIGIN),
        ),
        case(
            "a 401 varies by origin",
            |_| RawRequest::get(SERVERS).header("Origin", STRANGER).bearer("nobodys"),
            varies(unreadable(Expected::malformed())),
        ),
    ]
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
        Case::new(
            "R-4",
            "without cors, what the upstream tells browsers passes",
            |world| with_upstreams_own(from(world, APP)),
            Expected::forwarded()
                .headers(ORIGIN, &["*", "https://evil.example"])
                .headers(CREDENTIALS, &["true"])
                .headers("vary", &["Accept"]),
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
    ]
    .map(|case| case.under(Document::Cors));
    complete.into_iter().chain(cors).chain(responses()).collect()
}
