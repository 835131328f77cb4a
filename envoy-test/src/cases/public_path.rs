//! P-1, P-3, P-4: what needs no token, and what looks like it.

use super::{Case, Document, Expected};
use crate::message::RawRequest;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut open = |rule, method: &'static str, target: &'static str| {
        cases.push(Case::new(
            rule,
            format!("{method} {target} is public"),
            move |_| RawRequest::new(method, target),
            Expected::forwarded().not_upstream("x-auth-provider"),
        ));
    };
    for method in ["GET", "HEAD", "OPTIONS"] {
        open("P-1", method, "/openapi.json");
        open("P-1", method, "/.well-known/anything");
    }
    open("P-1", "GET", "/openapi.json?pretty=1");
    open("P-1", "GET", "/.well-known/a/b/c");
    open("P-1", "GET", "/.well-known/openid-configuration");
    for target in [
        "/custom-health",
        "/custom-health/",
        "/custom-health/check",
        "/custom-health?a=/../b",
        "/metrics",
        "/files/a",
        "/files",
        "/trailing",
        "/trailing/x",
    ] {
        open("P-3", "GET", target);
    }
    // Double encoding: decoded once, it is still a segment of its own.
    open("P-2", "GET", "/custom-health/%252e%252e/registry");
    open("P-2", "GET", "/custom-health/%C3%A9");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        open("P-4", method, "/custom-health");
    }

    let mut closed = |rule, method: &'static str, target: &'static str| {
        cases.push(Case::new(
            rule,
            format!("{method} {target} is not public"),
            move |_| RawRequest::new(method, target),
            Expected::unauthenticated(),
        ));
    };
    for target in [
        "/",
        "/registry/default/v0.1/servers",
        "/openapi.json/",
        "/openapi.json/x",
        "/openapi.jsonx",
        "/openapi.yaml",
        "/OpenAPI.json",
        "/x/openapi.json",
        "/.well-known",
        "/.well-knownx/y",
        "/.Well-Known/x",
        "/x/.well-known/y",
    ] {
        closed("P-1", "GET", target);
    }
    for target in [
        "/custom-healthy",
        "/Custom-Health",
        "/custom",
        "/custom-",
        "/x/custom-health",
        "/metricsx",
        "/filesx",
        "/?/custom-health",
        "/x?/metrics",
    ] {
        closed("P-3", "GET", target);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
        closed("P-4", method, "/openapi.json");
        closed("P-4", method, "/.well-known/anything");
    }
    closed("R-4", "OPTIONS", "/registry/default/v0.1/servers");

    cases.extend([
        Case::new(
            "P-4",
            "a token on a public path is not looked at",
            |_| RawRequest::get("/custom-health").bearer("nonsense"),
            Expected::forwarded().upstream("authorization", "Bearer nonsense"),
        ),
        Case::new(
            "P-4",
            "an expired token on a public path is not looked at",
            |world| RawRequest::get("/metrics").bearer(&world.token().expires_in(-300).mint()),
            Expected::forwarded().not_upstream("x-auth-subject"),
        ),
        Case::new(
            "P-4",
            "a good token on a public path tells no identity",
            |world| RawRequest::get("/custom-health").bearer(&world.token().mint()),
            Expected::forwarded().not_upstream("x-auth-provider").not_upstream("x-auth-subject"),
        ),
        Case::new(
            "P-4",
            "several credentials on a public path are not looked at",
            |_| RawRequest::get("/custom-health").header("Authorization", "Bearer a, Bearer b"),
            Expected::forwarded(),
        ),
        Case::new(
            "P-4",
            "a public POST keeps its body",
            |_| RawRequest::new("POST", "/custom-health").body("hello"),
            Expected::forwarded(),
        ),
    ]);
    for target in ["/", "/registry/default/v0.1/servers", "/v1/entries"] {
        cases.push(
            Case::new(
                "P-1",
                format!("anonymous mode lets {target} pass"),
                move |_| RawRequest::get(target),
                Expected::forwarded().not_upstream("x-auth-provider"),
            )
            .under(Document::Anonymous),
        );
        cases.push(
            Case::new(
                "P-3",
                format!("publicPaths `/` covers {target}"),
                move |_| RawRequest::get(target),
                Expected::forwarded().not_upstream("x-auth-provider"),
            )
            .under(Document::EverythingPublic),
        );
    }
    cases.extend([
        Case::new(
            "P-1",
            "anonymous mode does not look at tokens",
            |_| RawRequest::get("/registry").bearer("nonsense"),
            Expected::forwarded().upstream("authorization", "Bearer nonsense"),
        )
        .under(Document::Anonymous),
        Case::new(
            "P-1",
            "anonymous mode lets every method pass",
            |_| RawRequest::new("DELETE", "/v1/entries/server/a").body("x"),
            Expected::forwarded(),
        )
        .under(Document::Anonymous),
        Case::new(
            "P-3",
            "publicPaths `/` covers every method",
            |_| RawRequest::new("POST", "/v1/entries").body("x"),
            Expected::forwarded(),
        )
        .under(Document::EverythingPublic),
        Case::new(
            "P-2",
            "publicPaths `/` covers canonical paths only",
            |_| RawRequest::get("/a%2Fb"),
            Expected::unauthenticated(),
        )
        .under(Document::EverythingPublic),
        Case::new(
            "P-4",
            "publicPaths `/` does not make /openapi.json less public",
            |_| RawRequest::new("POST", "/openapi.json"),
            Expected::forwarded(),
        )
        .under(Document::EverythingPublic),
    ]);
    cases
}
