//! C-7, R-1: `requiredScopes`.

use super::{Case, Document, Expected, Host, World};
use crate::message::RawRequest;
use crate::provider::TokenSpec;

const SERVERS: &str = "/registry/default/v0.1/servers";
const READ: &str = "mcp-registry:read";
const WRITE: &str = "mcp-registry:write";
const BOTH: &str = "mcp-registry:read mcp-registry:write";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut one = |name: &str, expected: Expected, spec: fn(TokenSpec) -> TokenSpec| {
        cases.push(
            Case::new(
                "C-7",
                name,
                move |world: &World| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
                expected,
            )
            .under(Document::Scopes),
        );
    };
    one("the scope among others", Expected::forwarded(), |token| token);
    one("the scope alone", Expected::forwarded(), |token| token.scope(READ));
    one("the scope in scp, a string", Expected::forwarded(), |token| {
        token.without("scope").claim("scp", READ)
    });
    one("the scope in scp, an array", Expected::forwarded(), |token| {
        token.without("scope").claim("scp", serde_json::json!(["x", READ]))
    });
    one("no scope claim", Expected::insufficient_scope(READ), |token| token.without("scope"));
    one("an empty scope claim", Expected::insufficient_scope(READ), |token| token.scope(""));
    one("another scope", Expected::insufficient_scope(READ), |token| token.scope(WRITE));
    one("a longer scope", Expected::insufficient_scope(READ), |token| token.scope("mcp-registry:read-all"));
    one("a shorter scope", Expected::insufficient_scope(READ), |token| token.scope("mcp-registry"));
    one("upper case", Expected::insufficient_scope(READ), |token| token.scope("MCP-REGISTRY:READ"));
    one("commas instead of spaces", Expected::insufficient_scope(READ), |token| {
        token.scope("openid,mcp-registry:read")
    });
    one("a scope claim that is an object", Expected::insufficient_scope(READ), |token| {
        token.claim("scope", serde_json::json!({ READ: true }))
    });
    let expired = Expected::invalid_token("token expired").challenge_scope(READ);
    one("an expired token with the scope", expired, |token| token.expires_in(-60));
    let none = |_: &World| RawRequest::get(SERVERS);
    cases.push(
        Case::new(
            "R-1",
            "the challenge names the scope",
            none,
            Expected::unauthenticated().challenge_scope(READ),
        )
        .under(Document::Scopes),
    );
    let head = |world: &World| RawRequest::new("HEAD", SERVERS).bearer(&world.token().scope("x").mint());
    cases.push(
        Case::new("R-2", "HEAD without the scope", head, Expected::insufficient_scope(READ).no_body())
            .under(Document::Scopes),
    );
    cases.push(
        Case::new(
            "P-4",
            "public paths need no scope",
            |_| RawRequest::get("/openapi.json"),
            Expected::forwarded(),
        )
        .under(Document::Scopes),
    );

    let mut rule = |method: &'static str, target: &'static str, scope: &'static str, expected: Expected| {
        let request =
            move |world: &World| RawRequest::new(method, target).bearer(&world.token().scope(scope).mint());
        cases.push(
            Case::new("C-7", format!("{method} {target} with {scope:?}"), request, expected)
                .under(Document::ScopeRules),
        );
    };
    rule("GET", "/registry/default/v0.1/servers", READ, Expected::forwarded());
    rule("HEAD", "/registry/default/v0.1/servers", READ, Expected::forwarded());
    rule("GET", "/registry", READ, Expected::forwarded());
    rule("GET", "/registry/default/v0.1/servers", WRITE, Expected::insufficient_scope(READ));
    rule("GET", "/registry/default/v0.1/servers", "", Expected::insufficient_scope(READ));
    rule("POST", "/v1/entries", WRITE, Expected::forwarded());
    rule("POST", "/v1/entries", READ, Expected::insufficient_scope(WRITE));
    rule("GET", "/v1/me", "", Expected::forwarded());
    rule("DELETE", "/v1/me", "", Expected::forwarded());
    rule("GET", "/v1/me/x", "", Expected::forwarded());
    // Where rules exist and none matches, all scopes named in them are required.
    rule("GET", "/v1/registries", READ, Expected::insufficient_scope(BOTH));
    rule("GET", "/v1/registries", WRITE, Expected::insufficient_scope(BOTH));
    rule("GET", "/v1/registries", BOTH, Expected::forwarded());
    rule("GET", "/registryx", READ, Expected::insufficient_scope(BOTH));
    rule("GET", "/v1/mex", "", Expected::insufficient_scope(BOTH));
    rule("DELETE", "/registry/default/v0.1/servers", READ, Expected::insufficient_scope(BOTH));
    rule("PATCH", "/v1/entries", WRITE, Expected::insufficient_scope(BOTH));
    // A path that could be read differently matches no rule that asks for less.
    rule("GET", "/v1/me%2f..%2fentries", "", Expected::insufficient_scope(BOTH));
    rule("GET", "/v1/me;x/y", "", Expected::insufficient_scope(BOTH));
    let lower = |world: &World| RawRequest::new("get", "/registry").bearer(&world.token().scope(READ).mint());
    cases.push(
        Case::new("C-7", "methods are case-sensitive", lower, Expected::insufficient_scope(BOTH))
            .under(Document::ScopeRules)
            .in_host(Host::Envoy, Expected::refused_by_host()),
    );
    cases
}
