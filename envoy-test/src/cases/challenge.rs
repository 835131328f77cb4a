//! R-1, R-2: refusals, word for word.

use super::{Case, Document, Expected, Host, World};
use crate::message::RawRequest;

type Request = fn(&World) -> RawRequest;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut exact =
        |rule, name: &str, expected: Expected, challenge: &str, request: fn(&World) -> RawRequest| {
            cases.push(Case::new(rule, name, request, expected.challenge(challenge)));
        };
    exact(
        "R-1",
        "the challenge without credentials",
        Expected::unauthenticated(),
        r#"Bearer realm="mcp-registry", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource""#,
        |_| RawRequest::get(SERVERS),
    );
    exact(
        "R-1",
        "the challenge for an expired token",
        Expected::invalid_token("token expired"),
        r#"Bearer realm="mcp-registry", error="invalid_token", error_description="token expired", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource""#,
        |world| RawRequest::get(SERVERS).bearer(&world.token().expires_in(-60).mint()),
    );
    exact(
        "R-1",
        "the challenge for a malformed header",
        Expected::malformed_authorization(),
        r#"Bearer realm="mcp-registry", error="invalid_request", error_description="malformed authorization header", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource""#,
        |_| RawRequest::get(SERVERS).header("Authorization", "Bearer"),
    );
    let path = r#"Bearer realm="say \"registry\" \\ here", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource/mcp/registry""#;
    cases.push(
        Case::new(
            "R-1",
            "a realm with quotes and a resource with a path",
            |_| RawRequest::get(SERVERS),
            Expected::unauthenticated().challenge(path),
        )
        .under(Document::Path),
    );
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let refused = move |_: &World| RawRequest::new(method, SERVERS);
        cases.push(Case::new(
            "R-2",
            format!("{method} without a token"),
            refused,
            Expected::unauthenticated(),
        ));
        let passes = move |world: &World| RawRequest::new(method, SERVERS).bearer(&world.token().mint());
        cases.push(Case::new(
            "R-2",
            format!("{method} with a token"),
            passes,
            Expected::forwarded().upstream("x-auth-provider", "keycloak-prod"),
        ));
    }
    // Envoy's codec knows a fixed list of methods.
    let unknown = |_: &World| RawRequest::new("X-CUSTOM", SERVERS);
    cases.push(
        Case::new("R-2", "an unknown method without a token", unknown, Expected::unauthenticated())
            .in_host(Host::Envoy, Expected::refused_by_host()),
    );
    // Nothing of the request enters a header (HOSTS rule 14).
    let injections: [(&str, Request); 4] = [
        ("a query that looks like a challenge", |_| {
            RawRequest::get("/x?resource_metadata=https://evil.example")
        }),
        ("a host of the client's choice", |_| RawRequest::get(SERVERS).header("Host", "evil.example")),
        ("forwarding headers", |_| {
            RawRequest::get(SERVERS)
                .header("X-Forwarded-Host", "evil.example")
                .header("X-Forwarded-Proto", "ftp")
                .header("Forwarded", "host=evil.example")
        }),
        ("an origin", |_| RawRequest::get(SERVERS).header("Origin", "https://evil.example")),
    ];
    for (name, request) in injections {
        cases.push(Case::new(
            "R-1",
            format!("the challenge does not repeat {name}"),
            request,
            Expected::unauthenticated().no_header("access-control-allow-origin"),
        ));
    }
    cases.extend([
        Case::new(
            "R-1",
            "no injection by iss",
            |world: &World| {
                RawRequest::get(SERVERS).bearer(&world.token().issuer("x\", evil=\"\r\nX-Evil: 1").mint())
            },
            Expected::invalid_token("token issuer not accepted").no_header("x-evil"),
        ),
        Case::new(
            "R-1",
            "no injection by kid",
            |world: &World| RawRequest::get(SERVERS).bearer(&world.token().kid("x\"\r\nX-Evil: 1").mint()),
            Expected::invalid_token("token signing key unknown").no_header("x-evil"),
        ),
        Case::new(
            "R-1",
            "no injection by scope",
            |world: &World| RawRequest::get(SERVERS).bearer(&world.token().scope("x\"\r\nX-Evil: 1").mint()),
            Expected::insufficient_scope("mcp-registry:read").no_header("x-evil"),
        )
        .under(Document::Scopes),
        Case::new(
            "R-2",
            "a body is not delivered with a refusal",
            |_| RawRequest::new("POST", "/v1/entries").body("x".repeat(100_000)),
            Expected::unauthenticated(),
        ),
        Case::new(
            "R-2",
            "a body is delivered after acceptance",
            |world: &World| {
                RawRequest::new("POST", "/v1/entries").bearer(&world.token().mint()).body("x".repeat(100_000))
            },
            Expected::forwarded(),
        ),
    ]);
    cases
}
